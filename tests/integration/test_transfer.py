"""2D networks whose first layer comes from elsewhere: frozen, slower, resumed, in two ranks."""

import shutil

import numpy as np
import pytest
import torch
from tiny import config, mpirun, read_json, stage_settings, train, weights

from swsr.checkpoint import load_network
from swsr.networks.build import build_network
from swsr.resampling.bicubic import downscale
from swsr.run import Run
from swsr.settings import IMAGE_TILE_POINTS, Settings
from swsr.stages.pretrain_2d import pretrain_2d
from swsr.stages.train_2d import train_2d
from swsr.training import natural_images
from swsr.training.pretrained import read_first_layer
from swsr.training.stage import read_start

FIRST, SECOND = "layers.0.weight", "layers.2.weight"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A state dict as others publish it."""
    path = tmp_path_factory.mktemp("published") / "fsrcnn.pth"
    torch.manual_seed(3)
    torch.save({"first.weight": torch.randn(56, 1, 5, 5) / 5, "first.bias": torch.rand(56)}, path)
    return path


def training(stores, output, start, **values):
    """One in this process: three epochs of whole frames, or as values say."""
    output.mkdir(exist_ok=True)
    values = {"epochs": 3, "first_layer": str(start)} | values
    train_2d(
        stage_settings(output, "train_2d", train_2d=values),
        [stores[0]], [stores[1]], start, output, Run(),
    )  # fmt: skip
    return weights(output / "network.safetensors")


def test_frozen_layer_does_not_move_and_the_others_do(stores, published, tmp_path):
    trained = training(stores, tmp_path / "frozen", published, first_layer_rate=0)
    content = torch.load(published, weights_only=True)
    assert torch.equal(trained[FIRST], content["first.weight"])
    assert torch.equal(trained["layers.0.bias"], content["first.bias"])
    torch.manual_seed(0)
    untrained = build_network("skip_2d", 1, 2).state_dict()
    tuned = training(stores, tmp_path / "tuned", published)
    assert not torch.equal(tuned[FIRST], content["first.weight"])
    for name in trained.keys() - {FIRST, "layers.0.bias"}:
        assert not torch.equal(trained[name], untrained[name])


@pytest.mark.parametrize("dimension", ["2d", "3d"])
def test_a_training_goes_on_from_a_trained_network(stores, networks, tmp_path, dimension):
    stage, earlier = f"train_{dimension}", networks[dimension == "3d"]
    flags = ("--start", earlier)
    done = train(stores, tmp_path, *flags, stage=stage, epochs=1, start=str(earlier))
    assert done.returncode == 0, done.stderr
    assert f"starts from {earlier}, trained on vorticity" in done.stderr
    before, after = (read_json(folder / "metrics.json") for folder in (tmp_path, earlier.parent))
    for part, figures in after["after"].items():
        assert before["before"][part] == pytest.approx(figures)
    assert before["after"]["train"]["psnr"] > before["before"]["train"]["psnr"]
    assert f"started from `{earlier}`" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(
    ("network", "changed", "sentence"),
    [
        (0, {"network": "study_2d"}, "its network is skip_2d, not study_2d"),
        (1, {}, "holds skip_3d, but a 2d network is needed"),
    ],
)
def test_a_network_of_another_kind_is_no_start(
    stores, networks, tmp_path, network, changed, sentence
):
    flags = ("--start", networks[network])
    done = train(stores, tmp_path, *flags, start=str(networks[network]), **changed)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "network.safetensors").exists()


def test_a_joint_network_without_parts_starts_from_none(stores, networks, tmp_path):
    done = train(stores, tmp_path, "--start", networks[0], stage="train_joint")
    assert done.returncode == 1
    sentence = f"{networks[0]}: fusion_joint has no parts to start from: leave out --start"
    assert sum(sentence in line for line in done.stderr.splitlines()) == 1
    assert not (tmp_path / "network.safetensors").exists()


def test_a_network_of_another_scale_or_of_more_fields_is_no_start(networks):
    asked = Settings.from_mapping(config(train_2d={"start": str(networks[0])})).train_2d
    assert read_start(networks[0], asked, 2, 1, 0)[1].network == "skip_2d"
    for *counts, sentence in (
        (4, 1, 0, "its scale is 2, not 4"),
        (2, 3, 0, "variables is 1, not 3"),
        (2, 1, 2, "predictors is 0, not 2"),
    ):
        with pytest.raises(ValueError, match=sentence):
            read_start(networks[0], asked, *counts)


def test_first_layer_steps_by_its_share_of_the_rate(stores, published, tmp_path):
    """The first step of Adam is the learning rate itself, wherever there is a gradient."""
    once = {"network": "study_2d", "epochs": 1, "global_batch_size": 100, "schedule": "constant"}
    shares = {"others": 1.0, "slow": 0.1, "fast": 2.0}
    steps = {}
    for name, share in shares.items():
        values = once | {"learning_rate": 1e-3, "first_layer_rate": share}
        trained = training(stores, tmp_path / name, published, **values)
        change = trained[FIRST] - torch.load(published, weights_only=True)["first.weight"]
        steps[name] = change.abs().flatten().median().item(), trained[SECOND]
    for name, share in shares.items():
        assert steps[name][0] == pytest.approx(share * 1e-3, rel=0.01)
        assert torch.equal(steps[name][1], steps["others"][1])


@pytest.mark.parametrize("share", [0, 0.1])
def test_resumed_training_is_bit_identical_to_an_uninterrupted_one(
    stores, published, tmp_path, share
):
    training(stores, tmp_path / "whole", published, first_layer_rate=share)
    shutil.copytree(tmp_path / "whole" / "checkpoints", tmp_path / "rest" / "checkpoints")
    next((tmp_path / "rest" / "checkpoints").rglob("epoch_00003.safetensors")).unlink()
    training(stores, tmp_path / "rest", published, first_layer_rate=share)
    ours, theirs = (tmp_path / name / "network.safetensors" for name in ("rest", "whole"))
    assert ours.read_bytes() == theirs.read_bytes()
    assert len(list((tmp_path / "rest" / "checkpoints").glob("*/"))) == 1


def test_training_from_another_file_is_another_training(stores, published, tmp_path):
    """Also where the path is the same: what was trained from the old file is not gone on with."""
    start = tmp_path / "weights.pth"
    shutil.copy(published, start)
    training(stores, tmp_path / "out", start)
    torch.save({"first.weight": torch.ones(56, 1, 5, 5)}, start)
    again = training(stores, tmp_path / "out", start, first_layer_rate=0)
    assert torch.equal(again[FIRST], torch.ones(56, 1, 5, 5))
    training(stores, tmp_path / "new", start)
    torch.save({"first.weight": torch.zeros(56, 1, 5, 5)}, start)
    training(stores, tmp_path / "new", start)
    assert len(list((tmp_path / "new" / "checkpoints").glob("*/"))) == 2


def test_two_ranks_train_the_network_of_one(stores, published, tmp_path):
    """The frozen layer has no part in their messages."""
    values = {"first_layer": str(published), "first_layer_rate": 0}
    flags = ("--start", published, "--communication", "mpi", "--ranks", 2)
    done = train(stores, tmp_path / "two", *flags, launcher=mpirun(2), **values)
    assert done.returncode == 0, done.stderr
    assert f"the first layer starts from {published}" in done.stderr
    small = {"patch_points": 12, "learning_rate": 3e-4, "loss": "mse"}
    one = training(stores, tmp_path / "one", published, first_layer_rate=0, **small)
    two = weights(tmp_path / "two" / "network.safetensors")
    assert torch.equal(one[FIRST], two[FIRST])
    for key, theirs in one.items():
        torch.testing.assert_close(two[key], theirs, atol=3e-5, rtol=0)


def test_card_says_what_the_first_layer_started_from(stores, published, tmp_path):
    training(stores, tmp_path / "out", published, first_layer_rate=0.1)
    page = (tmp_path / "out" / "README.md").read_text()
    assert f"The first layer started from `{published}`, and learned at 0.1 of the rate" in page
    _, card = load_network(tmp_path / "out" / "network.safetensors")
    assert f"{published.parent.name}/fsrcnn" in card.inputs


@pytest.fixture
def few_pictures(monkeypatch):
    """Two small ones, as the packages' own are many."""

    def pictures(*names):
        return lambda: {name: every[name][:300, :300] for name in names}

    every = natural_images.training_images()
    monkeypatch.setattr(natural_images, "training_images", pictures("camera", "coins"))
    monkeypatch.setattr(natural_images, "validation_images", pictures("cat"))


def test_pretrained_network_gives_its_first_layer(stores, few_pictures, tmp_path):
    values = {"epochs": 12, "learning_rate": 1e-3, "global_batch_size": 2, "patch_points": 12}
    sections = config(pretrain_2d=values, train_2d={"network": "study_2d"})
    settings = tmp_path / "pretrain_2d.json"
    settings.write_text(Settings.from_mapping(sections).for_stage("pretrain_2d").to_json())
    pretrain_2d(settings, tmp_path / "pretrain_2d", Run())
    metrics = read_json(tmp_path / "pretrain_2d" / "metrics.json")
    psnr = {when: metrics[when]["validation"]["psnr"] for when in ("before", "after")}
    assert psnr["after"] > psnr["before"] + 3
    assert "image/camera" in (tmp_path / "pretrain_2d" / "README.md").read_text()
    start = tmp_path / "pretrain_2d" / "network.safetensors"
    values = {"network": "study_2d", "first_layer": "pretrained", "first_layer_rate": 0}
    trained = training(stores, tmp_path / "train_2d", start, epochs=1, **values)
    assert torch.equal(trained[FIRST], weights(start)[FIRST])
    assert torch.equal(trained[FIRST], read_first_layer(start).weight)


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 8])
def test_tiles_are_parts_of_pictures_and_of_their_coarse_copies(scale):
    picture = np.random.default_rng(0).random((310, 450)).astype("float32")
    low, high = natural_images.tiles({"picture": picture}, scale)
    side = IMAGE_TILE_POINTS // scale * scale
    assert high.shape == (2 * 3, 1, side, side)
    assert np.array_equal(high[4, 0], picture[side : 2 * side, side : 2 * side])
    lat, lon = (size // scale * scale for size in picture.shape)
    coarse = downscale(picture[None, None, :lat, :lon], scale, natural_images.PLANE)[0, 0]
    side //= scale
    assert np.array_equal(low[4, 0], coarse[side : 2 * side, side : 2 * side])


def test_pictures_are_grey_and_lie_in_the_packages():
    pictures = natural_images.training_images() | natural_images.validation_images()
    assert len(pictures) == 16 + 2
    for picture in pictures.values():
        assert picture.ndim == 2 and picture.dtype == np.float32
        assert 0 <= picture.min() < picture.max() <= 1
        assert picture.std() > 0.05
    assert sum(picture.size for picture in pictures.values()) > 6e6


def test_ranks_that_do_not_divide_the_batch_are_refused(tmp_path, monkeypatch):
    sections = config(pretrain_2d={"global_batch_size": 3})
    settings = tmp_path / "pretrain_2d.json"
    settings.write_text(Settings.from_mapping(sections).for_stage("pretrain_2d").to_json())
    run = Run()
    monkeypatch.setattr(run.communicator, "size", 2)
    with pytest.raises(ValueError, match="global_batch_size 3 is not divisible by 2 ranks"):
        pretrain_2d(settings, tmp_path / "out", run)
