"""Train the 2D network: low-resolution frames -> frames."""

from pathlib import Path

from swsr.run import Run
from swsr.training.stage import train


def train_2d(
    settings: Path,
    low: list[Path],
    high: list[Path],
    start: Path | None,
    output: Path,
    run: Run,
) -> None:
    """Train on the series of the manifests `low` and `high`; see `training.stage.train`.

    `start` is a trained network to go on from, or the file that the first layer starts from.
    """
    train(settings, low, high, output, run, [start] if start else [])
