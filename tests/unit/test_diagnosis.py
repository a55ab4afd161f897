"""Diagnosis of frames with faults that were put into them."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tiny import tiny_frames

from swsr.evaluation.diagnosis import Diagnosis, diagnose
from swsr.evaluation.figures import figures
from swsr.evaluation.gate import FIGURES, judge
from swsr.evaluation.roles import find_roles
from swsr.evaluation.scores import align, mean_over_frames
from swsr.evaluation.spectra import make_modes
from swsr.geometry import Geometry
from swsr.grids import Grid
from swsr.provenance import COMPRESSION, FILTER
from swsr.resampling import bicubic
from swsr.resampling.coarsening import Coarsening


def marked(frames, chunk=4):
    return Geometry.detect(frames).mark(frames).chunk({"time": chunk})


@pytest.fixture(scope="module")
def truth():
    return marked(tiny_frames(num_frames=10))


@pytest.fixture(scope="module")
def low(truth):
    coarse = truth.isel(lat=slice(0, None, 2), lon=slice(0, None, 2)).copy()
    values = bicubic.downscale(truth["vorticity"].values[:, None], 2, Geometry.of(truth))[:, 0]
    coarse["vorticity"] = coarse["vorticity"].dims, values, coarse["vorticity"].attrs
    return coarse.chunk({"time": 4})


def diagnosed(result, truth, low):
    modes = make_modes(Grid.of(truth))
    return figures(diagnose("seed_0", result, truth, low, modes), modes)


def test_the_truth_itself_has_no_fault(truth, low):
    found = diagnosed(truth, truth, low)
    shortest = make_modes(Grid.of(truth)).lengths_m[-1] / 1000
    assert found.pop("resolution_km_vorticity") >= shortest
    assert found.pop("seam_vorticity") is None  # no error to compare
    assert found.pop("poles_vorticity") is None
    assert set(found) == {
        "consistency_vorticity", "flicker_vorticity", "extremes_vorticity",
        "spectrum_db_vorticity", "enstrophy", "enstrophy_drift", "kinetic_energy",
    }  # fmt: skip
    assert all(abs(value) < 1e-3 for value in found.values())


def test_input_is_compared_with_copies_by_its_own_filter(truth, low):
    means = Coarsening.of(truth, "mean", 2)(truth["vorticity"].values[:, None], Geometry.of(truth))
    field = low["vorticity"].dims, means[:, 0], low["vorticity"].attrs
    coarse = low.assign(vorticity=field).chunk({"time": 4})
    own = diagnosed(truth, truth, coarse.assign_attrs({FILTER: "mean"}))["consistency_vorticity"]
    other = diagnosed(truth, truth, coarse)["consistency_vorticity"]
    assert own < 1e-6 < 1e-3 < other


def test_compressed_input_is_nothing_to_keep_to(truth, low):
    found = diagnosed(truth, truth, low.assign_attrs({COMPRESSION: '{"codec": "h264"}'}))
    assert "consistency_vorticity" not in found
    assert found["flicker_vorticity"] == 0


def test_twice_the_vorticity_has_four_times_the_enstrophy_and_energy(truth, low):
    found = diagnosed(2 * truth.assign_attrs(truth.attrs), truth, low)
    assert found["enstrophy"] == pytest.approx(3, rel=1e-4)
    assert found["kinetic_energy"] == pytest.approx(3, rel=1e-4)
    assert found["enstrophy_drift"] == pytest.approx(0, abs=1e-4)
    assert found["spectrum_db_vorticity"] == pytest.approx(10 * np.log10(4), rel=1e-3)
    assert found["flicker_vorticity"] == pytest.approx(1, rel=1e-4)


def test_a_result_of_which_no_scale_is_true_is_worse_than_one_of_which_some_are(truth, low):
    noise = np.random.default_rng(0).normal(size=truth["vorticity"].shape).astype("float32")
    made = {
        "bicubic": truth * 0.9,
        "network": truth.assign(vorticity=truth["vorticity"].copy(data=1e-5 * noise)),
    }
    found = {
        name: diagnosed(marked(each.assign_attrs(truth.attrs)), truth, low)
        for name, each in made.items()
    }
    assert found["network"]["resolution_km_vorticity"] == np.inf
    assert judge(found)["network"]["resolution_km_vorticity"] == "worse"


def test_changes_of_a_single_frame_are_not_known(truth, low):
    one = truth.isel(time=slice(1))
    found = diagnosed(one, one, low.isel(time=slice(1)))
    assert found["flicker_vorticity"] is found["enstrophy_drift"] is None


def test_fault_at_the_seam_shows_there_and_nowhere_else(truth, low):
    random = np.random.default_rng(0)
    noise = random.choice([-1e-7, 1e-7], size=(10, 24, 48)).astype("float32")
    noise[:, :, [0, 1, -2, -1]] *= 5
    found = diagnosed(truth + noise, truth, low)
    assert found["seam_vorticity"] == pytest.approx(5, rel=1e-3)
    assert found["poles_vorticity"] == pytest.approx(1, rel=1e-3)


def test_frames_read_at_once_change_no_figure(truth, low, monkeypatch):
    noisy = truth + np.random.default_rng(0).normal(scale=1e-6, size=(10, 24, 48)).astype("f4")
    at_once = diagnosed(noisy, truth, low)
    monkeypatch.setattr("swsr.evaluation.diagnosis.frames_at_once", lambda _: 3)
    for key, value in diagnosed(noisy, truth, low).items():
        assert value == pytest.approx(at_once[key], rel=1e-6), key


def test_long_series_have_spectra_of_some_frames(truth, low, monkeypatch):
    noisy = truth + np.random.default_rng(0).normal(scale=1e-6, size=(10, 24, 48)).astype("f4")
    chunked, modes = truth.chunk({"time": 3}), make_modes(Grid.of(truth))
    whole = diagnose("a", noisy, chunked, low, modes)
    monkeypatch.setattr("swsr.evaluation.diagnosis.SPECTRA_FRAMES", 4)
    some = diagnose("a", noisy, chunked, low, modes)
    for name, spectra in some.spectra.items():
        np.testing.assert_allclose(spectra, whole.spectra[name][:, ::3], rtol=1e-6)
    pd.testing.assert_frame_equal(some.squares, whole.squares)


def test_drift_is_that_of_each_series(truth, low):
    """Two series with different levels: from one to the other is no drift."""
    modes = make_modes(Grid.of(truth))
    parts = [
        diagnose(name, truth * factor, truth * factor, low, modes)
        for name, factor in (("seed_0", 1), ("seed_1", 5))
    ]
    assert figures(Diagnosis.join(parts), modes)["enstrophy_drift"] == 0


def test_a_plane_without_lengths_has_no_spectra(truth, low):
    def flat(frames):
        plain = frames.assign_coords(
            {dim: (dim, np.arange(frames.sizes[dim]) * 1.0) for dim in ("lat", "lon")}
        )
        return marked(plain)

    found = diagnosed(flat(truth), flat(truth), flat(low))
    assert found["spectrum_db_vorticity"] is None
    assert found["resolution_km_vorticity"] is None
    assert found["seam_vorticity"] is None
    assert "kinetic_energy" not in found
    assert found["enstrophy"] == 0


def test_roles_need_their_units():
    frames = tiny_frames(variables=("zeta", "u", "v", "h"))
    frames["zeta"].attrs = {"standard_name": "ocean_relative_vorticity", "units": "1/s"}
    frames["u"].attrs["units"] = "m s-1"
    frames["v"].attrs["units"] = "knots"
    frames["h"].attrs["units"] = "m"
    assert find_roles(frames) == {"vorticity": "zeta", "u": "u", "depth": "h"}


@pytest.mark.parametrize("unit", ["m", "metre", "metres", "meter", "meters"])
def test_a_depth_in_metres_is_one_by_whatever_name(unit):
    frames = tiny_frames(variables=("h",))
    frames["h"].attrs["units"] = unit
    assert find_roles(frames) == {"depth": "h"}


def test_mass_and_energy_where_depth_and_velocities_are(low):
    frames = tiny_frames(num_frames=5, variables=("u", "v", "depth"))
    for name, unit, level in (("u", "m s-1", 0), ("v", "m s-1", 0), ("depth", "m", 1e4)):
        frames[name] = frames[name].copy(data=frames[name].values * 1e6 + level)
        frames[name].attrs["units"] = unit
    truth = marked(frames)
    coarse = truth.isel(lat=slice(0, None, 2), lon=slice(0, None, 2))
    result = truth.assign(depth=(truth["depth"] * np.float32(1.01)).assign_attrs(units="m"))
    found = diagnosed(result, truth, coarse)
    assert found["mass"] == pytest.approx(0.01, rel=1e-3)
    assert found["energy"] == pytest.approx(0.0201, rel=0.02)
    assert found["kinetic_energy"] == pytest.approx(0, abs=1e-6)


def test_a_height_that_is_an_anomaly_has_no_mass(low):
    """Its mean is next to nothing, and a share of that says nothing."""
    frames = tiny_frames(num_frames=5, variables=("depth",))
    frames["depth"].attrs["units"] = "m"
    truth = marked(frames)
    coarse = truth.isel(lat=slice(0, None, 2), lon=slice(0, None, 2))
    assert "mass" not in diagnosed(truth, truth, coarse)


@pytest.mark.parametrize("at_once", [2, 5])
def test_a_depth_that_is_dry_in_some_frames_has_no_mass(monkeypatch, at_once):
    """However frames are read: figures of some of them would pass for those of all."""
    frames = tiny_frames(num_frames=5, variables=("depth",))
    frames["depth"] = (frames["depth"] + 1).assign_attrs(units="m")
    frames["depth"][4, 3, 7] = 0
    truth = marked(frames)
    monkeypatch.setattr("swsr.evaluation.diagnosis.frames_at_once", lambda _: at_once)
    coarse = truth.isel(lat=slice(0, None, 2), lon=slice(0, None, 2))
    assert "mass" not in diagnosed(truth, truth, coarse)


def test_a_variable_called_enstrophy_has_its_own_spectrum():
    frames = tiny_frames(num_frames=5, variables=("vorticity", "ens"))
    results = []
    for name in ("ens", "enstrophy"):
        truth = marked(frames.rename(ens=name))
        coarse = truth.isel(lat=slice(0, None, 2), lon=slice(0, None, 2))
        faulty = truth.assign({name: truth[name] * 2}).assign_attrs(truth.attrs)
        results.append(diagnosed(faulty, truth, coarse)[f"spectrum_db_{name}"])
    assert results[0] == results[1] > 1


def test_shares_of_a_frame_at_rest_are_not_known(truth, low):
    still = truth.where(truth["time"] > truth["time"][0], 0).assign_attrs(truth.attrs)
    still["vorticity"].attrs = truth["vorticity"].attrs
    found = diagnosed(truth, still, low)
    for key in ("enstrophy", "enstrophy_drift", "kinetic_energy"):
        assert found[key] is None
        assert FIGURES[key].verdict(found[key], 0.1) == "not available"
    assert all(value is None or np.isfinite(value) for value in found.values())


def test_frames_without_border_have_inner_points_only(truth):
    cut = truth.isel(time=slice(2, -2), lat=slice(2, -2), lon=slice(2, -2))
    frames = slice(0, 10)
    assert align(cut, truth, frames, "all", centres=True) is None
    assert align(cut, truth, frames, "inner", centres=False) is None
    pair = align(cut, truth, frames, "inner", centres=True)
    xr.testing.assert_equal(pair.result, pair.truth)
    assert pair.result.sizes == {"time": 6, "lat": 20, "lon": 44}
    assert len(pair.weights) == 20


def test_whole_frames_are_cut_as_those_without_border_are(truth):
    cut = truth.isel(time=slice(2, -2), lat=slice(2, -2), lon=slice(2, -2))
    part = slice(3, 9)
    ours, theirs = (align(each, truth, part, "inner", centres=True) for each in (truth, cut))
    xr.testing.assert_equal(ours.result, theirs.result)
    np.testing.assert_array_equal(ours.result["time"], truth["time"][5:7])
    whole = align(truth, truth, part, "all", centres=True)
    assert whole.result.sizes == {"time": 2, "lat": 24, "lon": 48}


def test_means_over_frames_are_those_of_squares():
    frames = pd.DataFrame(
        {"set": "test", "series": "a", "method": "m", "points": "all",
         "frame": [2, 3], "time": [0, 1],
         "mse": [0.01, 0.03], "psnr": [20.0, 15.2], "ssim": [0.8, 0.9],
         "mse_area": [0.1, 0.3], "psnr_area": [10.0, 5.2], "ssim_area": [0.8, 0.9],
         "rmse_u": [3.0, 4.0], "mae_u": [1.0, 2.0]}
    )  # fmt: skip
    row = mean_over_frames(frames).iloc[0]
    assert row["psnr"] == pytest.approx(-10 * np.log10(0.02))
    assert row["psnr_area"] == pytest.approx(-10 * np.log10(0.2))
    assert row["rmse_u"] == pytest.approx(np.sqrt(12.5))
    assert row["mae_u"] == 1.5
    assert row["frames"] == 2
