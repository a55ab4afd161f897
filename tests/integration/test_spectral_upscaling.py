"""Spectral interpolation of stores."""

import numpy as np
import pytest
from tiny import make_stores, stage_settings, tiny_frames

from swsr.run import Run
from swsr.stages.upscale_spectral import upscale_spectral
from swsr.zarr_io import open_frames


def test_every_variable_is_interpolated_as_what_it_is(tmp_path):
    """Rotation about an axis in the equator: a wind whose u turns its sign across the poles."""
    frames = tiny_frames(num_frames=8, variables=("u", "vorticity"))
    lat, lon = np.radians(frames["lat"]), np.radians(frames["lon"])
    frames["u"].values[:] = (np.sin(lat) * np.cos(lon)).values
    frames["vorticity"].values[:] = (np.cos(lat) * np.cos(lon)).values
    low, high = make_stores(tmp_path, frames)
    output = tmp_path / "spectral" / "seed_0.json"
    settings = stage_settings(tmp_path, "upscale_spectral")
    upscale_spectral(settings, low, high, output, Run())
    spectral, truth = open_frames(output), open_frames(high)
    assert list(spectral.data_vars) == ["u", "vorticity"]
    for name in spectral:
        assert spectral[name].encoding["chunks"] == truth[name].encoding["chunks"]
        np.testing.assert_array_equal(spectral[name]["lat"], truth["lat"])
        # Longer waves the filter of the low resolution weakens by less than a hundredth.
        np.testing.assert_allclose(spectral[name], truth[name], atol=0.01)


def test_part_of_a_sphere_is_refused_with_its_name(tmp_path):
    frames = tiny_frames(num_frames=5, lat=40).isel(lat=slice(4, 36))
    low, high = make_stores(tmp_path, frames)
    settings = stage_settings(tmp_path, "upscale_spectral")
    with pytest.raises(ValueError, match=r"seed_0.json: .* the whole sphere, or a plane"):
        upscale_spectral(settings, low, high, tmp_path / "spectral" / "seed_0.json", Run())
