"""A training that is asked to stop saves inside its epoch, and goes on as if nothing had been."""

import json
import os
import signal

import pytest
from tiny import make_stores, stage_settings, tiny_frames

from swsr.checkpoint import Checkpoints
from swsr.run import Run
from swsr.training.stage import train
from swsr.training.steps import Steps
from swsr.training.stopping import stop_signals
from swsr.training.trainer import Trainer


@pytest.fixture
def run_training(tmp_path):
    """Trains for three epochs of six batches; in step `stop_in` a signal comes."""
    low, high = make_stores(tmp_path / "stores", tiny_frames(30))
    values = {"epochs": 3, "global_batch_size": 4, "patch_points": None}
    settings = stage_settings(tmp_path, "train_2d", train_2d=values)

    def run_training(output, monkeypatch=None, stop_in=0):
        if monkeypatch:
            step, steps = Steps.take, []

            def step_with_signal(self, *arguments):
                steps.append(1)
                if len(steps) == stop_in:
                    os.kill(os.getpid(), signal.SIGUSR1)
                return step(self, *arguments)

            monkeypatch.setattr(Steps, "take", step_with_signal)
        train(settings, [low], [high], tmp_path / output, Run())
        return (tmp_path / output / "network.safetensors").read_bytes()

    return run_training


@pytest.mark.parametrize("behind", [0, 1])
def test_resumed_inside_an_epoch_is_bit_identical(run_training, tmp_path, monkeypatch, behind):
    """Also where figures are read one step late, as of GPUs."""
    uninterrupted = run_training("uninterrupted")
    start = Steps.__init__

    def start_behind(self, *arguments):
        start(self, *arguments)
        self.behind = behind

    monkeypatch.setattr(Steps, "__init__", start_behind)
    for stop_in in (1, 6, 9):
        with (
            pytest.MonkeyPatch.context() as patch,
            pytest.raises(InterruptedError, match="run again to go on"),
        ):
            run_training(f"stopped_{stop_in}", patch, stop_in)
        saved = sorted((tmp_path / f"stopped_{stop_in}" / "checkpoints").glob("*/epoch_*"))
        assert "_batch_" in saved[-1].name
        assert run_training(f"stopped_{stop_in}") == uninterrupted


def test_a_training_that_outlived_its_snakemake_leaves_the_result_to_its_successor(
    tmp_path, monkeypatch
):
    """Within the first one's steps, another of fewer epochs begins and ends."""
    low, high = make_stores(tmp_path / "stores", tiny_frames(30))
    for epochs in (3, 1):
        values = {"epochs": epochs, "global_batch_size": 4, "patch_points": None}
        (tmp_path / str(epochs)).mkdir()
        stage_settings(tmp_path / str(epochs), "train_2d", train_2d=values)

    def run_training(epochs):
        settings = tmp_path / str(epochs) / "train_2d.json"
        train(settings, [low], [high], tmp_path / "train_2d", Run())

    step, steps = Steps.take, []

    def step_beside_another(self, *arguments):
        steps.append(1)
        if len(steps) == 8:
            run_training(1)
        return step(self, *arguments)

    monkeypatch.setattr(Steps, "take", step_beside_another)
    with pytest.raises(ValueError, match="train_2d: another training, of other settings"):
        run_training(3)
    assert json.loads((tmp_path / "train_2d" / "metrics.json").read_text())["epochs"] == 1
    assert len((tmp_path / "train_2d" / "history.csv").read_text().splitlines()) == 2
    monkeypatch.undo()
    run_training(3)  # goes on, as the latest that was asked for
    assert json.loads((tmp_path / "train_2d" / "metrics.json").read_text())["epochs"] == 3


def test_a_training_that_another_follows_after_its_last_epoch_writes_no_network(
    run_training, tmp_path, monkeypatch
):
    """While it is scored: its last checkpoint was still of the latest."""
    fit, folder = Trainer.fit, tmp_path / "train_2d"

    def fit_and_be_followed(self, *arguments):
        progress = fit(self, *arguments)
        Checkpoints(folder / "checkpoints", "another").claim()
        return progress

    monkeypatch.setattr(Trainer, "fit", fit_and_be_followed)
    with pytest.raises(ValueError, match="train_2d: another training, of other settings"):
        run_training("train_2d")
    assert not (folder / "network.safetensors").exists()
    assert not (folder / "metrics.json").exists()


def test_a_resumed_training_scores_the_untrained_network_no_more(run_training, monkeypatch):
    score, scored = Trainer.score, []

    def score_and_count(self, samples, at_most=None):
        if at_most is None:
            scored.append(samples is self.train)
        return score(self, samples, at_most)

    monkeypatch.setattr(Trainer, "score", score_and_count)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(InterruptedError):
        run_training("stopped", patch, 6)
    assert scored == [True, False]
    run_training("stopped")
    assert scored == [True, False] * 2  # after the last epoch


def test_killed_inside_an_epoch_loses_what_was_not_saved_and_no_more(
    run_training, tmp_path, monkeypatch
):
    uninterrupted = run_training("uninterrupted")
    # As if every batch took longer than the time between saves.
    monkeypatch.setattr("swsr.training.trainer._SAVE_EVERY_SECONDS", 0)
    step, steps = Steps.take, []

    def step_or_die(self, *arguments):
        steps.append(1)
        if len(steps) == 10:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(Steps, "take", step_or_die)
    with pytest.raises(KeyboardInterrupt):
        run_training("killed")
    monkeypatch.setattr(Steps, "take", step)
    saved = sorted((tmp_path / "killed" / "checkpoints").glob("*/epoch_*"))
    assert saved[-1].name == "epoch_00001_batch_0000003.safetensors"
    assert run_training("killed") == uninterrupted
    histories = [
        [line.rpartition(",")[0] for line in (tmp_path / name / "history.csv").open()]  # no seconds
        for name in ("killed", "uninterrupted")
    ]
    assert histories[0] == histories[1]


def test_signals_end_the_process_again_afterwards():
    before = signal.getsignal(signal.SIGUSR1)
    with stop_signals() as asked_to_stop:
        assert not asked_to_stop()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert asked_to_stop()
    assert signal.getsignal(signal.SIGUSR1) is before
