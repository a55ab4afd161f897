"""The end that all trainings share: fit a network, then write it with its figures and its card."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import torch

from swsr import communication
from swsr.atomic import write_text
from swsr.checkpoint import Card, Checkpoints, save_network
from swsr.model_card import model_card
from swsr.networks.build import count_parameters
from swsr.provenance import code, packages
from swsr.run import Run, report_epochs
from swsr.settings import Train
from swsr.training.event_file import EventFile
from swsr.training.trainer import Trainer

_LEAST_GAIN_DB = 0.02
"""A gain below is none."""


def fit_and_write(trainer: Trainer, card: Card, output: Path, run: Run) -> None:
    """Train a network and write it.

    Parameters
    ----------
    trainer
        With the network as it starts.
    card
        Of the network; with the code and the packages, its settings and inputs decide the result,
        so that only a training of the same ones is gone on with.
    output
        Folder that gets `network.safetensors`, `README.md` (the card in words), `metrics.json`
        (before and after, training and validation set) and, for resuming, `checkpoints/`.

    Raises
    ------
    ValueError
        When the loss is not finite, or when another training has begun in the folder since.
    """
    parameters = count_parameters(trainer.network)
    run.say(
        f"{card.network}, {parameters} parameters; "
        f"{len(trainer.train)} training and {len(trainer.validation)} validation samples; "
        f"{communication.describe(run.communicator)}; {run.device}"
    )
    if trainer.settings.precision == "bfloat16" and not run.has_bfloat16:
        run.warn(
            "precision is bfloat16, which this processor has no instructions for: float32 is faster"
        )
    checkpoints = Checkpoints(output / "checkpoints", _identity(card))
    run.communicator.on_first(checkpoints.claim)
    before = _score_before(trainer, checkpoints.folder / "before.json", run)
    trainer.fit(checkpoints, run.say)
    after = _score(trainer)
    epochs = trainer.settings.epochs

    def write() -> None:
        checkpoints.check_latest()
        sizes = {"epochs": epochs, "parameters": parameters}
        metrics = sizes | {"before": before, "after": after}
        write_text(output / "metrics.json", json.dumps(metrics, indent=2) + "\n")
        save_network(output / "network.safetensors", trainer.network, card)
        write_text(output / "README.md", model_card(card, metrics))

    run.communicator.on_first(write)
    run.say(
        f"validation PSNR {before['validation']['psnr']:.2f} dB before, "
        f"{after['validation']['psnr']:.2f} dB after {epochs} epochs"
    )
    if after["validation"]["psnr"] < before["validation"]["psnr"] + _LEAST_GAIN_DB:
        # As a network with a skip does whose ReLUs died in the first steps; its frames look good.
        run.warn(
            "the network learned nothing that helps on validation frames: it does no better than "
            "as it started. Try a smaller learning_rate, larger patch_points or more epochs"
        )


def report_to(output: Path, epochs: int, run: Run) -> Callable[[list[dict[str, float]]], None]:
    """A reporter of finished epochs: a line each, `history.csv`, and `events/` for TensorBoard."""
    show = report_epochs(run, epochs)
    events = EventFile(output / "events")

    def write(history: list[dict[str, float]]) -> None:
        text = io.StringIO()
        rows = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
        rows.writeheader()
        rows.writerows(history)
        write_text(output / "history.csv", text.getvalue())
        events.write(history)

    def report(history: list[dict[str, float]]) -> None:
        run.communicator.on_first(lambda: write(history))
        show(history)

    return report


def check_ranks(train: Train, run: Run) -> None:
    """Check that every rank gets an equal part of a batch, and a GPU of its own if any has one.

    Raises
    ------
    ValueError
        When the ranks do not divide the batch, when two of them have one GPU, which NCCL refuses,
        or when only some have any.
    """
    batch, ranks = train.global_batch_size, run.communicator.size
    if batch % ranks:
        raise ValueError(
            f"global_batch_size {batch} is not divisible by {ranks} ranks: "
            "change one so that every rank gets an equal part"
        )
    _check_gpus(run.communicator.gather(_gpu(run)) if ranks > 1 else [])


def _gpu(run: Run) -> int:
    """A number that only the GPU has by which NCCL sums in this rank; 0 if none does."""
    if run.device.type != "cuda" or "NCCL" not in run.communicator.transport:
        return 0
    uuid = str(torch.cuda.get_device_properties(run.device).uuid)
    # 48 bits, which travel as a float64.
    return int(hashlib.sha256(uuid.encode()).hexdigest()[:12], 16)


def _check_gpus(gpus: list[float]) -> None:
    """Check what `_gpu` is of all ranks."""
    ranks, without, different = len(gpus), gpus.count(0), len(set(gpus))
    if 0 < without < ranks:
        raise ValueError(
            f"{without} of {ranks} ranks find no GPU, and the others do: ask for nodes that have "
            "as many GPUs as ranks, or use --device cpu"
        )
    if without == 0 and different < ranks:
        raise ValueError(
            f"{ranks} ranks have {different} GPUs, but need one each: start fewer (gpus_per_node "
            "of the profile; without one `snakemake --set-resources STAGE:tasks=1`), or use "
            "--device cpu"
        )


def _identity(card: Card) -> str:
    recipe = json.dumps([card.settings, card.inputs, code(), packages()], sort_keys=True)
    return hashlib.sha256(recipe.encode()).hexdigest()


def _score(trainer: Trainer) -> dict[str, dict[str, float]]:
    return {"train": trainer.score(trainer.train), "validation": trainer.score(trainer.validation)}


def _score_before(trainer: Trainer, path: Path, run: Run) -> dict[str, dict[str, float]]:
    """The figures of the network as it starts, which an interrupted training does not find anew."""
    known = run.communicator.on_first(lambda: path.read_text() if path.is_file() else None)
    if known is not None:
        return json.loads(known)
    figures = _score(trainer)
    run.communicator.on_first(lambda: write_text(path, json.dumps(figures)))
    return figures
