"""Spectra of fields whose scales are known."""

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss
from scipy.special import sph_harm_y

from swsr.evaluation.spectra import (
    PlaneModes,
    SphereModes,
    coherence,
    distance_db,
    effective_resolution,
    holds_power,
)
from swsr.geometry import Geometry
from swsr.grids import EARTH_RADIUS_M, Grid, area_mean

LON = np.arange(64) * 5.625
LATITUDES = {
    "gauss": np.degrees(np.arcsin(leggauss(32)[0])),
    "regular": np.linspace(-90, 90, 64, endpoint=False) + 90 / 64,
    "regular with poles": np.linspace(-90, 90, 65),
}
RANDOM = np.random.default_rng(0)


def sphere(lat):
    return Grid(lat, LON, "degrees_north", Geometry("pole", "periodic"))


def harmonic(lat, degree, order, turned=0.0):
    """The real part of a spherical harmonic with an area mean square of 1/(4 pi) or half of it."""
    angle = np.pi / 2 - np.radians(lat)[:, None]
    return sph_harm_y(degree, order, angle, np.radians(LON)[None] + turned).real[None]


@pytest.mark.parametrize("lat", LATITUDES.values(), ids=LATITUDES)
@pytest.mark.parametrize(("degree", "order"), [(1, 0), (9, 4), (15, 15), (20, 3)])
def test_a_harmonic_has_all_its_power_at_its_degree(lat, degree, order):
    modes = SphereModes(sphere(lat))
    field = 3 * harmonic(lat, degree, order) + 7
    amplitudes = modes.of(field)
    power = modes.power(amplitudes, amplitudes)[0]
    expected = 9 / (4 * np.pi) / (1 if order == 0 else 2)
    assert power[degree - 1] == pytest.approx(expected, rel=1e-5)
    assert np.delete(power, degree - 1).max() < 1e-10 * expected
    assert modes.wavenumbers[degree - 1] == degree


def test_power_sums_to_the_mean_square_of_deviations():
    lat = LATITUDES["gauss"]
    modes, weights = SphereModes(sphere(lat)), sphere(lat).weights
    field = sum(harmonic(lat, degree, 2, degree) for degree in range(2, 25)) + 1e4
    anomaly = field - area_mean(field, weights)[:, None, None]
    power = modes.power(*[modes.of(field)] * 2)
    assert power.sum() == pytest.approx(area_mean(anomaly**2, weights)[0], rel=1e-5)


def test_solid_body_rotation_has_its_energy_at_degree_one():
    lat, speed = LATITUDES["gauss"], 40.0
    modes = SphereModes(sphere(lat))
    sine, cosine = (turn(np.radians(lat))[None, :, None] for turn in (np.sin, np.cos))
    u = np.broadcast_to(speed * cosine, (1, 32, 64))
    vorticity = np.broadcast_to(2 * speed / EARTH_RADIUS_M * sine, (1, 32, 64))
    # Half the area mean of (U cos lat)^2, which is U^2 2/3.
    for energy in (
        modes.flow_energy(u, np.zeros_like(u))[0],
        modes.energy_of_rotation(modes.of(vorticity))[0],
    ):
        assert energy[0] == pytest.approx(speed**2 / 3, rel=1e-5)
        assert energy[1:].max() < 1e-8 * speed**2


@pytest.mark.parametrize("kind", ["gauss", "regular"])
@pytest.mark.parametrize("turned", [False, True], ids=["rotation", "divergence"])
@pytest.mark.parametrize(("degree", "order"), [(1, 1), (6, 0), (9, 4), (15, 1), (20, 3)])
def test_flow_along_or_down_a_harmonic_has_its_energy_at_its_degree(kind, degree, order, turned):
    """(u, v) = k x grad psi or grad psi: l (l + 1) / (2 a^2) times the mean square of psi."""
    lat = LATITUDES[kind]
    polar = np.pi / 2 - np.radians(lat)
    longitude = np.radians(LON)[None]
    psi, gradient = sph_harm_y(degree, order, polar[:, None], longitude, diff_n=1)
    slope = gradient[..., 0]
    north, east = -slope.real, (1j * order * psi).real / np.sin(polar)[:, None]
    u, v = (east, north) if turned else (-north, east)
    energy = SphereModes(sphere(lat)).flow_energy(1e3 * u[None], 1e3 * v[None])[0]
    mean_square = 1 / (4 * np.pi) / (1 if order == 0 else 2)
    expected = 1e6 * degree * (degree + 1) / 2 * mean_square
    assert energy[degree - 1] == pytest.approx(expected, rel=1e-5)
    assert np.delete(energy, degree - 1).max() < 1e-9 * expected


def test_turning_the_sphere_changes_no_power_but_all_coherence():
    lat = LATITUDES["gauss"]
    modes = SphereModes(sphere(lat))
    field = RANDOM.normal(size=(1, 32, 64))
    ours, turned = modes.of(field), modes.of(np.roll(field, 16, axis=2))
    power, theirs = modes.power(ours, ours)[0], modes.power(turned, turned)[0]
    np.testing.assert_allclose(power, theirs, rtol=1e-4)
    same = coherence(power, power, power)
    np.testing.assert_allclose(same, 1)
    assert coherence(modes.power(ours, turned)[0], power, theirs)[5:].mean() < 0.2


def test_grid_without_poles_or_seam_is_no_sphere():
    with pytest.raises(ValueError, match="whole sphere"):
        SphereModes(sphere(np.linspace(-60, 60, 30)))


def plane(lat_edge, lon_edge, num_lat=40, num_lon=60, step=2.0):
    lat, lon = np.arange(num_lat) * step, np.arange(num_lon) * step
    return Grid(lat, lon, "km", Geometry(lat_edge, lon_edge))


def test_a_wave_of_a_periodic_plane_has_all_its_power_at_its_length():
    modes = PlaneModes(plane("periodic", "periodic"))
    x = np.arange(60) * 2.0
    wave = np.broadcast_to(5 * np.cos(2 * np.pi * x / 20 + 0.3), (1, 40, 60))
    amplitudes = modes.of(wave)
    power = modes.power(amplitudes, amplitudes)[0]
    at = int(power.argmax())
    assert modes.lengths_m[at] == pytest.approx(20e3)
    assert power[at] == pytest.approx(12.5)
    assert np.delete(power, at).max() < 1e-20
    # The wave is a vorticity of amplitude 5: that of the velocity is 5 L / (2 pi).
    energy = modes.energy_of_rotation(amplitudes)[0]
    assert energy.sum() == pytest.approx((5 * 20e3 / (2 * np.pi)) ** 2 / 4)
    velocity = np.broadcast_to(
        5 * 20e3 / (2 * np.pi) * np.sin(2 * np.pi * x / 20 + 0.3), (1, 40, 60)
    )
    np.testing.assert_allclose(modes.flow_energy(np.zeros_like(wave), velocity).sum(), energy.sum())


def test_rings_of_cosines_have_power_in_proportion_to_their_area():
    """Of white noise: 64^-2 in each mode, of which there are four in a square of the wavenumber."""
    modes = PlaneModes(Grid(np.arange(64.0), np.arange(64.0), "km", Geometry("edge", "edge")))
    random = np.random.default_rng(0)  # the same numbers whichever tests run before
    noise = modes.of(random.normal(size=(400, 64, 64)))
    count = 64**2 * modes.power(noise, noise).mean(axis=0)[:28]
    area = 4 * np.pi / 4 * 2 * np.arange(1, 29)
    np.testing.assert_allclose(count, area, rtol=0.1, atol=2)


@pytest.mark.parametrize(
    "edges", [("edge", "edge"), ("edge", "periodic"), ("periodic", "periodic")]
)
def test_power_of_a_plane_sums_to_the_variance(edges):
    modes = PlaneModes(plane(*edges))
    field = RANDOM.normal(size=(2, 40, 60)) + 100
    amplitudes = modes.of(field)
    np.testing.assert_allclose(
        modes.power(amplitudes, amplitudes).sum(axis=1), field.var(axis=(1, 2))
    )


def test_a_slope_between_edges_has_no_power_at_small_scales():
    """Fourier's waves would see a jump at the edges, and have power like 1/k^2."""
    slope = np.broadcast_to(np.arange(60.0), (1, 40, 60))
    powers = []
    for edges in (("edge", "edge"), ("periodic", "periodic")):
        modes = PlaneModes(plane(*edges))
        powers.append(modes.power(*[modes.of(slope)] * 2)[0])
    assert powers[0][15] < 0.02 * powers[1][15]


def test_planes_without_units_have_no_spectra():
    with pytest.raises(ValueError, match="give no lengths"):
        PlaneModes(Grid(np.arange(4), np.arange(4), "1", Geometry("edge", "edge")))


def test_coherence_of_a_field_and_itself_with_noise_of_equal_power_is_a_half():
    random = np.random.default_rng(0)  # the same numbers whichever tests run before
    truth = random.normal(size=(4000, 1))
    noisy = truth + random.normal(size=(4000, 1))
    shared, power, own = (
        np.sum(a * b, axis=0) for a, b in ((truth, noisy), (noisy, noisy), (truth, truth))
    )
    assert coherence(shared, power, own)[0] == pytest.approx(0.5, abs=0.03)
    assert coherence(-shared, power, own)[0] == 0


def test_effective_resolution_is_where_coherence_is_first_lost():
    lengths = np.array([800.0, 400.0, 200.0, 100.0])
    assert effective_resolution(lengths, np.array([1, 0.9, 0.4, 0.9]), 0.5) == 400
    assert effective_resolution(lengths, np.ones(4), 0.5) == 100
    assert effective_resolution(lengths, np.array([0.1, 1, 1, 1]), 0.5) is None
    assert effective_resolution(lengths, np.array([1, np.nan, 1, 1]), 0.5) == 800


def test_twice_and_half_the_power_are_three_decibels():
    truth = np.array([1.0, 0.1, 1e-9])
    assert distance_db(truth * [2, 0.5, 2], truth) == pytest.approx(3.0103, abs=1e-4)
    assert holds_power(truth, 1e-6).tolist() == [True, True, False]
