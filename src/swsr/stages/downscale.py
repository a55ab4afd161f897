"""Make low-resolution copies of frames, or take those of a coarse run, and compress them."""

import json
from pathlib import Path

import xarray as xr

from swsr.clips import Compression
from swsr.frame_checks import check_divisible, check_finite_frames
from swsr.geometry import Geometry
from swsr.provenance import COARSE_RUN, COMPRESSION, FILTER, attributes, files_identity
from swsr.resampling.coarsening import Coarsening
from swsr.resampling.regridding import map_frames, resample_coordinate
from swsr.run import Run
from swsr.schema import Spacing
from swsr.settings import DownscaleStage, read_stage_settings
from swsr.zarr_io import Layout, input_digests, open_frames, write_frames


def downscale(
    settings: Path,
    high: Path,
    output: Path,
    run: Run,
    files: list[Path] | None = None,
    sample: int | None = None,
) -> None:
    """Write frames on a grid coarser by `scale`, as a `Coarsening`, then through the codec.

    Parameters
    ----------
    files
        Of a coarse run whose frames take the place of copies; see `coarse_runs`.
    sample
        Number of its trajectory, where they hold several.

    Raises
    ------
    ValueError
        When `scale` does not divide the points of lat and lon, or leaves an odd number of
        longitudes around poles, when PyAV lacks the codec, or as `coarse_runs.low_frames`.
    """
    choices = read_stage_settings(settings, DownscaleStage)
    frames = open_frames(high, predictors=True)
    check_divisible(frames, choices.scale, Geometry.of(frames), str(high))
    notes = attributes("downscale", choices, input_digests([high])) | {FILTER: choices.filter}
    if files:
        _write_run(files, sample, frames, choices, output, notes, run)
        return
    low = _contract(frames, Coarsening.of(frames, choices.filter, choices.scale))
    found = f"{low.sizes['lat']} x {low.sizes['lon']} points from {high.stem}"
    if choices.codec is not None and choices.quality is not None:
        codec, quality, scale = choices.codec, choices.quality, choices.scale
        used = run.communicator.on_first(lambda: Compression.measure(low, codec, quality, scale))
        low, notes[COMPRESSION] = used.apply(low), used.to_json()
        found += f"; {used.describe()}"
    write_frames(low, output, Layout.of(frames), notes, run.communicator)
    run.say(found)


def _write_run(
    files: list[Path],
    sample: int | None,
    frames: xr.Dataset,
    choices: DownscaleStage,
    output: Path,
    notes: dict[str, str],
    run: Run,
) -> None:
    # Only here: to read files, and splines, takes a start a second more.
    from swsr.coarse_runs import low_frames
    from swsr.sources.files import open_files, read_to_the_end

    if choices.coarse is None:
        raise ValueError(f"{files[0]}: the settings do not say how a coarse run is read")
    layout, origin = Layout.of(frames), str(files[0])
    coarse = open_files(files, choices.coarse, sample, may_lack=True)
    checked = check_finite_frames(coarse, origin, layout.chunk_frames)
    own = Spacing.of(coarse)
    notes[COARSE_RUN] = json.dumps({"file": files[0].name, "steps": [own.lat, own.lon]})
    low = low_frames(checked, frames, choices.scale, choices.coarse.periodic, origin, run.warn)
    identity, at_once = files_identity(files, sample), max(coarse.chunksizes["time"])
    with read_to_the_end(origin):
        write_frames(low, output, layout, notes, run.communicator, identity, at_once)
    run.say(f"{low.sizes['lat']} x {low.sizes['lon']} points of {files[0]}, a coarse run")


def _contract(frames: xr.Dataset, coarsening: Coarsening) -> xr.Dataset:
    low_grid = {
        dim: resample_coordinate(frames[dim].values, frames.sizes[dim] // coarsening.scale)
        for dim in ("lat", "lon")
    }
    return map_frames(frames, low_grid, coarsening)
