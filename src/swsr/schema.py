"""What frames are: dims, coordinates, units, and the checks that they meet.

Canonical frames are an xarray dataset in which every variable has the dims (time, lat, lon), with
lat and lon ascending, float32 values in physical units, and an even time step. Of a plane lat
and lon are y and x, in the units of the source.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import cf_xarray  # noqa: F401  (registers the `.cf` accessor)
import dask.array
import numpy as np
import xarray as xr

from swsr.geometry import Geometry
from swsr.settings import PACK_FRAMES

DIMS = ("time", "lat", "lon")
_LEAST_FILL = 1e30
"""What writers leave where they have no value is 1e30 or more (NetCDF: 9.97e36); no field is."""

_LEAST_POINTS = 15
"""Of lat and lon: SSIM's window of 11 points, and the 2 on each side that 3D takes off."""

_CF_NAMES = {"time": "time", "lat": "latitude", "lon": "longitude"}
_PLANE_NAMES = {"time": "t", "lat": "y", "lon": "x"}
_COORDINATE_ATTRIBUTES = {
    "lat": {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east"},
}


def standardise(
    dataset: xr.Dataset, variables: tuple[str, ...], dims: Mapping[str, str], origin: str
) -> xr.Dataset:
    """The chosen variables under canonical dims, lat and lon ascending; nothing is computed.

    Parameters
    ----------
    dataset
        As a source opened it: any dim names and order, lat up or down.
    variables
        Names to keep, in the order of the channels.
    dims
        Canonical name -> name in `dataset`, for dims that CF attributes and names don't tell.
    origin
        What to call the dataset in errors.

    Raises
    ------
    ValueError
        When a variable or a dim is not found, a further dim has more than one entry, or
        coordinates are not monotonic.
    """
    missing = [name for name in variables if name not in dataset]
    if missing:
        raise ValueError(
            f"{origin}: no variable {missing[0]!r}; it holds {sorted(map(str, dataset.data_vars))}"
        )
    chosen = _with_coordinates_of_dims(dataset[list(variables)])
    guessed = chosen.cf.guess_coord_axis()
    names = {dim: dims.get(dim) or _find_dim(guessed, dim, origin) for dim in DIMS}
    earth = {dim for dim in DIMS if dim not in dims and names[dim] in _on_earth(guessed, dim)}
    for dim, name in names.items():
        if name not in chosen.dims:
            raise ValueError(
                f"{origin}: source.dims.{dim} is {name!r}, but dims are {_sizes(chosen)}"
            )
    # Only the coordinates of dims go on: others may have taken the names, or may vary in time.
    chosen = chosen.reset_coords(drop=True)
    chosen = chosen.rename({name: dim for dim, name in names.items() if name != dim})
    extra = [dim for dim in chosen.dims if dim not in DIMS]
    for other in extra:
        if chosen.sizes[other] > 1:
            raise ValueError(
                f"{origin}: dim {other!r} has {chosen.sizes[other]} entries: choose one by "
                f"source.select.{other}"
            )
    chosen = chosen.squeeze(extra, drop=True)
    for name in variables:
        absent = [dim for dim in DIMS if dim not in chosen[name].dims]
        if absent:
            raise ValueError(f"{origin}: variable {name!r} has no dim {names[absent[0]]!r}")
    not_numbers = [name for name in variables if chosen[name].dtype.kind not in "iuf"]
    if not_numbers:
        kind = chosen[not_numbers[0]].dtype
        raise ValueError(f"{origin}: {not_numbers[0]!r} holds {kind}, not numbers")
    return _ascending(chosen.transpose(*DIMS), earth, origin)


def _with_coordinates_of_dims(dataset: xr.Dataset) -> xr.Dataset:
    """The same, with coordinates such as lat(y) in the place of their dims."""
    guessed = dataset.cf.guess_coord_axis().cf.coordinates
    swaps = {}
    for found in guessed.values():
        for name in found:
            dims = dataset[name].dims
            if len(dims) == 1 and dims[0] != name and dims[0] not in dataset.coords:
                swaps[dims[0]] = name
    return dataset.swap_dims(swaps)


def _on_earth(guessed: xr.Dataset, dim: str) -> list[str]:
    """Dims that are time, latitude or longitude by attributes, which were guessed, or names."""
    found = [str(name) for name in guessed.cf.coordinates.get(_CF_NAMES[dim], [])]
    found = [name for name in found if name in guessed.dims]
    return found or ([dim] if dim in guessed.dims else [])


def _find_dim(guessed: xr.Dataset, dim: str, origin: str) -> str:
    found = _on_earth(guessed, dim)
    if not found:
        axes = guessed.cf.axes.get(_PLANE_NAMES[dim].upper(), [])
        found = [str(name) for name in axes if name in guessed.dims]
    if not found and _PLANE_NAMES[dim] in guessed.dims:
        return _PLANE_NAMES[dim]
    if len(found) != 1:
        what = f"several dims look like {dim}: {found}" if found else f"no dim looks like {dim}"
        raise ValueError(
            f"{origin}: {what}; dims are {_sizes(guessed)}: set source.dims.{dim} to the name"
        )
    return found[0]


def _sizes(dataset: xr.Dataset) -> dict[str, int]:
    return {str(name): size for name, size in dataset.sizes.items()}


def _ascending(dataset: xr.Dataset, earth: set[str], origin: str) -> xr.Dataset:
    for dim in ("lat", "lon"):
        if dim not in dataset.coords:
            raise ValueError(f"{origin}: dim {dim!r} has no coordinate values")
        steps = np.diff(dataset[dim].values.astype(float))
        if (steps < 0).all():
            dataset = dataset.isel({dim: slice(None, None, -1)})
        elif not (steps > 0).all():
            raise ValueError(
                f"{origin}: {dim} is neither ascending nor descending"
                + (": order it from where you like by source.select.lon" if dim == "lon" else "")
            )
        # A dim that only the user calls lat, or one of a plane, may be in metres.
        units = str(dataset[dim].attrs.get("units", "degree"))
        if dim in earth and units.startswith("degree"):
            dataset[dim].attrs = _COORDINATE_ATTRIBUTES[dim] | dataset[dim].attrs
    return dataset


def check_frames(dataset: xr.Dataset, origin: str) -> None:
    """Check what can be seen without reading the fields: enough frames, an even time step.

    Raises
    ------
    ValueError
        With the number of frames, or the first uneven step.
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
    if "time" not in dataset.coords:
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
    steps = np.diff(times)
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
                f"{first_frame + frame}: fill or cut the gaps first"
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


def check_divisible(dataset: xr.Dataset, scale: int, origin: str) -> None:
    """Check that frames can be downscaled by a whole factor.

    Raises
    ------
    ValueError
        With the dim and size that `scale` does not divide.
    """
    for dim in ("lat", "lon"):
        size = dataset.sizes[dim]
        if size % scale:
            raise ValueError(
                f"{origin}: {size} points of {dim} are not divisible by downscale.scale {scale}: "
                "cut the frames by source.select or choose another scale"
            )


def resample_coordinate(values: np.ndarray, num_low: int) -> np.ndarray:
    """Coordinates of the low grid: where the centres of its points lie between those of the high.

    Point i of a grid coarser by s lies at index (i + 1/2) s - 1/2 of the finer one (the
    convention of `bicubic`); between two points the coordinate is linear.
    """
    scale = len(values) / num_low
    index = (np.arange(num_low) + 0.5) * scale - 0.5
    return np.interp(index, np.arange(len(values)), values)


def refine_coordinate(values: np.ndarray, scale: int) -> np.ndarray:
    """Coordinates of a grid finer by `scale`, whose points `resample_coordinate` averages.

    Between two points linear, and beyond the first and the last as between their neighbours: exact
    for even steps, near it for Gaussian latitudes.
    """
    index = (np.arange(len(values) * scale) + 0.5) / scale - 0.5
    below = np.clip(np.floor(index).astype(int), 0, len(values) - 2)
    return values[below] + (index - below) * (values[below + 1] - values[below])


@dataclass(frozen=True)
class Spacing:
    """Mean distances in a series of frames.

    Attributes
    ----------
    lat, lon
        Between points, in `units`.
    units
        Of both coordinates: `degrees`, or as the frames say.
    seconds
        Between frames; None when times are plain numbers.
    """

    lat: float
    lon: float
    units: str
    seconds: float | None

    @classmethod
    def of(cls, frames: xr.Dataset) -> Self:
        """Those of canonical frames."""
        units = str(frames["lat"].attrs.get("units", "1"))
        lat, lon = (float(np.diff(frames[dim].values).mean()) for dim in ("lat", "lon"))
        return cls(lat, lon, "degrees" if units.startswith("degree") else units, _seconds(frames))


def _seconds(frames: xr.Dataset) -> float | None:
    times = frames["time"].values if "time" in frames.coords else np.arange(0)
    if len(times) < 2 or times.dtype.kind not in "MO":
        return None
    step = (times[-1] - times[0]) / (len(times) - 1)
    return float(step.total_seconds() if times.dtype == object else step / np.timedelta64(1, "s"))


def map_frames(
    dataset: xr.Dataset,
    grid: Mapping[str, np.ndarray],
    function: Callable[[np.ndarray, Geometry], np.ndarray],
) -> xr.Dataset:
    """Apply an array function to every variable, block by block in time, lazily.

    Parameters
    ----------
    dataset
        Frames of a store, which carry their geometry.
    grid
        Coordinates `lat` and `lon` of the result; their attributes are those of `dataset`.
    function
        (frames, 1, lat, lon) -> (frames, 1, len(grid["lat"]), len(grid["lon"])), float32, in the
        geometry of the variable.
    """
    mapped = xr.Dataset(
        {
            name: _map_variable(dataset[name], grid, function, Geometry.of(dataset[[name]]))
            for name in dataset.data_vars
        },
        attrs=dataset.attrs,
    )
    return mapped.assign_coords(
        {dim: (dim, values, dataset[dim].attrs) for dim, values in grid.items()}
    )


def _map_variable(
    variable: xr.DataArray,
    grid: Mapping[str, np.ndarray],
    function: Callable[[np.ndarray, Geometry], np.ndarray],
    geometry: Geometry,
) -> xr.DataArray:
    sizes = {f"new_{dim}": len(values) for dim, values in grid.items()}
    mapped = xr.apply_ufunc(
        lambda block: function(block[:, None], geometry)[:, 0],
        variable.chunk({"lat": -1, "lon": -1}),
        input_core_dims=[["lat", "lon"]],
        output_core_dims=[["new_lat", "new_lon"]],
        dask="parallelized",
        output_dtypes=["float32"],
        dask_gufunc_kwargs={"output_sizes": sizes},
        keep_attrs=True,
    )
    return mapped.rename({f"new_{dim}": dim for dim in grid})
