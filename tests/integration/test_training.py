"""Training in one process and in several ranks, interrupted and not, through the command line."""

import csv
import shutil
import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny import make_raw, make_stores, mpirun, read_json, tiny_frames, train, weights

from swsr.checkpoint import load_network

pytestmark = pytest.mark.usefixtures("raw")

# Without the cache of its checks, a file of the user that two would write at once; ranks wait for each
# other for 30 s by default.
GLOO = [
    str(Path(sys.executable).with_name("horovodrun")),
    *("--gloo", "--gloo-timeout-seconds", "300", "--disable-cache"),
    *("--network-interfaces", "lo", "-np"),
]
LAUNCHERS = {
    "horovod over MPI": (mpirun, "horovod", "Horovod (MPI)"),
    "horovod over Gloo": (lambda ranks: [*GLOO, str(ranks)], "horovod", "Horovod (Gloo)"),
    "torch.distributed": (mpirun, "torch", "Torch (Gloo)"),
    "plain MPI": (mpirun, "mpi", "Mpi (MPI)"),
}
# Sums over ranks round otherwise than sums in one process, and Adam makes a whole step of a gradient
# that is all rounding: after three epochs weights of order 0.1 differ by less than a tenth of a step.
TOLERANCE = 3e-5


@pytest.fixture(scope="module")
def alone(stores, tmp_path_factory):
    """A 2D and a 3D training of three epochs in one process."""
    folder = tmp_path_factory.mktemp("alone")
    for stage in ("train_2d", "train_3d"):
        done = train(stores, folder / stage, stage=stage)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("stage", ["train_2d", "train_3d"])
@pytest.mark.parametrize("name", LAUNCHERS)
def test_two_ranks_train_the_network_of_one(stores, alone, tmp_path, name, stage):
    launch, communication, described = LAUNCHERS[name]
    flags = ("--communication", communication, "--ranks", 2)
    done = train(stores, tmp_path, *flags, launcher=launch(2), stage=stage)
    assert done.returncode == 0, done.stderr
    assert f"2 ranks by {described}" in done.stderr + done.stdout
    ours = weights(tmp_path / "network.safetensors")
    for key, theirs in weights(alone / stage / "network.safetensors").items():
        torch.testing.assert_close(ours[key], theirs, atol=TOLERANCE, rtol=0)


def test_card_knows_what_made_frames_coarser(tmp_path):
    """Also that of a network for interpolated frames: so do stores, from one to the next."""
    stores = make_stores(tmp_path, tiny_frames(), filter="mean")
    make_raw(*stores)
    for stage in ("train_2d", "train_3d"):
        done = train(stores, tmp_path / stage, stage=stage, epochs=1)
        assert done.returncode == 0, done.stderr
        assert load_network(tmp_path / stage / "network.safetensors")[1].filter == "mean"
        page = (tmp_path / stage / "README.md").read_text()
        assert "made from the truth by means over the area of cells" in page.replace("\n  ", " ")


def test_batches_that_ranks_cannot_share_evenly(stores, tmp_path):
    """48 patches in batches of 20, 20 and 8, on four ranks."""
    for ranks in (1, 4):
        done = train(
            stores, tmp_path / str(ranks), "--communication", "mpi", "--ranks", ranks,
            launcher=mpirun(ranks), global_batch_size=20, epochs=2, patches_per_frame=2,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    ours = weights(tmp_path / "4" / "network.safetensors")
    for key, theirs in weights(tmp_path / "1" / "network.safetensors").items():
        torch.testing.assert_close(ours[key], theirs, atol=TOLERANCE, rtol=0)


def test_four_ranks_train_the_network_of_one(stores, alone, tmp_path):
    flags = ("--communication", "horovod", "--ranks", 4)
    done = train(stores, tmp_path, *flags, launcher=mpirun(4))
    assert done.returncode == 0, done.stderr
    ours = weights(tmp_path / "network.safetensors")
    for key, theirs in weights(alone / "train_2d" / "network.safetensors").items():
        torch.testing.assert_close(ours[key], theirs, atol=TOLERANCE, rtol=0)


def test_event_file_holds_the_history(alone):
    folder = alone / "train_3d"
    events = EventAccumulator(str(folder / "events")).Reload().Scalars("psnr_db/validation")
    with (folder / "history.csv").open() as file:
        history = {int(row["epoch"]): float(row["validation_psnr"]) for row in csv.DictReader(file)}
    assert {event.step: event.value for event in events} == pytest.approx(history, rel=1e-6)


@pytest.mark.parametrize("ranks", [1, 2])
def test_resumed_training_is_bit_identical_to_an_uninterrupted_one(
    stores, raw, alone, tmp_path, ranks
):
    flags = ("--communication", "horovod", "--ranks", ranks)
    launcher = mpirun(ranks)
    whole = tmp_path / "whole"
    assert train(stores, whole, *flags, launcher=launcher).returncode == 0
    # What a job leaves that ends in its third epoch: the checkpoint of the second, no network.
    rest = tmp_path / "rest"
    shutil.copytree(whole / "checkpoints", rest / "checkpoints")
    next((rest / "checkpoints").rglob("epoch_00003.safetensors")).unlink()
    done = train(stores, rest, *flags, launcher=launcher)
    assert done.returncode == 0, done.stderr
    assert "resuming after epoch 2 of 3" in done.stderr
    for name in ("network.safetensors", "metrics.json"):
        assert (rest / name).read_bytes() == (whole / name).read_bytes()
    for one, other in zip(history(rest), history(whole), strict=True):
        assert {**one, "seconds": ""} == {**other, "seconds": ""}


IMPATIENT = """
import sys
from swsr import communication
from swsr.training import trainer
from swsr.__main__ import main
trainer._SAVE_EVERY_SECONDS = 1000 * communication.launched_rank()
sys.exit(main(sys.argv[4:]))
"""


def test_ranks_whose_clocks_differ_save_together(stores, tmp_path):
    """Rank 0 wants to save after every batch, rank 1 never."""
    (tmp_path / "impatient.py").write_text(IMPATIENT)
    flags = ("--communication", "horovod", "--ranks", 2)
    launchers = {"whole": [], "saved": [sys.executable, tmp_path / "impatient.py"]}
    for name, wrapper in launchers.items():
        done = train(stores, tmp_path / name, *flags, launcher=[*mpirun(2), *wrapper])
        assert done.returncode == 0, done.stderr
    saved, whole = tmp_path / "saved", tmp_path / "whole"
    assert list(saved.rglob("epoch_00002_batch_*"))
    assert not list(whole.rglob("*_batch_*"))
    network = "network.safetensors"
    assert (saved / network).read_bytes() == (whole / network).read_bytes()


def history(folder):
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_checkpoint_of_other_settings_is_not_resumed(stores, alone, tmp_path):
    shutil.copytree(alone / "train_2d" / "checkpoints", tmp_path / "checkpoints")
    done = train(stores, tmp_path, learning_rate=1e-4)
    assert done.returncode == 0, done.stderr
    assert "resuming" not in done.stderr


def test_history_and_metrics_have_every_epoch_and_both_sets(alone):
    rows = history(alone / "train_2d")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    metrics = read_json(alone / "train_2d" / "metrics.json")
    for when in ("before", "after"):
        assert metrics[when].keys() == {"train", "validation"}
        for figures in metrics[when].values():
            assert figures.keys() == {"mse", "psnr", "ssim"}


@pytest.mark.parametrize(
    ("stage", "network"),
    [("train_2d", "study_2d"), ("train_2d", "skip_2d"), ("train_3d", "study_3d"),
     ("train_3d", "skip_3d"), ("train_2d", "srcnn_2d"), ("train_2d", "fsrcnn_2d"),
     ("train_2d", "edsr_2d"), ("train_2d", "subpixel_2d"), ("train_3d", "fusion_3d"),
     ("train_joint", "fusion_joint")],
)  # fmt: skip
def test_network_learns(stores, tmp_path, stage, network):
    """A few whole frames, over and over: the error falls to a small part of what it was."""
    done = train(
        stores, tmp_path, stage=stage, network=network, epochs=30, patch_points=None,
        global_batch_size=2, learning_rate=3e-3,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = read_json(tmp_path / "metrics.json")
    before, after = (metrics[when]["train"]["mse"] for when in ("before", "after"))
    assert after < 0.1 * before


@pytest.mark.parametrize(
    ("stage", "network"),
    [("train_2d", "skip_2d"), ("train_3d", "skip_3d"), ("train_3d", "fusion_3d")],
)
def test_bfloat16_trains_as_float32_does(stores, tmp_path, stage, network):
    """After as many steps the error left is nearly the same, and nothing that is written is coarse."""
    left = {}
    for precision in ("float32", "bfloat16"):
        output = tmp_path / precision
        done = train(
            stores, output, stage=stage, network=network, epochs=10, patch_points=None,
            learning_rate=3e-3, precision=precision,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        metrics = read_json(output / "metrics.json")
        left[precision] = metrics["after"]["train"]["mse"] / metrics["before"]["train"]["mse"]
        trained = weights(output / "network.safetensors")
        assert {each.dtype for each in trained.values()} == {torch.float32}
    assert left["float32"] < 0.5
    assert left["bfloat16"] != left["float32"]
    assert left["bfloat16"] == pytest.approx(left["float32"], rel=0.2)


def test_mirror_images_are_told_of_and_train_another_network(stores, alone, tmp_path):
    told = "mirror images: along lat with signs of vorticity changed, along lon with signs of"
    trained = {}
    for augmentation in ("none", "mirror"):
        done = train(stores, tmp_path / augmentation, augmentation=augmentation)
        assert done.returncode == 0, done.stderr
        assert (told in done.stderr) == (augmentation == "mirror")
        trained[augmentation] = weights(tmp_path / augmentation / "network.safetensors")
    default = weights(alone / "train_2d" / "network.safetensors")
    key = "layers.0.weight"
    assert torch.equal(trained["mirror"][key], default[key])
    assert (trained["none"][key] - default[key]).abs().max() > 10 * TOLERANCE


def test_frames_whose_components_were_judged_otherwise_are_refused(tmp_path, monkeypatch):
    """As a version made them that did not know u for a component."""
    with monkeypatch.context() as earlier:
        earlier.setattr("swsr.geometry.is_component", lambda variable: False)
        low, high = make_stores(tmp_path, tiny_frames(variables=("u",)))
    done = train((low, high), tmp_path / "out")
    assert done.returncode != 0
    assert "an earlier version made it" in done.stderr
    assert "--forcerun extract" in done.stderr


@pytest.mark.parametrize("ranks", [1, 2])
def test_loss_that_is_not_finite_stops_all_ranks(stores, tmp_path, ranks):
    done = train(
        stores, tmp_path, "--communication", "horovod", "--ranks", ranks,
        launcher=mpirun(ranks), network="study_2d", learning_rate=1e20,
    )  # fmt: skip
    assert done.returncode != 0
    assert "the loss is" in done.stderr
    assert "use a smaller learning_rate" in done.stderr
    assert not (tmp_path / "network.safetensors").exists()


def test_launcher_and_back_end_that_do_not_know_each_other(stores, tmp_path):
    """Two processes that each believe to be alone would write the same files."""
    done = train(stores, tmp_path, "--communication", "none", "--ranks", 2, launcher=mpirun(2))
    assert done.returncode != 0
    assert "found 1 ranks, not 2" in done.stderr  # of one, or of both before mpirun ends the other
    assert not (tmp_path / "network.safetensors").exists()


@pytest.mark.parametrize(("learning_rate", "warned"), [(1e-3, False), (1e-9, True)])
def test_warns_of_a_network_that_learned_nothing(stores, tmp_path, learning_rate, warned):
    """Its frames are those of the skip, and look good: nothing else would tell."""
    done = train(stores, tmp_path, network="skip_2d", learning_rate=learning_rate)
    assert done.returncode == 0, done.stderr
    assert ("learned nothing that helps" in done.stderr) == warned
