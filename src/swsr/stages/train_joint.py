"""Train one network: five low-resolution frames -> the centre frame, restored."""

from pathlib import Path

from swsr.run import Run
from swsr.training.stage import train


def train_joint(
    settings: Path,
    low: list[Path],
    high: list[Path],
    start: list[Path] | None,
    output: Path,
    run: Run,
) -> None:
    """Train on the series of the manifests `low` and `high`; see `training.stage.train`.

    `start` are a trained 2D and a trained 3D network that one made of both goes on from.
    """
    train(settings, low, high, output, run, start or [])
