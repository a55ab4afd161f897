"""Make low-resolution copies of frames by antialiased bicubic interpolation, and compress them."""

from pathlib import Path

import xarray as xr

from swsr import bicubic
from swsr.clips import Compression
from swsr.frame_checks import check_divisible
from swsr.provenance import COMPRESSION, attributes
from swsr.regridding import map_frames, resample_coordinate
from swsr.run import Run
from swsr.settings import Downscale, read_stage_settings
from swsr.zarr_io import Layout, input_digests, open_frames, write_frames


def downscale(settings: Path, high: Path, output: Path, run: Run) -> None:
    """Write frames on a grid coarser by `scale`, as `bicubic` defines it, then through the codec.

    Raises
    ------
    ValueError
        When `scale` does not divide the points of lat and lon, or PyAV lacks the codec.
    """
    choices = read_stage_settings(settings, Downscale)
    frames = open_frames(high)
    check_divisible(frames, choices.scale, str(high))
    low = _contract(frames, choices.scale)
    found = f"{low.sizes['lat']} x {low.sizes['lon']} points from {high.stem}"
    notes = attributes("downscale", choices, input_digests([high]))
    if choices.codec is not None and choices.quality is not None:
        codec, quality, scale = choices.codec, choices.quality, choices.scale
        used = run.communicator.on_first(lambda: Compression.measure(low, codec, quality, scale))
        low, notes[COMPRESSION] = used.apply(low), used.to_json()
        found += f"; {used.describe()}"
    write_frames(low, output, Layout.of(frames), notes, run.communicator)
    run.say(found)


def _contract(frames: xr.Dataset, scale: int) -> xr.Dataset:
    low_grid = {
        dim: resample_coordinate(frames[dim].values, frames.sizes[dim] // scale)
        for dim in ("lat", "lon")
    }
    return map_frames(
        frames, low_grid, lambda block, geometry: bicubic.downscale(block, scale, geometry)
    )
