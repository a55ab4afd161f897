"""Initial states of the embedded simulation, and what it writes of a run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dinosaur.shallow_water import State
from tiny import config

from swsr.settings import Settings, Simulate
from swsr.sources.simulation import _initial_state, _jet_speed, _Model, simulate_frames


def settings(spread):
    small = {"grid": "T21", "time_step_minutes": 60, "jet_spread_m_s": spread}
    return Settings.from_mapping(config(simulate=small)).simulate


def vorticity(spread, seed):
    chosen = settings(spread)
    coords = _Model.build(chosen).coords
    return np.asarray(_initial_state(coords, _jet_speed(chosen, seed), seed).vorticity)


def test_jets_of_seeds_differ_in_their_speed_alone():
    """Vorticity of a jet is proportional to its speed, and bumps have none."""
    same = vorticity(0, seed=3)
    np.testing.assert_array_equal(same, vorticity(0, seed=4))
    speeds = [_jet_speed(settings(20), seed) for seed in (3, 4)]
    assert speeds[0] != speeds[1]
    for seed, speed in zip((3, 4), speeds, strict=True):
        assert 60 <= speed <= 100
        np.testing.assert_allclose(vorticity(20, seed) * 80 / speed, same, atol=1e-5 * same.max())


def test_jets_that_may_blow_west_are_refused():
    with pytest.raises(ValueError, match="jet_spread_m_s 80 is not less than"):
        settings(80)


def of_a_few_steps(**choices):
    """Settings of a run too short to train on."""
    return Simulate(**config()["simulate"] | {"grid": "T21", "time_step_minutes": 60} | choices)


@pytest.fixture(scope="module")
def frames():
    """Three frames every two hours, after a spin-up of three."""
    chosen = of_a_few_steps(num_frames=3, interval_minutes=120, spinup_days=0.125)
    return simulate_frames(chosen, seed=0)


def test_times_are_hours_since_the_start_spin_up_included(frames):
    np.testing.assert_allclose(frames["time"], [3, 5, 7])
    assert frames["time"].attrs["units"].startswith("hours since")


def test_depth_is_10_km_in_the_mean_over_the_area(frames):
    weights = np.cos(np.radians(frames["lat"]))
    depth = frames["depth"].weighted(weights).mean(("lat", "lon"))
    np.testing.assert_allclose(depth, 10_000, rtol=1e-3)


def test_jets_blow_east_in_both_hemispheres(frames):
    """At their speed, but for what T21 smooths away; nothing blows across them yet."""
    for half in (slice(-90, 0), slice(0, 90)):
        u, v = (frames[name].sel(lat=half).mean("lon") for name in ("u", "v"))
        np.testing.assert_allclose(u.max("lat"), 80, rtol=0.3)
        assert abs(v).max() < 1


def test_bumps_lie_in_both_hemispheres():
    """Jets of two seeds are the same, so that heights differ by their bumps."""
    coords = _Model.build(settings(0)).coords
    one, other = (_initial_state(coords, 80, seed).potential for seed in (3, 4))
    apart = abs(np.asarray(coords.horizontal.to_nodal(one - other))).max(axis=(0, 1))
    south, north = apart[:16].max(), apart[16:].max()
    assert 1 / 3 < south / north < 3


def test_diffusion_damps_a_wave_in_hours():
    """exp(-dt / tau (l (l + 1) / (L (L + 1)))^4): here of l = 21, where L is 22."""
    model = _Model.build(of_a_few_steps(time_step_minutes=1, diffusion_hours=1))
    still = np.zeros((1, *model.coords.horizontal.modal_shape))
    wave = still.copy()
    wave[0, 0, 21] = 1e-6
    state = State(*map(jnp.asarray, (wave, still, still)))
    left = jax.jit(model.step)(state).vorticity[0, 0, 21] / 1e-6
    assert float(left) == pytest.approx(np.exp(-1 / 60 * (21 / 23) ** 4), abs=1e-4)
