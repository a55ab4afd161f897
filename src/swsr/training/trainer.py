"""One training loop for every network and any number of ranks.

    build -> resume -> (epoch: draw, step, validate, checkpoint)* -> evaluate

What a step is stands in `steps`.
"""

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from swsr.checkpoint import Checkpoints, Progress
from swsr.communication import Communicator
from swsr.evaluation import metrics
from swsr.inference import apply_network
from swsr.networks.build import Network
from swsr.patches import Samples, draw_epoch, prefetch
from swsr.settings import Train
from swsr.training.steps import Figures, Steps, adam, set_learning_rate
from swsr.training.stopping import stop_signals
from swsr.training.transfer import parameter_groups

_WATCHED_FRAMES = 12
"""Frames of the validation set that are scored after every epoch; all of them are at the end."""

_SCORED_AT_ONCE = 8
"""Samples whose whole frames are scored together."""

_SAVE_EVERY_SECONDS = 30
"""How often an epoch that takes longer is saved inside: what a killed job may lose."""

_WARM_UP = 0.1
"""Share of the steps over which the cosine schedule raises the learning rate."""


@dataclass(frozen=True)
class Trainer:
    """A network, its data and how to train it.

    Attributes
    ----------
    network
        What is trained, in place.
    train, validation
        Samples of each set.
    chunk
        Frames in a chunk of the stores: patches are shuffled so that chunks are read once.
    settings
        Epochs, batch size, loss, schedule and patches.
    seed
        Of the order of samples and the places of patches.
    report
        Called after each epoch with the rows of figures of all finished epochs.
    window_points
        Side of a window in validation, as in `inference.apply_network`.
    first_layer_rate
        Learning rate of the first layer, as a share of the others'.
    resident_bytes
        Frames that may stay on the device, as in `steps.Steps`.
    """

    network: Network
    train: Samples
    validation: Samples
    chunk: int
    settings: Train
    seed: int
    communicator: Communicator
    device: torch.device
    report: Callable[[list[dict[str, float]]], None]
    window_points: int
    first_layer_rate: float = 1.0
    resident_bytes: int = 0

    def fit(self, checkpoints: Checkpoints, say: Callable[[str], None]) -> Progress:
        """Train to the last epoch, from the newest checkpoint that fits.

        Raises
        ------
        ValueError
            When the loss is not finite, on all ranks, with the epoch.
        InterruptedError
            When a signal asked to stop, after saving, on all ranks.
        """
        self.network.to(self.device)
        groups = parameter_groups(self.network, self.first_layer_rate)
        optimizer = adam(groups, self.settings.learning_rate, self.device)
        progress = self._resume(checkpoints, optimizer, say)
        steps = Steps(
            self.network, self.train, self.settings, self.communicator, self.device, optimizer,
            self.resident_bytes,
        )  # fmt: skip
        with closing(steps), stop_signals() as asked_to_stop:
            while progress.epoch < self.settings.epochs:
                progress, stop = self._train_epoch(progress, steps, optimizer, asked_to_stop)
                self._save(checkpoints, optimizer, progress)
                if stop:
                    raise InterruptedError(
                        f"asked to stop in epoch {progress.epoch + 1}, saved after "
                        f"{len(progress.losses)} batches of it: run again to go on from there"
                    )
                if not progress.losses:
                    self.report(progress.history)
        return progress

    def _resume(
        self,
        checkpoints: Checkpoints,
        optimizer: Optimizer,
        say: Callable[[str], None],
    ) -> Progress:
        path, passed_over = self.communicator.on_first(checkpoints.find)
        for sentence in passed_over:
            say(sentence)
        if path is None:
            return Progress(0, [])
        progress = checkpoints.load(path, self.network, optimizer)
        if progress.history:
            self.report(progress.history)
        say(f"resuming after epoch {progress.epoch} of {self.settings.epochs} from {path}")
        return progress

    def _save(self, checkpoints: Checkpoints, optimizer: Optimizer, progress: Progress) -> None:
        self.communicator.on_first(lambda: checkpoints.save(self.network, optimizer, progress))

    def _train_epoch(
        self,
        progress: Progress,
        steps: Steps,
        optimizer: Optimizer,
        asked_to_stop: Callable[[], bool],
    ) -> tuple[Progress, bool]:
        """The next epoch, or what is left of it, and whether to stop.

        Only its first batches when asked to stop, or when they are due to be saved.
        """
        started = time.perf_counter()
        losses = list(progress.losses)
        epoch = progress.epoch + 1
        batches = draw_epoch(self.train, self.chunk, self.settings, self.seed, epoch)
        self.network.train()
        parts = prefetch(steps.load, batches[len(losses) :])
        for number, part in enumerate(parts, start=len(losses)):
            done = (progress.epoch + number / len(batches)) / self.settings.epochs
            set_learning_rate(optimizer, learning_rate(self.settings, done))
            late = time.perf_counter() - started > _SAVE_EVERY_SECONDS
            over = steps.take(part, len(batches[number]), [asked_to_stop(), late])
            if number + 1 == len(batches) or _any_flag(over):
                over += steps.rest()
            losses += _finite(over, epoch, len(losses))
            if _any_flag(over):
                seconds = progress.seconds + time.perf_counter() - started
                stop = any(stopping for _, (stopping, _) in over)
                return Progress(progress.epoch, progress.history, losses, seconds), stop
        row = self._figures(epoch, losses)
        row["seconds"] = round(progress.seconds + time.perf_counter() - started, 3)
        return Progress(epoch, [*progress.history, row]), False

    def _figures(self, epoch: int, losses: list[float]) -> dict[str, float]:
        """A row of the history, of an epoch whose batches had these losses."""
        scores = self.score(self.validation, at_most=_WATCHED_FRAMES)
        last_step = (epoch - 1 / len(losses)) / self.settings.epochs
        return {
            "epoch": epoch,
            "learning_rate": learning_rate(self.settings, last_step),
            "train_loss": float(np.mean(losses)),
            "validation_mse": scores["mse"],
            "validation_psnr": scores["psnr"],
            "validation_ssim": scores["ssim"],
        }

    def score(self, samples: Samples, at_most: int | None = None) -> dict[str, float]:
        """MSE, PSNR and SSIM of the network over whole frames, shared between ranks.

        Means over frames, or over `at_most` of them, evenly spaced; PSNR is that of the mean MSE.
        """
        self.network.eval()
        count = min(at_most or len(samples), len(samples))
        sums = torch.zeros(3, dtype=torch.float64)
        share = [number * len(samples) // count for number in self.communicator.share(count)]
        for first in range(0, len(share), _SCORED_AT_ONCE):
            inputs, truths = samples.whole(share[first : first + _SCORED_AT_ONCE])
            output = apply_network(self.network, inputs, self.window_points, self.device)
            frames, wanted = (torch.from_numpy(a).to(self.device) for a in (output, truths))
            sums += _scores(frames, wanted)
        mse, similarity, frames = self.communicator.sum(sums).tolist()
        return {
            "mse": mse / frames,
            "psnr": metrics.psnr(mse / frames),
            "ssim": similarity / frames,
        }


def _any_flag(figures: list[Figures]) -> bool:
    return any(any(flags) for _, flags in figures)


def _finite(figures: list[Figures], epoch: int, before: int) -> list[float]:
    """The losses of steps that follow on `before` others of an epoch."""
    losses = [loss for loss, _ in figures]
    for number, loss in enumerate(losses, start=before + 1):
        if not math.isfinite(loss):
            raise ValueError(
                f"the loss is {loss} in epoch {epoch}, batch {number}: use a smaller learning_rate"
            )
    return losses


def learning_rate(settings: Train, done: float) -> float:
    """Learning rate when the share `done`, 0 to 1, of the training is behind."""
    if settings.schedule == "constant":
        return settings.learning_rate
    if done < _WARM_UP:
        return settings.learning_rate * (0.1 + 0.9 * done / _WARM_UP)
    angle = math.pi * (done - _WARM_UP) / (1 - _WARM_UP)
    return settings.learning_rate * (0.01 + 0.99 * (1 + math.cos(angle)) / 2)


def _scores(frames: Tensor, truth: Tensor) -> Tensor:
    """Sums over frames of MSE and SSIM, and the number of frames."""
    sums = [metrics.mse(frames, truth).sum(), metrics.ssim(frames, truth).sum()]
    return torch.tensor([*sums, len(frames)], dtype=torch.float64)
