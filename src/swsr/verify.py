"""How good a result is where there is a truth: coarse frames, what was made of them, the truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from swsr.evaluation import tables
from swsr.evaluation.diagnosis import diagnose
from swsr.evaluation.figures import figures
from swsr.evaluation.gate import judge
from swsr.evaluation.scores import Figures, Pair, fill, mean_over_frames, nested, score_frames
from swsr.evaluation.spectra import make_modes
from swsr.frame_checks import check_finite_frames
from swsr.geometry import Geometry
from swsr.grids import Grid
from swsr.provenance import FILTER
from swsr.resampling import bicubic
from swsr.resampling.regridding import map_frames, resample_coordinate
from swsr.scaling import Scaling
from swsr.settings import Filter, Reading, split_entry
from swsr.sources.files import find_files, format_of, open_files
from swsr.sources.formats import open_one

_CHUNK_FRAMES = 8
_CLOSE = 0.01
"""Share of a step by which points of equal grids may differ."""


def verify(coarse: Path, fine: Path, truth: Path, filter_name: Filter = "bicubic") -> str:
    """Figures of a result and of bicubic interpolation beside the truth, as Markdown.

    Parameters
    ----------
    coarse
        What the result was made of: a file, or a pattern of files that join in time, in any format.
    fine
        The result, of swsr or of anything else, on the grid of the truth.
    truth
        Frames on a grid finer than the coarse one by a whole number.
    filter_name
        Which makes low-resolution copies of the result, to be set beside the coarse frames.

    Frames and variables are those that all three have; PSNR and SSIM are of values scaled to [0, 1]
    by the truth's range over these frames, anomalies those from its mean.

    Raises
    ------
    ValueError
        When they have no variable or no time in common, or grids do not fit; in one line.
    """
    paths = {"coarse": coarse, "fine": fine, "truth": truth}
    names = _common_variables(list(paths.values()))
    low, result, wanted = _aligned(
        {what: _open(path, names) for what, path in paths.items()}, paths
    )
    scale = _scale(low, result, wanted, paths)
    geometry = Geometry.detect(wanted)
    low, result, wanted = (geometry.mark(each) for each in (low, result, wanted))
    low = low.assign_attrs({FILTER: filter_name})
    interpolated = map_frames(
        low,
        {dim: wanted[dim].values for dim in ("lat", "lon")},
        lambda block, edges: bicubic.upscale(block, scale, edges),
    )
    found = _figures({"bicubic": interpolated, "result": result}, wanted, low, names)
    verdicts = judge(found)
    units = {name: str(wanted[name].attrs.get("units", "1")) for name in names}
    times = wanted["time"].values
    what = f"{fine} beside {truth}, made of {coarse}"
    return "\n".join(
        [
            f"{what}: {len(times)} frames, {times[0]!s:.16} to {times[-1]!s:.16}\n",
            "Values are scaled to [0, 1] by the range of the truth; anomalies are from its mean.\n",
            tables.gate_lines(verdicts),
            tables.physics_table(found, verdicts, units),
        ]
    )


def _figures(
    results: dict[str, xr.Dataset], truth: xr.Dataset, low: xr.Dataset, names: tuple[str, ...]
) -> Figures:
    grid = Grid.of(truth)
    lowest, highest = (
        np.array([float(each[name]) for name in names])
        for each in (truth.min().compute(), truth.max().compute())
    )
    scaling, modes = Scaling(lowest, highest), make_modes(grid)
    normal = {name: truth[name].mean("time", dtype="float64").values for name in names}
    place = {"set": "test", "points": "inner", "series": "truth"}
    rows = [
        place | {"method": method, "frame": number} | row
        for method, result in results.items()
        for number, row in enumerate(
            score_frames(Pair(result, truth, grid.weights), names, scaling, normal)
        )
    ]
    found = nested(mean_over_frames(pd.DataFrame(rows)))["test"]
    for method, result in results.items():
        found[method] |= figures(diagnose("truth", result, truth, low, modes), modes)
    fill(found)
    return found


def _common_variables(paths: list[Path]) -> tuple[str, ...]:
    """Those of fields, in the order of the first."""
    held = []
    for path in paths:
        files = find_files(str(path))
        raw = open_one(files[0], format_of(files, Reading.plain(("",))))
        held.append([str(name) for name, field in raw.data_vars.items() if field.ndim > 2])
    names = tuple(name for name in held[0] if all(name in others for others in held[1:]))
    if not names:
        told = "; ".join(f"{path} has {names}" for path, names in zip(paths, held, strict=True))
        raise ValueError(f"no variable in common: {told}")
    return names


def _open(path: Path, names: tuple[str, ...]) -> xr.Dataset:
    _, sample = split_entry(str(path))
    frames = open_files(find_files(str(path)), Reading.plain(names), sample, may_lack=True)
    return check_finite_frames(frames, str(path), _CHUNK_FRAMES)


def _aligned(frames: dict[str, xr.Dataset], paths: dict[str, Path]) -> tuple[xr.Dataset, ...]:
    """The frames of times that all have; units alike."""
    for name in frames["truth"].data_vars:
        for what, each in frames.items():
            unit, wanted = (part[name].attrs.get("units", "1") for part in (each, frames["truth"]))
            if unit != wanted:
                raise ValueError(
                    f"{paths[what]}: {name} is in {unit!r}, but in {wanted!r} in {paths['truth']}"
                )
    aligned = xr.align(*frames.values(), join="inner", exclude={"lat", "lon"})
    if not aligned[0].sizes["time"]:
        ranges = [
            f"{paths[what]} has {each['time'].values[0]!s:.16} to {each['time'].values[-1]!s:.16}"
            for what, each in frames.items()
        ]
        raise ValueError(f"no time in common: {'; '.join(ranges)}")
    return tuple(each.chunk({"time": _CHUNK_FRAMES}) for each in aligned)


def _scale(low: xr.Dataset, result: xr.Dataset, truth: xr.Dataset, paths: dict[str, Path]) -> int:
    """By how much the truth's grid is finer than the coarse one."""
    scale = truth.sizes["lat"] // low.sizes["lat"]
    for dim in ("lat", "lon"):
        fine, step = truth[dim].values, float(np.diff(truth[dim].values).min())
        if not _are_close(result[dim].values, fine, _CLOSE * step):
            raise ValueError(
                f"{paths['fine']}: its {dim} are not those of {paths['truth']}: cut or interpolate "
                "one of them first"
            )
        fits = low.sizes[dim] * scale == len(fine)
        if not fits or not _are_close(
            low[dim].values, resample_coordinate(fine, low.sizes[dim]), step
        ):
            raise ValueError(
                f"{paths['coarse']}: its {low.sizes[dim]} points of {dim} are not every "
                f"{max(scale, 1)} of the {len(fine)} of {paths['truth']}, half-way between them"
            )
    return scale


def _are_close(ours: np.ndarray, theirs: np.ndarray, room: float) -> bool:
    return ours.shape == theirs.shape and bool(np.abs(ours - theirs).max() <= room)
