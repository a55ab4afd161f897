"""The series that a training reads, and their range."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from swsr.components import is_component, mirror_signs, units_of
from swsr.geometry import Geometry
from swsr.provenance import coarse_run_of, compression_of, filter_of
from swsr.run import Run
from swsr.scaling import Scaling
from swsr.schema import Spacing
from swsr.settings import Filter, Set, Split
from swsr.zarr_io import PREDICTORS, Cache, StoredFrames, chunk_frames, open_frames


@dataclass(frozen=True)
class Series:
    """Frames of the training series, in physical units, read when needed.

    `units`, `geometry` and `mirror_signs` are of `variables` and then of `predictors`.
    `sets` has, for each set, a source per series; `chunk` is the number of frames in a chunk;
    `compression` the codec, quality and scale that the frames went through, if any, and `filter`
    what made them coarser; `coarse_run` as in a `checkpoint.Card`.
    """

    variables: tuple[str, ...]
    predictors: tuple[str, ...]
    units: tuple[str, ...]
    geometry: Geometry
    mirror_signs: tuple[tuple[int, int], ...]
    spacing: Spacing
    chunk: int
    compression: dict[str, Any] | None
    filter: Filter
    coarse_run: dict[str, list[float]] | None
    sets: dict[Set, tuple[StoredFrames, ...]]


def open_series(
    manifests: Sequence[Path], split: Split, cache: Cache, *, predictors: bool = False
) -> Series:
    """The frames of these stores that train and validate, with their predictors if asked for.

    Raises
    ------
    ValueError
        When stores differ in variables, units, grid or edges, or have too few frames.
    """
    sets: dict[Set, list[StoredFrames]] = {"train": [], "validation": []}
    first = open_frames(manifests[0], predictors=predictors)
    further = tuple(first.attrs.get(PREDICTORS, ()))
    names = tuple(map(str, first.data_vars))
    for manifest in manifests:
        dataset = open_frames(manifest, predictors=predictors)
        kinds = (
            ("variables and units", units_of),
            ("grid", _grid),
            ("edges", _edges),
            ("components of vectors", _components),
            ("filter", _filter),
            ("coarse run's steps", _steps_of_run),
        )
        for what, describe in kinds:
            ours, theirs = describe(dataset), describe(first)
            if ours != theirs:
                raise ValueError(
                    f"{manifest}: its {what} {ours} are not those of {manifests[0]}, {theirs}"
                )
        ranges = split.ranges(dataset.sizes["time"])
        for name, parts in sets.items():
            parts.append(StoredFrames(dataset, names, ranges[name], cache))
    _check_components(manifests[0], first)
    return Series(
        names[: len(names) - len(further)],
        further,
        tuple(units_of(first).values()),
        Geometry.of(first),
        tuple(mirror_signs(variable) for variable in first.data_vars.values()),
        Spacing.of(first),
        chunk_frames(first),
        _compression(first),
        filter_of(first.attrs),
        _coarse_run(first),
        {name: tuple(parts) for name, parts in sets.items()},
    )


def _check_components(manifest: Path, dataset: xr.Dataset) -> None:
    """A store keeps what was known when it was made, and results differ with it."""
    now = tuple(map(is_component, dataset.data_vars.values()))
    if now != Geometry.of(dataset).vectors:
        raise ValueError(
            f"{manifest}: an earlier version made it, which took other variables for components of "
            "vectors: run again with --forcerun extract"
        )


def _edges(dataset: xr.Dataset) -> tuple[str, str]:
    geometry = Geometry.of(dataset)
    return geometry.lat, geometry.lon


def _components(dataset: xr.Dataset) -> list[str]:
    return list(dataset.attrs["vectors"])


def _filter(dataset: xr.Dataset) -> Filter:
    return filter_of(dataset.attrs)


def _coarse_run(dataset: xr.Dataset) -> dict[str, list[float]] | None:
    steps = _steps_of_run(dataset)
    points = {dim: dataset[dim].values.tolist() for dim in ("lat", "lon")}
    return points | {"steps": steps} if steps else None


def _steps_of_run(dataset: xr.Dataset) -> list[float] | None:
    found = coarse_run_of(dataset.attrs)
    return [round(step, 6) for step in found["steps"]] if found else None


def _compression(dataset: xr.Dataset) -> dict[str, Any] | None:
    """What of it all series share."""
    found = compression_of(dataset.attrs)
    return found and {key: found[key] for key in ("codec", "quality", "scale")}


def _grid(dataset: xr.Dataset) -> tuple[int, int]:
    return dataset.sizes["lat"], dataset.sizes["lon"]


def fit_scaling(low: Series, high: Series, run: Run) -> Scaling:
    """The limits of each variable, and then of each predictor, over the training frames.

    Those of variables are of the finer frames, `high`; predictors stand in `low` alone.

    Raises
    ------
    ValueError
        When one is constant.
    """
    limits = _limits(high, high.variables, run)
    if low.predictors:
        limits = np.concatenate([limits, _limits(low, low.predictors, run)])
    return Scaling(limits[:, 0], limits[:, 1])


def _limits(series: Series, names: tuple[str, ...], run: Run) -> np.ndarray:
    """The least and the most of the last channels, which are these: (names, 2).

    Ranks share the reading.
    """
    blocks = [
        (part, first)
        for part in series.sets["train"]
        for first in range(0, part.shape[0], series.chunk)
    ]
    # Each rank fills its own rows, so that their sum is everybody's table.
    table = torch.zeros(len(blocks), 2, len(names), dtype=torch.float64)
    for index in run.communicator.share(len(blocks)):
        part, first = blocks[index]
        block = part[first : first + series.chunk][:, -len(names) :]
        for column, limit in enumerate((block.min, block.max)):
            table[index, column] = torch.from_numpy(limit(axis=(0, 2, 3)))
    limits = run.communicator.sum(table).numpy()
    lowest, highest = limits[:, 0].min(axis=0), limits[:, 1].max(axis=0)
    for name, low, most in zip(names, lowest, highest, strict=True):
        if not most > low:
            raise ValueError(
                f"{name} is {low:g} everywhere in the training frames: it cannot be scaled; leave "
                "it out of source.variables or source.predictors"
            )
    return np.stack([lowest, highest], axis=1)
