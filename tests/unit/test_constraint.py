"""Frames made consistent with low-resolution ones."""

import numpy as np
import pytest

from swsr.geometry import Geometry
from swsr.resampling.coarsening import Coarsening
from swsr.resampling.constraint import Constraint

GEOMETRIES = {
    "sphere": Geometry("pole", "periodic"),
    "vector on a sphere": Geometry("pole", "periodic", (True,)),
    "zone": Geometry("edge", "periodic"),
    "box": Geometry("edge", "edge"),
    "channel": Geometry("periodic", "edge"),
    "torus": Geometry("periodic", "periodic"),
}
# Scale, lat, lon: of the second, fields turned by 180 degrees lie between low-resolution points.
SIZES = [(2, 12, 24), (2, 12, 18), (3, 12, 24), (4, 16, 24)]
RANDOM = np.random.default_rng(0)


def weights(num_lat):
    return np.cos(np.radians(np.linspace(-85, 85, num_lat)))


def down(coarsening, fields, geometry):
    return coarsening(fields[:, None], geometry)[:, 0]


def squared(errors):
    """Weighted by area, of each frame."""
    return (errors**2 * weights(errors.shape[1])[:, None]).sum(axis=(1, 2))


@pytest.fixture(params=GEOMETRIES.values(), ids=GEOMETRIES)
def geometry(request):
    return request.param


@pytest.fixture(params=["bicubic", "mean"])
def filter_name(request):
    return request.param


@pytest.fixture(params=SIZES, ids=str)
def case(request, geometry, filter_name):
    """The constraint, its D, three results and their truths."""
    scale, *size = request.param
    fields, truth = RANDOM.normal(size=(2, 3, *size))
    coarsening = Coarsening(filter_name, scale, weights(size[0]))
    constraint = Constraint(coarsening, size[1], geometry)
    return constraint, lambda each: down(coarsening, each, geometry), fields, truth


def test_low_resolution_copies_are_the_given_frames(case):
    constraint, downscale, fields, truth = case
    low = downscale(truth)
    assert np.abs(downscale(fields) - low).max() > 0.1
    np.testing.assert_allclose(downscale(constraint(fields, low)), low, atol=1e-12)


def test_consistent_frames_stay_as_they_are(case):
    constraint, downscale, fields, _ = case
    np.testing.assert_allclose(constraint(fields, downscale(fields)), fields, atol=1e-12)


def test_error_falls_by_just_what_was_changed(case):
    """Pythagoras: the change is at right angles to all frames that differ as D does not see."""
    constraint, downscale, fields, truth = case
    result = constraint(fields, downscale(truth))
    assert (squared(result - truth) <= squared(fields - truth)).all()
    np.testing.assert_allclose(
        squared(result - truth) + squared(result - fields), squared(fields - truth)
    )


@pytest.mark.parametrize(("scale", "num_lat", "num_lon"), SIZES)
def test_equals_the_optimum_of_all_equations_at_once(
    geometry, filter_name, scale, num_lat, num_lon
):
    """Least change under D x = low, by the dense system of Karush, Kuhn and Tucker."""
    size = num_lat * num_lon
    every_point = np.eye(size).reshape(size, num_lat, num_lon)
    coarsening = Coarsening(filter_name, scale, weights(num_lat))
    matrix = down(coarsening, every_point, geometry).reshape(size, -1).T
    num_low = len(matrix)
    areas = np.diag(np.repeat(weights(num_lat), num_lon))
    system = np.block([[areas, matrix.T], [matrix, np.zeros((num_low, num_low))]])
    fields = RANDOM.normal(size=(1, num_lat, num_lon))
    low = RANDOM.normal(size=(1, num_lat // scale, num_lon // scale))
    wanted = np.linalg.solve(system, np.concatenate([areas @ fields.ravel(), low.ravel()]))[:size]
    result = Constraint(coarsening, num_lon, geometry)(fields, low)
    np.testing.assert_allclose(result.ravel(), wanted, atol=1e-10)
