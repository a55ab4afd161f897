"""Diagnosis of frames with faults that were put into them."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.polynomial.legendre import leggauss
from tiny import tiny_frames

from swsr.evaluation.diagnosis import Diagnosis, diagnose
from swsr.evaluation.figures import figures
from swsr.evaluation.gate import FIGURES, judge
from swsr.evaluation.roles import find_roles
from swsr.evaluation.scores import Pair, align, mean_over_frames, score_frames
from swsr.evaluation.spectra import make_modes
from swsr.geometry import Geometry
from swsr.grids import Grid
from swsr.provenance import COMPRESSION, FILTER
from swsr.resampling import bicubic
from swsr.resampling.coarsening import Coarsening
from swsr.scaling import Scaling


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
        assert value == pytest.approx(at_once[key], rel=1e-6, abs=1e-6), key


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


def test_drift_is_the_change_beyond_that_of_the_truth(truth, low):
    """A tenth more at the end is 21% more of a square."""
    growing = truth * xr.DataArray(np.linspace(1, 1.1, 10, dtype="float32"), dims="time")
    assert diagnosed(growing, truth, low)["enstrophy_drift"] == pytest.approx(0.21, rel=1e-3)


def test_extremes_are_compared_whatever_the_level(truth, low):
    """Their error is a share of the deviation from the mean, not of the mean."""
    raised = [(each.astype("float64") + 1).assign_attrs(truth.attrs) for each in (truth, low)]
    expected = diagnosed(2 * truth, truth, low)["extremes_vorticity"]
    found = diagnosed(2 * raised[0] - 1, *raised)["extremes_vorticity"]
    assert found == pytest.approx(expected, rel=1e-6)
    assert found > 1


def on_plane(field, step_km, periodic):
    """Frames of a vorticity (lat, lon) on points of a plane, and every second of those points."""
    lat, lon = (np.arange(size) * step_km for size in field.shape)
    coords = {"lat": ("lat", lat, {"units": "km"}), "lon": ("lon", lon, {"units": "km"})}
    variable = ("time", "lat", "lon"), np.stack([field, -field]), {"units": "s-1"}
    plane = xr.Dataset({"vorticity": variable}, coords | {"time": [0, 1]})
    marked_plane = Geometry.detect(plane, periodic).mark(plane).chunk({"time": 2})
    return marked_plane, marked_plane.isel(lat=slice(0, None, 2), lon=slice(0, None, 2))


def waves(number):
    """Cosine and sine with so many waves along lon, on a plane of 40 x 40 points."""
    phase = np.broadcast_to(2 * np.pi * number * np.arange(40) / 40, (40, 40))
    return np.cos(phase), np.sin(phase)


def test_a_scale_of_the_truth_that_a_result_lacks_counts():
    """Two waves along 80 km, of which the shorter is 80 dB too weak, and out of phase."""
    (long, _), (short, shifted) = waves(2), waves(8)
    truth, low = on_plane(long + short, 2.0, ("lat", "lon"))
    result, _ = on_plane(long + 1e-4 * shifted, 2.0, ("lat", "lon"))
    found = diagnosed(result, truth, low)
    assert found["spectrum_db_vorticity"] == pytest.approx(80 / np.sqrt(2))
    assert found["resolution_km_vorticity"] == pytest.approx(40)
    assert diagnosed(truth, truth, low)["resolution_km_vorticity"] == pytest.approx(10)


def test_the_spectrum_of_enstrophy_sums_to_its_mean():
    truth, low = on_plane(3 * waves(5)[0], 2.0, ("lat", "lon"))
    diagnosis = diagnose("a", 2 * truth, truth, low, make_modes(Grid.of(truth)))
    ours, theirs, _ = diagnosis.spectra["enstrophy"].sum(axis=2)
    np.testing.assert_allclose(theirs, 9 / 4)  # half of the mean square
    np.testing.assert_allclose(ours, 9)
    np.testing.assert_allclose(theirs, diagnosis.means["enstrophy", "truth"])


@pytest.mark.parametrize("periodic", [(), ("lon",), ("lat",)])
def test_a_plane_with_edges_has_spectra_but_no_energy_of_its_flow(periodic):
    """Which vorticity alone does not give."""
    truth, low = on_plane(waves(5)[0], 2.0, periodic)
    found = diagnosed(2 * truth, truth, low)
    assert found["spectrum_db_vorticity"] == pytest.approx(10 * np.log10(4))
    assert found["enstrophy"] == pytest.approx(3)
    assert "kinetic_energy" not in found


def test_a_zone_has_spectra_but_no_energy_of_its_flow(truth):
    """Between two parallels vorticity alone gives no flow either."""
    lat = "lat", np.linspace(10, 40, 24), truth["lat"].attrs
    zone = marked(truth.assign_coords(lat=lat))
    assert (zone.attrs["lat_edge"], zone.attrs["lon_edge"]) == ("edge", "periodic")
    found = diagnosed(2 * zone, zone, zone.isel(lat=slice(0, None, 2), lon=slice(0, None, 2)))
    assert found["spectrum_db_vorticity"] == pytest.approx(10 * np.log10(4), rel=1e-3)
    assert "kinetic_energy" not in found


def test_velocities_on_the_poles_have_no_spectrum_of_kinetic_energy():
    frames = tiny_frames(num_frames=2, variables=("u", "v"))
    for name in ("u", "v"):
        frames[name].attrs["units"] = "m s-1"
    energies = []
    for first in (-90 + 90 / 24, -90):
        lat = "lat", np.linspace(first, -first, 24), frames["lat"].attrs
        truth = marked(frames.assign_coords(lat=lat))
        coarse = truth.isel(lat=slice(0, None, 2), lon=slice(0, None, 2))
        found = diagnosed(2 * truth, truth, coarse)
        assert found["spectrum_db_u"] == pytest.approx(10 * np.log10(4), rel=1e-3)
        energies.append(found.get("kinetic_energy"))
    assert energies == [pytest.approx(3, rel=1e-3), None]


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
    np.testing.assert_array_equal(pair.weights, Grid.of(truth).weights[2:-2])


def test_whole_frames_are_cut_as_those_without_border_are(truth):
    cut = truth.isel(time=slice(2, -2), lat=slice(2, -2), lon=slice(2, -2))
    part = slice(3, 9)
    ours, theirs = (align(each, truth, part, "inner", centres=True) for each in (truth, cut))
    xr.testing.assert_equal(ours.result, theirs.result)
    np.testing.assert_array_equal(ours.result["time"], truth["time"][5:7])
    whole = align(truth, truth, part, "all", centres=True)
    assert whole.result.sizes == {"time": 2, "lat": 24, "lon": 48}


def test_frames_are_scored_by_area_beside_the_study_s_figures():
    """An error of sin(lat) m: its mean square over the sphere is 1/3, its mean size 1/2."""
    lat = np.degrees(np.arcsin(leggauss(32)[0]))
    error = np.broadcast_to(np.sin(np.radians(lat))[:, None], (2, 32, 64))
    coords = {
        "time": [0, 1],
        "lat": ("lat", lat, {"units": "degrees_north"}),
        "lon": ("lon", np.arange(64) * 5.625, {"units": "degrees_east"}),
    }
    dims = "time", "lat", "lon"
    truth, result = (
        marked(xr.Dataset({"depth": (dims, values, {"units": "m"})}, coords))
        for values in (np.zeros_like(error), error)
    )
    pair = Pair(result, truth, Grid.of(truth).weights)
    scaling = Scaling(np.array([-2.0]), np.array([3.0]))
    rows = list(score_frames(pair, ("depth",), scaling, {"depth": np.ones((32, 64))}))
    assert [row["time"] for row in rows] == [0, 1]
    for row in rows:
        assert row["mse_area"] == pytest.approx(1 / 3 / 5**2)
        assert row["psnr_area"] == pytest.approx(10 * np.log10(75))
        assert row["mse"] == pytest.approx(1 / 2 / 5**2, rel=0.05)  # points lie evenly in degrees
        assert row["rmse_depth"] == pytest.approx(np.sqrt(1 / 3))
        assert row["mae_depth"] == pytest.approx(0.5, abs=1e-3)
        # Deviations -1 and sin(lat) - 1: 1 / sqrt(1 + 1/3).
        assert row["acc_depth"] == pytest.approx(np.sqrt(3 / 4))


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
