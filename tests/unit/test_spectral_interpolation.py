"""Interpolation of fields of which the low grid holds all."""

import numpy as np
import pytest
from numpy.polynomial.legendre import Legendre, leggauss
from scipy.signal import resample
from scipy.special import sph_harm_y

from swsr.geometry import Geometry
from swsr.grids import Grid
from swsr.resampling.regridding import resample_coordinate
from swsr.resampling.spectral_interpolation import SphereInterpolation, make_interpolation

NUM_LAT, NUM_LON = 48, 96
LATITUDES = {
    "gauss": np.degrees(np.arcsin(leggauss(NUM_LAT)[0])),
    "regular": np.linspace(-90, 90, NUM_LAT, endpoint=False) + 90 / NUM_LAT,
}
EDGES = [("edge", "edge"), ("edge", "periodic"), ("periodic", "edge"), ("periodic", "periodic")]
RANDOM = np.random.default_rng(0)


def grids(lat, lon, scale, unit, geometry):
    """The low grid, as `downscale` makes it, and the fine one."""
    low = (resample_coordinate(values, len(values) // scale) for values in (lat, lon))
    return Grid(*low, unit, geometry), Grid(lat, lon, unit, geometry)


def sphere(scale, lat=LATITUDES["gauss"], num_lon=NUM_LON):
    lon = np.arange(num_lon) * 360 / num_lon
    return grids(lat, lon, scale, "degrees_north", Geometry("pole", "periodic"))


def plane(scale, lat_edge, lon_edge, size=(24, 36)):
    lat, lon = (np.arange(each) * 2.0 for each in size)
    return grids(lat, lon, scale, "km", Geometry(lat_edge, lon_edge))


def harmonic(grid, degree, order):
    angle, lon = np.pi / 2 - np.radians(grid.lat)[:, None], np.radians(grid.lon)[None]
    return sph_harm_y(degree, order, angle, lon + 0.3).real[None]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("lat", LATITUDES.values(), ids=LATITUDES)
def test_every_harmonic_that_the_low_grid_holds_is_reproduced(lat, scale):
    low, fine = sphere(scale, lat)
    interpolation = SphereInterpolation(low, fine, vector=False)
    assert interpolation.degree == NUM_LAT // scale - 1
    pairs = [(n, m) for n in range(interpolation.degree + 1) for m in range(n + 1)]
    given, wanted = (np.concatenate([harmonic(g, *p) for p in pairs]) for g in (low, fine))
    np.testing.assert_allclose(interpolation(given), wanted, atol=1e-6)


def test_longitudes_may_be_fewer_or_odd():
    low, fine = sphere(3, num_lon=45)
    interpolation = SphereInterpolation(low, fine, vector=False)
    assert interpolation.degree == 7  # of the 15 longitudes
    np.testing.assert_allclose(interpolation(harmonic(low, 7, 7)), harmonic(fine, 7, 7), atol=1e-6)


@pytest.mark.parametrize("tilt", [0, 30, 90])
def test_wind_across_the_poles_is_reproduced(tilt):
    """Solid rotation about a tilted axis: u has one wave on the circles at the poles."""

    def eastward(grid):
        lat, lon, axis = np.radians(grid.lat)[:, None], np.radians(grid.lon), np.radians(tilt)
        return (np.cos(axis) * np.cos(lat) + np.sin(axis) * np.sin(lat) * np.cos(lon))[None]

    low, fine = sphere(2)
    interpolation = make_interpolation(low, fine, vector=True)
    np.testing.assert_allclose(interpolation(eastward(low)), eastward(fine), atol=1e-6)


@pytest.mark.parametrize("lat", LATITUDES.values(), ids=LATITUDES)
def test_noise_in_the_zonal_mean_of_wind_does_not_grow_at_the_poles(lat):
    low, fine = sphere(2, lat)
    interpolation = make_interpolation(low, fine, vector=True)
    random = np.random.default_rng(0)  # the same numbers whichever tests run before
    noise = np.repeat(random.normal(size=(400, len(low.lat), 1)), len(low.lon), axis=2)
    spread = interpolation(noise)[:, :, 0].std(axis=0)
    assert spread.max() < 2  # 1/cos(lat) at the first latitude is 30


@pytest.mark.parametrize("lat", LATITUDES.values(), ids=LATITUDES)
def test_zonal_means_of_smooth_wind_are_reproduced(lat):
    """The slopes of zonal harmonics, as of a stream function."""
    low, fine = sphere(2, lat)
    interpolation = make_interpolation(low, fine, vector=True)
    slopes = [Legendre.basis(degree).deriv() for degree in range(1, interpolation.degree + 1)]

    def profiles(grid):
        sine = np.sin(np.radians(grid.lat))
        found = np.stack([slope(sine) / slope(1) * np.sqrt(1 - sine**2) for slope in slopes])
        return np.repeat(found[..., None], len(grid.lon), axis=2)

    np.testing.assert_allclose(interpolation(profiles(low)), profiles(fine), atol=1e-6)


def test_what_the_low_grid_does_not_hold_is_fitted_by_area():
    """The fit of one wavenumber, by numpy's least squares on scipy's harmonics."""
    low, fine = sphere(4)
    order, num_degrees = 3, NUM_LAT // 4 - 3
    profile = RANDOM.normal(size=len(low.lat))
    angles = [np.pi / 2 - np.radians(grid.lat) for grid in (low, fine)]
    bases = [
        np.stack([sph_harm_y(order + n, order, angle, 0).real for n in range(num_degrees)], axis=1)
        for angle in angles
    ]
    root = np.sqrt(np.cos(np.radians(low.lat)))
    amplitudes = np.linalg.lstsq(root[:, None] * bases[0], root * profile)[0]
    wave, fine_wave = (np.cos(order * np.radians(grid.lon)) for grid in (low, fine))
    result = make_interpolation(low, fine, vector=False)((profile[:, None] * wave)[None])[0]
    np.testing.assert_allclose(result, (bases[1] @ amplitudes)[:, None] * fine_wave, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_rolled_longitude_rolls_the_result(scale):
    for low, fine in (sphere(scale), plane(scale, "edge", "periodic")):
        interpolation = make_interpolation(low, fine, vector=False)
        fields = RANDOM.normal(size=(2, len(low.lat), len(low.lon)))
        rolled = interpolation(np.roll(fields, 5, axis=2))
        np.testing.assert_allclose(
            rolled, np.roll(interpolation(fields), 5 * scale, axis=2), atol=1e-5
        )


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("edges", EDGES)
def test_waves_of_a_plane_are_reproduced(scale, edges):
    low, fine = plane(scale, *edges)

    def along(edge, values, ends, number):
        """From half a step before the first fine point, where mirrored waves have their crest."""
        angle = number * np.pi * (values + ends[1] / 2) / (ends[-1] + ends[1])
        return np.cos(2 * angle + 0.4 if edge == "periodic" else angle)

    def wave(grid, number):
        lat = along(edges[0], grid.lat, fine.lat, number)
        return lat[None, :, None] * along(edges[1], grid.lon, fine.lon, number)

    interpolation = make_interpolation(low, fine, vector=False)
    most = min(
        (len(values) - 1) // 2 if edge == "periodic" else len(values) - 1
        for edge, values in zip(edges, (low.lat, low.lon), strict=True)
    )
    for number in range(most + 1):
        np.testing.assert_allclose(interpolation(wave(low, number)), wave(fine, number), atol=1e-6)


@pytest.mark.parametrize("num_low", [17, 18])
def test_periodic_plane_equals_scipy_but_for_the_half_step(num_low):
    """Refined by four, scipy's points are ours shifted by a point and a half: by eight they meet."""
    low, fine = plane(4, "periodic", "periodic", (num_low * 4, num_low * 4))
    fields = RANDOM.normal(size=(2, num_low, num_low))
    ours = make_interpolation(low, fine, vector=False)(fields)
    theirs = resample(resample(fields, 8 * num_low, axis=1), 8 * num_low, axis=2)
    shifted = np.roll(theirs, (3, 3), axis=(1, 2))[:, ::2, ::2]
    np.testing.assert_allclose(ours, shifted, atol=1e-5)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (Grid(np.arange(30.0), np.arange(40.0), "degrees", Geometry("edge", "edge")), "sphere"),
        (
            Grid(np.arange(24.0), np.arange(24) * 15.0, "degrees", Geometry("edge", "periodic")),
            "sphere",
        ),
        (
            Grid(np.arange(30.0) ** 2, np.arange(40.0), "m", Geometry("edge", "edge")),
            "even steps of lat",
        ),
    ],
)
def test_other_grids_are_refused(grid, words):
    with pytest.raises(ValueError, match=f"{words}.*leave spectral out of methods"):
        make_interpolation(grid, grid, vector=False)
