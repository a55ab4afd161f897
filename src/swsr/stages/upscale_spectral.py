"""Bring low-resolution frames back to the high grid by spectral interpolation: a baseline."""

from pathlib import Path

import numpy as np

from swsr.geometry import Geometry
from swsr.grids import Grid
from swsr.provenance import attributes
from swsr.resampling.regridding import map_frames
from swsr.resampling.spectral_interpolation import make_interpolation
from swsr.run import Run
from swsr.settings import Downscale, read_stage_settings
from swsr.zarr_io import Layout, input_digests, open_frames, write_frames


def upscale_spectral(settings: Path, low: Path, like: Path, output: Path, run: Run) -> None:
    """Write the frames of `low` on the grid of the store `like`.

    Raises
    ------
    ValueError
        When the grid is neither the whole sphere nor a plane.
    """
    choices = read_stage_settings(settings, Downscale)
    frames, fine = open_frames(low), open_frames(like)
    grids = Grid.of(frames), Grid.of(fine)
    try:
        interpolations = {
            vector: make_interpolation(*grids, vector=vector)
            for vector in set(Geometry.of(frames).vectors)
        }
    except ValueError as error:
        raise ValueError(f"{low}: {error}") from None

    def interpolate(block: np.ndarray, geometry: Geometry) -> np.ndarray:
        return interpolations[geometry.vectors[0]](block[:, 0])[:, None]

    spectral = map_frames(frames, {dim: fine[dim].values for dim in ("lat", "lon")}, interpolate)
    notes = attributes("upscale_spectral", choices, input_digests([low]))
    write_frames(spectral, output, Layout.of(frames), notes, run.communicator)
    run.say(f"{spectral.sizes['lat']} x {spectral.sizes['lon']} points from {low.stem}")
