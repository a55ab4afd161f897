"""What frames are: dims, coordinates, units.

Canonical frames are an xarray dataset in which every variable has the dims (time, lat, lon), with
lat and lon ascending, float32 values in physical units, and an even time step. Of a plane lat
and lon are y and x, in the units of the source.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import cf_xarray  # noqa: F401  (registers the `.cf` accessor)
import numpy as np
import xarray as xr

from swsr.components import rename_along

LonOrder: TypeAlias = Literal["ascending", "counted on", "any"]

DIMS = ("time", "lat", "lon")
_CF_NAMES = {"time": "time", "lat": "latitude", "lon": "longitude"}
_PLANE_NAMES = {"time": "t", "lat": "y", "lon": "x"}
_COORDINATE_ATTRIBUTES = {
    "lat": {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east"},
}


@dataclass(frozen=True)
class Advice:
    """What to do about a dim, `{dim}`, in the terms of whoever gave the frames.

    Attributes
    ----------
    name
        Where none is found for time, lat, lon or samples.
    choose
        Where a further one has several entries.
    order
        Where longitudes do not ascend.
    """

    name: str
    choose: str
    order: str


IN_CONFIG = Advice(
    "set source.dims.{dim} to the name",
    "choose one by source.select.{dim}",
    "order it from where you like by source.select.lon",
)
IN_FILE = Advice(
    "give the file one that is named {dim}", "write a file of one of them first", "sort it first"
)
IN_SCRIPT = Advice(
    "give the name, as dims={{'{dim}': ...}}",
    "choose one first, as by .isel({dim}=0)",
    "sort it first",
)


_MOST_LATITUDE = 90.01
"""Of a point on a pole, with rounding."""

_STALE = {
    "valid_range", "valid_min", "valid_max", "actual_range", "unpacked_valid_range",
    "bounds", "grid_mapping", "ancillary_variables", "cell_measures",
}  # fmt: skip
"""Attributes that say what numbers a file stores, packed or not, by which readers would mask other
ones; and that name variables which are left behind."""


def standardise(
    dataset: xr.Dataset,
    variables: tuple[str, ...],
    dims: Mapping[str, str],
    origin: str,
    *,
    lon_order: LonOrder = "ascending",
    advice: Advice = IN_CONFIG,
    constant: tuple[str, ...] = (),
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
    lon_order
        Longitudes that come in another order are refused (`ascending`), counted on where they jump
        once, as in a region across 0 (`counted on`), or left, as they are ordered later (`any`).
    advice
        What errors say is to be done about dims.
    constant
        Variables that may lack the dim of time, as heights of the ground do: they get it, lazily,
        the same in every frame.

    Raises
    ------
    ValueError
        When a variable or a dim is not found, a further dim has more than one entry, or
        coordinates are not monotonic or no numbers.
    """
    missing = [name for name in variables if name not in dataset]
    if missing:
        raise ValueError(
            f"{origin}: no variable {missing[0]!r}; it holds {sorted(map(str, dataset.data_vars))}"
        )
    chosen = _with_coordinates_of_dims(_fields(dataset, variables))
    guessed = chosen.cf.guess_coord_axis()
    names = _find_dims(guessed, dims, origin, advice)
    earth = {dim for dim in DIMS if dim not in dims and names[dim] in _on_earth(guessed, dim)}
    _check_dims(chosen, variables, names, origin, constant)
    # Only the coordinates of dims go on: others may have taken the names, or may vary in time.
    chosen = _without_extra(chosen.reset_coords(drop=True), names, origin, advice)
    chosen = rename_along(chosen, {name: dim for dim, name in names.items() if name != dim})
    for name in constant:
        if "time" not in chosen[name].dims:
            # As a dask array, which takes the memory of one frame however many there are.
            chosen[name] = chosen[name].chunk().expand_dims(time=chosen.sizes["time"])
    not_numbers = [name for name in variables if chosen[name].dtype.kind not in "iuf"]
    if not_numbers:
        kind = chosen[not_numbers[0]].dtype
        raise ValueError(f"{origin}: {not_numbers[0]!r} holds {kind}, not numbers")
    chosen = _in_degrees(chosen.transpose(*DIMS), names, earth, earth | set(dims), origin)
    return _ascending(_without_stale(chosen), origin, lon_order, advice)


def _check_dims(
    dataset: xr.Dataset,
    variables: tuple[str, ...],
    names: Mapping[str, str],
    origin: str,
    constant: tuple[str, ...],
) -> None:
    """Refuse names of dims, and variables on other points than the rest or without time."""
    for name in variables:
        if name in DIMS:
            raise ValueError(
                f"{origin}: variable {name!r} has the name of a dim of frames: rename it in the "
                "file first"
            )
        dims = dataset[name].dims
        absent = [dim for dim in DIMS if names[dim] not in dims]
        if absent == ["time"] and name in constant:
            continue
        if absent == ["time"]:
            raise ValueError(
                f"{origin}: variable {name!r} has no dim {names['time']!r}: only predictors may "
                "be without"
            )
        if absent:
            raise ValueError(
                f"{origin}: variable {name!r} has no dim {names[absent[-1]]!r}, but dims "
                f"{list(map(str, dims))}: write it to the points of the others first"
            )


def _without_stale(dataset: xr.Dataset) -> xr.Dataset:
    dataset = dataset.copy()
    for variable in dataset.variables:
        kept = dataset[variable].attrs.items()
        dataset[variable].attrs = {name: value for name, value in kept if name not in _STALE}
    return dataset


def with_time(dataset: xr.Dataset, dims: Mapping[str, str]) -> xr.Dataset:
    """A dim for the time of a single frame, which has it as a scalar."""
    name = dims.get("time", "time")
    others = dataset.cf.coordinates.get("time", [])
    if name not in dataset.variables and "time" not in dims:
        guessed = dataset.cf.guess_coord_axis().cf.coordinates.get("time", [])
        name = str(guessed[0]) if len(guessed) == 1 else name
    scalar = name in dataset.coords and name not in dataset.dims and dataset[name].ndim == 0
    if scalar and not any(other in dataset.dims for other in others):
        return dataset.expand_dims(name)
    return dataset


def extra_dims(
    dataset: xr.Dataset, variables: tuple[str, ...], dims: Mapping[str, str], origin: str
) -> dict[str, int]:
    """Dims of some variables, other than time, lat and lon, and their sizes.

    `standardise` refuses those that have more than one entry. Parameters and errors are as there.
    """
    chosen = _with_coordinates_of_dims(_fields(dataset, variables))
    return _extra(chosen, _find_dims(chosen.cf.guess_coord_axis(), dims, origin, IN_CONFIG))


def _fields(dataset: xr.Dataset, variables: tuple[str, ...]) -> xr.Dataset:
    """Some variables, also those that attributes `coordinates` of others make coordinates."""
    chosen = dataset[list(variables)]
    return chosen.reset_coords([name for name in variables if name not in chosen.xindexes])


def _extra(dataset: xr.Dataset, names: Mapping[str, str]) -> dict[str, int]:
    return {dim: size for dim, size in sizes(dataset).items() if dim not in names.values()}


def _without_extra(
    dataset: xr.Dataset, names: Mapping[str, str], origin: str, advice: Advice
) -> xr.Dataset:
    extra = _extra(dataset, names)
    for dim, size in extra.items():
        if size > 1 and dim in DIMS:  # init times, say, which nothing selects
            raise ValueError(
                f"{origin}: dim {dim!r} has {size} entries, but {names[dim]!r} is to be {dim}: "
                f"keep one of them first, as by xarray's isel({dim}=0), or rename {dim!r}"
            )
        if size > 1:
            raise ValueError(
                f"{origin}: dim {dim!r} has {size} entries: {advice.choose.format(dim=dim)}"
            )
    return dataset.squeeze(list(extra), drop=True)


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


def _find_dims(
    guessed: xr.Dataset, dims: Mapping[str, str], origin: str, advice: Advice
) -> dict[str, str]:
    """Names in the dataset of time, lat and lon."""
    names = {dim: dims.get(dim) or _find_dim(guessed, dim, origin, advice) for dim in DIMS}
    for dim, name in names.items():
        if name not in guessed.dims:
            raise ValueError(
                f"{origin}: no dim is {name!r}; dims are {sizes(guessed)}: "
                f"{advice.name.format(dim=dim)}"
            )
    return names


def _find_dim(guessed: xr.Dataset, dim: str, origin: str, advice: Advice) -> str:
    found = _on_earth(guessed, dim)
    if not found:
        axes = guessed.cf.axes.get(_PLANE_NAMES[dim].upper(), [])
        found = [str(name) for name in axes if name in guessed.dims]
    if not found and _PLANE_NAMES[dim] in guessed.dims:
        return _PLANE_NAMES[dim]
    if len(found) != 1:
        what = f"several dims look like {dim}: {found}" if found else f"no dim looks like {dim}"
        raise ValueError(
            f"{origin}: {what}; dims are {sizes(guessed)}: {advice.name.format(dim=dim)}"
        )
    return found[0]


def sizes(dataset: xr.Dataset) -> dict[str, int]:
    """Names and sizes of the dims, as errors show them."""
    return {str(name): size for name, size in dataset.sizes.items()}


def _in_degrees(
    dataset: xr.Dataset, names: Mapping[str, str], earth: set[str], maybe: set[str], origin: str
) -> xr.Dataset:
    """Latitudes and longitudes in degrees, whatever angles the file counts in.

    Those of `earth` are, those of `maybe` where their units say so: a dim that only the user calls
    lat may be in metres.
    """
    for dim in ("lat", "lon"):
        if dim not in dataset.coords:
            raise ValueError(
                f"{origin}: dim {names[dim]!r} ({dim}) has no coordinate values: give it some "
                f"first, as by xarray's assign_coords({names[dim]}=...)"
            )
        if dataset[dim].dtype.kind not in "iuf":
            raise ValueError(f"{origin}: {dim} holds {dataset[dim].dtype}, not numbers")
        given = dataset[dim].attrs
        named = str(given.get("units", ""))
        unit = named.strip().lower()
        is_angle = dim in maybe and unit.startswith(("deg", "rad"))
        if not (is_angle or (dim in earth and unit in ("", "°"))):
            continue
        attributes = _COORDINATE_ATTRIBUTES[dim] | given
        if not named.startswith("degree"):
            attributes["units"] = _COORDINATE_ATTRIBUTES[dim]["units"]
        values = dataset[dim].values
        if unit.startswith("rad"):
            values = np.degrees(values.astype(float))
        if dim == "lat" and values.size and np.abs(values).max() > _MOST_LATITUDE:
            raise ValueError(
                f"{origin}: {names[dim]} from {values.min():g} to {values.max():g} is no latitude "
                "in degrees: give it its units, such as m or km"
            )
        dataset = dataset.assign_coords({dim: (dim, values, attributes)})
    return dataset


def _ascending(dataset: xr.Dataset, origin: str, lon_order: LonOrder, advice: Advice) -> xr.Dataset:
    for dim in ("lat", "lon"):
        if dim == "lon" and lon_order == "counted on":
            dataset = _counted_on(dataset)
        steps = np.diff(dataset[dim].values.astype(float))
        if (steps < 0).all():
            dataset = dataset.isel({dim: slice(None, None, -1)})
        elif not (steps > 0).all() and not (dim == "lon" and lon_order == "any"):
            raise ValueError(
                f"{origin}: {dim} is neither ascending nor descending: "
                + (advice.order if dim == "lon" else "sort it first")
            )
    return dataset


def _counted_on(dataset: xr.Dataset) -> xr.Dataset:
    """Longitudes from the last step down on, if there is but one, a turn later."""
    values, attributes = dataset["lon"].values.astype(float), dataset["lon"].attrs
    down = np.flatnonzero(np.diff(values) < 0)
    in_degrees = str(attributes.get("units")).startswith("degree")
    if down.size != 1 or values.size < 3 or not in_degrees:
        return dataset
    on = values + 360 * (np.arange(values.size) > down[0])
    return dataset.assign_coords(lon=("lon", on, attributes))


_IN_SECONDS = {
    name: seconds
    for seconds, names in (
        (1, ("s", "sec", "second", "seconds")),
        (60, ("min", "minute", "minutes")),
        (3600, ("h", "hr", "hour", "hours")),
        (86400, ("d", "day", "days")),
    )
    for name in names
}


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
        Between frames; None when times are numbers without a unit of time.
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
    if len(times) < 2 or times.dtype.kind not in "mMOiuf":
        return None
    step = (times[-1] - times[0]) / (len(times) - 1)
    if times.dtype.kind in "iuf":
        unit = str(frames["time"].attrs.get("units", "")).strip().lower()
        return float(step * _IN_SECONDS[unit]) if unit in _IN_SECONDS else None
    return float(step.total_seconds() if times.dtype == object else step / np.timedelta64(1, "s"))
