"""How fast are training and inference on a GPU, beside eager PyTorch and the card's own limits?

Frames per second of our `Trainer` and of a plain PyTorch loop over the same network and batches,
both on one GPU: medians over epochs after the first, in which graphs are captured and data loaders
started. Limits are measured in the same run: a matrix product in TF32, which convolutions use too,
and a copy; a step needs three times the work of inference. Inference is from memory of the host to
memory of the host. One rank of Horovod and of torch.distributed, both by NCCL, says what a sum
costs before any GPU waits for another.

Not part of `make bench`: by `python benchmarks/bench.py --only gpu`, or alone

    mpirun -n 1 python benchmarks/gpu.py [--epochs 3]
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, islice
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
from inference import trained
from made_frames import samples, waves
from measure import in_turn, publish, table, target
from plain_loop import SEED, PatchDataset, choices, eager, fresh, plain_steps
from roofline import ceilings, count_work

from swsr import communication
from swsr.checkpoint import Checkpoints
from swsr.communication import Communicator
from swsr.inference import apply_network
from swsr.networks.build import count_parameters
from swsr.patches import Samples, draw_epoch
from swsr.run import Run
from swsr.training.trainer import Trainer

GPU = torch.device("cuda")
DEFAULT, STUDY = (64, 128), (320, 640)
"""Points of frames: of the default study, and of the study that we reproduce."""
BATCH, CHUNK = 4, 8


@dataclass(frozen=True)
class Case:
    """What is trained: a network on whole frames, or on patches, of a grid."""

    network: str
    grid: tuple[int, int]
    patch_points: int | None = None
    patches_per_frame: int = 1
    precision: str = "float32"

    @property
    def name(self) -> str:
        """For the tables."""
        part = f"{self.patch_points} x {self.patch_points} of " if self.patch_points else ""
        beside = "" if self.precision == "float32" else f", {self.precision} (plain: float32)"
        return f"`{self.network}`, {part}{self.grid[0]} x {self.grid[1]}{beside}"


CASES = (
    Case("skip_2d", DEFAULT),
    Case("study_2d", DEFAULT),
    Case("skip_3d", DEFAULT, 24, 10),
    Case("skip_2d", STUDY),
    Case("study_2d", STUDY),
    Case("subpixel_2d", STUDY),
    Case("study_3d", STUDY, 24, 40),
    Case("skip_3d", STUDY, 48, 10),
    Case("skip_3d", STUDY, 48, 10, "bfloat16"),
    Case("fusion_3d", STUDY, 48, 20),
)
SUMS = CASES[0]
"""What sums over ranks are timed with: steps that are over soonest."""


@cache
def frames(grid: tuple[int, int]) -> np.ndarray:
    """Frames of the fine grid."""
    return waves(68 if grid == DEFAULT else 36, *grid)


def data(case: Case) -> Samples:
    """Training samples of a case."""
    return samples(fresh(case.network), frames(case.grid))


def settings(case: Case, epochs: int) -> Any:
    """Of a training."""
    of_patches = {"patch_points": case.patch_points, "patches_per_frame": case.patches_per_frame}
    common = choices(case.network, BATCH, case.precision)
    return common.model_copy(update={"epochs": epochs, **of_patches})


def our_epochs(case: Case, epochs: int, ranks: Communicator) -> list[tuple[float, float]]:
    """Seconds and mean loss of each epoch of `Trainer`."""
    train = data(case)
    first = train.reach.num_frames
    short = replace(train, inputs=(train.inputs[0][:first],), truths=(train.truths[0][:first],))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            network=fresh(case.network), train=train, validation=short, chunk=CHUNK,
            settings=settings(case, epochs), seed=SEED, communicator=ranks, device=GPU,
            report=lambda _: None, window_points=512, resident_bytes=2**32,
        )  # fmt: skip
        checkpoints = Checkpoints(Path(folder), "benchmark")
        history = trainer.fit(checkpoints, logging.getLogger().debug).history
    return [(row["seconds"], row["train_loss"]) for row in history]


def plain_epochs(case: Case, epochs: int) -> list[tuple[float, float]]:
    """The same of the plain loop, in float32."""
    train, network, found = data(case), eager(fresh(case.network)).to(GPU), []
    chosen = settings(case, epochs)
    optimizer = torch.optim.Adam(network.parameters(), chosen.learning_rate)
    drawn = [draw_epoch(train, CHUNK, chosen, SEED, epoch) for epoch in range(1, epochs + 1)]
    steps = plain_steps(
        network, PatchDataset(train), list(chain.from_iterable(drawn)), optimizer, GPU
    )
    # Ours gives up some speed for equal results each time.
    torch.backends.cudnn.deterministic = False
    for batches in drawn:
        started = time.perf_counter()
        loss = fmean(islice(steps, len(batches)))
        found.append((time.perf_counter() - started, loss))
    torch.backends.cudnn.deterministic = True
    return found


def of_training(case: Case, epochs: int, rates: dict[str, float]) -> dict[str, Any]:
    """Throughputs of both loops, and the least time that the card needs for an epoch."""
    ours, plain = our_epochs(case, epochs, Communicator()), plain_epochs(case, epochs)
    train = data(case)
    size = case.patch_points
    whole, _ = (
        train.whole([0])
        if size is None
        else train.batch(draw_epoch(train, CHUNK, settings(case, 1), SEED, 1)[0][:1])
    )
    work = count_work(eager(trained(case.network)).to(GPU), torch.as_tensor(whole).to(GPU))
    count = len(train) * case.patches_per_frame
    least = {key: 3 * count * getattr(work, key) / rate for key, rate in rates.items()}
    if case.precision == "bfloat16":
        least["bytes"] /= 2
    seconds, theirs = (median(row[0] for row in rows[1:]) for rows in (ours, plain))
    return {
        "samples": count, "seconds": seconds, "plain": theirs, "least": least,
        "losses": [rows[0][1] for rows in (ours, plain)], "epochs": [ours, plain],
    }  # fmt: skip


def of_inference(name: str, rates: dict[str, float]) -> dict[str, Any]:
    """Seconds of a series through a network by `apply_network`, and frame by frame."""
    train = samples(fresh(name), frames(STUDY))
    given, _ = train.whole(list(range(len(train))))
    ours, torchs = trained(name), eager(trained(name)).to(GPU)

    @torch.inference_mode()
    def frame_by_frame() -> np.ndarray:
        parts = (torch.from_numpy(given[n : n + 1].copy()).to(GPU) for n in range(len(given)))
        return np.concatenate([torchs(part).cpu().numpy() for part in parts])

    def applied() -> np.ndarray:
        return apply_network(ours, given, 512, GPU, consecutive=True)

    far = np.abs(applied() - frame_by_frame()).max()
    timings = in_turn({"ours": applied, "eager": frame_by_frame}, 5)
    work = count_work(eager(trained(name)).to(GPU), torch.from_numpy(given[:1].copy()).to(GPU))
    least = {key: len(given) * getattr(work, key) / rate for key, rate in rates.items()}
    return {"frames": len(given), "least": least, "differ": float(far), "timings": timings}


def of_sums(epochs: int) -> dict[str, dict[str, Any]]:
    """Seconds of an epoch of one rank alone, with Horovod and with torch.distributed."""
    found: dict[str, dict[str, Any]] = {}
    backends: dict[str, Callable[[], Communicator]] = {"alone": Communicator}
    backends |= {
        "Horovod (NCCL)": communication.HorovodCommunicator,
        "torch.distributed (NCCL)": communication.TorchCommunicator,
    }
    for name, join in backends.items():
        with suppress(ImportError):
            ranks = join()
            rows = our_epochs(SUMS, epochs, ranks)
            values, seconds = torch.ones(count_parameters(fresh(SUMS.network)), device=GPU), []
            for _ in range(200):
                started = time.perf_counter()
                ranks.sum(values)[0].item()
                seconds.append(time.perf_counter() - started)
            found[name] = {
                "transport": getattr(ranks, "transport", ""), "message": median(seconds[20:]),
                "seconds": median(row[0] for row in rows[1:]), "losses": [row[1] for row in rows],
            }  # fmt: skip
    return found


def training_rows(found: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Of the table of trainings."""
    return [
        [
            name,
            f"{each['samples'] / each['seconds']:.0f} /s",
            f"{each['plain'] / each['seconds']:.2f}",
            f"{abs(each['losses'][0] / each['losses'][1] - 1):.0e}",
            *over_limit(each["seconds"], each["least"]),
        ]
        for name, each in found.items()
    ]


def inference_rows(found: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Of the table of inference."""
    rows = []
    for name, each in found.items():
        ours, eager_ = each["timings"]["ours"], each["timings"]["eager"]
        speed, faster = each["frames"] / ours.median, ours.ratio(eager_)
        limit = over_limit(ours.median, each["least"])
        rows.append([f"`{name}`", f"{speed:.0f} frames/s", f"{faster:.2f}", *limit])
    return rows


def over_limit(seconds: float, least: dict[str, float]) -> tuple[str, str]:
    """How many times as long as the card needs, and for what it needs the longest."""
    limiting = max(least, key=lambda key: least[key])
    return f"{seconds / least[limiting]:.1f}", limiting


def main() -> None:
    """Measure, print the tables, write gpu.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    assert Run(device_name="cuda").device.type == "cuda"
    torch.set_float32_matmul_precision("high")
    hardware, done = ceilings(GPU)
    timings = in_turn(hardware, 7)
    torch.set_float32_matmul_precision("highest")
    rates = {
        "flops": done.flops / timings["matrix product"].median,
        "bytes": done.bytes / timings["copy"].median,
    }
    trainings, inferences, targets = {}, {}, []
    for case in CASES:
        name = case.name
        trainings[name] = of_training(case, given.epochs, rates)
        faster = trainings[name]["plain"] / trainings[name]["seconds"]
        print(f"{name}: {faster:.2f}", file=sys.stderr)
        what = f"training on a GPU: {name}, beside a plain PyTorch loop"
        targets.append(target(what, "at least 4x", faster, met=faster >= 4))
    for network in ("skip_2d", "study_2d", "skip_3d", "study_3d", "fusion_3d"):
        inferences[network] = of_inference(network, rates)
    sums = of_sums(given.epochs)
    header = ["training", "ours", "over plain PyTorch", "losses of an epoch differ by",
              "over the limit", "limited by"]  # fmt: skip
    limits = (
        f"{torch.cuda.get_device_name()}: {rates['flops'] / 1e12:.0f} TFLOP/s in a matrix product "
        f"(TF32), {rates['bytes'] / 1e12:.2f} TB/s in a copy.\n"
    )
    page = [
        limits,
        table(header, training_rows(trainings)),
        table(
            ["inference, 320 x 640", "ours", "over eager, frame by frame", "over the limit",
             "limited by"],
            inference_rows(inferences),
        ),
        table(
            [f"one rank, {SUMS.name}", "an epoch", "a sum of all gradients"],
            [
                [name, f"{each['seconds'] * 1e3:.0f} ms", f"{each['message'] * 1e6:.0f} µs"]
                for name, each in sums.items()
            ],
        ),
    ]  # fmt: skip
    found = {"rates": rates, "training": trainings, "inference": inferences, "sums": sums}
    publish("gpu", "\n".join(page), found, targets)


if __name__ == "__main__":
    main()
