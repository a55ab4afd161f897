"""Frames on other points of the same region: closed forms, poles, and what is not there."""

import numpy as np
import pytest
import xarray as xr
from numpy.polynomial.legendre import leggauss

from swsr.geometry import Geometry
from swsr.resampling.splines import onto_grid


def frames(lat, lon, function, units="degrees", periodic=None, **attributes):
    """Two frames of a function of lat and lon (radians where these are degrees), and its half."""
    angles = np.radians if units == "degrees" else np.asarray
    field = function(*np.meshgrid(angles(lat), angles(lon), indexing="ij"))
    values = np.stack([field, field / 2]).astype("float32")
    made = xr.Dataset(
        {"h": (("time", "lat", "lon"), values, attributes)},
        {"time": [0, 1], "lat": ("lat", lat, {"units": units}), "lon": ("lon", lon, {"units": units})},
    )  # fmt: skip
    return Geometry.detect(made, periodic).mark(made)


def globe(num_lat):
    """Latitudes and longitudes of a Gaussian grid."""
    lon = np.arange(2 * num_lat) * 180 / num_lat
    return np.degrees(np.arcsin(leggauss(num_lat)[0])), lon


def height(lat, lon):
    """Smooth over both poles: a polynomial of degree 3 of points of the unit sphere."""
    return np.sin(lat) ** 3 + np.cos(lat) ** 3 * np.cos(3 * lon) + 0.5 * np.cos(lat) * np.sin(lon)


def eastward_wind(lat, lon):
    """Of a wind that blows straight across both poles."""
    return -np.sin(lon) + 0 * lat


def between(lat, lon):
    """Points off the given ones along both dims, by up to half a step."""
    return {"lat": lat + 60 / len(lat) * np.cos(np.radians(lat)), "lon": lon + 90 / len(lat)}


def error(lat, lon, function, **attributes):
    grid = between(lat, lon)
    wanted = frames(grid["lat"], grid["lon"], function)["h"]
    found = onto_grid(frames(lat, lon, function, **attributes), grid, "here")["h"]
    return np.abs(found.values - wanted.values).max()


def test_smooth_fields_of_a_globe_converge_by_the_fourth_order():
    coarse, fine = (error(*globe(num_lat), height) for num_lat in (16, 32))
    assert coarse < 1e-3
    assert coarse / fine > 12


def test_components_of_vectors_change_their_sign_across_poles():
    lat, lon = globe(32)
    assert error(lat, lon, eastward_wind, standard_name="eastward_wind") < 1e-5
    assert error(lat, lon, eastward_wind) > 0.01


def test_cubic_polynomials_of_a_plane_with_edges_are_exact():
    def cubic(y, x):
        return (y - 3) ** 3 - 2 * y * x**2 + x

    lat, lon = np.arange(8.0), np.array([0.0, 1.0, 2.5, 3.0, 4.5, 5.0, 6.0])
    grid = {"lat": np.array([0.0, 1.3, 6.9]), "lon": np.array([0.2, 3.1, 5.5, 6.0])}
    found = onto_grid(frames(lat, lon, cubic, "km"), grid, "here")
    wanted = frames(grid["lat"], grid["lon"], cubic, "km")
    np.testing.assert_allclose(found["h"], wanted["h"], atol=1e-4)
    assert found["lat"].attrs == wanted["lat"].attrs


def test_waves_of_a_plane_go_around():
    def waves(y, x):
        return np.sin(2 * np.pi * y / 24) * np.cos(2 * np.pi * x / 32)

    lat, lon = np.arange(24.0), np.arange(32.0)
    grid = {"lat": lat + 0.5, "lon": lon - 0.5}
    wanted = frames(grid["lat"], grid["lon"], waves, "m")
    found = onto_grid(frames(lat, lon, waves, "m", ["lat", "lon"]), grid, "here")
    np.testing.assert_allclose(found["h"], wanted["h"], atol=2e-4)
    bounded = onto_grid(frames(lat, lon, waves, "m"), grid, "here")
    assert np.abs(bounded["h"] - wanted["h"]).max().values > 0.1


@pytest.mark.parametrize("turn", [0, 360, -360])
def test_frames_are_as_they_are_where_points_are_theirs(turn):
    lat, lon = globe(8)
    given = frames(lat, lon, height)
    found = onto_grid(given, {"lat": lat, "lon": lon + turn}, "here")
    np.testing.assert_array_equal(found["h"], given["h"])
    np.testing.assert_array_equal(found["lon"], lon + turn)


def test_a_region_across_the_first_longitude_is_part_of_a_globe():
    grid = {"lat": np.linspace(20, 60, 9), "lon": np.linspace(-20, 30, 11)}
    found = onto_grid(frames(*globe(48), height), grid, "here")["h"]
    np.testing.assert_allclose(found, frames(**grid, function=height)["h"], atol=2e-5)


def test_points_up_to_half_a_step_beyond_an_edge_are_those_of_the_edge():
    def slope(y, x):
        return y + 0 * x

    lat, lon = np.arange(6.0), np.arange(6.0)
    grid = {"lat": np.array([-0.5, 2.0, 5.5]), "lon": lon}
    found = onto_grid(frames(lat, lon, slope, "m"), grid, "here")["h"]
    np.testing.assert_allclose(found[0, :, 0], [0, 2, 5], atol=1e-6)
    with pytest.raises(ValueError, match=r"^run.nc: lat from 0 to 5 does not reach from -0.6 to 5"):
        onto_grid(frames(lat, lon, slope, "m"), grid | {"lat": np.array([-0.6, 5])}, "run.nc")
