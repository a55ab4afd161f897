"""What lies beyond the edges of frames."""

import numpy as np
import pytest
import xarray as xr
from numpy.polynomial.legendre import leggauss

from swsr.geometry import Geometry

GLOBAL = np.arange(48) * 7.5
BETWEEN_POLES = np.linspace(-86.25, 86.25, 24)


def grid(lat, lon, units="degrees"):
    frames = xr.Dataset(
        {"depth": (("lat", "lon"), np.zeros((len(lat), len(lon))))}, {"lat": lat, "lon": lon}
    )
    for dim in ("lat", "lon"):
        frames[dim].attrs["units"] = units
    return frames


@pytest.mark.parametrize(
    ("lat", "lon", "edges"),
    [
        (BETWEEN_POLES, GLOBAL, ("pole", "periodic")),
        (np.degrees(np.arcsin(leggauss(32)[0])), GLOBAL, ("pole", "periodic")),
        (np.linspace(-90, 90, 25), GLOBAL, ("edge", "periodic")),
        (BETWEEN_POLES[:-2], GLOBAL, ("edge", "periodic")),
        (BETWEEN_POLES, GLOBAL[:-1], ("edge", "edge")),
        (BETWEEN_POLES, np.arange(45) * 8.0, ("edge", "periodic")),  # no meridian at 180 degrees
    ],
)
def test_edges_of_a_grid(lat, lon, edges):
    found = Geometry.detect(grid(lat, lon))
    assert (found.lat, found.lon) == edges


def test_metres_have_no_poles():
    assert Geometry.detect(grid(BETWEEN_POLES, GLOBAL, "m")) == Geometry("edge", "edge")


def test_frames_carry_their_geometry():
    geometry = Geometry("pole", "periodic")
    assert Geometry.of(geometry.mark(grid(BETWEEN_POLES, GLOBAL))) == geometry


def test_components_of_vectors_are_known_by_standard_name_or_by_name():
    frames = grid(BETWEEN_POLES, GLOBAL)
    frames = frames.assign(wind_east=frames["depth"].copy(), v=frames["depth"])
    frames["wind_east"].attrs["standard_name"] = "eastward_wind"
    geometry = Geometry.detect(frames)
    assert geometry.vectors == (False, True, True)
    assert Geometry.of(geometry.mark(frames)) == geometry


# A number for each point that tells where it is.
POINTS = np.arange(4)[:, None] * 10.0 + np.arange(6)


@pytest.mark.parametrize(
    ("edges", "lat", "lon", "expected"),
    [
        (("edge", "edge"), range(1, 3), range(2, 4), [[12, 13], [22, 23]]),
        (("edge", "edge"), range(-1, 2), range(4, 8), [[4, 5, 5, 5], [4, 5, 5, 5], [14, 15, 15, 15]]),
        (("edge", "periodic"), range(3, 5), range(-2, 1), [[34, 35, 30], [34, 35, 30]]),
        (("edge", "periodic"), range(1), range(5, 20), [[(5 + i) % 6 for i in range(15)]]),
        (("periodic", "periodic"), range(3, 5), range(5, 7), [[35, 30], [5, 0]]),
        (("pole", "periodic"), range(-2, 1), range(-1, 2), [[-12, -13, -14], [-2, -3, -4], [5, 0, 1]]),
        (("pole", "periodic"), range(3, 6), range(4, 6), [[34, 35], [-31, -32], [-21, -22]]),
        (("pole", "periodic"), range(-2, -1), range(2), [[-13, -14]]),
        (("pole", "periodic"), range(5, 6), range(2), [[-23, -24]]),
    ],
)  # fmt: skip
def test_rectangles_beyond_the_edges(edges, lat, lon, expected):
    """Across a pole a vector's component changes its sign, and the meridian by half a circle."""
    cut = Geometry(*edges, (True,)).cut(POINTS[None].astype("float32"), lat, lon)
    np.testing.assert_array_equal(cut[0], expected)


def test_going_around_keeps_the_frames_and_twice_across_the_poles_too():
    frames = np.random.default_rng(0).normal(size=(3, 2, 24, 48)).astype("float32")
    geometry = Geometry("pole", "periodic", (False, True))
    extended = geometry.extend(frames, 24, 0)
    assert extended.shape == (3, 2, 72, 48)
    again = Geometry("pole", "periodic", (False, True)).cut(
        extended[..., :24, :], range(-24, 0), range(48)
    )
    np.testing.assert_array_equal(again, frames)


def test_more_than_the_other_side_of_a_pole_is_refused():
    frames = np.zeros((1, 1, 8, 16), "float32")
    globe = Geometry("pole", "periodic")
    assert globe.extend(frames, 8, 8).shape == (1, 1, 24, 32)
    with pytest.raises(ValueError, match=r"frames of 8 latitudes are too few .* 9 beyond a pole"):
        globe.extend(frames, 9, 8)
