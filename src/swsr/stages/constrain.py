"""Make the frames of a network consistent with the low-resolution frames that it was given."""

from pathlib import Path

import numpy as np
import xarray as xr

from swsr.provenance import attributes
from swsr.resampling.coarsening import Coarsening
from swsr.resampling.constraint import Constraint
from swsr.run import Run
from swsr.settings import Downscale, read_stage_settings
from swsr.zarr_io import Layout, input_digests, open_frames, write_frames

_LOW = {dim: f"low_{dim}" for dim in ("lat", "lon")}


def constrain(settings: Path, frames: Path, low: Path, output: Path, run: Run) -> None:
    """Write the frames nearest to `frames` whose low-resolution copies are `low`.

    Raises
    ------
    ValueError
        When the frames lack points, as those of a network that takes off a border do.
    """
    choices = read_stage_settings(settings, Downscale)
    result, given = open_frames(frames), open_frames(low)
    for dim in _LOW:
        if result.sizes[dim] != given.sizes[dim] * choices.scale:
            raise ValueError(
                f"{frames}: {result.sizes[dim]} points of {dim}, not {choices.scale} times the "
                f"{given.sizes[dim]} of {low}: use a network that keeps all points, as skip_3d does"
            )
    missing = (given.sizes["time"] - result.sizes["time"]) // 2
    given = given.isel(time=slice(missing, missing + result.sizes["time"]))
    coarsening = Coarsening.of(result, choices.filter, choices.scale)
    constrained = result.assign(
        {
            name: _constrain_variable(
                result[name], given[name], Constraint.of(result, str(name), coarsening)
            )
            for name in result.data_vars
        }
    )
    notes = attributes("constrain", choices, input_digests([frames, low]))
    write_frames(constrained, output, Layout.of(result), notes, run.communicator)
    run.say(f"{constrained.sizes['time']} frames of {frames.stem} made consistent with {low.stem}")


def _constrain_variable(
    result: xr.DataArray, low: xr.DataArray, constraint: Constraint
) -> xr.DataArray:
    def apply(block: np.ndarray, given: np.ndarray) -> np.ndarray:
        return constraint(block, given).astype("float32")

    return xr.apply_ufunc(
        apply,
        result,
        low.drop_vars(_LOW).rename(_LOW).chunk({"time": result.chunksizes["time"]}),
        input_core_dims=[list(_LOW), list(_LOW.values())],
        output_core_dims=[list(_LOW)],
        dask="parallelized",
        output_dtypes=["float32"],
        keep_attrs=True,
    )
