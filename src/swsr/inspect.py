"""What is in files, as comments, and a config that reads them, as YAML."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import xarray as xr
import yaml

from swsr.components import is_vorticity
from swsr.frame_checks import check_frames
from swsr.schema import DIMS
from swsr.settings import SPREAD, Format, Reading
from swsr.sources import describe
from swsr.sources.files import fits, format_of, open_files, unchosen_dims
from swsr.sources.formats import TITLES, open_one

_SCALE = 2
"""Of the embedded config: points of lat and lon that it does not divide are left out."""


@dataclass(frozen=True)
class _Found:
    """One variable that can be read, and how; `others` can be read beside it."""

    reading: Reading
    frames: xr.Dataset
    notes: dict[str, str]
    others: list[str]


def inspect(files: Sequence[Path], format: Format | None) -> str:
    """Lines to print: they are a config as they stand.

    Parameters
    ----------
    files
        A file, or several: of one series where they follow each other in time.
    format
        Of the files, or None to tell it by their content.

    Raises
    ------
    ValueError
        When no variable of the files can be read as frames, with the reason for the first.
    """
    if format not in {None, *TITLES}:
        raise ValueError(f"--format {format}: not one of {', '.join(TITLES)}")
    paths = list(files)
    plain = Reading.plain(("",)).model_copy(update={"format": format})
    found = format_of(paths, plain)
    raw = open_one(paths[0], found)
    series, use, reason = _one_or_several(paths, raw, plain)
    entries = _entries(paths, joined=series is paths)
    train, test = _split_samples(entries, raw.sizes.get("sample", 1))
    lines = [
        f"# {describe.title(series, use.reading)}",
        *(f"#   {line}" for line in _variables(raw)),
        *reason,
        f"# {use.reading.variables[0]}: {describe.series(use.frames)}",
        f"# {describe.grid(use.frames)}",
        f"# {describe.edges(use.frames, use.reading)}",
        yaml.safe_dump({"study": _study(train[0])}).strip(),
        *_section(use, train, test),
    ]
    return "\n".join(lines)


def _one_or_several(
    paths: list[Path], raw: xr.Dataset, plain: Reading
) -> tuple[list[Path], _Found, list[str]]:
    """The files that make one series: all, or, for a reason to print, only the first."""
    reason = []
    if len(paths) > 1:
        try:
            return paths, _first_readable(paths, raw, plain), []
        except ValueError as error:
            for path in paths:  # or because one cannot be read at all
                _first_readable([path], open_one(path, format_of([path], plain)), plain)
            reason = [f"# {len(paths)} series, because they are not one: {error}"]
    return paths[:1], _first_readable(paths[:1], raw, plain), reason


def _variables(raw: xr.Dataset) -> Iterator[str]:
    for name, variable in raw.data_vars.items():
        sizes = ", ".join(f"{dim} {size}" for dim, size in variable.sizes.items())
        units = variable.attrs.get("units", "no units")
        title = variable.attrs.get("long_name") or variable.attrs.get("standard_name")
        line = f"{name} ({sizes}): {units}" + (f", {title}" if title else "")
        yield " ".join(line.split())  # a line break would end the comment


def _first_readable(paths: list[Path], raw: xr.Dataset, plain: Reading) -> _Found:
    """The first variable that gives frames: vorticity before others, spreads of ensembles last."""
    numbers = [str(name) for name in raw.data_vars if raw[name].dtype.kind in "iuf"]
    first_error = None

    def place(name: str) -> tuple[bool, bool, int]:
        return _is_spread(name, raw), not is_vorticity(raw[name]), -raw[name].ndim

    for name in sorted(numbers, key=place):
        try:
            return _read(paths, raw, plain.model_copy(update={"variables": (name,)}))
        except ValueError as error:
            first_error = first_error or error
    raise first_error or ValueError(f"{paths[0]}: holds no variable of numbers")


def _read(paths: list[Path], raw: xr.Dataset, plain: Reading) -> _Found:
    variable = raw[plain.variables[0]]
    dims: dict[str, str] = {}
    if "step" in variable.dims and "time" not in variable.dims:
        dims["time"] = "step"
    sample = 0 if variable.sizes.get("sample", 1) > 1 else None
    reading = plain.model_copy(update={"dims": dims})
    extra = unchosen_dims(raw, reading, sample, str(paths[0]))
    entries = {dim: raw[dim].values.tolist() for dim in extra}
    notes = [f"of {dim} {', '.join(map(str, values))}" for dim, values in entries.items()]
    select: dict[str, Any] = {dim: values[0] for dim, values in entries.items()}
    reading = reading.model_copy(update={"select": select})
    frames = open_files(paths, reading, sample)
    cuts = _even(frames)
    if cuts:
        notes.append(f"a row less of {' and '.join(cuts)}, so that scale 2 divides")
        reading = reading.model_copy(update={"select": select | cuts})
        frames = open_files(paths, reading, sample)
    check_frames(frames, str(paths[0]))
    others = _others(raw, reading, sample, str(paths[0]))
    return _Found(reading, frames, {"select": "; ".join(notes)} if notes else {}, others)


def _is_spread(name: str, raw: xr.Dataset) -> bool:
    of = name.removesuffix(SPREAD)
    return of != name and of in raw


def _others(raw: xr.Dataset, reading: Reading, sample: int | None, origin: str) -> list[str]:
    """Further fields on the points of the variable, with time or without, but for spreads."""
    [variable] = reading.variables
    return [
        name
        for name in map(str, raw.data_vars)
        if name != variable
        and not _is_spread(name, raw)
        and set(raw[name].dims) <= set(raw[variable].dims)
        and fits(raw, reading.model_copy(update={"predictors": (name,)}), sample, origin)
    ]


def _even(frames: xr.Dataset) -> dict[str, tuple[float, float]]:
    """Regions that leave out a row where the scale does not divide their number."""
    cuts = {}
    for dim in DIMS[1:]:
        size = frames.sizes[dim]
        kept = size - size % _SCALE
        if size != kept and kept:
            values = frames[dim].values
            # Half a step of room: files and people round coordinates differently.
            room = abs(float(values[1] - values[0])) / 2
            cuts[dim] = (float(values[size - kept]) - room, float(values[-1]) + room)
    return cuts


def _entries(paths: list[Path], *, joined: bool) -> list[str]:
    """What `source.train` says for the files: a glob for those of one series."""
    names = [path.name for path in paths]
    folder = paths[0].parent
    if joined and len(names) > 1 and {path.parent for path in paths} == {folder}:
        last = _common_start([name[::-1] for name in names])[::-1]
        pattern = f"{_common_start(names).rstrip('0123456789')}*{last.lstrip('0123456789')}"
        if set(folder.glob(pattern)) == set(paths):
            return [str(folder / pattern)]
    return [str(path) for path in paths]


def _common_start(names: list[str]) -> str:
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in same)


def _study(entry: str) -> str:
    """A name for the study after its files: without what numbers them, and as settings allow it."""
    stem = Path(entry.partition("#")[0]).stem.rstrip("0123456789")
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_.-")
    return name or "mine"


def _split_samples(entries: list[str], samples: int) -> tuple[list[str], list[str]]:
    """Entries of training and test; of several samples the last one tests."""
    if samples == 1:
        return entries, []
    train = "#0" if samples == 2 else f"#0:{samples - 1}"
    return [f"{entry}{train}" for entry in entries], [f"{e}#{samples - 1}" for e in entries]


def _section(use: _Found, train: list[str], test: list[str]) -> Iterator[str]:
    given = use.reading.model_dump(mode="json")
    values: dict[str, Any] = {"variables": list(use.reading.variables), "train": train}
    values |= {"test": test, "format": given["format"]}
    values |= {"dims": given["dims"], "select": given["select"]}
    notes = use.notes if test else {"test": "the later frames of the training series", **use.notes}
    if len(train) > 1 and "#" not in train[0]:
        notes = {"train": "a series each: give a pattern for files that join in time", **notes}
    yield "source:"
    yield "  kind: files"
    for key, value in values.items():
        if value or key == "test":
            text = yaml.safe_dump({key: value}, default_flow_style=None, width=1000).strip()
            note = f" # {notes[key]}" if key in notes else ""
            yield from (f"  {line}" for line in (text + note).splitlines())
        if key == "variables" and use.others:
            named = yaml.safe_dump(use.others, default_flow_style=True, width=1000).strip()
            yield f"  # predictors: {named} # some of these, to be read beside it"
