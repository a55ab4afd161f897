"""Extract the chosen fields of a source to a Zarr store of canonical, checked frames."""

from pathlib import Path

from swsr.frame_checks import check_finite_frames, check_frames
from swsr.geometry import Geometry
from swsr.provenance import attributes, files_identity
from swsr.run import Run
from swsr.settings import ExtractStage, read_stage_settings
from swsr.sources.describe import describe
from swsr.sources.files import open_files, read_to_the_end
from swsr.zarr_io import Layout, mark_predictors, write_frames


def extract(
    settings: Path, files: list[Path], output: Path, run: Run, sample: int | None = None
) -> None:
    """Write one series, from one or more files, to the store of manifest `output`.

    `sample` is the number of the trajectory where the files hold several.

    Raises
    ------
    ValueError
        When a file cannot be used: see `sources.files.open_files`, `frame_checks.check_frames` and
        `frame_checks.check_finite_frames`.
    """
    choices = read_stage_settings(settings, ExtractStage)
    frames = open_files(files, choices, sample)
    found = describe(files, choices, frames)
    frames.attrs = {name: kept for name, kept in frames.attrs.items() if not _is_ours(name)}
    frames = mark_predictors(frames, choices.predictors)
    frames = Geometry.detect(frames, choices.periodic).mark(frames)
    origin = files[0].name
    check_frames(frames, origin)
    checked = check_finite_frames(frames, origin, choices.chunk_frames)
    # To take part of a chunk of the files is to read all of it.
    at_once = max(frames.chunksizes["time"])
    layout = Layout(choices.chunk_frames, choices.shard_frames)
    notes = attributes("extract", choices, {})
    with read_to_the_end(origin):
        write_frames(
            checked,
            output,
            layout,
            notes,
            run.communicator,
            origin=files_identity(files, sample),
            at_once=at_once,
        )
    run.say(found)


def _is_ours(attribute: object) -> bool:
    """Whether a stage wrote it: a result that is extracted anew begins as frames of any file do."""
    return str(attribute).startswith("swsr")
