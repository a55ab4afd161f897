"""Where frames come from: the sections `source` and `apply`, and the files that they name."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from glob import glob
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from swsr.settings.base import Strict

Role: TypeAlias = Literal["train", "test"]

Format: TypeAlias = Literal[
    "netcdf", "zarr", "grib", "the_well", "pdebench", "dedalus", "video", "images"
]

Bound: TypeAlias = Annotated[
    float | str, BeforeValidator(lambda v: v.isoformat() if isinstance(v, date) else v)
]
"""One end of what is selected: a number in the unit of the dim, or a date, which YAML reads so."""

RANGES = ("time", "lat", "lon")
"""Dims that `source.select` takes a range of, and one entry of any other."""


class Reading(Strict):
    """How frames are read, whichever files they come from.

    Networks read `variables` and `predictors`, and give `variables`.
    """

    variables: tuple[str, ...] = Field(min_length=1)
    # Written only where there are some: settings of results that had none stay as they were.
    predictors: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    format: Format | None
    dims: dict[Literal["time", "lat", "lon", "sample"], str]
    select: dict[str, tuple[Bound, Bound] | Bound]
    every: PositiveInt
    units: dict[str, str]
    periodic: tuple[Literal["lat", "lon"], ...] | None

    @classmethod
    def plain(cls, variables: tuple[str, ...], **others: Any) -> Self:
        """All of some variables, as the files have them."""
        known: dict[str, Any] = {"format": None, "dims": {}, "select": {}, "every": 1, "units": {}}
        return cls(variables=variables, periodic=None, **(known | others))

    @property
    def names(self) -> tuple[str, ...]:
        """Variables, then predictors: the channels of what networks read."""
        return self.variables + self.predictors

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        for key in ("variables", "predictors"):
            names = list(getattr(self, key))
            if len(set(names)) < len(names):
                raise ValueError(f"source.{key} names a variable twice: {names}")
        both = [name for name in self.predictors if name in self.variables]
        if both:
            raise ValueError(
                f"source.predictors names {both[0]!r}, which source.variables names too: networks "
                "read those anyway"
            )
        strange = sorted(set(self.units) - set(self.names))
        if strange:
            raise ValueError(
                f"source.units names {strange[0]!r}, which neither source.variables nor "
                "source.predictors does"
            )
        for dim, chosen in self.select.items():
            if isinstance(chosen, tuple) != (dim in RANGES):
                wanted = "[first, last]" if dim in RANGES else "one value"
                raise ValueError(f"source.select.{dim} is {_shown(chosen)}: give {wanted}")
        return self


class Coarse(Strict):
    """Runs at low resolution beside those of the source, one for each, in the same order."""

    train: tuple[str, ...]
    test: tuple[str, ...]


class Source(Reading):
    """Where frames come from."""

    kind: Literal["simulation", "files"]
    train: tuple[int | str, ...] = Field(min_length=1)
    test: tuple[int | str, ...]
    coarse: Coarse | None

    @model_validator(mode="after")
    def _entries_fit_kind(self) -> Self:
        wanted = int if self.kind == "simulation" else str
        noun = "seeds (whole numbers)" if wanted is int else "paths of files"
        for role in ("train", "test"):
            for entry in getattr(self, role):
                if not isinstance(entry, wanted):
                    raise ValueError(
                        f"source.{role} must list {noun} when source.kind is {self.kind}, "
                        f"not {without_password(repr(entry))} (write `{role}: []` for none)"
                    )
                refuse_url(f"source.{role}", entry)
        entries = [entry for role in ("train", "test") for entry in self._expanded(role)]
        twice = sorted({str(entry) for entry in entries if entries.count(entry) > 1})
        if twice:
            raise ValueError(f"source.train and source.test name {twice[0]} more than once")
        if any(isinstance(entry, int) and entry < 0 for entry in entries):
            raise ValueError("source.train and source.test: seeds are 0 or more")
        return self

    @model_validator(mode="after")
    def _coarse_runs_are_pairs(self) -> Self:
        if self.coarse is None:
            return self
        if self.kind == "simulation":
            raise ValueError(
                "source.coarse names files, but source.kind is simulation: give files of both "
                "(`python -m swsr simulate` makes some), or leave it null"
            )
        for role in ("train", "test"):
            for entry in getattr(self.coarse, role):
                refuse_url(f"source.coarse.{role}", entry)
            given, wanted = len(self.coarse_runs(role)), len(self._expanded(role))
            if given != wanted:
                raise ValueError(
                    f"source.coarse.{role} names {given} runs, but source.{role} {wanted}: give "
                    "one for each, in the same order"
                )
        return self

    def coarse_runs(self, role: Role) -> dict[str, str]:
        """As `series`, of the runs at low resolution; empty where copies are made."""
        entries = getattr(self.coarse, role) if self.coarse else ()
        runs = [str(one) for entry in entries for one in _samples(entry)]
        return {f"{role}_{index}": run for index, run in enumerate(runs)}

    def series(self, role: Role) -> dict[str, int | str]:
        """Names of the series of one role, in order, and the seed or path that each comes from.

        An entry such as `file.h5#0:3` stands for three: `file.h5#0`, `file.h5#1` and `file.h5#2`.
        """
        entries = self._expanded(role)
        if self.kind == "simulation":
            return {f"seed_{entry}": entry for entry in entries}
        return {f"{role}_{index}": entry for index, entry in enumerate(entries)}

    def _expanded(self, role: str) -> list[int | str]:
        return [one for entry in getattr(self, role) for one in _samples(entry)]


class Apply(Strict):
    """Coarse runs without truth, for `snakemake apply`."""

    files: tuple[str, ...]
    method: Literal["network_2d", "network_3d_processed", "joint"]
    consistent: bool
    ensemble: bool
    format: Literal["zarr", "netcdf"]

    @model_validator(mode="before")
    @classmethod
    def _network_3d_is_a_method_now(cls, given: Any) -> Any:
        if isinstance(given, dict) and "network_3d" in given:
            method = "network_3d_processed" if given["network_3d"] else "network_2d"
            raise ValueError(f"apply.network_3d has become apply.method: write method: {method}")
        return given

    @model_validator(mode="after")
    def _files_are_no_urls(self) -> Self:
        for entry in self.files:
            refuse_url("apply.files", entry)
        return self

    def series(self) -> dict[str, str]:
        """Name of each result, after its file, and the path or pattern that it comes from.

        Raises
        ------
        ValueError
            When two have the same name.
        """
        named: dict[str, str] = {}
        entries = [str(one) for entry in self.files for one in _samples(entry)]
        samples = Counter(split_entry(entry)[0] for entry in entries)
        for entry in entries:
            file, sample = split_entry(entry)
            path = Path(file)
            names = (
                re.sub(r"[^A-Za-z0-9_-]+", "_", part).strip("_")
                for part in (path.stem, path.parent.name)
            )
            name = next(filter(None, names), None)
            if not name:
                raise ValueError(f"apply.files: {entry} gives no name to its result: rename it")
            if samples[file] > 1 and sample is not None:
                name = f"{name}_{sample}"
            if name in named:
                raise ValueError(f"apply.files: {named[name]} and {entry} are both named {name}")
            named[name] = entry
        return named


def split_entry(entry: str) -> tuple[str, int | None]:
    """Path and number of the sample of an entry such as `file.h5#3`; None where it names none."""
    path, _, sample = entry.rpartition("#")
    return (path, int(sample)) if path and sample.isdecimal() else (entry, None)


def matching_files(entry: str) -> list[str]:
    """Files that a path, or a pattern of paths, stands for, in order; none where there are none."""
    try:
        path = Path(split_entry(entry)[0]).expanduser()
    except RuntimeError:  # ~ and a name that nobody has
        return []
    if path.exists():
        return [str(path)]
    return sorted(glob(str(path)), key=by_numbers)  # noqa: PTH207


def by_numbers(path: str | Path) -> list[tuple[int, str]]:
    """What orders files by the numbers in their names and folders: run_2 comes before run_10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def without_password(text: str) -> str:
    """The same without what follows the scheme of a URL up to @, and without its query."""
    hidden = re.sub(r"(\w+:/{1,2})[^\s/]*@", r"\1***@", text)
    return re.sub(r"(\w+:/{1,2}[^\s?]*)\?[^\s']*", r"\1?***", hidden)


def refuse_url(key: str, entry: int | str) -> None:
    """Raise a ValueError that names `key` where its entry is a URL, without a password in it."""
    if "://" in str(entry):
        raise ValueError(
            f"{key}: {without_password(str(entry))} is a URL: download it and give the path of "
            "the file"
        )


def _samples(entry: int | str) -> Iterator[int | str]:
    found = re.fullmatch(r"(.+)#(\d+):(\d+)", str(entry))
    if not found:
        yield entry
        return
    first, last = int(found[2]), int(found[3])
    if first >= last:
        raise ValueError(f"{entry} names no sample: write #first:end, as in #0:3")
    for sample in range(first, last):
        yield f"{found[1]}#{sample}"


def _shown(chosen: object) -> str:
    ends = chosen if isinstance(chosen, tuple) else (chosen,)
    text = ", ".join(map(str, ends))
    return f"[{text}]" if isinstance(chosen, tuple) else text
