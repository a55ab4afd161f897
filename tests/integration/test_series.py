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
    split = Split(validation_fraction=0.2, test_fraction=0)
    series = open_series([high], split, Cache(0))
    scaling = fit_scaling(series, series, Run())
    trained = open_frames(high).isel(time=slice(24))
    np.testing.assert_array_equal(scaling.minimum, list(trained.min().values()))
    np.testing.assert_array_equal(scaling.maximum, list(trained.max().values()))


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
