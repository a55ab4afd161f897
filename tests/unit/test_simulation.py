"""Initial states of the embedded simulation."""

import numpy as np
import pytest
from tiny import config

from swsr.settings import Settings
from swsr.sources.simulation import _initial_state, _jet_speed, _Model


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
