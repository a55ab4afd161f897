"""Parts of sources whose coordinates are not quite what people write."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from swsr.schema import standardise
from swsr.sources.selection import pick_entries, pick_region, pick_times


def frames(lon, lat=(10.0, 20.0), time=(0, 1)):
    """Values are longitudes."""
    coordinates = {
        "time": list(time),
        "lat": ("lat", np.asarray(lat), {"units": "degrees_north"}),
        "lon": ("lon", np.asarray(lon), {"units": "degrees_east"}),
    }
    values = np.broadcast_to(np.asarray(lon, float), (len(time), len(lat), len(lon)))
    return xr.Dataset({"a": (("time", "lat", "lon"), values)}, coordinates)


def test_a_meridian_that_is_there_twice_is_taken_once():
    cyclic = frames(np.arange(-180, 181, 22.5))
    region = pick_region(cyclic, {"lon": (-180, 180)}, "file")
    np.testing.assert_allclose(region["lon"], np.arange(-180, 180, 22.5))


def test_longitudes_in_any_order_are_ordered_by_a_region():
    lon = [*range(0, 180, 10), *range(-180, 0, 10)]
    with pytest.raises(ValueError, match=r"order it from where you like by source\.select\.lon"):
        standardise(frames(lon), ("a",), {}, "file")
    found = standardise(frames(lon), ("a",), {}, "file", lon_order="any")
    region = pick_region(found, {"lon": (-180, 179)}, "file")
    np.testing.assert_array_equal(region["lon"], range(-180, 180, 10))
    np.testing.assert_array_equal(region["a"][0, 0], region["lon"])


@pytest.mark.parametrize(("first", "last"), [(10.1, 20.1), (0.7, 9.6), (350.3, 359.9)])
def test_ends_are_included_in_single_precision(first, last):
    grid = frames(np.arange(3600, dtype="float32") * np.float32(0.1), np.arange(2.0))
    for shift in (0, -360):
        region = pick_region(grid, {"lon": (first + shift, last + shift)}, "file")
        ends = region["lon"].values[[0, -1]]
        np.testing.assert_allclose(ends, [first + shift, last + shift], atol=1e-4)


@pytest.mark.parametrize("calendar", ["standard", "noleap"])
@pytest.mark.parametrize(
    "ends", [(20000103.0, 20000107.0), ("2000-01-03", "2000-01-07"), (20000103.0, "2000-01-07T23")]
)
def test_dates_may_be_written_as_numbers(ends, calendar):
    """YAML reads 20000103 as a number, and settings hold it as a float."""
    days = xr.date_range("2000-01-01", periods=30, calendar=calendar, use_cftime=True)
    found = pick_times(frames([0.0, 1.0], time=days), {"time": ends}, 1, "file")
    assert found["time"].dt.day.values.tolist() == [3, 4, 5, 6, 7]
    found = pick_times(frames([0.0, 1.0], time=days), {"time": (2000.0, 2000.0)}, 1, "file")
    assert found.sizes["time"] == 30


@pytest.mark.parametrize("wanted", [6, "6", "6h", "6 hours", "0.25D"])
def test_lead_times_are_numbers_in_the_unit_of_the_file_or_say_theirs(wanted):
    leads = frames([0.0, 1.0], time=pd.to_timedelta(np.arange(5) * 3, "h"))
    leads["time"].encoding = {"units": "hours"}
    assert pick_times(leads, {"time": (3, wanted)}, 1, "file").sizes["time"] == 2
    of_step = pick_entries(leads.rename(time="step"), {"step": wanted}, "file")
    assert "step" not in of_step.dims
    with pytest.raises(ValueError, match=r"source.select.step: 'six' is no time: give hours"):
        pick_entries(leads.rename(time="step"), {"step": "six"}, "file")


@pytest.mark.parametrize("level", [0.985, "0.995"])
def test_levels_are_told_apart_though_they_are_in_single_precision(level):
    entries = np.array([0.985, 0.995], "float32")
    levels = xr.Dataset({"a": ("level", entries)}, {"level": entries})
    assert float(pick_entries(levels, {"level": level}, "file")["a"]) == np.float32(level)
    with pytest.raises(ValueError, match=r"source.select.level: no 0.99; it has 0.985, 0.995"):
        pick_entries(levels, {"level": 0.99}, "file")
