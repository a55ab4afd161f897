import netCDF4
import numpy as np
import pytest
import xarray as xr
from tiny import tiny_frames

from swsr import frame_checks, schema
from swsr.geometry import Geometry
from swsr.resampling import regridding


def standardise(dataset, variables=("vorticity",), **dims):
    return schema.standardise(dataset, variables, dims, "frames.nc")


def test_other_names_orders_and_descending_latitude_become_canonical():
    frames = tiny_frames()
    foreign = frames.rename(time="t", lat="latitude", lon="longitude")
    foreign = foreign.isel(latitude=slice(None, None, -1)).transpose("longitude", "t", "latitude")
    xr.testing.assert_identical(standardise(foreign), standardise(frames))


def test_dims_that_cannot_be_told_are_given():
    frames = tiny_frames()
    for name in ("lat", "lon"):
        frames[name].attrs = {}
    foreign = frames.rename(time="a", lat="b", lon="c")
    with pytest.raises(ValueError, match=r"no dim looks like lat.*set source.dims.lat"):
        standardise(foreign, time="a")
    xr.testing.assert_equal(standardise(foreign, time="a", lat="b", lon="c"), frames)


@pytest.mark.parametrize("unit", ["deg", "degree", "Degrees_north", "radians", "rad", "", None])
def test_angles_are_degrees_in_whatever_the_file_counts(unit):
    frames = tiny_frames()
    for name in ("lat", "lon"):
        values = np.radians(frames[name]) if str(unit).startswith("rad") else frames[name]
        attributes = {} if unit is None else {"units": unit}
        frames = frames.assign_coords({name: (name, values.values, attributes)})
    found = standardise(frames)
    for name in ("lat", "lon"):
        np.testing.assert_allclose(found[name], tiny_frames()[name], rtol=0, atol=1e-10)
        assert found[name].attrs["units"].lower().startswith("degree")
    assert Geometry.detect(found).lat == "pole"


@pytest.mark.parametrize("unit", ["", "degrees"])
def test_metres_are_no_latitudes(unit):
    frames = tiny_frames()
    metres = frames.assign_coords(lat=("lat", np.arange(24) * 500.0, {"units": unit}))
    with pytest.raises(ValueError, match=r"lat from 0 to 11500 is no latitude in degrees: give"):
        standardise(metres)


def test_longitudes_across_0_are_counted_on_where_they_may_be():
    region = tiny_frames().roll(lon=5, roll_coords=True).isel(lon=slice(20))
    found = schema.standardise(region, ("vorticity",), {}, "f.nc", lon_order="counted on")
    np.testing.assert_allclose(found["lon"], 322.5 + 7.5 * np.arange(20))
    np.testing.assert_array_equal(found["vorticity"], region["vorticity"])
    twice = tiny_frames().isel(lon=[4, 5, 2, 3, 0, 1])
    with pytest.raises(ValueError, match="lon is neither ascending"):
        schema.standardise(twice, ("vorticity",), {}, "f.nc", lon_order="counted on")


def test_dims_of_one_entry_are_dropped_and_of_more_refused():
    frames = tiny_frames().expand_dims(level=[850.0])
    assert standardise(frames)["vorticity"].dims == schema.DIMS
    with pytest.raises(ValueError, match="dim 'level' has 2 entries"):
        standardise(xr.concat([frames, frames.assign_coords(level=[500.0])], "level"))


def test_a_further_dim_of_the_name_of_another_is_named():
    """As of forecasts from several times, whose frames follow each other along `step`."""
    forecasts = tiny_frames().rename(time="step").expand_dims(time=[0.0, 6.0])
    words = r"frames.nc: dim 'time' has 2 entries, but 'step' is to be time: keep one of them first"
    with pytest.raises(ValueError, match=words):
        standardise(forecasts, time="step")
    one = forecasts.isel(time=[0])
    assert standardise(one, time="step").sizes == tiny_frames().sizes


@pytest.mark.parametrize(
    ("advice", "name", "choose", "order"),
    [
        (
            schema.IN_CONFIG,
            "set source.dims.lat to",
            "by source.select.level",
            "like by source.select.lon",
        ),
        (schema.IN_FILE, "give the file one that is named lat", "write a file of one", "sort it"),
        (schema.IN_SCRIPT, "give the name, as dims={'lat'", r"as by \.isel\(level=0\)", "sort it"),
    ],
)
def test_advice_is_in_the_terms_of_the_user(advice, name, choose, order):
    def refused(frames, words, **dims):
        with pytest.raises(ValueError, match=words):
            schema.standardise(frames, ("vorticity",), dims, "f.nc", advice=advice)

    frames = tiny_frames()
    bare = frames.assign_coords(lat=("lat", frames["lat"].values)).rename(lat="b")
    refused(bare, f"no dim looks like lat; .*: {name}")
    refused(frames, f"no dim is 'b'; .*: {name}", lat="b")
    refused(frames.expand_dims(level=2), f"dim 'level' has 2 entries: .*{choose}")
    refused(frames.roll(lon=5, roll_coords=True), f"lon is neither .* descending: .*{order}")


def test_a_dim_without_coordinates_has_its_own_name():
    foreign = tiny_frames().rename(lat="yc").drop_vars("yc")
    words = r"dim 'yc' \(lat\) has no coordinate values: .* xarray's assign_coords\(yc=\.\.\.\)"
    with pytest.raises(ValueError, match=words):
        standardise(foreign, lat="yc")


def test_extra_dims_are_those_that_are_not_of_frames():
    frames = tiny_frames().rename(time="t", lon="x").expand_dims(member=2, level=1)
    extra = schema.extra_dims(frames, ("vorticity",), {"lon": "x"}, "f.nc")
    assert extra == {"member": 2, "level": 1}


def test_missing_variable_is_named_with_what_there_is():
    with pytest.raises(ValueError, match=r"no variable 'depth'; it holds \['vorticity'\]"):
        standardise(tiny_frames(), ("depth",))


def test_unordered_latitude_is_refused():
    with pytest.raises(ValueError, match="lat is neither ascending nor descending"):
        standardise(tiny_frames().isel(lat=[0, 2, 1, 3]))


def test_uneven_time_step_is_located():
    with pytest.raises(ValueError, match="the step after frame 6 differs"):
        frame_checks.check_frames(tiny_frames().isel(time=[0, 1, 2, 3, 4, 5, 6, 8]), "frames.nc")


def test_too_few_frames_for_a_pack():
    with pytest.raises(ValueError, match="4 frames, fewer than the 5"):
        frame_checks.check_frames(tiny_frames(num_frames=4), "frames.nc")


def test_not_finite_frame_is_located():
    values = tiny_frames()["vorticity"].values.copy()
    values[3, 2, :2] = np.nan
    words = "vorticity is not finite at 2 points of frame 11: fill the gaps, or leave out these"
    with pytest.raises(ValueError, match=words):
        frame_checks.check_finite(values, "vorticity", 8, "frames.nc")


def test_fill_value_that_no_attribute_names_is_located():
    values = np.ones((4, 3, 3), "float32")
    values[1, 2, 2] = netCDF4.default_fillvals["f4"]
    with pytest.raises(ValueError, match=r"h is a fill value .* at 1 points of frame 9"):
        frame_checks.check_finite(values, "h", 8, "frames.nc")


def test_time_that_is_missing_is_located():
    frames = tiny_frames()
    times = frames["time"].values.copy()
    times[7] = np.datetime64("NaT")
    with pytest.raises(ValueError, match="the step after frame 6 differs"):
        frame_checks.check_frames(frames.assign_coords(time=times), "frames.nc")


@pytest.mark.parametrize("kind", ["uint8", "uint32", "uint64", "float64"])
def test_numbers_that_descend_are_refused(kind):
    times = np.arange(30, dtype=kind)[::-1]
    with pytest.raises(ValueError, match="time does not ascend"):
        frame_checks.check_frames(tiny_frames().assign_coords(time=times), "frames.nc")


def test_times_as_text_are_refused():
    frames = tiny_frames()
    texts = frames.assign_coords(time=frames["time"].values.astype(str))
    with pytest.raises(ValueError, match=r"frames.nc: time holds text, not times"):
        frame_checks.check_frames(texts, "frames.nc")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_low_grid_lies_at_the_centres_of_its_blocks(scale):
    lon = np.arange(48) * 7.5
    low = regridding.resample_coordinate(lon, 48 // scale)
    np.testing.assert_allclose(low, lon.reshape(-1, scale).mean(axis=1))


def test_coordinate_of_a_dim_by_another_name_is_found():
    frames = tiny_frames()
    foreign = frames.rename_dims(lat="y").reset_index("lat").reset_coords("lat").set_coords("lat")
    assert foreign["vorticity"].dims == ("time", "y", "lon")
    xr.testing.assert_equal(standardise(foreign), frames)


def test_other_coordinates_do_not_go_on():
    frames = tiny_frames()
    foreign = frames.assign_coords(step=("time", np.arange(30)), level=850.0)
    xr.testing.assert_identical(standardise(foreign), standardise(frames))


@pytest.mark.parametrize("is_coordinate", [False, True])
def test_a_field_without_time_is_the_same_in_every_frame(is_coordinate):
    frames = tiny_frames()
    ground = frames["vorticity"].isel(time=3, drop=True)
    given = frames.assign_coords(ground=ground) if is_coordinate else frames.assign(ground=ground)
    names = ("vorticity", "ground")
    found = schema.standardise(given, names, {}, "f.nc", constant=("ground",))
    assert tuple(found.data_vars) == names
    assert found["ground"].chunks  # in the memory of one frame
    for frame in (0, 29):
        np.testing.assert_array_equal(found["ground"][frame], ground)
    with pytest.raises(ValueError, match=r"^f\.nc: variable 'ground' has no dim 'time': only pre"):
        schema.standardise(given, names, {}, "f.nc")


@pytest.mark.parametrize("name", ["time", "lat"])
def test_a_field_with_the_name_of_a_dim_is_refused(name):
    plane = tiny_frames().drop_attrs().rename(time="t", lat="y", lon="x")
    given = plane.assign({name: plane["vorticity"][0]})
    with pytest.raises(ValueError, match=rf"^f\.nc: variable '{name}' has the name of a dim"):
        schema.standardise(given, ("vorticity", name), {}, "f.nc", constant=(name,))


def test_a_field_on_other_points_is_named():
    frames = tiny_frames()
    east = frames["vorticity"].rename(lon="edge").assign_coords(edge=frames["lon"].values + 3.75)
    given = frames.assign(u=east)
    with pytest.raises(ValueError, match=r"'u' has no dim 'lon', but .*'edge'\]: write it"):
        standardise(given, ("vorticity", "u"))


def test_named_dim_wins_over_a_scalar_of_that_name():
    frames = tiny_frames()
    foreign = frames.rename(time="step").assign_coords(time=np.datetime64("2000-01-01", "ns"))
    assert standardise(foreign, time="step").sizes == frames.sizes


def test_units_are_not_invented_for_dims_that_the_user_names():
    frames = tiny_frames()
    frames["lat"].attrs = frames["lon"].attrs = {}
    planar = frames.rename(lat="y", lon="x")
    assert "units" not in standardise(planar, lat="y", lon="x")["lat"].attrs


def test_text_is_refused():
    frames = tiny_frames()
    with pytest.raises(ValueError, match=r"'vorticity' holds .*, not numbers"):
        standardise(frames.astype(str))


@pytest.mark.parametrize(
    "times",
    [
        xr.date_range("0001-01-01", periods=30, freq="6h", calendar="noleap", use_cftime=True),
        xr.date_range("2000-01-01", periods=30, freq="D", calendar="360_day", use_cftime=True),
        np.arange(30, dtype="float32") * np.float32(0.1),
        (np.arange(30, dtype="float32") / 6 + 700).astype("float32"),
        np.arange(30),
        np.arange(30, dtype="uint8"),
    ],
)
def test_even_times_of_every_kind_are_accepted(times):
    frame_checks.check_frames(tiny_frames().assign_coords(time=times), "frames.nc")


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [("s", 0.5), ("minutes", 30), ("h", 1800), ("days", 43200), ("1", None), ("frames", None)],
)
def test_steps_of_times_that_are_numbers_have_their_unit(unit, seconds):
    times = ("time", np.arange(30) * 0.5, {"units": unit})
    assert schema.Spacing.of(tiny_frames().assign_coords(time=times)).seconds == seconds


def test_uneven_times_of_another_calendar_are_located():
    times = xr.date_range("2000-01-01", periods=31, calendar="noleap", use_cftime=True)
    frames = tiny_frames().assign_coords(time=times.delete(4))
    with pytest.raises(ValueError, match="the step after frame 3 differs"):
        frame_checks.check_frames(frames, "frames.nc")


def test_grid_too_small_for_ssim():
    with pytest.raises(ValueError, match="12 points of lat, fewer than the 15"):
        frame_checks.check_frames(tiny_frames(lat=12), "frames.nc")
