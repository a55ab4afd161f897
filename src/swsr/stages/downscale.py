"""Make low-resolution copies of frames by antialiased bicubic interpolation."""

from pathlib import Path

from swsr import bicubic
from swsr.provenance import attributes
from swsr.run import Run
from swsr.schema import check_divisible, map_frames, resample_coordinate
from swsr.settings import Downscale, read_stage_settings
from swsr.zarr_io import Layout, input_digests, open_frames, write_frames


def downscale(settings: Path, high: Path, output: Path, run: Run) -> None:
    """Write frames on a grid coarser by `scale`, as `bicubic` defines it.

    Raises
    ------
    ValueError
        When `scale` does not divide the points of lat and lon.
    """
    choices = read_stage_settings(settings, Downscale)
    frames = open_frames(high)
    check_divisible(frames, choices.scale, str(high))
    low_grid = {
        dim: resample_coordinate(frames[dim].values, frames.sizes[dim] // choices.scale)
        for dim in ("lat", "lon")
    }
    low = map_frames(
        frames,
        low_grid,
        lambda block, geometry: bicubic.downscale(block, choices.scale, geometry),
    )
    notes = attributes("downscale", choices, input_digests([high]))
    write_frames(low, output, Layout.of(frames), notes, run.communicator)
    run.say(f"{low.sizes['lat']} x {low.sizes['lon']} points from {high.stem}")
