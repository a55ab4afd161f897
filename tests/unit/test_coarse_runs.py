"""Frames of coarse runs at the times and on the points of copies of finer ones."""

import numpy as np
import pytest
import xarray as xr
from tiny import tiny_frames

from swsr.coarse_runs import low_frames
from swsr.geometry import Geometry
from swsr.resampling.regridding import resample_coordinate

FINE = Geometry.detect(tiny_frames()).mark(tiny_frames())


def run(frames=None, warn=pytest.fail, fine=FINE, periodic=None):
    """What becomes of a coarse run: by default one of 40 hours on a grid of its own."""
    coarse = tiny_frames(40, 12, 24) if frames is None else frames
    return low_frames(coarse, fine, 2, periodic, "run.nc", warn)


def test_frames_are_those_of_the_fine_times_on_the_points_of_copies():
    low = run()
    for dim in ("lat", "lon"):
        np.testing.assert_array_equal(
            low[dim], resample_coordinate(FINE[dim].values, FINE.sizes[dim] // 2)
        )
        assert low[dim].attrs == FINE[dim].attrs
    assert low["time"].equals(FINE["time"])
    assert low.attrs == FINE.attrs
    assert low["vorticity"].attrs == FINE["vorticity"].attrs
    # The same waves on these points: those of the coarse run lie a quarter of its step before.
    waves = tiny_frames(30, 12, 96)["vorticity"].values[:, :, 1::4]
    most = np.abs(waves).max()
    assert np.abs(low["vorticity"].values - waves).max() < 0.04 * most
    assert np.abs(tiny_frames(30, 12, 24)["vorticity"].values - waves).max() > 0.2 * most


def test_frames_are_found_by_their_times():
    """In a run of another start, step and order of frames."""
    coarse = tiny_frames(40, 12, 24)
    half_hours = xr.date_range("1999-12-31 23:00", periods=80, freq="30min", use_cftime=False)
    often = coarse.reindex(time=half_hours, method="nearest")
    xr.testing.assert_equal(run(often), run(coarse))
    rounded = coarse.assign_coords(time=coarse["time"] + np.timedelta64(2, "s"))
    xr.testing.assert_equal(run(rounded), run(coarse))


def test_attributes_are_those_of_the_fine_frames_alone():
    """A store with those of another model would be another variable's."""
    coarse = tiny_frames(40, 12, 24).assign_attrs(title="of another model", swsr="{}")
    coarse["vorticity"].attrs |= {"standard_name": "eastward_wind", "cell_methods": "time: mean"}
    xr.testing.assert_identical(run(coarse), run())


def across_the_poles(lat, lon, **attributes):
    """One frame of the eastward part of a wind that blows straight over both poles."""
    frames = tiny_frames(1, lat, lon)
    field = np.broadcast_to(-np.sin(np.radians(frames["lon"].values)), (1, lat, lon))
    wind = frames["vorticity"].copy(data=field.astype("float32")).assign_attrs(attributes)
    return frames.assign(vorticity=wind)


def test_components_of_vectors_are_those_of_the_fine_frames():
    """Whatever a coarse file says of its variable, or does not say."""
    error = {}
    for standard_name in ("eastward_wind", "air_pressure"):
        fine = across_the_poles(24, 48, standard_name=standard_name)
        low = run(across_the_poles(13, 24), fine=Geometry.detect(fine).mark(fine))["vorticity"]
        wanted = -np.sin(np.radians(low["lon"].values))
        error[standard_name] = np.abs(low.values - wanted).max()
    assert error["eastward_wind"] < 1e-4 < 1e-2 < error["air_pressure"]


def plane(frames, **attributes):
    """The same on a plane of 24 km by 48 km."""
    steps = {"lat": 24 / frames.sizes["lat"], "lon": 48 / frames.sizes["lon"]}
    attributes = {"units": "km"} | attributes
    coords = {
        dim: (dim, (np.arange(frames.sizes[dim]) + 0.5) * step, attributes)
        for dim, step in steps.items()
    }
    return frames.assign_coords(coords)


def test_a_plane_goes_around_as_that_of_the_fine_frames_does():
    """Else its edges would be others than those that `apply` takes from the training."""
    frames = plane(tiny_frames()).assign_coords(lon=("lon", np.arange(48.0), {"units": "km"}))
    around = Geometry.detect(frames, ["lon"]).mark(frames)
    bounded = Geometry.detect(frames).mark(frames)
    coarse = plane(tiny_frames(40, 12, 24)).assign_coords(
        lon=("lon", np.arange(24) * 2.0 - 0.5, {"units": "km"})
    )
    told, detected = (run(coarse, fine=around, periodic=each) for each in (["lon"], None))
    xr.testing.assert_equal(told, detected)
    edges = np.abs(told - run(coarse, fine=bounded))["vorticity"].max(("time", "lat"))
    most = float(edges.max())
    assert float(edges[12]) < 1e-4 * most < most


def test_a_meridian_that_a_run_has_twice_is_taken_once():
    coarse = tiny_frames(40, 12, 24)
    first = coarse.isel(lon=[0]).assign_coords(lon=[360.0])
    twice = xr.concat([coarse, first], "lon", join="outer", combine_attrs="override")
    twice["lon"].attrs = coarse["lon"].attrs
    xr.testing.assert_equal(run(twice), run(coarse))


def test_dates_of_two_calendars_that_are_one_now_are_found():
    def of(frames, calendar):
        later = frames.assign_coords(time=frames["time"] + np.timedelta64(90 * 365, "D"))
        return later.convert_calendar(calendar, use_cftime=True)

    fine = of(FINE, "standard")
    found = run(of(tiny_frames(40, 12, 24), "proleptic_gregorian"), fine=fine)
    np.testing.assert_array_equal(found["vorticity"], run()["vorticity"])


def test_times_of_other_calendars_are_found_too():
    def in_noleap(frames):
        return frames.convert_calendar("noleap")

    found = run(in_noleap(tiny_frames(40, 12, 24)), fine=in_noleap(FINE))
    np.testing.assert_array_equal(found["vorticity"], run()["vorticity"])


def numbered(frames):
    """As `open_files` has frames without times."""
    number = ("time", np.arange(frames.sizes["time"]), {"long_name": "number of the frame"})
    return frames.assign_coords(time=number)


def test_numbers_of_frames_are_times_where_both_have_none():
    coarse = tiny_frames(40, 12, 24)
    found = run(numbered(coarse), fine=numbered(FINE))
    np.testing.assert_array_equal(found["vorticity"], run()["vorticity"])
    with pytest.raises(ValueError, match=r"^run.nc: it has no times, but the other has: write"):
        run(numbered(coarse), fine=FINE.assign_coords(time=np.arange(30)))


def test_units_are_those_of_the_fine_frames():
    coarse, said = tiny_frames(40, 12, 24), []
    days = coarse.assign(vorticity=(coarse["vorticity"] * 86400).assign_attrs(units="day-1"))
    found = run(days, said.append)
    np.testing.assert_allclose(found["vorticity"], run()["vorticity"], rtol=1e-5, atol=1e-10)
    assert said == ["run.nc: vorticity is converted from 'day-1' to 's-1'"]


def test_another_scale_is_warned_of():
    said = []
    run(tiny_frames(40, 8, 16), said.append)
    assert [line[: len("run.nc: has lat every 22.5")] for line in said] == [
        "run.nc: has lat every 22.5",
        "run.nc: has lon every 22.5",
    ]


def in_metres(frames):
    return frames.assign(vorticity=frames["vorticity"].assign_attrs(units="m"))


def in_km(frames):
    coords = {dim: frames[dim].assign_attrs(units="km") for dim in ("lat", "lon")}
    return frames.assign_coords(coords)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.isel(time=slice(20)), "no frame of 2000-01-01 20:00:00, as 10 of 30 that the"),
        (lambda c: c.assign_coords(time=np.arange(40)), "its times are plain numbers, but Gregorian"),
        (lambda c: c.isel(time=[0, 0, 1]), "its times do not ascend: sort its frames"),
        (lambda c: c.isel(time=slice(0)), "holds no frames"),
        (lambda c: c.isel(lon=slice(1)), "one point of lon: give frames of the whole"),
        (lambda c: c.isel(lat=slice(4, None)), "lat from -22.5 to 82.5 does not reach from -82.5"),
        (lambda c: c.isel(lon=slice(12)), "lon from 0 to 165 does not reach from 3.75 to 348.75"),
        (in_metres, "in 'm', but in 's-1' in the fine"),
        (in_km, "its grid is in 'km', but that of the fine frames in 'degrees'"),
    ],
)  # fmt: skip
def test_runs_that_do_not_fit_are_refused(change, words):
    with pytest.raises(ValueError, match=f"^run.nc: .*{words}"):
        run(change(tiny_frames(40, 12, 24)))
