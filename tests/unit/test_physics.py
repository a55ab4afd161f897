"""Figures of physics on fields whose answer is known."""

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss

from swsr.evaluation import metrics, physics
from swsr.geometry import Geometry
from swsr.grids import EARTH_RADIUS_M, Grid
from swsr.resampling import bicubic

LAT, LON = np.degrees(np.arcsin(leggauss(32)[0])), np.arange(64) * 5.625
WEIGHTS = Grid(LAT, LON, "degrees_north", Geometry("pole", "periodic")).weights
SINE, COSINE = (turn(np.radians(LAT))[None, :, None] for turn in (np.sin, np.cos))
ONES = np.ones((1, 32, 64))
RANDOM = np.random.default_rng(0)


def downscale(fields):
    return bicubic.downscale(fields[:, None], 2, Geometry("pole", "periodic"))[:, 0]


def test_errors_are_weighted_by_area():
    error = ONES * SINE
    assert metrics.rmse(error, WEIGHTS)[0] == pytest.approx(np.sqrt(1 / 3))
    assert metrics.mae(error, WEIGHTS)[0] == pytest.approx(0.5, abs=1e-3)
    # Every point alike, the poles would count too much.
    assert np.abs(error).mean() > 0.6


def test_anomaly_correlation_of_known_angles():
    normal = RANDOM.normal(size=(32, 64))
    wave = np.cos(np.radians(LON))
    # As long as the truth's anomaly, 60 degrees from it: correlation cos 60.
    truth = normal + ONES * wave
    ours = normal + ONES * np.cos(np.radians(LON + 60))
    assert metrics.anomaly_correlation(ours, truth, normal, WEIGHTS)[0] == pytest.approx(0.5)
    assert metrics.anomaly_correlation(truth, truth, normal, WEIGHTS)[0] == pytest.approx(1)
    opposite = 2 * normal - truth
    assert metrics.anomaly_correlation(opposite, truth, normal, WEIGHTS)[0] == pytest.approx(-1)


def test_solid_body_rotation_has_its_invariants():
    speed, depth = 40.0, 8000.0
    u = ONES * speed * COSINE
    vorticity = ONES * 2 * speed / EARTH_RADIUS_M * SINE
    assert physics.enstrophy(vorticity, WEIGHTS)[0] == pytest.approx(
        2 / 3 * (speed / EARTH_RADIUS_M) ** 2
    )
    assert physics.mass(depth * ONES, WEIGHTS)[0] == pytest.approx(depth)
    kinetic, potential = depth * speed**2 / 3, physics.GRAVITY_M_S2 * depth**2 / 2
    found = physics.energy(depth * ONES, u, 0 * u, WEIGHTS)[0]
    assert found == pytest.approx(kinetic + potential)


def test_energy_is_of_both_velocities_and_of_the_depth():
    depth, u, v = (value * ONES for value in (2, 3, 4))
    expected = 2 * (3**2 + 4**2) / 2 + 9.80616 * 2**2 / 2
    assert physics.energy(depth, u, v, WEIGHTS)[0] == pytest.approx(expected)


def test_drift_is_a_share_of_the_first_value():
    assert physics.drift(np.array([4.0, 9.0, 5.0])) == pytest.approx(0.25)
    assert physics.drift(np.array([-4.0, -5.0])) == pytest.approx(-0.25)


def test_coarse_errors_are_those_of_an_altered_coarse_mean():
    truth = RANDOM.normal(size=(2, 32, 64)).astype("float32")
    low = downscale(truth)
    weights = WEIGHTS[::2]
    error, _ = physics.coarse_errors(truth, low, weights, downscale)
    assert error.max() < 1e-12
    raised = truth + np.array([0.0, 0.3], "float32")[:, None, None]
    error, variance = physics.coarse_errors(raised, low, weights, downscale)
    np.testing.assert_allclose(error, [0, 0.09], atol=1e-6)
    areas = np.repeat(weights, low.shape[-1])
    expected = [np.cov(frame.ravel(), aweights=areas, ddof=0) for frame in low]
    np.testing.assert_allclose(variance, expected, rtol=1e-5)


def test_what_downscaling_removes_does_not_count_as_inconsistent():
    chess = np.indices((32, 64)).sum(axis=0) % 2 * 2.0 - 1
    fields = chess[None].astype("float32")

    low = np.zeros((1, 16, 32), "float32")
    error, _ = physics.coarse_errors(fields, low, WEIGHTS[::2], downscale)
    assert error[0] < 0.01


def test_standing_error_does_not_flicker_and_alternating_one_does():
    truth = np.arange(4.0)[:, None, None] * np.ones((32, 64))
    standing = np.broadcast_to(RANDOM.normal(size=(32, 64)), truth.shape)
    assert physics.change_errors(standing, truth, WEIGHTS)[0].max() == 0
    alternating = 0.1 * (-1.0) ** np.arange(4)[:, None, None] * np.ones((32, 64))
    ours, theirs = physics.change_errors(alternating, truth, WEIGHTS)
    np.testing.assert_allclose(ours, 0.04)
    np.testing.assert_allclose(theirs, 1)


def test_edges_three_times_as_wrong_have_nine_times_the_squared_error():
    for points in (physics.seam_points(32, 64, 2), physics.pole_points(32, 64, 2)):
        errors = np.where(points, 3.0, -1.0) * np.array([1.0, 2.0])[:, None, None]
        found = physics.edge_errors(errors, points, WEIGHTS)
        np.testing.assert_allclose(found, [[9, 36], [1, 4]])
    assert physics.seam_points(32, 64, 2)[5].nonzero()[0].tolist() == [0, 1, 62, 63]
    assert physics.pole_points(32, 64, 2)[:, 5].nonzero()[0].tolist() == [0, 1, 30, 31]


def test_a_rolled_field_has_the_same_extremes():
    field = RANDOM.normal(size=(2, 32, 64))
    found = physics.quantiles(field, WEIGHTS)
    assert found.shape == (2, len(physics.QUANTILES))
    np.testing.assert_array_equal(found, physics.quantiles(np.roll(field, 9, axis=2), WEIGHTS))


def test_quantiles_are_shares_of_the_area():
    """Of the sphere, the share south of a parallel is (1 + sin lat) / 2."""
    lat = np.degrees(np.arcsin(leggauss(400)[0]))
    weights = Grid(lat, LON, "degrees", Geometry("pole", "periodic")).weights
    found = physics.quantiles(np.broadcast_to(lat[None, :, None], (1, 400, 64)), weights)[0]
    expected = np.degrees(np.arcsin(2 * np.array(physics.QUANTILES) - 1))
    np.testing.assert_allclose(found, expected, atol=0.5)
