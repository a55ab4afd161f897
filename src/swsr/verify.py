"""How good a result is where there is a truth: coarse frames, what was made of them, the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from swsr.components import units_of
from swsr.evaluation import tables
from swsr.evaluation.diagnosis import diagnose
from swsr.evaluation.figures import figures
from swsr.evaluation.gate import judge
from swsr.evaluation.scores import Figures, Pair, fill, mean_over_frames, nested, score_frames
from swsr.evaluation.spectra import make_modes
from swsr.frame_checks import check_finite_frames
from swsr.geometry import Geometry
from swsr.grids import Grid
from swsr.provenance import FILTER, filter_of
from swsr.resampling import bicubic
from swsr.resampling.regridding import map_frames, resample_coordinate
from swsr.scaling import Scaling
from swsr.schema import IN_FILE, Spacing
from swsr.settings import Filter, Reading, split_entry
from swsr.sources.describe import beyond
from swsr.sources.files import (
    find_files,
    format_of,
    kind_of_times,
    open_files,
    read_to_the_end,
)
from swsr.sources.formats import open_one
from swsr.sources.units import conversions, convert_like

_CHUNK_FRAMES = 8
_CLOSE = 0.01
"""Share of a step by which points of equal grids may differ."""

_OFF_CENTRE = 0.1
"""Of a fine step, by which a coarse point may be off the middle of the fine ones that it stands
for. Every second point of a grid is half a step off."""

_OFF_GAUSSIAN = 1.0
"""The same along the latitudes of two Gaussian grids, whose steps are shares of unlike wholes: near
the poles 0.27 of a fine step where one grid has half as many latitudes (T42 beside T85), 0.53 and
0.80 where it has a third and a quarter, and more than one from a fifth on."""


def verify(
    coarse: Path,
    fine: Path,
    truth: Path,
    filter_name: Filter | None = None,
    periodic: Sequence[str] | None = None,
) -> str:
    """Figures of a result and of bicubic interpolation beside the truth, as Markdown.

    Parameters
    ----------
    coarse
        What the result was made of: a file, or a pattern of files that join in time, in any format.
    fine
        The result, of swsr or of anything else, on the grid of the truth.
    truth
        Frames on a grid finer than the coarse one by a whole number: its points lie around those.
    filter_name
        Which makes low-resolution copies of the result, to be set beside the coarse frames; None:
        as their store says, else bicubic.
    periodic
        Dims that go around; None: as the attributes of stores say, else as coordinates tell.

    Frames and variables are those that all three have, without variables that are constant in the
    truth; PSNR and SSIM are of values scaled to [0, 1] by the truth's range over these frames,
    anomalies those from its mean.

    Raises
    ------
    ValueError
        When they have no variable that varies, or no time, in common, when grids do not fit, or
        when a store says otherwise than `filter_name` or `periodic`; in one line.
    """
    paths = {"coarse": coarse, "fine": fine, "truth": truth}
    names = _common_variables(list(paths.values()))
    opened = {what: _open(path, names) for what, path in paths.items()}
    frames = _aligned(opened, paths)
    geometry, told = _geometry(frames, periodic, paths)
    frames = {what: geometry.mark(each) for what, each in frames.items()}
    made_by = _filter(frames["coarse"], filter_name, coarse)
    scale = _scale(frames, paths)
    with read_to_the_end(" or ".join(map(str, paths.values()))):
        scaling, constant = _scaling(frames["truth"], truth)
        low, result, wanted = (each.drop_vars(constant) for each in frames.values())
        if geometry.lat == "pole" and low.sizes["lon"] % 2:
            # No meridian across: as `apply` reads it.
            low = low.assign_attrs(lat_edge="edge")
        low = low.assign_attrs({FILTER: made_by})
        interpolated = map_frames(
            low,
            {dim: wanted[dim].values for dim in ("lat", "lon")},
            lambda block, edges: bicubic.upscale(block, scale, edges),
        )
        found = _figures({"bicubic": interpolated, "result": result}, wanted, low, scaling)
    verdicts = judge(found)
    times = wanted["time"].values
    what = f"{fine} beside {truth}, made of {coarse}"
    return "\n".join(
        [
            f"{what}: {len(times)} frames, {times[0]!s:.16} to {times[-1]!s:.16}\n",
            f"Edges: {beyond(geometry, told)}.\n",
            *_conversions(opened, paths),
            *(f"Left out: {name}, which is the same everywhere in {truth}.\n" for name in constant),
            "Values are scaled to [0, 1] by the range of the truth; anomalies are from its mean.\n",
            tables.gate_lines(verdicts),
            tables.physics_table(found, verdicts, units_of(wanted)),
        ]
    )


def _figures(
    results: dict[str, xr.Dataset], truth: xr.Dataset, low: xr.Dataset, scaling: Scaling
) -> Figures:
    grid, names = Grid.of(truth), tuple(map(str, truth.data_vars))
    modes = make_modes(grid)
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
        # Masks lie beside frames in time; a file of one frame may have its time as a scalar.
        in_time = any(field.ndim > 2 for field in raw.data_vars.values())
        dims = 3 if in_time else 2
        held.append([str(name) for name, field in raw.data_vars.items() if field.ndim >= dims])
    names = tuple(name for name in held[0] if all(name in others for others in held[1:]))
    if not names:
        told = "; ".join(f"{path} has {names}" for path, names in zip(paths, held, strict=True))
        raise ValueError(f"no variable in common: {told}")
    return names


def _open(path: Path, names: tuple[str, ...]) -> xr.Dataset:
    _, sample = split_entry(str(path))
    frames = open_files(
        find_files(str(path)), Reading.plain(names), sample, may_lack=True, advice=IN_FILE
    )
    if not frames.sizes["time"]:
        raise ValueError(f"{path}: holds no frames")
    return check_finite_frames(frames, str(path), _CHUNK_FRAMES)


def _scaling(truth: xr.Dataset, path: Path) -> tuple[Scaling, list[str]]:
    """That of the variables that vary, and the names of the others, such as masks."""
    limits = xr.concat([truth.min(), truth.max()], "limit").compute()
    constant = [str(name) for name, (low, high) in limits.items() if not high > low]
    if len(constant) == len(limits.data_vars):
        raise ValueError(
            f"{path}: {', '.join(constant)} is the same everywhere, and nothing else is in common: "
            "give frames that vary"
        )
    varying = limits.drop_vars(constant).to_dataarray("variable")
    return Scaling(*varying.transpose("limit", "variable").values.astype("float64")), constant


def _geometry(
    frames: Mapping[str, xr.Dataset], periodic: Sequence[str] | None, paths: Mapping[str, Path]
) -> tuple[Geometry, str]:
    """What lies beyond the edges of all frames, and who says so."""
    found = Geometry.detect(frames["truth"], periodic)
    # A result says what its network was told of coarse frames, which may be told otherwise now.
    for what in ("truth", "coarse", "fine") if periodic is None else ("truth", "coarse"):
        edges = Geometry.noted(frames[what])
        if edges is None:
            continue
        if periodic is not None and edges != (found.lat, found.lon):
            raise ValueError(
                f"{paths[what]}: says that its edges are {edges[0]} along lat and {edges[1]} along "
                f"lon, not as --periodic {' '.join(periodic)}: leave --periodic out"
            )
        return replace(found, lat=edges[0], lon=edges[1]), f"as {paths[what]} says"
    return found, "detected" if periodic is None else "as --periodic says"


def _filter(low: xr.Dataset, given: Filter | None, path: Path) -> Filter:
    said = filter_of(low.attrs)
    if given is not None and FILTER in low.attrs and given != said:
        raise ValueError(
            f"{path}: says that filter {said} made it, not {given}: leave --filter out"
        )
    return given or said


def _aligned(frames: Mapping[str, xr.Dataset], paths: Mapping[str, Path]) -> dict[str, xr.Dataset]:
    """The frames of times that all have, in the units of the truth."""
    wanted = units_of(frames["truth"])
    frames = {
        what: convert_like(each, wanted, str(paths[what]), str(paths["truth"]))
        for what, each in frames.items()
    }
    _check_times(frames, paths)
    aligned = xr.align(*frames.values(), join="inner", exclude={"lat", "lon"})
    if not aligned[0].sizes["time"]:
        ranges = [
            f"{paths[what]} has {each['time'].values[0]!s:.16} to {each['time'].values[-1]!s:.16}"
            for what, each in frames.items()
        ]
        raise ValueError(f"no time in common: {'; '.join(ranges)}")
    chunked = (each.chunk({"time": _CHUNK_FRAMES}) for each in aligned)
    return dict(zip(frames, chunked, strict=True))


def _conversions(frames: Mapping[str, xr.Dataset], paths: Mapping[str, Path]) -> list[str]:
    wanted = units_of(frames["truth"])
    return [
        f"Converted: {name} of {paths[what]}, from {given} to {unit}.\n"
        for what, each in frames.items()
        for name, given, unit in conversions(units_of(each), wanted)
    ]


def _check_times(frames: Mapping[str, xr.Dataset], paths: Mapping[str, Path]) -> None:
    """Refuse times that cannot be told from each other, or not be set beside each other."""
    wanted = kind_of_times(frames["truth"])
    for what, each in frames.items():
        kind = kind_of_times(each)
        if kind != wanted:
            raise ValueError(
                f"{paths[what]}: its times are {kind}, but {wanted} in {paths['truth']}: write "
                "times of one kind into both"
            )
        if not each["time"].to_index().is_unique:
            raise ValueError(f"{paths[what]}: has several frames of one time: leave one of them")


def _scale(frames: Mapping[str, xr.Dataset], paths: Mapping[str, Path]) -> int:
    """By how much the truth's grid is finer than the coarse one."""
    low, result, truth = (frames[what] for what in ("coarse", "fine", "truth"))
    scale = truth.sizes["lat"] // low.sizes["lat"]
    wanted = Spacing.of(truth).units
    for what in ("coarse", "fine"):
        unit = Spacing.of(frames[what]).units
        if unit != wanted:
            raise ValueError(
                f"{paths[what]}: its grid is in {unit!r}, but in {wanted!r} in {paths['truth']}"
            )
    for dim in ("lat", "lon"):
        fine, step = truth[dim].values, float(np.diff(truth[dim].values).min())
        if not _are_close(result[dim].values, fine, _CLOSE * step):
            raise ValueError(
                f"{paths['fine']}: its {dim} are not those of {paths['truth']}: cut or interpolate "
                "one of them first"
            )
        if low.sizes[dim] * scale != len(fine):
            raise ValueError(
                f"{paths['coarse']}: its {low.sizes[dim]} points of {dim} are not one for every "
                f"{max(scale, 1)} of the {len(fine)} of {paths['truth']}: cut both to one region, "
                "or interpolate the truth to a grid finer by a whole number"
            )
        off = np.abs(low[dim].values - resample_coordinate(fine, low.sizes[dim])).max() / step
        if off > _OFF_CENTRE and not (dim == "lat" and _are_gaussian(low, truth, off)):
            raise ValueError(
                f"{paths['coarse']}: its points of {dim} are up to {off:.2g} of a step of "
                f"{paths['truth']} off the middle of the {scale} that each stands for: interpolate "
                "these frames to the middles and make the result of them, or make them anew as "
                "means of the truth"
            )
    return scale


def _are_gaussian(low: xr.Dataset, truth: xr.Dataset, off: float) -> bool:
    """Whether latitudes are of two Gaussian grids that go together."""
    return off <= _OFF_GAUSSIAN and all(Grid.of(each).spacing == "gauss" for each in (low, truth))


def _are_close(ours: np.ndarray, theirs: np.ndarray, room: float) -> bool:
    return ours.shape == theirs.shape and bool(np.abs(ours - theirs).max() <= room)
