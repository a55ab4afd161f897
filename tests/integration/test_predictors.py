"""Fields that 2D networks read beside their variables: from stores and trainings to coarse frames."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from tiny import make_stores, read_json, stage_settings, tiny_frames

from swsr.__main__ import main
from swsr.api import load
from swsr.checkpoint import load_network, save_network
from swsr.geometry import Geometry
from swsr.resampling import bicubic
from swsr.run import Run
from swsr.stages.infer_2d import infer_2d
from swsr.stages.infer_3d import infer_3d
from swsr.stages.infer_joint import infer_joint
from swsr.stages.train_2d import train_2d
from swsr.stages.train_3d import train_3d
from swsr.stages.train_joint import train_joint
from swsr.zarr_io import open_frames, store_path

PREDICTORS = ("u", "ground")
PLAIN = {"augmentation": "none", "loss": "mse"}  # a mirror would turn the detail alone


def detailed_frames():
    """Waves with detail as strong as the wind, which no point of the coarse grid can hold."""
    frames = tiny_frames(30, variables=("vorticity", "u"))
    frames["vorticity"] += 0.5 * (-1.0) ** np.arange(48) * frames["u"]
    frames["vorticity"] = frames["vorticity"].astype("float32").assign_attrs(units="s-1")
    frames["u"].attrs["units"] = "m s-1"
    heights = np.hypot(*np.meshgrid(np.arange(24), np.arange(48), indexing="ij"))
    return frames.assign(ground=(("lat", "lon"), heights.astype("float32"), {"units": "m"}))


def network_in(folder):
    return folder / "network.safetensors"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small steps take longer on several where other tests run beside them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Stores; 2D networks trained with and without predictors; results of the first, sharpened."""
    folder = tmp_path_factory.mktemp("predictors")
    low, high = make_stores(folder, detailed_frames(), predictors=PREDICTORS)
    plain, _ = make_stores(folder / "plain", detailed_frames()[["vorticity"]])
    longer = PLAIN | {"epochs": 20, "learning_rate": 3e-3, "patch_points": 12}
    settings = stage_settings(folder, "train_2d", train_2d=longer)
    for name, given in (("train_2d", low), ("without", plain)):
        train_2d(settings, [given], [high], None, folder / name, Run())
    made = folder / "infer_2d" / "seed_0.json"
    infer_2d(network_in(folder / "train_2d"), low, high, made, Run())
    short = PLAIN | {"epochs": 1, "patch_points": 16}
    settings = stage_settings(folder, "train_3d", train_3d=short)
    train_3d(settings, [made], [high], None, folder / "train_3d", Run())
    sharpened = folder / "infer_3d" / "seed_0.json"
    infer_3d(network_in(folder / "train_3d"), made, sharpened, Run())
    return folder


@pytest.fixture(scope="module")
def low(folder):
    return folder / "low" / "seed_0.json"


@pytest.fixture(scope="module")
def coarse(folder, low):
    """The low-resolution frames as of another model: other names, upside down, one more field.

    The heights of the ground have no time."""
    frames = open_frames(low, predictors=True).drop_encoding().drop_attrs(deep=False).load()
    frames["ground"] = frames["ground"].isel(time=0, drop=True)
    foreign = frames.rename(lat="latitude", lon="longitude", time="t").assign(other=frames["u"])
    foreign.isel(latitude=slice(None, None, -1)).to_netcdf(folder / "coarse.nc")
    return folder / "coarse.nc"


def apply(*arguments):
    assert main(["apply", *map(str, arguments), "--threads", "1"]) == 0


def assert_same(found, manifest, **part):
    """That frames are those of a store, to rounding."""
    found, wanted = (each.isel(part) for each in (found, open_frames(manifest)))
    assert list(found.data_vars) == ["vorticity"]
    room = 1e-5 * float(abs(wanted["vorticity"]).max())
    np.testing.assert_allclose(found["vorticity"], wanted["vorticity"], rtol=0, atol=room)
    for dim in ("lat", "lon"):
        np.testing.assert_allclose(found[dim], wanted[dim], atol=1e-4)


def errors(folder):
    """Mean squares on validation frames, before a training and after it."""
    metrics = read_json(folder / "metrics.json")
    return [metrics[when]["validation"]["mse"] for when in ("before", "after")]


def test_detail_that_predictors_alone_tell_is_learnt_from_them(folder):
    """Both begin as interpolation; without predictors little more than that can be learnt."""
    (start, plain), (same_start, told) = (errors(folder / name) for name in ("without", "train_2d"))
    assert start == pytest.approx(same_start)
    assert told < 0.3 * plain
    assert plain > 0.5 * start


def test_results_are_those_that_the_training_saw(folder):
    """Also at poles, across which the wind changes its sign, but no height."""
    _, card = load_network(network_in(folder / "train_2d"))
    assert (card.variables, card.predictors) == (("vorticity",), PREDICTORS)
    assert card.units == ("s-1", "m s-1", "m")
    assert card.vectors == (False, True, False)
    result, truth = (
        open_frames(folder / name / "seed_0.json")["vorticity"].isel(time=slice(24, None)).values
        for name in ("infer_2d", "high")
    )
    span = card.scaling_maximum[0] - card.scaling_minimum[0]
    mse = float((((result - truth) / span).astype(float) ** 2).mean())
    assert mse == pytest.approx(errors(folder / "train_2d")[1], rel=1e-3)


@pytest.mark.parametrize("stage", ["infer_2d", "infer_3d"])
def test_stores_of_results_hold_no_predictors(folder, stage):
    with xr.open_zarr(store_path(folder / stage / "seed_0.json"), consolidated=False) as whole:
        assert list(whole.data_vars) == ["vorticity"]
        assert "predictors" not in whole.attrs
    _, card = load_network(network_in(folder / "train_3d"))
    assert card.predictors == ()


def test_apply_gives_what_the_chain_gives(folder, coarse, tmp_path):
    apply(network_in(folder / "train_2d"), coarse, tmp_path / "a.nc")
    then = ("--then", network_in(folder / "train_3d"))
    apply(network_in(folder / "train_2d"), coarse, tmp_path / "b.nc", *then)
    for name, stage in (("a", "infer_2d"), ("b", "infer_3d")):
        with xr.open_dataset(tmp_path / f"{name}.nc") as found:
            assert_same(found, folder / stage / "seed_0.json")


@pytest.mark.parametrize("chunks", [None, {}, {"t": 7}])
def test_python_gives_what_the_chain_gives(folder, coarse, chunks):
    networks = [network_in(folder / stage) for stage in ("train_2d", "train_3d")]
    with xr.open_dataset(coarse, chunks=chunks) as frames:
        for count, stage in ((1, "infer_2d"), (2, "infer_3d")):
            found = load(*networks[:count])(frames)
            assert bool(found.chunks) == (chunks is not None)
            assert "predictors" not in found.attrs
            assert_same(found, folder / stage / "seed_0.json")


@pytest.mark.parametrize("name", PREDICTORS)
def test_results_depend_on_each_predictor(folder, coarse, name):
    super_resolve = load(network_in(folder / "train_2d"))
    with xr.open_dataset(coarse) as frames:
        turned = frames[name].copy(data=frames[name].values[..., ::-1])
        both = [
            super_resolve(each)["vorticity"] for each in (frames, frames.assign({name: turned}))
        ]
    assert abs(both[0] - both[1]).max() > 0.01 * abs(both[0]).max()


@pytest.mark.parametrize("missing", PREDICTORS)
def test_a_predictor_that_is_missing_is_named(folder, coarse, tmp_path, fails, missing):
    network = network_in(folder / "train_2d")
    with xr.open_dataset(coarse) as frames:
        frames.drop_vars(missing).to_netcdf(tmp_path / "less.nc")
        with pytest.raises(ValueError, match=f"frames: no variable '{missing}'"):
            load(network)(frames.drop_vars(missing))
    arguments = ("apply", network, tmp_path / "less.nc", tmp_path / "fine.nc")
    fails(f"less.nc: no variable '{missing}'", *arguments)
    assert not list(tmp_path.glob("*fine*"))


def test_predictors_are_converted_to_the_units_of_training_and_their_range_watched(folder, coarse):
    super_resolve = load(network_in(folder / "train_2d"))
    with xr.open_dataset(coarse) as frames:
        frames.load()
    in_km = frames["ground"].copy(data=frames["ground"] / 1000).assign_attrs(units="km")
    with pytest.warns(UserWarning, match="ground is converted from 'km' to the 'm' of training"):
        assert_same(super_resolve(frames.assign(ground=in_km)), folder / "infer_2d" / "seed_0.json")
    higher = frames["ground"].copy(data=frames["ground"] + 1000)
    with pytest.warns(UserWarning, match="ground reaches from .* of the values lie outside"):
        super_resolve(frames.assign(ground=higher))
    with pytest.raises(ValueError, match="ground is in 'K', but in 'm' in the training"):
        super_resolve(frames.assign(ground=in_km.assign_attrs(units="K")))


def test_consistent_results_give_the_variables_back(folder, coarse):
    with xr.open_dataset(coarse) as frames:
        given = frames["vorticity"].load()[:, ::-1]
        distances = [
            np.abs(
                copies_of(load(network_in(folder / "train_2d"), consistent=wish)(frames)) - given
            )
            for wish in (False, True)
        ]
    size = float(np.abs(given).max())
    assert distances[1].max() < 1e-5 * size < 1e-3 * size < distances[0].max()


def copies_of(fine):
    values = fine["vorticity"].values[:, None]
    return bicubic.downscale(values, 2, Geometry("pole", "periodic"))[:, 0]


def test_networks_of_other_predictors_have_no_mean(folder, tmp_path):
    network, card = load_network(network_in(folder / "train_2d"))
    for number, predictors in enumerate((PREDICTORS, PREDICTORS[::-1], ("u", "hills"))):
        path = tmp_path / f"{number}.safetensors"
        save_network(path, network, replace(card, predictors=predictors))
        both = [network_in(folder / "train_2d"), path]
        if predictors == PREDICTORS:
            load(both)
            continue
        with pytest.raises(ValueError, match=f"{number}.safetensors: .* with other predictors"):
            load(both)


def test_an_ensemble_reads_predictors(folder, coarse, tmp_path):
    network, card = load_network(network_in(folder / "train_2d"))
    save_network(tmp_path / "again.safetensors", network, card)
    with xr.open_dataset(coarse) as frames:
        found = load([network_in(folder / "train_2d"), tmp_path / "again.safetensors"])(frames)
    assert float(abs(found["vorticity_spread"]).max()) == 0
    assert_same(found[["vorticity"]], folder / "infer_2d" / "seed_0.json")


def test_a_network_and_stores_of_other_predictors(folder, low, tmp_path, fails):
    """One that reads none takes the variables of any; one that reads some needs just these."""
    plain, high = folder / "plain" / "low" / "seed_0.json", folder / "high" / "seed_0.json"
    for number, given in enumerate((low, plain)):
        output = tmp_path / f"{number}" / "seed_0.json"
        infer_2d(network_in(folder / "without"), given, high, output, Run())
    both = [open_frames(tmp_path / f"{number}" / "seed_0.json") for number in range(2)]
    np.testing.assert_array_equal(both[0]["vorticity"], both[1]["vorticity"])
    fails(
        "holds ['vorticity'], but",
        "infer_2d", "--network", network_in(folder / "train_2d"), "--low", plain, "--like", high,
        "--output", tmp_path / "c.json",
    )  # fmt: skip


def test_predictors_of_settings_are_not_left_unread(folder, coarse, tmp_path, fails):
    settings = stage_settings(tmp_path, "apply", source={"predictors": ["u"]})
    for stage in ("without", "train_2d"):
        fails(
            "coarse.nc: holds ['vorticity', 'u'], but",
            "apply", network_in(folder / stage), coarse, tmp_path / "fine.nc",
            "--settings", settings,
        )  # fmt: skip


def test_settings_may_name_predictors_in_another_order(folder, coarse, tmp_path, caplog):
    """Those that are components of vectors stay these."""
    settings = stage_settings(tmp_path, "apply", source={"predictors": PREDICTORS[::-1]})
    apply(network_in(folder / "train_2d"), coarse, tmp_path / "a.nc", "--settings", settings)
    with xr.open_dataset(tmp_path / "a.nc") as found:
        assert_same(found, folder / "infer_2d" / "seed_0.json")
    assert "components" not in caplog.text


def test_a_joint_network_of_trained_parts_gives_what_they_give(folder, low, tmp_path):
    """As it starts from both, with their predictors; but near the poles, beyond which the second
    reads what the first makes of frames from there, and not its results from there."""
    high, parts = folder / "high" / "seed_0.json", ("train_2d", "train_3d")
    still = PLAIN | {"network": "skip_joint", "start": "trained", "epochs": 1}
    still |= {"learning_rate": 1e-12, "patch_points": 8}
    settings = stage_settings(tmp_path, "train_joint", train_joint=still, methods=["joint"])
    start = [network_in(folder / stage) for stage in parts]
    train_joint(settings, [low], [high], start, tmp_path / "joint", Run())
    output = tmp_path / "infer_joint" / "seed_0.json"
    infer_joint(network_in(tmp_path / "joint"), low, high, output, Run())
    inner = {"lat": slice(8, -8)}
    assert_same(open_frames(output), folder / "infer_3d" / "seed_0.json", **inner)
