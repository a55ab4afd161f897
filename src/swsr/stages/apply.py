"""Super-resolve frames that have no truth with trained networks: NetCDF or Zarr, CF conventions."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from swsr.application import as_trained, fine_grid, load_chains, range_warnings
from swsr.checkpoint import file_digest
from swsr.frame_checks import check_finite_frames
from swsr.inference_stage import super_resolve
from swsr.provenance import attributes, files_identity
from swsr.run import Run
from swsr.schema import IN_CONFIG, IN_FILE
from swsr.settings import ApplyStage, read_stage_settings, split_entry
from swsr.sources.files import find_files, open_files, read_to_the_end
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

_SUFFIXES = (".zarr", ".nc")


def apply(
    network: Path,
    coarse: Path,
    output: Path,
    run: Run,
    settings: Path | None = None,
    others: Sequence[Path] | None = None,
    then: Sequence[Path] | None = None,
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
        File of an `ApplyStage`; None reads the variables and predictors of the network, found by
        their names.
    others
        Further networks of the same frames, from other seeds: then the result is the mean of all,
        and of each variable the spread, NAME_spread.
    then
        A 3D network trained on results of the 2D network, to sharpen them: without a result for
        the first two and the last two frames. Of several 2D networks, one for each.
    consistent
        Whether to change the result as little as possible so that its low-resolution copies, by the
        filter of the training, are the coarse frames.

    Raises
    ------
    ValueError
        When the frames are not what the network was trained on: other variables, units that cannot
        be converted to its, or a grid in other units, or not finite; when times are not even and a
        network packs frames; when `output` is something else. What is only unlike it, range and
        spacing, is warned of.
    """
    chains = load_chains([network, *(others or ())], then or (), consistent=consistent)
    card = chains[0].first.card
    choices = (
        read_stage_settings(settings, ApplyStage)
        if settings
        else ApplyStage.plain(
            card.variables, predictors=card.predictors, chunk_frames=_CHUNK_FRAMES,
            shard_frames=None,
        )
    )  # fmt: skip
    _, sample = split_entry(str(coarse))
    files = find_files(str(coarse))
    manifest = _manifest(output, files)
    advice = IN_CONFIG if settings else IN_FILE
    frames = open_files(files, choices, sample, may_lack=True, advice=advice)
    frames = as_trained(frames, chains, choices.periodic, str(coarse), run.warn)
    with read_to_the_end(str(coarse)):
        outside = run.communicator.on_first(lambda: range_warnings(frames, card))
    for sentence in outside:
        run.warn(f"{coarse}: {sentence}")
    grid = fine_grid(frames, card.scale, str(coarse))
    made_by = [
        {str(trained.path): file_digest(trained.path) for trained in chain.networks}
        for chain in chains
    ]
    inputs = {path: digest for members in made_by for path, digest in members.items()}
    notes = attributes("apply", choices, inputs)
    earlier = frames.attrs.get("history")
    notes["history"] = f"super-resolved from {coarse} by swsr" + (f"\n{earlier}" if earlier else "")
    layout = Layout(choices.chunk_frames, choices.shard_frames)
    checked = check_finite_frames(frames, str(coarse), choices.chunk_frames)
    # Which networks follow on which does not stand among the inputs.
    chained = [list(members.values()) for members in made_by]
    origin = [files_identity(files, sample), consistent, chained]
    super_resolve(checked, chains, grid, manifest, layout, notes, run, origin)
    if output.suffix == ".nc":
        run.communicator.on_first(lambda: _to_netcdf(manifest, output))


def _manifest(output: Path, files: list[Path]) -> Path:
    """Where the manifest of the result's store lies; a NetCDF file has one for a while."""
    if output.suffix not in _SUFFIXES:
        raise ValueError(f"{output}: give a name that ends with .zarr or .nc")
    if output.resolve() in [file.resolve() for file in files]:
        raise ValueError(f"{output}: is what is to be super-resolved: give another name")
    if output.suffix == ".nc":
        if output.exists() and not is_netcdf_of_swsr(output):
            raise ValueError(f"{output}: exists, and is not a result of swsr: move it")
        manifest = output.with_name(f".{output.stem}.json")
    else:
        manifest = output.with_suffix(".json")
    for path, ours in ((store_path(manifest), is_store_of_swsr), (manifest, is_manifest)):
        if path.exists() and not ours(path):
            raise ValueError(f"{path}: exists, and is not a result of swsr: move it")
    return manifest


def _to_netcdf(manifest: Path, output: Path) -> None:
    write_netcdf(manifest, output)
    shutil.rmtree(store_path(manifest))
    manifest.unlink()
