"""Trained networks in a script: what `load` gives is what `apply` writes, in memory or lazily."""

import re
import warnings

import dask
import numpy as np
import pytest
import xarray as xr
from tiny import REPOSITORY, run_swsr, tiny_frames

from swsr.api import load
from swsr.checkpoint import Card, save_network
from swsr.geometry import Geometry
from swsr.networks.build import build_network
from swsr.resampling import bicubic
from swsr.zarr_io import open_frames


@pytest.fixture(scope="module")
def coarse(stores):
    """Low-resolution frames as another model's: other names, upside down, one more variable."""
    low = open_frames(stores[0]).drop_encoding().drop_attrs(deep=False).load()
    foreign = low.rename(lat="latitude", lon="longitude", time="t")
    return foreign.isel(latitude=slice(None, None, -1)).assign(other=0.0)


@pytest.fixture(scope="module")
def applied(networks, coarse, tmp_path_factory):
    """What `apply` makes of them by 2D alone and then by 3D, by name of the fixture's network."""
    folder = tmp_path_factory.mktemp("applied")
    coarse[["vorticity"]].to_netcdf(folder / "coarse.nc")
    found = []
    for name, then in {"a": (), "b": ("--then", networks[1])}.items():
        output = folder / f"{name}.nc"
        done = run_swsr("apply", networks[0], folder / "coarse.nc", output, *then, "--threads", 1)
        assert done.returncode == 0, done.stderr
        found.append(xr.load_dataset(output))
    return found


@pytest.mark.parametrize("chunk", [None, 1, 2, 3, 7, 30])
@pytest.mark.parametrize("stages", [1, 2])
def test_frames_are_those_of_apply(networks, coarse, applied, stages, chunk):
    super_resolve = load(*networks[:stages])
    given = coarse if chunk is None else coarse.chunk(t=chunk)
    fine = super_resolve(given)
    wanted = applied[stages - 1]
    assert super_resolve.margin == (30 - fine.sizes["time"]) / 2 == (0 if stages == 1 else 2)
    assert bool(fine.chunks) == (chunk is not None)
    assert list(fine.data_vars) == ["vorticity"]
    assert fine["vorticity"].dtype == np.float32
    assert fine["vorticity"].attrs == wanted["vorticity"].attrs
    xr.testing.assert_equal(fine.coords.to_dataset(), wanted.coords.to_dataset())
    room = 1e-6 * float(abs(wanted["vorticity"]).max())
    np.testing.assert_allclose(fine["vorticity"], wanted["vorticity"], rtol=0, atol=room)


def test_lazy_frames_are_read_when_the_result_is(networks, coarse):
    read = []

    def noted(block):
        read.append(len(block))
        return block

    lazy = coarse.chunk(t=6).map_blocks(noted, template=coarse.chunk(t=6))
    with dask.config.set(scheduler="synchronous"):
        read.clear()
        fine = load(*networks)(lazy)
        assert not read
        fine["vorticity"].isel(time=slice(9, 12)).compute()
    assert 0 < len(read) < 5


def test_consistent_results_give_the_coarse_frames_back(networks, coarse):
    given = coarse["vorticity"].isel(latitude=slice(None, None, -1)).values
    errors = []
    for consistent in (False, True):
        fine = load(networks[0], consistent=consistent)(coarse)["vorticity"].values
        copies = bicubic.downscale(fine[:, None], 2, Geometry("pole", "periodic"))[:, 0]
        errors.append(np.abs(copies - given).max() / np.abs(given).max())
    assert errors[1] < 1e-5 < 1e-3 < errors[0]


def test_values_in_other_units_are_converted_to_those_of_the_training(networks, coarse):
    daily = coarse.assign(vorticity=(coarse["vorticity"] * 86400).assign_attrs(units="day**-1"))
    with pytest.warns(UserWarning, match=r"vorticity is converted from 'day\*\*-1' to the 's-1'"):
        fine = load(networks[0])(daily)["vorticity"]
    assert fine.attrs["units"] == "s-1"
    assert daily["vorticity"].attrs["units"] == "day**-1"
    np.testing.assert_allclose(
        fine, load(networks[0])(coarse)["vorticity"], atol=1e-5 * float(abs(fine).max())
    )


def test_frames_of_another_meaning_are_refused(networks, coarse):
    with pytest.raises(ValueError, match="no variable 'vorticity'"):
        load(networks[0])(coarse.rename(vorticity="vo"))
    without = coarse.assign(vorticity=coarse["vorticity"].drop_attrs())
    with pytest.raises(ValueError, match="vorticity is in '1', but in 's-1'"):
        load(networks[0])(without)
    metres = coarse.assign(vorticity=coarse["vorticity"].assign_attrs(units="m"))
    with pytest.raises(ValueError, match="vorticity is in 'm', but in 's-1' in the training of"):
        load(networks[0])(metres)
    gap = coarse.where(coarse["t"] != coarse["t"][9])
    with pytest.raises(ValueError, match="vorticity is not finite at 288 points of frame 9"):
        load(networks[0])(gap)
    load(networks[0])(gap.chunk(t=4)).isel(time=slice(8)).compute()
    with pytest.raises(ValueError, match="time is not evenly spaced"):
        load(*networks)(coarse.drop_isel(t=9))
    with pytest.raises(ValueError, match=r"choose one first, as by \.isel\(level=0\)"):
        load(networks[0])(coarse.expand_dims(level=2))
    with pytest.raises(ValueError, match="2d or joint network is needed"):
        load(networks[1])
    with pytest.raises(ValueError, match="device 'gpu': not one of"):
        load(networks[0], device="gpu")
    for wrong in ({"periodic": ["x"]}, {"dims": {"latitude": "lat"}}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} names '(x|latitude)', which"):
            load(networks[0])(coarse, **wrong)
    with pytest.raises(ValueError, match="DataArray: give a Dataset"):
        load(networks[0])(coarse["vorticity"])


@pytest.mark.parametrize("chunk", [1, 7, 30])
def test_a_predictor_without_time_may_be_lazy_beside_frames_in_chunks(tmp_path, chunk):
    card = Card(
        network="subpixel_2d", variables=("vorticity",), predictors=("ground",), scale=2,
        units=("s-1", "m"), scaling_minimum=(-1e-4, 0.0), scaling_maximum=(1e-4, 1.0),
        spacing={"lat": 7.5, "lon": 7.5, "units": "degrees", "seconds": 3600.0},
        settings={}, version={}, inputs={}, edges=("pole", "periodic"), vectors=(False, False),
    )  # fmt: skip
    path = tmp_path / "network.safetensors"
    save_network(path, build_network("subpixel_2d", 1, 2, 1), card)
    frames = tiny_frames()
    ground = (abs(frames["vorticity"][0]) * 5e3).drop_vars("time").assign_attrs(units="m")
    given = frames.assign(ground=ground)
    wanted = load(path)(given)
    assert list(wanted.data_vars) == ["vorticity"]
    fine = load(path)(given.chunk(time=chunk))
    assert fine.chunksizes["time"][0] == chunk
    np.testing.assert_allclose(fine["vorticity"], wanted["vorticity"], rtol=0, atol=1e-10)


def test_one_frame_with_its_time_as_a_scalar(networks, coarse):
    network = load(networks[0])
    one, all_of_them = network(coarse.isel(t=[4])), network(coarse.isel(t=4))
    xr.testing.assert_equal(one, all_of_them)


def test_frames_unlike_the_training_are_warned_of(networks, coarse):
    with xr.set_options(keep_attrs=True):
        loud = 3 * coarse
    with pytest.warns(UserWarning, match="of the values lie outside"):
        load(networks[0])(loud)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(networks[0])(loud.chunk(t=8))  # nothing is read yet


def test_warnings_name_the_line_that_gave_the_frames(networks, coarse):
    """Of values, from near the call; of spacing, from deeper inside."""
    with xr.set_options(keep_attrs=True):
        loud = 3 * coarse
    wide = loud.assign_coords(latitude=loud["latitude"] / 2)
    super_resolve = load(networks[0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        super_resolve(wide)
    ours = [each for each in caught if str(each.message).startswith("frames: ")]
    sentences = " ".join(str(each.message) for each in ours)
    assert "unlike the training: lat every" in sentences
    assert "of the values lie outside" in sentences
    assert {each.filename for each in ours} == {__file__}


def test_examples_of_the_documentation_run(networks, coarse, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    coarse[["vorticity"]].to_netcdf("coarse.nc")
    page = (REPOSITORY / "docs" / "python.md").read_text()
    for path in re.findall(r'"(results/[\w./]+)"', page):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(networks["train_3d" in path].read_bytes())
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    assert names["fine"].sizes["lat"] == 24
    assert names["spread"].dims == ("time", "lat", "lon")
    assert (tmp_path / "fine.nc").exists()
