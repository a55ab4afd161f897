"""Bring low-resolution frames back to the high grid by bicubic interpolation: the raw data."""

from pathlib import Path

from swsr.provenance import attributes
from swsr.resampling import bicubic
from swsr.resampling.regridding import map_frames
from swsr.run import Run
from swsr.settings import Downscale, read_stage_settings
from swsr.zarr_io import Layout, input_digests, open_frames, write_frames


def upscale(settings: Path, low: Path, like: Path, output: Path, run: Run) -> None:
    """Write the frames of `low` on the grid of the store `like`."""
    choices = read_stage_settings(settings, Downscale)
    frames, fine = open_frames(low), open_frames(like)
    raw = map_frames(
        frames,
        {dim: fine[dim].values for dim in ("lat", "lon")},
        lambda block, geometry: bicubic.upscale(block, choices.scale, geometry),
    )
    notes = attributes("upscale", choices, input_digests([low]))
    write_frames(raw, output, Layout.of(frames), notes, run.communicator)
    run.say(f"{raw.sizes['lat']} x {raw.sizes['lon']} points from {low.stem}")
