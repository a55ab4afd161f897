"""Train the 3D network: five frames on the high grid -> their centre frame, sharpened."""

from pathlib import Path

from swsr.run import Run
from swsr.training.stage import train


def train_3d(
    settings: Path,
    frames: list[Path],
    high: list[Path],
    start: Path | None,
    output: Path,
    run: Run,
) -> None:
    """Train on the series of the manifests `frames` and `high`; see `training.stage.train`.

    `frames` are interpolated frames (raw) or results of the 2D network (processed); `start` is a
    trained network to go on from.
    """
    train(settings, frames, high, output, run, [start] if start else [])
