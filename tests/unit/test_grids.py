"""Areas of points: what is known of sin(lat) and its powers."""

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss

from swsr.geometry import Geometry
from swsr.grids import EARTH_RADIUS_M, Grid, area_mean

AROUND = Geometry("pole", "periodic")
LON = np.arange(48) * 7.5
GAUSS = np.degrees(np.arcsin(leggauss(24)[0]))
REGULAR = np.linspace(-86.25, 86.25, 24)
WITH_POLES = np.linspace(-90, 90, 25)


@pytest.mark.parametrize(
    ("lat", "spacing"),
    [(GAUSS, "gauss"), (REGULAR, "equiangular"), (WITH_POLES, "equiangular_with_poles")],
)
def test_quadrature_on_the_sphere_is_exact(lat, spacing):
    grid = Grid(lat, LON, "degrees_north", AROUND)
    assert grid.spacing == spacing
    for power in range(0, 20, 2):
        fields = np.repeat(np.sin(np.radians(lat))[:, None] ** power, len(LON), axis=1)
        assert area_mean(fields, grid.weights) == pytest.approx(1 / (power + 1), abs=1e-12)


@pytest.mark.parametrize("lat", [GAUSS, REGULAR, WITH_POLES])
def test_cells_of_a_globe_reach_the_poles(lat):
    """And from one parallel half-way between points to the next."""
    edges = np.radians([-90, *(lat[1:] + lat[:-1]) / 2, 90])
    share = np.diff(np.sin(edges)) / 2
    grid = Grid(lat, LON, "degrees_north", AROUND)
    np.testing.assert_allclose(grid.areas / grid.areas.sum(), share, rtol=1e-12)


def test_a_zone_has_the_area_between_its_parallels():
    lat = np.arange(0.5, 60)
    grid = Grid(lat, LON, "degrees_north", Geometry("edge", "periodic"))
    assert grid.spacing is None
    southern_half = np.repeat((lat < 30)[:, None], len(LON), axis=1)
    share = np.sin(np.radians(30)) / np.sin(np.radians(60))
    assert area_mean(southern_half, grid.weights) == pytest.approx(share)


def test_region_in_degrees_is_no_sphere():
    assert Grid(GAUSS, LON[:-1], "degrees_north", Geometry("edge", "edge")).spacing is None


def test_uneven_longitudes_are_no_grid_of_a_transform():
    stretched = LON + 2 * np.sin(np.radians(LON))
    assert Grid(GAUSS, stretched, "degrees_north", AROUND).spacing is None


def test_points_of_a_plane_count_alike_and_lie_as_far_apart_as_they_say():
    grid = Grid(np.arange(4) * 5.0, np.arange(6) * 2.0, "km", Geometry("edge", "edge"))
    fields = np.random.default_rng(0).random((3, 4, 6))
    np.testing.assert_allclose(area_mean(fields, grid.weights), fields.mean(axis=(1, 2)))
    assert grid.steps_m == (5000, 2000)


def test_degrees_become_metres_at_mid_latitude():
    grid = Grid(np.arange(50, 71) * 1.0, np.arange(30) * 1.0, "degrees", Geometry("edge", "edge"))
    degree = 2 * np.pi * EARTH_RADIUS_M / 360
    assert grid.steps_m == pytest.approx((degree, degree / 2))


@pytest.mark.parametrize(("unit", "metres"), [("meter", 1), ("kilometers", 1000)])
def test_units_of_length_have_several_names(unit, metres):
    grid = Grid(2.0 * np.arange(20), 3.0 * np.arange(30), unit, Geometry("edge", "edge"))
    assert grid.steps_m == (2 * metres, 3 * metres)


def test_grids_resolve_alike_where_waves_are_as_long():
    sphere, plane = Geometry("pole", "periodic"), Geometry("edge", "edge")
    gauss = Grid(GAUSS, LON, "degrees_north", AROUND)
    assert gauss.resolves_as(Grid(GAUSS, LON + 1, "degrees_north", AROUND))
    assert not gauss.resolves_as(Grid(REGULAR, LON, "degrees_north", sphere))
    near, far = (Grid(lat + np.arange(20), LON[:20], "degrees", plane) for lat in (0, 40))
    assert not near.resolves_as(far)
    assert near.resolves_as(Grid(near.lat, LON[20:40], "degrees", plane))
    without = Grid(near.lat, near.lon, "pixel", plane)
    assert without.resolves_as(without)
    assert not without.resolves_as(near)


@pytest.mark.parametrize("lat", [np.arange(-60.0, 61, 5), np.arange(-89.0, 91), REGULAR[1:]])
def test_what_is_too_wide_for_a_plane_has_no_lengths(lat):
    """At 60 degrees a step of longitude is half as long as at the equator."""
    assert Grid(lat, LON, "degrees_north", Geometry("edge", "periodic")).steps_m is None


def test_uneven_points_of_a_plane_have_no_waves_but_their_areas():
    edges = Geometry("edge", "edge")
    even, stretched = np.arange(20.0), np.arange(20.0) ** 2
    for lat, lon in ((even, stretched), (stretched, even)):
        assert Grid(lat, lon, "m", edges).steps_m is None
    weights = Grid(stretched, even, "m", edges).weights
    assert weights.mean() == pytest.approx(1)
    assert weights[10] / weights[5] == pytest.approx(2)
    assert (Grid(even, stretched, "m", edges).weights == 1).all()


def test_unknown_units_have_no_lengths():
    assert Grid(REGULAR, LON, "1", Geometry("edge", "edge")).steps_m is None
