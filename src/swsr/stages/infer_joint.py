"""Super-resolve a series with the trained joint network."""

from pathlib import Path

from swsr.inference_stage import infer
from swsr.run import Run
from swsr.zarr_io import open_frames


def infer_joint(network: Path, low: Path, like: Path, output: Path, run: Run) -> None:
    """Write the result of the series `low`, on the grid of the store `like`.

    See `inference_stage.infer`.
    """
    fine = open_frames(like)
    grid = {dim: fine[dim].values for dim in ("lat", "lon")}
    infer("joint", network, low, grid, output, run)
