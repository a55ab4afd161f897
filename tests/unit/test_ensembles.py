"""Means and spreads of several networks, and what a spread says of an error."""

import tracemalloc

import dask
import dask.array
import numpy as np
import pytest
import xarray as xr
from tiny import tiny_frames

from swsr.ensembles import NUM_MEMBERS, mean_and_spread, spread_of, with_spread
from swsr.evaluation.scores import Pair
from swsr.evaluation.spread import spread_figures, spread_table
from swsr.geometry import Geometry
from swsr.grids import Grid
from swsr.zarr_io import template_of


def test_mean_and_spread_of_three():
    members = [np.full((2, 1, 3, 4), value, "float32") for value in (1, 2, 6)]
    found = mean_and_spread(members)
    assert found.shape == (2, 2, 3, 4)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], 3)
    np.testing.assert_allclose(found[:, 1], np.sqrt((4 + 1 + 9) / 2), rtol=1e-6)


def test_spread_of_large_values_is_not_lost_to_rounding():
    members = [np.full((1, 1, 1, 1), 10000 + value, "float32") for value in (-1, 1)]
    assert mean_and_spread(members)[0, 1, 0, 0] == pytest.approx(np.sqrt(2), rel=1e-6)


def test_more_members_take_no_more_memory():
    peaks = []
    for num_members in (3, 12):
        frames = np.ones((4, 1, 64, 128), "float32")
        tracemalloc.start()
        mean_and_spread(number * frames for number in range(num_members))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_means_keep_their_attributes_and_name_their_spreads():
    frames = tiny_frames(2, variables=("vorticity", "u"))
    frames["u"].attrs = {"units": "m s-1", "long_name": "eastward wind", "standard_name": "x_wind"}
    found = with_spread(template_of(frames), 3)
    assert list(found.data_vars) == ["vorticity", "u", "vorticity_spread", "u_spread"]
    assert found["u"].attrs == frames["u"].attrs | {"ancillary_variables": "u_spread"}
    spread = found["u_spread"].attrs
    assert spread["units"] == "m s-1"
    assert spread["long_name"] == "standard deviation of eastward wind over 3 networks"
    assert spread[NUM_MEMBERS] == 3
    assert "standard_name" not in spread


def test_a_variable_that_is_named_as_a_spread_is_refused():
    frames = tiny_frames(2, variables=("u", "u_spread"))
    with pytest.raises(ValueError, match="u_spread is a variable, and the name of the spread of u"):
        with_spread(template_of(frames), 2)


def drawn(num_members, num_frames=6, deviations=(1.0,), seed=0):
    """Members and truth from one distribution, whose deviation differs from longitude to longitude.

    Returns
    -------
    Mean and spread beside the truth, in units of the deviation
    """
    random = np.random.default_rng(seed)
    plain = tiny_frames(num_frames)
    truth = Geometry.detect(plain).mark(plain)
    factors = np.resize(deviations, truth.sizes["lon"])
    draws = random.normal(size=(num_members + 1, *truth["vorticity"].shape)) * factors
    result = with_spread(template_of(truth), num_members)
    values = mean_and_spread(draws[:-1, :, np.newaxis])
    dims = ("time", "lat", "lon")
    for number, name in enumerate(result.data_vars):
        result[name] = dims, values[:, number], result[name].attrs
    truth["vorticity"] = dims, draws[-1]
    lazy = {"time": 4}  # as those of stores
    return Pair(result.chunk(lazy), truth.chunk(lazy), Grid.of(truth).weights)


@pytest.mark.parametrize("num_members", [2, 5])
def test_a_truth_that_could_be_a_member_is_told_by_the_spread(num_members):
    table = spread_table([drawn(num_members, 40)], ("vorticity",))
    found = spread_figures(table, num_members)
    assert found["members"] == num_members
    assert found["spread_vorticity"] == pytest.approx(1, rel=0.02)


def test_sums_are_those_over_all_points_weighted_by_area():
    pairs = [drawn(3, 4), drawn(3, 7, seed=1)]
    table = spread_table(pairs, ("vorticity",))
    assert table["share"].sum() == pytest.approx(1)
    weighted = [np.broadcast_to(p.weights[:, None], p.truth["vorticity"].shape) for p in pairs]
    areas = np.concatenate([each.ravel() for each in weighted])
    spread, error = (
        np.concatenate([values(pair).ravel() for pair in pairs])
        for values in (
            lambda pair: pair.result["vorticity_spread"].values,
            lambda pair: (pair.result - pair.truth)["vorticity"].values,
        )
    )
    for name, values in (("spread", spread), ("error", error)):
        mean_square = (table["share"] * table[name] ** 2).sum()
        assert mean_square == pytest.approx(np.average(values**2, weights=areas), rel=1e-6)


def test_a_variable_is_read_without_the_others():
    pair = drawn(3)
    unreadable = dask.array.from_delayed(
        dask.delayed(pytest.fail)("read"), pair.truth["vorticity"].shape, "float32"
    )
    result, truth = (
        each.assign(u=(("time", "lat", "lon"), unreadable)) for each in (pair.result, pair.truth)
    )
    table = spread_table([Pair(result, truth, pair.weights)], ("vorticity",))
    assert table["share"].sum() == pytest.approx(1)


def test_points_are_classed_by_their_spread():
    """Deviations of 1 and 100: with 30 members their classes lie far apart."""
    table = spread_table([drawn(30, deviations=(1.0, 100.0))], ("vorticity",))
    small, large = table[table["spread"] < 10], table[table["spread"] >= 10]
    assert table["spread"].is_monotonic_increasing
    for rows, deviation in ((small, 1), (large, 100)):
        assert rows["share"].sum() == pytest.approx(0.5)
        error = np.sqrt((rows["share"] * rows["error"] ** 2).sum() / rows["share"].sum())
        assert error == pytest.approx(deviation * np.sqrt(1 + 1 / 30), rel=0.05)


def test_members_that_agree_with_each_other_and_the_truth_have_no_ratio():
    pair = drawn(2)
    same = pair.result.map(xr.zeros_like)
    table = spread_table([Pair(same, pair.truth * 0, pair.weights)], ("vorticity",))
    assert spread_figures(table, 2)["spread_vorticity"] is None
    assert spread_of("vorticity") in same
