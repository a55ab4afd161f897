"""Everything about the files of a study that can be known before anything runs.

Only metadata are read. What is found is kept in a small file, so that the workflow, which asks at
every start, opens the files again only when they or the settings changed.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import xarray as xr

from swsr.atomic import write_text
from swsr.components import is_component, units_of
from swsr.experiments import trained_sections
from swsr.frame_checks import check_divisible, check_frames
from swsr.geometry import Geometry
from swsr.grids import Grid
from swsr.provenance import file_states
from swsr.schema import Spacing
from swsr.settings import DownscaleStage, Settings, split_entry
from swsr.sources.describe import describe
from swsr.sources.files import open_files

_ALIKE = 0.01
"""Of a time step, by which those of two series may differ."""


def check_files(
    settings: Settings,
    files: Mapping[str, list[Path]],
    coarse: Mapping[str, list[Path]],
    found: Path,
) -> None:
    """Check that the files of all series can be extracted, downscaled, split and trained on.

    Parameters
    ----------
    settings
        With `source.kind` files.
    files
        Name of each series -> its files, in order.
    coarse
        Likewise of the coarse runs beside them, if there are such.
    found
        JSON file that gets what was found in each series: frames, grid, variables and units.

    Raises
    ------
    ValueError
        As the stages would raise it, with the file.
    """
    asked = _digest(settings, files, coarse)
    if _answered(found) == asked:
        return
    series = {}
    for name, paths in files.items():
        sample = settings.sample(name)
        with open_files(paths, settings.source, sample) as frames:
            _check_series(settings, name, frames, str(paths[0]))
            if name in coarse:
                _check_coarse_run(settings, name, frames, coarse[name])
            series[name] = _describe(frames, Geometry.detect(frames, settings.source.periodic))
            series[name]["found"] = describe(paths, settings.source, frames)
    _check_alike(series, files)
    _check_edges({name: series[name] for name in settings.series("train")}, files)
    if {"train_3d", "train_joint"} & set(trained_sections(settings)):
        _check_steps(series, files)
    with suppress(OSError):  # to be asked again; stages say why they cannot write
        write_text(found, json.dumps({"asked": asked, "series": series}, indent=2) + "\n")


def _check_series(settings: Settings, name: str, frames: xr.Dataset, origin: str) -> None:
    check_frames(frames, origin)
    geometry = Geometry.detect(frames, settings.source.periodic)
    check_divisible(frames, settings.downscale.scale, geometry, origin)
    if "spectral" in settings.methods:
        _check_waves(geometry.mark(frames), origin)
    if name not in settings.series("train"):
        return
    settings.effective_split.ranges(frames.sizes["time"])
    trained = trained_sections(settings)
    settings.check_patches(trained, min(frames.sizes["lat"], frames.sizes["lon"]), origin)
    if geometry.lat == "pole":
        settings.check_latitudes(trained, frames.sizes["lat"], origin)


def _check_coarse_run(settings: Settings, name: str, fine: xr.Dataset, paths: list[Path]) -> None:
    from swsr.coarse_runs import low_frames  # only here: scipy takes its time

    choices = settings.for_stage("downscale")
    assert isinstance(choices, DownscaleStage) and choices.coarse is not None
    _, sample = split_entry(str(settings.coarse_run(name)))
    marked = Geometry.detect(fine, settings.source.periodic).mark(fine)
    with open_files(paths, choices.coarse, sample, may_lack=True) as frames:
        origin, said = str(paths[0]), list[str]()  # what is warned of stands in the stage's log
        low_frames(frames, marked, choices.scale, choices.coarse.periodic, origin, said.append)


def _check_waves(marked: xr.Dataset, origin: str) -> None:
    from swsr.resampling.spectral_interpolation import check_grid  # only here: scipy takes its time

    try:
        check_grid(Grid.of(marked))
    except ValueError as error:
        raise ValueError(f"{origin}: {error}") from None


def _check_alike(series: dict[str, dict[str, Any]], files: Mapping[str, list[Path]]) -> None:
    first, *others = series
    for name in others:
        for what in ("lat", "lon", "units", "components of vectors"):
            ours, theirs = series[name][what], series[first][what]
            if ours != theirs:
                raise ValueError(
                    f"{files[name][0]}: its {what} {ours} are not those of {files[first][0]}, "
                    f"{theirs}: all series of a study must be alike"
                )


def _check_edges(training: dict[str, dict[str, Any]], files: Mapping[str, list[Path]]) -> None:
    """A network learns what lies beyond edges; it may be tested where something else does."""
    first, *others = training
    for name in others:
        ours, theirs = training[name]["edges"], training[first]["edges"]
        if ours != theirs:
            raise ValueError(
                f"{files[name][0]}: its edges {ours} are not those of {files[first][0]}, {theirs}: "
                "leave one of them out of source.train, or set source.periodic for both"
            )


def _check_steps(series: dict[str, dict[str, Any]], files: Mapping[str, list[Path]]) -> None:
    first, *others = series
    for name in others:
        ours, theirs = series[name]["seconds"], series[first]["seconds"]
        if ours and theirs and abs(ours - theirs) > _ALIKE * theirs:
            raise ValueError(
                f"{files[name][0]}: a frame every {ours:g} seconds, but every {theirs:g} in "
                f"{files[first][0]}: a network of five frames in a row needs one time step; use "
                "source.every, or methods and apply.method of 2D alone"
            )


def _describe(frames: xr.Dataset, geometry: Geometry) -> dict[str, Any]:
    return {
        "frames": frames.sizes["time"],
        "lat": frames.sizes["lat"],
        "lon": frames.sizes["lon"],
        "edges": {"lat": geometry.lat, "lon": geometry.lon},
        "units": units_of(frames),
        "components of vectors": [
            str(name) for name, variable in frames.data_vars.items() if is_component(variable)
        ],
        "seconds": Spacing.of(frames).seconds,
    }


def _digest(settings: Settings, *files: Mapping[str, list[Path]]) -> str:
    states = [{name: file_states(paths) for name, paths in of.items()} for of in files]
    text = json.dumps([settings.to_json(), states], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _answered(found: Path) -> str | None:
    try:
        return str(json.loads(found.read_text())["asked"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
