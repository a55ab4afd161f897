"""Stores made consistent with their low-resolution ones."""

import numpy as np
import pytest
from tiny import make_raw, make_stores, stage_settings, tiny_frames

from swsr.communication import Communicator
from swsr.geometry import Geometry
from swsr.grids import Grid, area_mean
from swsr.resampling.coarsening import Coarsening
from swsr.run import Run
from swsr.stages.constrain import constrain
from swsr.zarr_io import Layout, open_frames, write_frames


@pytest.fixture(scope="module", params=["bicubic", "mean"])
def filter_name(request):
    return request.param


@pytest.fixture(scope="module")
def stores(tmp_path_factory, filter_name):
    """Low resolution, truth and interpolated frames, of a scalar and of a component."""
    folder = tmp_path_factory.mktemp("stores")
    frames = tiny_frames(num_frames=14, variables=("vorticity", "v"))
    low, high = make_stores(folder, frames, filter=filter_name)
    return folder, low, high, make_raw(low, high)


def run_stage(folder, result, low, filter_name="bicubic"):
    output = folder / "constrained" / f"{result.parent.name}.json"
    settings = stage_settings(folder, "constrain", downscale={"filter": filter_name})
    constrain(settings, result, low, output, Run())
    return open_frames(output)


def part(folder, raw, name, bias=0, **cut):
    """Some of the interpolated frames or points, off by a bias, as a store of their own."""
    kept, path = open_frames(raw).isel(**cut) + np.float32(bias), folder / name / "seed_0.json"
    kept.attrs = open_frames(raw).attrs
    write_frames(kept.chunk({"time": 4}), path, Layout(4), kept.attrs, Communicator())
    return path


@pytest.mark.parametrize("margin", [0, 2])
def test_constrained_frames_give_their_input_and_are_nearer_to_the_truth(
    stores, filter_name, margin
):
    """Also those of a 3D network, which lack frames at both ends."""
    folder, low, high, raw = stores
    kept = slice(margin, 14 - margin)
    given = part(folder, raw, f"without_{margin}", 1e-5, time=kept)
    constrained, before = run_stage(folder, given, low, filter_name), open_frames(given)
    coarse, truth = (open_frames(path).isel(time=kept) for path in (low, high))
    np.testing.assert_array_equal(constrained["time"], truth["time"])
    weights, coarsening = Grid.of(truth).weights, Coarsening.of(truth, filter_name, 2)
    for name in ("vorticity", "v"):
        size = float(abs(coarse[name]).max())
        copies = [
            coarsening(each[name].values[:, None], Geometry.of(each[[name]]))[:, 0]
            for each in (before, constrained)
        ]
        assert np.abs(copies[0] - coarse[name].values).max() > 1e-3 * size
        np.testing.assert_allclose(copies[1], coarse[name], atol=1e-6 * size)
        errors = [
            area_mean((each[name].values - truth[name].values) ** 2, weights)
            for each in (before, constrained)
        ]
        assert (errors[1] < errors[0]).all()
        if filter_name == "mean":  # then so are means over the area
            means, wanted, biased = (
                area_mean(each[name].values, Grid.of(truth).areas)
                for each in (constrained, truth, before)
            )
            np.testing.assert_allclose(means, wanted, atol=1e-6 * size)
            assert np.abs(biased - wanted).min() > 1e-6


def test_frames_that_lack_points_are_refused(stores):
    folder, low, _, raw = stores
    cut = part(folder, raw, "cut", lat=slice(2, -2), lon=slice(2, -2))
    with pytest.raises(ValueError, match="20 points of lat, not 2 times the 12 of"):
        run_stage(folder, cut, low)
