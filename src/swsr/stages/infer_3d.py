"""Sharpen a series with the trained 3D network: each frame from five consecutive ones."""

from pathlib import Path

from swsr.inference_stage import infer
from swsr.run import Run
from swsr.zarr_io import open_frames


def infer_3d(network: Path, frames: Path, output: Path, run: Run) -> None:
    """Write the 3D result of a series: two frames fewer at each end.

    See `inference_stage.infer`.
    """
    given = open_frames(frames)
    grid = {dim: given[dim].values for dim in ("lat", "lon")}
    infer("3d", network, frames, grid, output, run)
