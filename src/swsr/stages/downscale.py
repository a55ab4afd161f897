"""Make low-resolution copies of frames, bicubic or means over cells, and compress them."""

from pathlib import Path

import xarray as xr

from swsr.clips import Compression
from swsr.frame_checks import check_divisible
from swsr.geometry import Geometry
from swsr.provenance import COMPRESSION, FILTER, attributes
from swsr.resampling.coarsening import Coarsening
from swsr.resampling.regridding import map_frames, resample_coordinate
from swsr.run import Run
from swsr.settings import Downscale, read_stage_settings
from swsr.zarr_io import Layout, input_digests, open_frames, write_frames


def downscale(settings: Path, high: Path, output: Path, run: Run) -> None:
    """Write frames on a grid coarser by `scale`, as a `Coarsening`, then through the codec.

    Raises
    ------
    ValueError
        When `scale` does not divide the points of lat and lon, or leaves an odd number of
        longitudes around poles, or when PyAV lacks the codec.
    """
    choices = read_stage_settings(settings, Downscale)
    frames = open_frames(high)
    check_divisible(frames, choices.scale, Geometry.of(frames), str(high))
    low = _contract(frames, Coarsening.of(frames, choices.filter, choices.scale))
    found = f"{low.sizes['lat']} x {low.sizes['lon']} points from {high.stem}"
    notes = attributes("downscale", choices, input_digests([high])) | {FILTER: choices.filter}
    if choices.codec is not None and choices.quality is not None:
        codec, quality, scale = choices.codec, choices.quality, choices.scale
        used = run.communicator.on_first(lambda: Compression.measure(low, codec, quality, scale))
        low, notes[COMPRESSION] = used.apply(low), used.to_json()
        found += f"; {used.describe()}"
    write_frames(low, output, Layout.of(frames), notes, run.communicator)
    run.say(found)


def _contract(frames: xr.Dataset, coarsening: Coarsening) -> xr.Dataset:
    low_grid = {
        dim: resample_coordinate(frames[dim].values, frames.sizes[dim] // coarsening.scale)
        for dim in ("lat", "lon")
    }
    return map_frames(frames, low_grid, coarsening)
