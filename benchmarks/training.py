"""How fast is our training loop, beside the loop that a user would write?

Frames per second of one epoch over whole frames of the default grid, in one process: our `Trainer`
(drawing, cutting, scaling, steps; one validation frame and a checkpoint at the end), a plain
PyTorch loop over the same network, samples and steps, with the same end, and Keras (study's
networks, steps alone). Ours and the plain loop have a process each, as ours tells the C library to
keep memory. Equal losses say that both did the same. Ours runs in float32 as the others do, and,
where the processor has it, with layers in bfloat16. Several ranks are in scaling.py.

    python benchmarks/training.py [--frames 96] [--repeats 5]
"""

import argparse
import io
import logging
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from made_frames import samples, waves
from measure import (
    NOT_INSTALLED,
    Timing,
    apart,
    in_turn,
    installed,
    percent,
    publish,
    table,
    target,
)
from plain_loop import SEED, FrameDataset, choices, eager, frames_of, fresh, order, train_plain
from step_profile import kinds_of_step

from swsr.checkpoint import Checkpoints
from swsr.communication import Communicator
from swsr.patches import Samples
from swsr.run import Run, keep_memory
from swsr.settings import PACK_FRAMES
from swsr.training.trainer import Trainer

BATCH = {"2d": 4, "3d": 8, "joint": 4}
LOWER = "bfloat16"
NETWORKS = ("skip_2d", "study_2d", "skip_3d", "study_3d", "fusion_joint")


def batch_of(name: str) -> int:
    """Samples of a step."""
    return BATCH[name.rpartition("_")[2]]


@cache
def data(name: str, num_frames: int) -> tuple[Samples, Samples]:
    """Training samples of a series, and one for validation."""
    train = samples(fresh(name), waves(num_frames))
    first = train.reach.num_frames
    validation = replace(
        train, inputs=(train.inputs[0][:first],), truths=(train.truths[0][:first],)
    )
    return train, validation


def our_epoch(name: str, num_frames: int, precision: str) -> float:
    """Mean loss of an epoch of `Trainer`, from the weights that all loops start from."""
    train, validation = data(name, num_frames)
    settings = choices(name, batch_of(name), precision)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            network=fresh(name), train=train, validation=validation, chunk=8,
            settings=settings, seed=SEED, communicator=Communicator(),
            device=torch.device("cpu"), report=lambda _: None, window_points=512,
        )  # fmt: skip
        checkpoints = Checkpoints(Path(folder), "benchmark")
        return trainer.fit(checkpoints, logging.getLogger().debug).history[0]["train_loss"]


def plain_epoch(name: str, num_frames: int) -> float:
    """The same of the plain loop."""
    train, validation = data(name, num_frames)
    settings, network = choices(name, batch_of(name)), eager(fresh(name))
    batches = order(train, settings)
    loss = train_plain(network, FrameDataset(train), batches, settings.learning_rate)
    with torch.inference_mode():
        network(torch.from_numpy(validation.whole([0])[0].copy()))
    torch.save(network.state_dict(), io.BytesIO())
    return loss


def loops(name: str, num_frames: int) -> tuple[dict[str, Callable[[], object]], dict[str, float]]:
    """The loops over one network, each as its process would run it, and where losses go."""
    losses: dict[str, float] = {}
    epochs = {
        "ours": apart(our_epoch, name, num_frames, "float32", prepare=keep_memory),
        "plain": apart(plain_epoch, name, num_frames),
    }
    if Run().has_bfloat16:
        epochs[LOWER] = apart(our_epoch, name, num_frames, LOWER, prepare=keep_memory)
    things: dict[str, Callable[[], object]] = {
        key: lambda key=key, epoch=epoch: losses.update({key: epoch()})
        for key, epoch in epochs.items()
    }
    # The geometry of ours has no layer in Keras.
    if name.startswith("study") and installed("keras", "jax"):
        from keras_loop import keras_epoch

        settings, (train, _) = choices(name, batch_of(name)), data(name, num_frames)
        given, truths = (tensor.numpy() for tensor in frames_of(train, order(train, settings)))
        things["Keras"] = keras_epoch(given, truths, settings.global_batch_size)
    return things, losses


def row(name: str, timings: dict[str, Timing], count: int, losses: dict) -> list[str]:
    """Throughputs and ratios of one network."""
    plain, keras = timings["plain"], timings.get("Keras")
    beside = NOT_INSTALLED if not installed("keras", "jax") else "-"
    figures = [f"`{name}`", f"{count / timings['ours'].median:.1f} frames/s"]
    for key in ("ours", LOWER):
        if key in timings:
            ratio, spread = timings[key].ratio(plain), percent(timings[key].spread / 2)
            figures += [
                f"{ratio:.2f} (± {spread})",
                f"{abs(losses[key] / losses['plain'] - 1):.0e}",
            ]
        else:
            figures += ["no instructions", "-"]
    return [*figures, f"{timings['ours'].ratio(keras):.2f}" if keras else beside]


def step_kinds(name: str) -> dict[str, float]:
    """Share of each kind of kernel in a step of ours."""
    batch = batch_of(name)
    frames = batch + fresh(name).reach.num_frames - 1
    return kinds_of_step(name, samples(fresh(name), waves(frames)), batch)


def main() -> None:
    """Measure, print the tables, write training.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=96, help="of the series, 64 x 128 points")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    rows, found, targets = [], {}, []
    for name in NETWORKS:
        # 3D samples take twenty times as long.
        frames = max(2 * PACK_FRAMES, given.frames // 4) if "3d" in name else given.frames
        things, losses = loops(name, frames)
        count = len(data(name, frames)[0])
        timings = in_turn(things, max(3, given.repeats - 2) if "3d" in name else given.repeats)
        rows.append(row(name, timings, count, losses))
        found[name] = {"frames": count, "losses": losses, "timings": timings}
        for key, precision in (("ours", "float32"), (LOWER, LOWER)):
            if name.startswith("skip") and key in timings:
                faster = timings[key].ratio(timings["plain"])
                what = f"training of {name} in {precision}, beside a plain PyTorch loop in float32"
                targets.append(target(what, "at least 2x", faster, met=faster >= 2))
    header = [
        "one epoch", "ours, float32", "over plain PyTorch, float32", "losses differ by",
        "layers in bfloat16 over that plain loop", "losses differ by", "float32 over Keras (JAX)",
    ]  # fmt: skip
    kinds = {name: step_kinds(name) for name in NETWORKS}
    page = [
        table(header, rows),
        "A profile of our steps: how much of their time is in\n",
        table(
            ["network", *kinds["skip_2d"]],
            [[f"`{name}`", *map(percent, each.values())] for name, each in kinds.items()],
        ),
    ]
    publish("training", "\n".join(page), found | {"profiles": kinds}, targets)


if __name__ == "__main__":
    main()
