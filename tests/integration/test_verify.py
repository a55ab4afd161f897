"""Figures of a result beside a truth: closed forms, other files than ours, and what does not fit."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.polynomial.legendre import leggauss
from tiny import damage, make_stores, tiny_frames

from swsr.__main__ import main
from swsr.geometry import Geometry
from swsr.provenance import FILTER
from swsr.resampling import bicubic
from swsr.resampling.coarsening import Coarsening
from swsr.resampling.regridding import resample_coordinate

BIAS = 2e-6
GLOBE = Geometry("pole", "periodic")


def coarse_of(frames, filter_name="bicubic", geometry=GLOBE):
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
    mse = squared_error(coarse_of(truth), truth, GLOBE)
    assert number(row(text, "MSE")[0]) == pytest.approx(mse, rel=1e-2)
    assert row(text, "MSE")[1] == "0"
    assert number(row(text, "inconsistency with the input of vorticity")[1]) < 1e-5


def squared_error(low, truth, geometry):
    """Of bicubic interpolation, as a share of the truth's range."""
    found = bicubic.upscale(low["vorticity"].values[:, None], 2, geometry)[:, 0]
    values = truth["vorticity"].values.astype("float64")
    return float(((found - values) ** 2).mean()) / float(np.ptp(values)) ** 2


def on_a_plane(frames):
    """The same values on points a kilometre apart."""
    return frames.assign_coords(
        {dim: (dim, np.arange(frames.sizes[dim]) * 1e3, {"units": "m"}) for dim in ("lat", "lon")}
    )


@pytest.fixture
def plane(tmp_path, monkeypatch):
    """A plane that goes around, but does not say so, and its coarse copy."""
    monkeypatch.chdir(tmp_path)
    truth = on_a_plane(tiny_frames(6))
    low = coarse_of(truth, geometry=Geometry("periodic", "periodic"))
    truth.to_netcdf("truth.nc")
    low.to_netcdf("coarse.nc")
    return low, truth


PLANE = ("coarse.nc", "truth.nc", "truth.nc")


def test_a_plane_goes_around_where_the_user_says_so(plane, capsys):
    around, bounded = (squared_error(*plane, Geometry(edge, edge)) for edge in ("periodic", "edge"))
    assert around < 0.9 * bounded
    text = verified(capsys, *PLANE, "--periodic", "lat", "lon")
    assert number(row(text, "MSE")[0]) == pytest.approx(around, rel=1e-2)
    assert number(row(text, "inconsistency with the input of vorticity")[1]) < 1e-5
    assert "Edges: periodic in both (as --periodic says)." in text
    text = verified(capsys, *PLANE)
    assert number(row(text, "MSE")[0]) == pytest.approx(bounded, rel=1e-2)
    assert "Edges: bounded (detected)." in text


@pytest.mark.parametrize("which", ["coarse.nc", "truth.nc"])
def test_a_plane_goes_around_where_a_store_says_so(plane, capsys, which):
    marked = Geometry("periodic", "periodic").mark(xr.load_dataset(which))
    marked.to_netcdf("store.nc")
    names = tuple("store.nc" if name == which else name for name in PLANE)
    text = verified(capsys, *names)
    around = squared_error(*plane, Geometry("periodic", "periodic"))
    assert number(row(text, "MSE")[0]) == pytest.approx(around, rel=1e-2)
    assert "Edges: periodic in both (as store.nc says)." in text
    verified(capsys, *names, "--periodic", "lat", "lon")
    assert main(["verify", *names, "--periodic", "lon"]) == 1
    assert "store.nc: says that its edges are periodic along lat" in capsys.readouterr().err


def test_what_a_result_says_of_edges_gives_way_to_the_user(plane, capsys):
    Geometry("edge", "edge").mark(plane[1]).to_netcdf("fine.nc")
    names = ("coarse.nc", "fine.nc", "truth.nc")
    assert "Edges: bounded (as fine.nc says)." in verified(capsys, *names)
    assert "Edges: periodic in both (as" in verified(capsys, *names, "--periodic", "lat", "lon")


def test_a_store_says_what_filter_made_it(files, capsys):
    coarse_of(files, "mean").assign_attrs({FILTER: "mean"}).to_netcdf("means.nc")
    names = ("means.nc", "truth.nc", "truth.nc")
    label = "inconsistency with the input of vorticity"
    assert number(row(verified(capsys, *names), label)[1]) < 1e-5
    verified(capsys, *names, "--filter", "mean")
    assert main(["verify", *names, "--filter", "bicubic"]) == 1
    assert "means.nc: says that filter mean made it, not bicubic" in capsys.readouterr().err


def test_no_meridian_lies_across_a_pole_of_odd_longitudes(tmp_path, monkeypatch, capsys):
    """As `apply` reads such coarse frames."""
    monkeypatch.chdir(tmp_path)
    truth = tiny_frames(6, lon=50)
    low = coarse_of(truth)
    truth.to_netcdf("truth.nc")
    low.to_netcdf("coarse.nc")
    text = verified(capsys, *PLANE)
    wanted = squared_error(low, truth, Geometry("edge", "periodic"))
    assert number(row(text, "MSE")[0]) == pytest.approx(wanted, rel=1e-3)


def test_constant_variables_are_left_out(files, capsys):
    for name in ("coarse.nc", "fine.nc", "truth.nc"):
        frames = xr.load_dataset(name)
        frames.assign(mask=xr.ones_like(frames["vorticity"])).to_netcdf(f"masked_{name}")
        frames.assign(vorticity=xr.ones_like(frames["vorticity"])).to_netcdf(f"flat_{name}")
    text = verified(capsys, "masked_coarse.nc", "masked_fine.nc", "masked_truth.nc")
    assert "Left out: mask, which is the same everywhere in masked_truth.nc." in text
    plain = verified(capsys)
    assert text.splitlines()[6:] == plain.splitlines()[4:]
    assert main(["verify", "flat_coarse.nc", "flat_fine.nc", "flat_truth.nc"]) == 1
    assert "flat_truth.nc: vorticity is the same everywhere" in capsys.readouterr().err


def gaussian(frames):
    nodes = np.degrees(np.arcsin(leggauss(frames.sizes["lat"])[0]))
    return frames.assign_coords(lat=("lat", nodes, frames["lat"].attrs))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_coarser_gaussian_grid_fits_a_finer_one(files, capsys, scale):
    """Its latitudes are up to 0.8 of a fine step off the middle of those of the finer one."""
    truth, parts = gaussian(files), dict.fromkeys(("lat", "lon"), scale)
    truth.to_netcdf("fine_gauss.nc")
    gaussian(truth.coarsen(parts).mean()).to_netcdf("coarse_gauss.nc")
    verified(capsys, "coarse_gauss.nc", "fine_gauss.nc", "fine_gauss.nc")


@pytest.mark.parametrize(
    ("grid", "dim", "off"),
    [(lambda frames: frames, "lat", 0.5), (gaussian, "lat", 0.5), (gaussian, "lon", 0.5)],
)
def test_every_second_point_is_no_middle(files, capsys, grid, dim, off):
    truth = grid(files)
    truth.to_netcdf("fine_whole.nc")
    other = {"lat": "lon", "lon": "lat"}[dim]
    every = truth.isel({dim: slice(None, None, 2)}).coarsen({other: 2}).mean()
    every.to_netcdf("every.nc")
    assert main(["verify", "every.nc", "fine_whole.nc", "fine_whole.nc"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert f"every.nc: its points of {dim} are up to {off} of a step" in line


def test_levels_cannot_be_chosen_by_a_config(files, capsys):
    xr.load_dataset("coarse.nc").expand_dims(level=2).to_netcdf("levels.nc")
    assert main(["verify", "levels.nc", "fine.nc", "truth.nc"]) == 1
    line = capsys.readouterr().err
    assert "levels.nc: dim 'level' has 2 entries: write a file of one of them first" in line


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


def test_values_in_other_units_are_set_beside_the_truth(files, capsys):
    label, expected = "RMSE of vorticity", verified(capsys)

    def daily(frames):
        values = frames["vorticity"].astype("float64") * 86400
        return frames.assign(vorticity=values.assign_attrs(units="1/day"))

    change("fine.nc", daily)
    found = verified(capsys, "coarse.nc", "changed.nc", "truth.nc")
    assert row(found, label) == row(expected, label)
    assert "Converted: vorticity of changed.nc, from 1/day to s-1." in found
    assert "Converted" not in expected


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
        (
            "coarse.nc",
            lambda f: f.isel(time=slice(0)).drop_encoding(),
            "c",
            "changed.nc: holds no frames",
        ),
        ("coarse.nc", lambda f: f.isel(lon=slice(20)), "c", "changed.nc: its 20 points of lon are"),
        (
            "coarse.nc",
            lambda f: f.assign(vorticity=f["vorticity"].assign_attrs(units="m")),
            "c",
            "changed.nc: vorticity is in 'm', but in 's-1' in truth.nc",
        ),
        (
            "coarse.nc",
            lambda f: f.isel(time=[0, *range(12)]),
            "c",
            "changed.nc: has several frames of one time",
        ),
        (
            "coarse.nc",
            lambda f: f.assign_coords({d: f[d].assign_attrs(units="km") for d in ("lat", "lon")}),
            "c",
            "changed.nc: its grid is in 'km', but in 'degrees' in truth.nc",
        ),
        (
            "fine.nc",
            lambda f: f.assign_coords(time=np.arange(12)),
            "cft",
            "changed.nc: its times are plain numbers, but Gregorian dates in truth.nc",
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


def test_a_frame_with_its_time_as_a_scalar_is_verified(files, capsys):
    for name in ("coarse.nc", "fine.nc", "truth.nc"):
        change(name, lambda frames: frames.isel(time=3))
        Path("changed.nc").rename(f"one_{name}")
    text = verified(capsys, "one_coarse.nc", "one_fine.nc", "one_truth.nc")
    assert number(row(text, "MAE of vorticity")[1]) == pytest.approx(BIAS, rel=1e-2)


def test_a_damaged_file_is_said_in_one_line(files, capsys):
    damage(files, Path("truth.nc"))
    assert main(["verify", "coarse.nc", "fine.nc", "truth.nc"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "truth.nc: cannot be read to its end" in line
