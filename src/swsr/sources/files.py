"""Files of users: any format -> one series of canonical, lazy frames."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import cftime
import numpy as np
import xarray as xr

from swsr.schema import IN_CONFIG, Advice, LonOrder, extra_dims, standardise, with_time
from swsr.settings import Format, Reading, matching_files, without_password
from swsr.sources.formats import detect_format, open_one
from swsr.sources.images import open_images
from swsr.sources.selection import pick_entries, pick_region, pick_sample, pick_times
from swsr.sources.units import convert

_READ_BYTES = 16 * 2**20
"""Of a variable that are read at once: enough for any disk, little in memory."""

_NUMBER = "number of the frame"
"""What the time of frames is called that have none."""


def find_files(entry: str) -> list[Path]:
    """Files that an entry stands for, as `matching_files`.

    Raises
    ------
    ValueError
        When there is none.
    """
    files = [Path(file) for file in matching_files(entry)]
    if not files:
        raise ValueError(f"{without_password(entry)}: no such file")
    return files


@contextmanager
def read_to_the_end(origin: str) -> Iterator[None]:
    """Say which files are damaged, where their frames are read.

    Raises
    ------
    ValueError
        In place of what libraries of formats raise.
    """
    try:
        yield
    except (RuntimeError, EOFError) as error:
        raise ValueError(f"{origin}: cannot be read to its end: {error}") from error


def open_files(
    paths: list[Path],
    reading: Reading,
    sample: int | None = None,
    *,
    may_lack: bool = False,
    advice: Advice = IN_CONFIG,
) -> xr.Dataset:
    """One series from one file, or from several in order of time: canonical, lazy frames.

    Parameters
    ----------
    paths
        Files of one series, in any order.
    reading
        Variables, and how to find them: see `config.yaml`, section source.
    sample
        Which of several trajectories in each file, from 0 on.
    may_lack
        As for `pick_entries`.
    advice
        As for `standardise`.

    Raises
    ------
    ValueError
        When a file is missing or cannot be opened, does not have what `reading` asks for, or
        does not fit the others.
    """
    for path in paths:
        if not path.exists():
            raise ValueError(f"{without_password(str(path))}: no such file")
    found = reading.format or detect_format(paths[0])
    if found == "images":
        opened = {paths[0]: open_images(paths)}
    else:
        opened = {path: open_one(path, found) for path in paths}
    parts = [
        _canonical(
            _chosen(dataset, reading, sample, str(path), may_lack=may_lack, advice=advice),
            reading, str(path), may_lack=may_lack, advice=advice,
        )
        for path, dataset in opened.items()
    ]  # fmt: skip
    frames = _join(parts, paths)
    if "time" not in frames.coords:
        number = ("time", np.arange(frames.sizes["time"]), {"long_name": _NUMBER})
        frames = frames.assign_coords(time=number)
    frames = pick_times(frames, reading.select, reading.every, str(paths[0]))
    return convert(frames, reading.units, str(paths[0]))


def is_numbered(frames: xr.Dataset) -> bool:
    """Whether frames of `open_files`, or of a store of such, had no times of their own."""
    return bool(frames["time"].attrs.get("long_name") == _NUMBER)


def format_of(paths: list[Path], reading: Reading) -> Format:
    """The format that `open_files` takes the files for."""
    return reading.format or detect_format(paths[0])


def unchosen_dims(
    dataset: xr.Dataset, reading: Reading, sample: int | None, origin: str
) -> dict[str, int]:
    """Dims of which `reading` does not yet choose one entry, and their sizes.

    `dataset` is what `open_one` opened of a file; the rest is as for `open_files`, errors too.
    """
    chosen = _chosen(dataset, reading, sample, origin, may_lack=False, advice=IN_CONFIG)
    sizes = extra_dims(chosen, reading.names, _dims(reading), origin)
    return {dim: size for dim, size in sizes.items() if size > 1}


def fits(dataset: xr.Dataset, reading: Reading, sample: int | None, origin: str) -> bool:
    """Whether `open_files` would take a file; the rest is as for `unchosen_dims`."""
    try:
        chosen = _chosen(dataset, reading, sample, origin, may_lack=False, advice=IN_CONFIG)
        _canonical(chosen, reading, origin, may_lack=False, advice=IN_CONFIG)
    except ValueError:
        return False
    return True


def _dims(reading: Reading) -> dict[str, str]:
    return {str(dim): name for dim, name in reading.dims.items()}


def _chosen(
    dataset: xr.Dataset,
    reading: Reading,
    sample: int | None,
    origin: str,
    *,
    may_lack: bool,
    advice: Advice,
) -> xr.Dataset:
    """The variables, sample and entries that are wanted, under the names of the file."""
    missing = [name for name in reading.names if name not in dataset]
    if missing:
        raise ValueError(
            f"{origin}: no variable {missing[0]!r}; it holds {sorted(map(str, dataset.data_vars))}"
        )
    dims = _dims(reading)
    chosen = pick_sample(dataset[list(reading.names)], sample, dims, origin, advice)
    return with_time(pick_entries(chosen, reading.select, origin, may_lack=may_lack), dims)


def _canonical(
    chosen: xr.Dataset, reading: Reading, origin: str, *, may_lack: bool, advice: Advice
) -> xr.Dataset:
    dims = _dims(reading)
    stored = _stored_frames(chosen, dims)
    whole: LonOrder = "counted on" if may_lack else "ascending"
    lon_order = "any" if "lon" in reading.select else whole
    frames = standardise(
        chosen, reading.names, dims, origin, lon_order=lon_order, advice=advice,
        constant=reading.predictors,
    )  # fmt: skip
    return _in_chunks(pick_region(frames, reading.select, origin), stored)


def _join(parts: list[xr.Dataset], paths: list[Path]) -> xr.Dataset:
    """Parts of a series one after the other, by their first times, or as given without any."""
    if len(parts) == 1:
        return parts[0]
    for part, path in zip(parts, paths, strict=True):
        _check_fits(part, parts[0], f"{path}", paths[0].name)
    filled = [part for part in parts if part.sizes["time"]]
    if all("time" in part.coords for part in filled):
        origins = [path for part, path in zip(parts, paths, strict=True) if part.sizes["time"]]
        named = zip(of_one_calendar(filled), origins, strict=True)
        filled = _in_order(sorted(named, key=lambda pair: pair[0]["time"].values[0]))
    joined = xr.concat(
        filled or parts, "time", data_vars="minimal", coords="minimal", compat="override",
        join="override", combine_attrs="override",
    )  # fmt: skip
    if "time" in joined.coords:
        joined["time"].encoding.pop("units", None)  # days, say, where each file holds one hour
    return joined


def _in_order(named: list[tuple[xr.Dataset, Path]]) -> list[xr.Dataset]:
    """Parts, each with its file, none of which begins before the one before it ends."""
    for (part, path), (following, origin) in pairwise(named):
        last, first = part["time"].values[-1], following["time"].values[0]
        if first <= last:
            raise ValueError(
                f"{origin}: begins at {first!s:.16}, but {path.name} goes on until {last!s:.16}: "
                "give files that follow each other in time, or give them separately"
            )
    return [part for part, _ in named]


def of_one_calendar(parts: list[xr.Dataset]) -> list[xr.Dataset]:
    """Times of one type: beyond the years of nanoseconds xarray has dates of another one."""
    firsts = [part["time"].values[0] for part in parts]
    calendars = {first.calendar for first in firsts if isinstance(first, cftime.datetime)}
    if not calendars:
        return parts
    calendar = min(calendars)  # of the two that `kind_of_times` takes for one, if there are two
    return [
        part
        if getattr(first, "calendar", None) == calendar
        else part.convert_calendar(calendar, use_cftime=True)
        for part, first in zip(parts, firsts, strict=True)
    ]


def kind_of_times(part: xr.Dataset) -> str:
    """What can follow on each other: dates of one calendar, lead times, numbers, or text.

    `part` has times, one or more.
    """
    times = part["time"]
    if times.dtype.kind == "M":
        return "Gregorian dates"  # xarray has dates of other calendars as objects
    first = times.values[0]
    if isinstance(first, cftime.datetime):
        # These two are one since 1582.
        same = first.calendar in {"standard", "proleptic_gregorian"}
        return "Gregorian dates" if same else f"dates of the calendar {first.calendar}"
    if times.dtype.kind == "m":
        return "lead times"
    return "plain numbers" if times.dtype.kind in "iuf" else "text"


def _check_fits(part: xr.Dataset, first: xr.Dataset, origin: str, name: str) -> None:
    if ("time" in part.coords) != ("time" in first.coords):
        has, lacks = (origin, name) if "time" in part.coords else (name, origin)
        raise ValueError(f"{lacks}: has no times, but {has} has some: give them separately")
    if "time" in part.coords and part.sizes["time"] and first.sizes["time"]:
        kind, expected = kind_of_times(part), kind_of_times(first)
        if kind != expected:
            raise ValueError(
                f"{origin}: its times are {kind}, but {expected} in {name}: give them separately, "
                "or write times of one kind into both"
            )
    for dim in ("lat", "lon"):
        ours, theirs = part[dim].values, first[dim].values
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, atol=1e-3 * _step(theirs)):
            raise ValueError(f"{origin}: its {dim} are not those of {name}: give them separately")
    for variable in first.data_vars:
        unit, wanted = (each[variable].attrs.get("units") for each in (part, first))
        if unit != wanted:
            raise ValueError(
                f"{origin}: {variable} is in {unit!r}, but in {wanted!r} in {name}: convert one"
            )


def _step(values: np.ndarray) -> float:
    return abs(float(values[1] - values[0])) if len(values) > 1 else 1.0


def _stored_frames(dataset: xr.Dataset, dims: dict[str, str]) -> int:
    """Frames in a chunk of the file: to read fewer at once is to read them again."""
    found = dataset.cf.guess_coord_axis().cf.coordinates.get("time", [])
    names = {dims.get("time", "time"), *map(str, found)}
    chunks = [each.encoding.get("preferred_chunks", {}) for each in dataset.data_vars.values()]
    return max([1, *(int(each[name]) for each in chunks for name in names & each.keys())])


def _in_chunks(frames: xr.Dataset, stored: int) -> xr.Dataset:
    """Chunks of whole frames, several of the file's in each where those are small."""
    points = frames.sizes["lat"] * frames.sizes["lon"]
    width = max(frames[name].dtype.itemsize for name in frames.data_vars)
    most = max(1, _READ_BYTES // max(1, points * width))
    return frames.chunk({"time": max(stored, most // stored * stored), "lat": -1, "lon": -1})
