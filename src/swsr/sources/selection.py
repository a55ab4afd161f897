"""The part of a source that is wanted, and the units it is wanted in."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from swsr.schema import DIMS, IN_CONFIG, Advice, sizes
from swsr.settings import Bound

_ENTRY_TOLERANCE = 1e-5
"""Relative: levels are written in float32, and by people."""

_ROOM = 1e-3
"""Of a step between points: how far beyond the ends of a region points still count."""


def pick_sample(
    dataset: xr.Dataset,
    sample: int | None,
    dims: Mapping[str, str],
    origin: str,
    advice: Advice = IN_CONFIG,
) -> xr.Dataset:
    """One trajectory of a file of several; a file of one needs no choice.

    Parameters
    ----------
    sample
        Number from 0 on, or None.
    dims
        May name the dim of samples; otherwise it is `sample`.
    advice
        As for `standardise`.

    Raises
    ------
    ValueError
        When the file has no such sample, or several and none is chosen.
    """
    dim = dims.get("sample", "sample")
    if dim not in dataset.dims:
        if sample is not None:
            raise ValueError(
                f"{origin}: #{sample} asks for a sample, but no dim is {dim!r}; dims are "
                f"{sizes(dataset)}: {advice.name.format(dim='sample')}, or write no #"
            )
        return dataset
    count = dataset.sizes[dim]
    if sample is None and count != 1:
        raise ValueError(
            f"{origin}: {count} samples along {dim!r}: name one, as in {origin}#0, or several as "
            f"series, as in {origin}#0:{count}"
        )
    if sample is not None and sample >= count:
        raise ValueError(f"{origin}: no sample #{sample}: it has {count}, from #0 on")
    one = dataset.isel({dim: sample or 0}, drop=True)
    # Times that differ between samples could not have the name of their dim.
    return one.drop_vars("times").assign_coords(time=one["times"]) if "times" in one else one


def pick_entries(
    dataset: xr.Dataset, select: Mapping[str, Any], origin: str, *, may_lack: bool = False
) -> xr.Dataset:
    """One entry of every dim that `select` names, other than time, lat and lon.

    Parameters
    ----------
    may_lack
        Whether a file of that entry alone, without the dim, will do.

    Raises
    ------
    ValueError
        When there is no such dim or entry, with those that there are.
    """
    for dim, wanted in _with_dims_of_one(select, dataset):
        if dim in DIMS or (may_lack and dim not in dataset.dims):
            continue
        if dim not in dataset.dims:
            raise ValueError(f"{origin}: source.select.{dim}: dims are {sizes(dataset)}")
        entries = dataset[dim].values  # 0, 1, ... where the dim has none
        entry_wanted = wanted
        if entries.dtype.kind == "m":
            entry_wanted = _lead_time(wanted, dataset[dim], f"{origin}: source.select.{dim}")
        found = np.flatnonzero([_same(entry, entry_wanted) for entry in entries])
        if not found.size:
            there = ", ".join(str(entry) for entry in entries[:10])
            more = ", ..." if len(entries) > 10 else ""
            raise ValueError(f"{origin}: source.select.{dim}: no {wanted}; it has {there}{more}")
        dataset = dataset.isel({dim: int(found[0])}, drop=True)
    return dataset


def _with_dims_of_one(select: Mapping[str, Any], dataset: xr.Dataset) -> Iterator[tuple[str, Any]]:
    """What is selected of a dim, also of those that each variable has of its own (GRIB)."""
    for dim, wanted in select.items():
        own = [f"{dim}_{name}" for name in dataset.data_vars]
        yield from ((name, wanted) for name in own if name in dataset.dims and name not in select)
        if dim in dataset.dims or not any(name in dataset.dims for name in own):
            yield dim, wanted


def pick_region(frames: xr.Dataset, select: Mapping[str, Any], origin: str) -> xr.Dataset:
    """Points between two latitudes and two longitudes, ends included.

    Longitudes may be counted from anywhere, and come in any order: those of the result go up from
    the western end. A meridian that the file has twice, as 0 and as 360 degrees, is taken once.

    Raises
    ------
    ValueError
        When no point lies there.
    """
    for dim in ("lat", "lon"):
        if dim not in select:
            continue
        first, last = (_number(end, dim, origin) for end in select[dim])
        values = frames[dim].values.astype(float)
        # Coordinates in float32 are not quite what people write.
        room = _ROOM * float(np.median(np.abs(np.diff(values)))) if len(values) > 1 else 0.0
        if dim == "lon" and str(frames[dim].attrs.get("units", "")).startswith("degree"):
            values = first + (values - first) % 360
            values = np.where(values > first + 360 - room, values - 360, values)
        inside = np.flatnonzero((values >= first - room) & (values <= last + room))
        inside = inside[np.argsort(values[inside], kind="stable")]
        inside = inside[np.diff(values[inside], prepend=-np.inf) > room]
        if not inside.size:
            raise ValueError(
                f"{origin}: source.select.{dim}: no point from {first:g} to {last:g}; it has "
                f"{values.min():g} to {values.max():g}"
            )
        attributes = frames[dim].attrs
        frames = frames.isel({dim: _as_slice(inside)})
        frames = frames.assign_coords({dim: (dim, values[inside], attributes)})
    return frames


def pick_times(
    frames: xr.Dataset, select: Mapping[str, Any], every: int, origin: str
) -> xr.Dataset:
    """Frames between two times, ends included, and every n-th of those.

    Raises
    ------
    ValueError
        When no frame is left, or the ends are not times as the file has them.
    """
    if "time" in select:
        times = frames["time"]
        try:
            first, last = (_time_end(end, times) for end in select["time"])
            index = times.to_index().slice_indexer(first, last)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{origin}: source.select.time does not fit its times, {_range(times)}"
            ) from error
        if not range(*index.indices(len(times))):
            raise ValueError(
                f"{origin}: source.select.time leaves no frame; it has {_range(times)}"
            )
        frames = frames.isel(time=index)
    return frames.isel(time=slice(None, None, every)) if every > 1 else frames


def _lead_time(wanted: Bound, times: xr.DataArray, origin: str) -> np.timedelta64:
    """A number in the unit of the file, or a text with its unit, as "6h"."""
    unit = times.encoding.get("units", "hours")
    try:
        number = pd.to_numeric(wanted, errors="coerce")
        lead = pd.Timedelta(wanted) if np.isnan(number) else pd.Timedelta(number, unit)
    except ValueError:
        raise ValueError(f"{origin}: {wanted!r} is no time: give {unit}, or as '6h'") from None
    return lead.to_timedelta64()


def _same(entry: Any, wanted: Any) -> bool:
    if isinstance(wanted, np.timedelta64):
        return bool(entry == wanted)
    try:
        return abs(float(entry) - float(wanted)) <= _ENTRY_TOLERANCE * abs(float(wanted))
    except (TypeError, ValueError):
        return str(entry) == str(wanted)


def _number(end: Bound, dim: str, origin: str) -> float:
    try:
        return float(end)
    except ValueError:
        raise ValueError(f"{origin}: source.select.{dim}: {end!r} is no number") from None


def _as_slice(index: np.ndarray) -> np.ndarray | slice:
    """A slice where an index has no gap: files are read in one piece then."""
    if (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


def _time_end(end: Bound, times: xr.DataArray) -> Any:
    if times.dtype.kind in "iuf":
        return float(end)
    if times.dtype.kind == "m":
        return _lead_time(end, times, "source.select.time")
    # A year, or a date as 20000131, which YAML reads as numbers.
    return f"{end:.15g}" if isinstance(end, float) else end


def _range(times: xr.DataArray) -> str:
    return f"{times.values[0]} to {times.values[-1]}" if times.size else "none"
