"""Figures of a result beside a truth: closed forms, other files than ours, and what does not fit."""

import re

import numpy as np
import pytest
import xarray as xr
from tiny import make_stores, tiny_frames

from swsr.__main__ import main
from swsr.geometry import Geometry
from swsr.resampling import bicubic
from swsr.resampling.coarsening import Coarsening
from swsr.resampling.regridding import resample_coordinate

BIAS = 2e-6


def coarse_of(frames, filter_name="bicubic"):
    geometry = Geometry("pole", "periodic")
    coarsening = Coarsening.of(geometry.mark(frames), filter_name, 2)
    values = coarsening(frames["vorticity"].values[:, None], geometry)
    points = {
        dim: resample_coordinate(frames[dim].values, frames.sizes[dim] // 2)
        for dim in ("lat", "lon")
    }
    field = ("time", "lat", "lon"), values[:, 0], {"units": "s-1"}
    low = xr.Dataset({"vorticity": field}, {"time": frames["time"], **points})
    for dim in points:
        low[dim].attrs = frames[dim].attrs
    return low


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A truth, its coarse copy, and a result that is off by a constant."""
    monkeypatch.chdir(tmp_path)
    truth = tiny_frames(12)
    truth.to_netcdf("truth.nc")
    coarse_of(truth).to_netcdf("coarse.nc")
    biased = truth["vorticity"] + np.float32(BIAS)
    truth.assign(vorticity=biased.assign_attrs(units="s-1")).to_netcdf("fine.nc")
    return truth


def verified(capsys, *names):
    assert main(["verify", *(names or ("coarse.nc", "fine.nc", "truth.nc"))]) == 0
    return capsys.readouterr().out


def row(text, label):
    [line] = [line for line in text.splitlines() if re.match(rf"\| {label} +\|", line)]
    return [cell.strip() for cell in line.split("|")[3:-1]]


def number(cell):
    return float(re.sub(r" \(.\)", "", cell))


def test_a_bias_is_its_own_error(files, capsys):
    text = verified(capsys)
    values = files["vorticity"].values
    spread = float(values.max() - values.min())
    assert number(row(text, "RMSE of vorticity")[1]) == pytest.approx(BIAS, rel=1e-2)
    assert number(row(text, "MAE of vorticity")[1]) == pytest.approx(BIAS, rel=1e-2)
    assert number(row(text, "PSNR")[1]) == pytest.approx(20 * np.log10(spread / BIAS), abs=0.01)
    assert number(row(text, "flicker of vorticity")[1]) < 1e-6
    assert "fine.nc beside truth.nc, made of coarse.nc: 12 frames, 2000-01-01T00" in text
    assert "- the result: better than interpolation on" in text


def test_coarse_frames_may_be_means(files, capsys):
    coarse_of(files, "mean").to_netcdf("means.nc")
    label = "inconsistency with the input of vorticity"
    wrong = number(row(verified(capsys, "means.nc", "truth.nc", "truth.nc"), label)[1])
    assert main(["verify", "means.nc", "truth.nc", "truth.nc", "--filter", "mean"]) == 0
    assert number(row(capsys.readouterr().out, label)[1]) < 1e-5 < 1e-3 < wrong


def test_interpolation_is_that_of_the_workflow(tmp_path, capsys, monkeypatch):
    """And so are the figures that need no training: those of `evaluate` on the same frames."""
    monkeypatch.chdir(tmp_path)
    truth = tiny_frames(12)
    low, high = make_stores(tmp_path / "stores", truth)
    names = (low.with_suffix(".zarr"), high.with_suffix(".zarr"), high.with_suffix(".zarr"))
    text = verified(capsys, *map(str, names))
    interpolated = bicubic.upscale(
        coarse_of(truth)["vorticity"].values[:, None], 2, Geometry("pole", "periodic")
    )[:, 0]
    errors = interpolated - truth["vorticity"].values
    spread = float(truth["vorticity"].max() - truth["vorticity"].min())
    mse = float((errors.astype("float64") ** 2).mean()) / spread**2
    assert number(row(text, "MSE")[0]) == pytest.approx(mse, rel=1e-2)
    assert row(text, "MSE")[1] == "0"
    assert number(row(text, "inconsistency with the input of vorticity")[1]) < 1e-5


def test_times_that_all_have_are_compared(files, capsys):
    fine, low = xr.load_dataset("fine.nc"), xr.load_dataset("coarse.nc")
    fine.isel(time=slice(2, -2)).rename(lat="latitude", lon="longitude").to_netcdf("part.nc")
    low.isel(time=slice(4, None)).to_netcdf("late.nc")
    text = verified(capsys, "late.nc", "part.nc", "truth.nc")
    assert "6 frames, 2000-01-01T04" in text
    assert number(row(text, "RMSE of vorticity")[1]) == pytest.approx(BIAS, rel=1e-2)


def change(name, function):
    frames = xr.load_dataset(name)
    function(frames).to_netcdf("changed.nc")


@pytest.mark.parametrize(
    ("name", "function", "order", "sentence"),
    [
        ("fine.nc", lambda f: f.rename(vorticity="vo"), "cft", "no variable in common"),
        ("fine.nc", lambda f: f.isel(lat=slice(2, -2)), "cft", "changed.nc: its lat are not those"),
        (
            "fine.nc",
            lambda f: f.assign_coords(time=f["time"] + np.timedelta64(9, "D")),
            "cft",
            "no time in common: coarse.nc has 2000-01-01",
        ),
        ("coarse.nc", lambda f: f.isel(lon=slice(20)), "c", "changed.nc: its 20 points of lon are"),
        (
            "coarse.nc",
            lambda f: f.assign(vorticity=f["vorticity"].assign_attrs(units="1/day")),
            "c",
            "changed.nc: vorticity is in '1/day', but in 's-1' in truth.nc",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(files, capsys, name, function, order, sentence):
    change(name, function)
    names = ("changed.nc", "fine.nc") if order == "c" else ("coarse.nc", "changed.nc")
    assert main(["verify", *names, "truth.nc"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("verify: ")
    assert sentence in line
