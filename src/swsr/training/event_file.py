"""Figures of a training as TensorBoard's event files, to watch it while it runs."""

from functools import cached_property
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

_TAGS = {
    "train_loss": "loss/train",
    "validation_mse": "mse/validation",
    "validation_psnr": "psnr_db/validation",
    "validation_ssim": "ssim/validation",
    "learning_rate": "learning_rate",
    "seconds": "seconds_per_epoch",
}
"""Columns of `history.csv`, and what they are called in the view; the step is the epoch."""


class EventFile:
    """The event file of one training, in a folder of its own.

    A resumed training writes all of its epochs again and removes the file of the run before:
    the view would otherwise show both.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._written = folder, 0

    @cached_property
    def _writer(self) -> SummaryWriter:
        # Made with the first epoch: ranks that report nothing leave no file.
        for old in self._folder.glob("events.out.*"):
            old.unlink()
        return SummaryWriter(str(self._folder))

    def write(self, history: list[dict[str, float]]) -> None:
        """Add the epochs that are not in the file yet; `history` holds a row for each."""
        for row in history[self._written :]:
            for column, tag in _TAGS.items():
                self._writer.add_scalar(tag, row[column], int(row["epoch"]))
        self._writer.flush()
        self._written = len(history)
