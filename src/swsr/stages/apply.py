"""Super-resolve frames that have no truth with trained networks: NetCDF or Zarr, CF conventions."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from swsr.checkpoint import Card, file_digest
from swsr.frame_checks import check_finite_frames, check_times
from swsr.geometry import Geometry
from swsr.inference_stage import Chain, Trained, check_variables, super_resolve
from swsr.provenance import attributes, file_states
from swsr.regridding import refine_coordinate
from swsr.run import Run
from swsr.schema import Spacing
from swsr.settings import (
    ApplyStage,
    matching_files,
    read_stage_settings,
    split_entry,
    without_password,
)
from swsr.sources.files import open_files
from swsr.zarr_io import (
    Layout,
    is_manifest,
    is_netcdf_of_swsr,
    is_store_of_swsr,
    store_path,
    write_netcdf,
)

_CHUNK_FRAMES = 8
"""Frames of the result that are computed and written together, where no settings say so."""

_FAR = 1.1
"""Ratio of spacings beyond which frames are called unlike those of the training."""

_SMALL_SHARE = 0.05
"""Share of the trained range below which values hint at other units."""

_SUFFIXES = (".zarr", ".nc")


def apply(
    network: Path,
    coarse: Path,
    output: Path,
    run: Run,
    settings: Path | None = None,
    then: Path | None = None,
    *,
    consistent: bool = False,
) -> None:
    """Write the frames of `coarse` on the network's fine grid.

    Parameters
    ----------
    network
        A trained 2D network, or a joint one, which gives no result for the first two and the last
        two frames.
    coarse
        A file or a folder of frames, or a pattern of files that follow on each other in time, in
        any format that `extract` reads. In a plane, edges go on as those of the training do unless
        settings say otherwise.
    output
        `.zarr`, with a manifest `.json` beside it, or `.nc`.
    settings
        File of an `ApplyStage`; None reads the variables of the network, found by their names.
    then
        A 3D network trained on results of the 2D network, to sharpen them: without a result for
        the first two and the last two frames.
    consistent
        Whether to change the result as little as possible so that its low-resolution copies, by the
        bicubic filter of the training, are the coarse frames.

    Raises
    ------
    ValueError
        When the frames are not what the network was trained on: other variables, units, or a grid
        in other units, or not finite; when times are not even and a network packs frames; when
        `output` is something else. What is only unlike it, range and spacing, is warned of.
    """
    sharpening = (Trained.load(then, "3d"),) if then else ()
    chain = Chain((Trained.load(network, "2d", "joint"), *sharpening), consistent)
    card = chain.first.card
    choices = (
        read_stage_settings(settings, ApplyStage)
        if settings
        else ApplyStage.plain(card.variables, chunk_frames=_CHUNK_FRAMES, shard_frames=None)
    )
    _, sample = split_entry(str(coarse))
    files = [Path(file) for file in matching_files(str(coarse))]
    if not files:
        raise ValueError(f"{without_password(str(coarse))}: no such file")
    manifest = _manifest(output, files)
    frames = open_files(files, choices, sample, may_lack=True)
    _check_frames(frames, chain, str(coarse))
    _check_spacing(frames, chain, str(coarse), run)
    frames = _geometry_as_trained(frames, choices.periodic, card, str(coarse), run).mark(frames)
    for sentence in run.communicator.on_first(lambda: _range_warnings(frames, card)):
        run.warn(f"{coarse}: {sentence}")
    grid = _fine_grid(frames, card.scale, str(coarse))
    notes = attributes("apply", choices, {str(t.path): file_digest(t.path) for t in chain.networks})
    notes["history"] = f"super-resolved from {coarse} by swsr"
    layout = Layout(choices.chunk_frames, choices.shard_frames)
    checked = check_finite_frames(frames, str(coarse), choices.chunk_frames)
    origin = [file_states(files), consistent]
    super_resolve(checked, chain, grid, manifest, layout, notes, run, origin)
    if output.suffix == ".nc":
        run.communicator.on_first(lambda: _to_netcdf(manifest, output))


def _check_frames(frames: xr.Dataset, chain: Chain, origin: str) -> None:
    """Refuse other variables, and too few frames for a result."""
    first = chain.first
    for trained in chain.networks:
        check_variables(frames, trained, origin)
        if trained.card.variables != first.card.variables:
            raise ValueError(
                f"{trained.path}: takes {list(trained.card.variables)} in this order, but "
                f"{first.path} gives {list(first.card.variables)}"
            )
    least = 1 + 2 * chain.margin
    if frames.sizes["time"] < least:
        raise ValueError(
            f"{origin}: {frames.sizes['time']} frames, but {chain.networks[-1].path} makes one of "
            f"{least}: give more, or use a 2D network alone"
        )
    if chain.margin:
        check_times(frames, origin)


def _geometry_as_trained(
    frames: xr.Dataset, periodic: Sequence[str] | None, card: Card, origin: str, run: Run
) -> Geometry:
    """What lies beyond edges, and what changes its sign there: in doubt as in the training."""
    if periodic is None and card.edges is not None and card.spacing["units"] != "degrees":
        edges = zip(("lat", "lon"), card.edges, strict=True)
        periodic = [dim for dim, edge in edges if edge == "periodic"]
    found = Geometry.detect(frames, periodic)
    if card.vectors is None or found.vectors == card.vectors:
        return found
    trained = [name for name, one in zip(card.variables, card.vectors, strict=True) if one]
    run.warn(
        f"{origin}: its attributes name other components of vectors than those of the training, "
        f"which are taken: {', '.join(trained) or 'none'}"
    )
    return replace(found, vectors=card.vectors)


def _fine_grid(frames: xr.Dataset, scale: int, origin: str) -> dict[str, np.ndarray]:
    grid = {dim: refine_coordinate(frames[dim].values, scale) for dim in ("lat", "lon")}
    if Spacing.of(frames).units == "degrees" and np.abs(grid["lat"]).max() > 90:
        raise ValueError(
            f"{origin}: has points on the poles, beyond which those of a finer grid would lie: cut "
            "these rows first, or interpolate to latitudes between them"
        )
    return grid


def _manifest(output: Path, files: list[Path]) -> Path:
    """Where the manifest of the result's store lies; a NetCDF file has one for a while."""
    if output.suffix not in _SUFFIXES:
        raise ValueError(f"{output}: give a name that ends with .zarr or .nc")
    if output.resolve() in [file.resolve() for file in files]:
        raise ValueError(f"{output}: is what is to be super-resolved: give another name")
    if output.suffix == ".nc":
        if output.exists() and not is_netcdf_of_swsr(output):
            raise ValueError(f"{output}: exists, and is not a result of swsr: move it")
        return output.with_name(f".{output.stem}.json")
    manifest = output.with_suffix(".json")
    for path, ours in ((output, is_store_of_swsr), (manifest, is_manifest)):
        if path.exists() and not ours(path):
            raise ValueError(f"{path}: exists, and is not a result of swsr: move it")
    return manifest


def _to_netcdf(manifest: Path, output: Path) -> None:
    write_netcdf(manifest, output)
    shutil.rmtree(store_path(manifest))
    manifest.unlink()


def _check_spacing(frames: xr.Dataset, chain: Chain, origin: str, run: Run) -> None:
    """Refuse a grid in other units; warn of other distances of points and of frames."""
    given, trained = Spacing.of(frames), Spacing(**chain.first.card.spacing)
    if given.units != trained.units:
        raise ValueError(
            f"{origin}: its grid is in {given.units!r}, but {chain.first.path} was trained on one "
            f"in {trained.units!r}"
        )
    differences = [
        f"{name} {ours:.4g} {unit}, trained at {theirs:.4g}"
        for name, unit, ours, theirs in (
            ("lat every", given.units, given.lat, trained.lat),
            ("lon every", given.units, given.lon, trained.lon),
            ("frames every", "seconds", given.seconds, trained.seconds),
        )
        if ours and theirs and not 1 / _FAR < ours / theirs < _FAR
        if name != "frames every" or chain.margin  # 2D alone knows no time
    ]
    if differences:
        run.warn(f"{origin}: unlike the training: {'; '.join(differences)}: see how it does")


def _range_warnings(frames: xr.Dataset, card: Card) -> list[str]:
    """A sentence on each variable whose values leave the range that the network has seen."""
    warnings = []
    limits = zip(card.variables, card.scaling_minimum, card.scaling_maximum, strict=True)
    for name, low, high in limits:
        values = frames[name]
        outside = ((values < low) | (values > high)).mean()
        least, most, share = (
            float(each)
            for each in xr.Dataset({"a": values.min(), "b": values.max(), "c": outside})
            .compute()
            .values()
        )
        if share > 0:
            warnings.append(
                f"{name} reaches from {least:.4g} to {most:.4g}, but the network was trained "
                f"from {low:.4g} to {high:.4g}: {share:.2%} of the values lie outside, where its "
                "result is a guess"
            )
        elif most - least < _SMALL_SHARE * (high - low):
            warnings.append(
                f"{name} reaches only from {least:.4g} to {most:.4g}, of {low:.4g} to {high:.4g} "
                "in the training: are the units the same?"
            )
    return warnings
