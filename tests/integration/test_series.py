"""What a training makes of its series: which frames it scales and scores by, and what it notes."""

import numpy as np
import pytest
from tiny import make_raw, make_stores, read_json, stage_settings, tiny_frames

from swsr.checkpoint import load_network
from swsr.run import Run
from swsr.settings import Split
from swsr.training.series import fit_scaling, open_series
from swsr.training.stage import train
from swsr.zarr_io import Cache, open_frames

SPLIT = Split(validation_fraction=0.2, test_fraction=0)


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """Stores of waves that grow in a plane, periodic along lon, and a short training on them."""
    folder = tmp_path_factory.mktemp("plane")
    frames = tiny_frames(30, variables=("u", "vorticity"))
    growing = frames.map(lambda each: each * (1 + np.arange(30)[:, None, None]), keep_attrs=True)
    metres = {dim: (dim, np.arange(frames.sizes[dim]), {"units": "m"}) for dim in ("lat", "lon")}
    growing = growing.assign_coords(metres)
    growing["lon"].attrs["modulo"] = frames.sizes["lon"]
    low, high = make_stores(folder, growing)
    settings = stage_settings(folder, "train_2d", train_2d={"epochs": 1, "patch_points": 8})
    train(settings, [low], [high], folder / "train_2d", Run())
    return low, high, folder / "train_2d"


def test_values_are_scaled_by_the_range_of_training_frames_alone(plane):
    """Of 30 frames the last 6 validate, and leave it."""
    _, high, _ = plane
    series = open_series([high], SPLIT, Cache(0))
    scaling = fit_scaling(series, series, Run())
    trained = open_frames(high).isel(time=slice(24))
    np.testing.assert_array_equal(scaling.minimum, list(trained.min().values()))
    np.testing.assert_array_equal(scaling.maximum, list(trained.max().values()))


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """Stores of vorticity, with the wind and heights of the ground to be told from."""
    frames = tiny_frames(30, variables=("vorticity", "u"))
    heights = np.random.default_rng(0).random((24, 48), dtype="float32")
    frames["ground"] = (("lat", "lon"), heights, {"units": "m"})
    return make_stores(tmp_path_factory.mktemp("ground"), frames, predictors=("u", "ground"))


def test_predictors_are_scaled_by_their_range_at_low_resolution(ground):
    """Beside variables in that of the fine frames, which is wider."""
    low, high = (
        open_series([path], SPLIT, Cache(0), predictors=path is ground[0]) for path in ground
    )
    assert (low.variables, low.predictors) == (("vorticity",), ("u", "ground"))
    assert low.units == ("s-1", "s-1", "m")
    assert low.geometry.vectors == (False, True, False)
    assert low.mirror_signs == ((-1, -1), (1, -1), (1, 1))
    scaling = fit_scaling(low, high, Run())
    coarse, fine = (open_frames(path, predictors=True).isel(time=slice(24)) for path in ground)
    for channel, values in enumerate((fine["vorticity"], coarse["u"], coarse["ground"])):
        assert (scaling.minimum[channel], scaling.maximum[channel]) == (values.min(), values.max())
    assert float(fine["ground"].max()) > scaling.maximum[2]


def test_a_3d_network_reads_no_predictors_of_its_frames(ground, tmp_path):
    settings = stage_settings(tmp_path, "train_3d", train_3d={"epochs": 1, "patch_points": 16})
    train(settings, [ground[1]], [ground[1]], tmp_path, Run())
    _, card = load_network(tmp_path / "network.safetensors")
    assert card.reads == card.variables == ("vorticity",)


def test_a_predictor_that_is_the_same_everywhere_is_refused_by_name(tmp_path):
    frames = tiny_frames(30)
    frames["ground"] = (("lat", "lon"), np.full((24, 48), 5, "float32"), {"units": "m"})
    low, high = make_stores(tmp_path, frames, predictors=("ground",))
    settings = stage_settings(tmp_path, "train_2d", train_2d={"epochs": 1})
    with pytest.raises(ValueError, match=r"^ground is 5 everywhere .* or source\.predictors"):
        train(settings, [low], [high], tmp_path / "out", Run())


def test_an_untrained_network_scores_as_interpolation_on_frames_of_either_set(plane):
    """But for rows at the edges, beyond which a network reads the last points again."""
    low, high, output = plane
    truth = open_frames(high).load()
    trained = truth.isel(time=slice(24))
    squares = ((open_frames(make_raw(low, high)) - truth) / (trained.max() - trained.min())) ** 2
    errors = squares.to_dataarray().mean(("variable", "lat", "lon"))
    found = read_json(output / "metrics.json")["before"]
    for name, part in {"train": errors[:24], "validation": errors[24:]}.items():
        assert found[name]["mse"] == pytest.approx(float(part.mean()), rel=0.05)


def test_card_tells_what_lies_beyond_the_edges_and_which_variables_are_components(plane):
    _, card = load_network(plane[2] / "network.safetensors")
    assert card.edges == ("edge", "periodic")
    assert card.vectors == (True, False)
