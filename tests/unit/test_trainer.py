"""Steps and figures of a training, of frames whose errors are known."""

import numpy as np
import pytest
import torch
from tiny import config

from swsr.checkpoint import Checkpoints
from swsr.communication import Communicator
from swsr.evaluation import metrics
from swsr.geometry import Geometry
from swsr.networks.build import build_network
from swsr.patches import Samples
from swsr.resampling import bicubic
from swsr.scaling import Scaling
from swsr.settings import Train2d
from swsr.training.steps import Steps
from swsr.training.trainer import Trainer

GLOBE = Geometry("pole", "periodic")
UNIT = Scaling(np.zeros(1), np.ones(1))


def samples(low, high):
    """Of one series of frames (n, lat, lon), twice as many points of truth along each dim."""
    parts = [(frames.astype("float32")[:, None],) for frames in (low, high)]
    return Samples(*parts, build_network("skip_2d", 1, 2).reach, UNIT, GLOBE, ((1, 1),))


def wrong_by(errors):
    """Frames that an untrained network, which interpolates, gets wrong by so much everywhere."""
    truths = np.asarray(errors)[:, None, None] * np.ones((16, 24))
    return samples(np.zeros((len(errors), 8, 12)), truths)


def trainer_of(train, validation, **choices):
    """A trainer of an untrained network."""
    plain = {"network": "skip_2d", "loss": "mse", "global_batch_size": 4, "augmentation": "none"}
    return Trainer(
        network=build_network("skip_2d", 1, 2), train=train, validation=validation, chunk=2,
        settings=Train2d(**config()["train_2d"] | plain | choices), seed=0,
        communicator=Communicator(), device=torch.device("cpu"), report=lambda history: None,
        window_points=512,
    )  # fmt: skip


def test_untrained_network_scores_as_bicubic_interpolation():
    """Over all frames alike, though they are scored eight at once."""
    random = np.random.default_rng(0)
    low, high = random.random((11, 8, 12)), random.random((11, 16, 24))
    given = samples(low, high)
    scores = trainer_of(given, given).score(given)
    frames = bicubic.upscale(low[:, None].astype("float32"), 2, GLOBE)
    error = np.mean((frames - high[:, None]) ** 2)
    similarity = metrics.ssim(*map(torch.from_numpy, (frames, high[:, None].astype("float32"))))
    assert scores["mse"] == pytest.approx(error, rel=1e-5)
    assert scores["psnr"] == pytest.approx(-10 * np.log10(error), rel=1e-5)
    assert scores["ssim"] == pytest.approx(float(similarity.mean()), rel=1e-4)


def test_watched_frames_are_spread_evenly_over_the_set():
    given = wrong_by(np.arange(10) / 10)
    scores = trainer_of(given, given).score(given, at_most=5)
    assert scores["mse"] == pytest.approx(np.mean(np.array([0, 0.2, 0.4, 0.6, 0.8]) ** 2))


@pytest.fixture
def rates(monkeypatch):
    """Learning rates of the steps that are taken from now on."""
    found, take = [], Steps.take

    def note(self, *arguments):
        found.append(self._optimizer.param_groups[0]["lr"])
        return take(self, *arguments)

    monkeypatch.setattr(Steps, "take", note)
    return found


def test_history_has_means_over_epochs(tmp_path):
    """Steps too small to change the network; 12 frames in 3 batches, of which 2 validate."""
    errors = np.arange(12) / 10
    trainer = trainer_of(wrong_by(errors), wrong_by(errors[:2]), learning_rate=1e-12, epochs=2)
    history = trainer.fit(Checkpoints(tmp_path, "ours"), print).history
    for row in history:
        assert row["train_loss"] == pytest.approx(np.mean(errors**2), rel=1e-5)
        assert row["validation_mse"] == pytest.approx(0.1**2 / 2, rel=1e-5)


def test_cosine_schedule_goes_on_from_step_to_step(tmp_path, rates):
    """Up from a tenth over the first tenth of all steps, then down to a hundredth."""
    given = wrong_by(np.zeros(40))
    trainer = trainer_of(given, given, schedule="cosine", learning_rate=1e-3, epochs=2)
    history = trainer.fit(Checkpoints(tmp_path, "ours"), print).history
    done = np.arange(20) / 20
    falling = 0.505 + 0.495 * np.cos(np.pi * (done - 0.1) / 0.9)
    wanted = 1e-3 * np.where(done < 0.1, 0.1 + 9 * done, falling)
    np.testing.assert_allclose(rates, wanted)
    assert [row["learning_rate"] for row in history] == pytest.approx([rates[9], rates[19]])
