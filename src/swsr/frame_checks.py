"""What frames must be before a stage takes them: enough, evenly spaced, of finite values."""

import dask.array
import numpy as np
import xarray as xr

from swsr.geometry import Geometry
from swsr.settings import PACK_FRAMES

_LEAST_FILL = 1e30
"""What writers leave where they have no value is 1e30 or more (NetCDF: 9.97e36); no field is."""

_LEAST_POINTS = 15
"""Of lat and lon: SSIM's window of 11 points, and the 2 on each side that 3D takes off."""


def check_frames(dataset: xr.Dataset, origin: str) -> None:
    """Check what can be seen without reading the fields: enough frames and points, even times.

    Raises
    ------
    ValueError
        With the number of frames or points, or as `check_times`.
    """
    num_frames = dataset.sizes["time"]
    if num_frames < PACK_FRAMES:
        raise ValueError(
            f"{origin}: {num_frames} frames, fewer than the {PACK_FRAMES} that the 3D network packs"
        )
    for dim in ("lat", "lon"):
        if dataset.sizes[dim] < _LEAST_POINTS:
            raise ValueError(
                f"{origin}: {dataset.sizes[dim]} points of {dim}, fewer than the {_LEAST_POINTS} "
                "that SSIM needs after the 3D network"
            )
    check_times(dataset, origin)


def check_times(dataset: xr.Dataset, origin: str) -> None:
    """Check that times, where there are some, ascend by even steps.

    Raises
    ------
    ValueError
        With the first uneven step, or when times are text.
    """
    if "time" not in dataset.coords or dataset.sizes["time"] < 2:
        return
    if dataset["time"].dtype.kind in "SU" or isinstance(dataset["time"].values[0], str):
        raise ValueError(f"{origin}: time holds text, not times: give it CF units and numbers")
    steps = _time_steps(dataset["time"].values)
    even = np.abs(steps - steps[0]) <= _time_tolerance(dataset["time"].values)
    uneven = np.flatnonzero(~even)  # a time that is missing is not even either
    if steps[0] <= 0 or uneven.size:
        at = int(uneven[0]) if uneven.size else 0
        raise ValueError(
            f"{origin}: time is not evenly spaced: the step after frame {at} differs from the "
            "first one, or time does not ascend"
        )


def _time_steps(times: np.ndarray) -> np.ndarray:
    """Steps as numbers, whatever times are: numbers, datetime64, or dates of another calendar."""
    # Differences of unsigned integers would wrap around.
    steps = np.diff(times.astype("int64") if times.dtype.kind in "ui" else times)
    if steps.dtype == object:
        return np.array([step.total_seconds() for step in steps])
    return steps.astype("float64")


def _time_tolerance(times: np.ndarray) -> float:
    """A thousandth of the first step, and what rounding of the times themselves can make."""
    tolerance = 1e-3 * abs(float(_time_steps(times[:2])[0]))
    if times.dtype.kind == "f":
        tolerance += 4 * float(np.finfo(times.dtype).eps * np.abs(times).max())
    return tolerance


def check_finite(values: np.ndarray, variable: str, first_frame: int, origin: str) -> None:
    """Check that a block of frames, shape (frames, lat, lon), holds no NaN, infinity or fill value.

    Raises
    ------
    ValueError
        With the variable and the number of the first frame that does.
    """
    for what, wrong in (
        ("not finite", ~np.isfinite(values)),
        ("a fill value that no attribute names", np.abs(values) >= _LEAST_FILL),
    ):
        if wrong.any():
            frame = int(np.flatnonzero(wrong.any(axis=(1, 2)))[0])
            raise ValueError(
                f"{origin}: {variable} is {what} at {int(wrong[frame].sum())} points of frame "
                f"{first_frame + frame}: fill the gaps, or leave out these frames or points (in a "
                "study by source.select)"
            )


def check_finite_frames(dataset: xr.Dataset, origin: str, chunk_frames: int) -> xr.Dataset:
    """The same frames in float32, in chunks, with `check_finite` run when they are computed."""
    return dataset.map(_checked, origin=origin, chunk_frames=chunk_frames)


def _checked(variable: xr.DataArray, origin: str, chunk_frames: int) -> xr.DataArray:
    def check(
        block: np.ndarray, block_info: dict[int, dict[str, list[tuple[int, int]]]]
    ) -> np.ndarray:
        first_frame = block_info[0]["array-location"][0][0]
        with np.errstate(over="ignore"):  # the check tells of what float32 cannot hold
            values = block.astype("float32")
        check_finite(values, str(variable.name), first_frame, origin)
        return values

    chunked = variable.chunk({"time": chunk_frames, "lat": -1, "lon": -1})
    blocks = dask.array.map_blocks(
        check, chunked.data, dtype="float32", meta=np.empty((0, 0, 0), "float32")
    )
    return chunked.copy(data=blocks)


def check_divisible(dataset: xr.Dataset, scale: int, geometry: Geometry, origin: str) -> None:
    """Check that frames can be downscaled by a whole factor, and still go on across the poles.

    Raises
    ------
    ValueError
        With the dim and size that `scale` does not divide, or with longitudes that leave no
        meridian across a pole.
    """
    for dim in ("lat", "lon"):
        size = dataset.sizes[dim]
        if size % scale:
            raise ValueError(
                f"{origin}: {size} points of {dim} are not divisible by downscale.scale {scale}: "
                "cut the frames by source.select or choose another scale"
            )
    size = dataset.sizes["lon"]
    if geometry.lat == "pole" and size // scale % 2:
        raise ValueError(
            f"{origin}: {size} points of lon make {size // scale} at downscale.scale {scale}, an "
            "odd number, so that across a pole no low-resolution point lies opposite another: "
            "choose another scale, or leave out the rows beside a pole by source.select.lat"
        )
