"""Frames made coarser; bicubic copies have tests of their own."""

import numpy as np
import pytest
import xarray as xr
from tiny import tiny_frames

from swsr.geometry import Geometry
from swsr.grids import area_mean
from swsr.resampling.coarsening import Coarsening, area_means

SCALES = [2, 3, 4]
RANDOM = np.random.default_rng(0)
AREAS = np.cos(np.radians(np.linspace(-80, 80, 12)))


def test_of_one_cell_by_hand():
    frames: np.ndarray = np.array([[[1.0, 3.0], [5.0, 7.0]]])
    np.testing.assert_allclose(area_means(frames, 2, np.array([1.0, 3.0])), [[[5.0]]])


@pytest.mark.parametrize("scale", SCALES)
def test_means_are_those_of_xarray(scale):
    fields = xr.DataArray(RANDOM.normal(size=(3, 2, 12, 24)), dims=("time", "name", "lat", "lon"))
    cells = {"lat": scale, "lon": scale}
    areas = xr.DataArray(AREAS, dims="lat")
    summed = (fields * areas).coarsen(cells).sum()
    wanted = summed / areas.broadcast_like(fields).coarsen(cells).sum()
    np.testing.assert_allclose(area_means(fields.values, scale, AREAS), wanted)


@pytest.mark.parametrize("scale", SCALES)
def test_global_mean_stays(scale):
    fields = RANDOM.normal(size=(3, 12, 24))
    coarse = area_means(fields, scale, AREAS)
    kept = area_mean(coarse, AREAS.reshape(-1, scale).sum(axis=1))
    np.testing.assert_allclose(kept, area_mean(fields, AREAS))


@pytest.mark.parametrize("filter_name", ["bicubic", "mean"])
def test_frames_keep_their_type_and_constants(filter_name):
    frames = tiny_frames(2)
    geometry = Geometry.detect(frames)
    block = np.full((2, 1, frames.sizes["lat"], frames.sizes["lon"]), 3.5, "float32")
    result = Coarsening.of(geometry.mark(frames), filter_name, 2)(block, geometry)
    assert result.dtype == "float32"
    np.testing.assert_allclose(result, 3.5, rtol=1e-6)


def test_cell_at_a_pole_counts_points_by_what_lies_between_parallels():
    frames = tiny_frames(2)
    geometry = Geometry.detect(frames)
    lat = frames["lat"].values
    rows = np.repeat(np.arange(len(lat), dtype="float64")[:, None], frames.sizes["lon"], axis=1)
    result = Coarsening.of(geometry.mark(frames), "mean", 2)(rows[None, None], geometry)
    pole, first, second = np.sin(np.radians([-90, *(lat[:2] + lat[1:3]) / 2]))
    assert result[0, 0, 0, 0] == pytest.approx((second - first) / (second - pole))
