"""What was found in files, in a sentence."""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.polynomial.legendre import leggauss

from swsr.components import is_component
from swsr.geometry import Geometry
from swsr.settings import Reading
from swsr.sources.files import format_of
from swsr.sources.formats import TITLES

_MOST_GAUSSIAN = 2048
"""Latitudes for which the exact ones are worth their seconds."""

_EDGES = {
    ("pole", "periodic"): "periodic in lon, over the poles in lat",
    ("edge", "periodic"): "periodic in lon",
    ("periodic", "periodic"): "periodic in both",
    ("periodic", "edge"): "periodic in lat",
    ("edge", "edge"): "bounded",
}


def describe(paths: list[Path], reading: Reading, frames: xr.Dataset) -> str:
    """Format, fields, frames, time step, grid and edges of what `open_files` returned."""
    fields = [", ".join(_variable(frames[name]) for name in reading.variables)]
    if reading.predictors:
        fields.append("predictors " + ", ".join(_variable(frames[n]) for n in reading.predictors))
    parts = [title(paths, reading), *fields, series(frames), grid(frames)]
    return "; ".join([*parts, edges(frames, reading)])


def title(paths: list[Path], reading: Reading) -> str:
    """Files and their format."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    how = "as source.format says" if reading.format else "detected"
    return f"{paths[0]}{more}: {TITLES[format_of(paths, reading)]} ({how})"


def series(frames: xr.Dataset) -> str:
    """Number of frames and time step."""
    return f"{frames.sizes['time']} frames{_step(frames)}"


def edges(frames: xr.Dataset, reading: Reading) -> str:
    """What lies beyond the edges, and who says so."""
    told = "detected" if reading.periodic is None else "as source.periodic says"
    return beyond(Geometry.detect(frames, reading.periodic), told)


def beyond(geometry: Geometry, told: str) -> str:
    """What lies beyond the edges, with who `told` it."""
    return f"{_EDGES[geometry.lat, geometry.lon]} ({told})"


def grid(frames: xr.Dataset) -> str:
    """Kind, size and range of a grid."""
    size = f"{frames.sizes['lat']} x {frames.sizes['lon']} points"
    units = str(frames["lat"].attrs.get("units", "1"))
    lat, lon = frames["lat"].values, frames["lon"].values
    if not lat.size or not lon.size:
        return size
    ends = f"{_number(lat[0])} to {_number(lat[-1])}, {_number(lon[0])} to {_number(lon[-1])}"
    if not units.startswith("degree"):
        return f"plane of {size}, y {ends.replace(', ', ', x ')} ({units})"
    kind = "regular" if _is_even(lat) else "Gaussian" if _is_gaussian(lat) else "uneven"
    return f"{kind} grid of {size}, lat {ends.replace(', ', ', lon ')}"


def _variable(variable: xr.DataArray) -> str:
    kind = ", component of a vector" if is_component(variable) else ""
    return f"{variable.name} ({variable.attrs.get('units', 'no units')}{kind})"


def _is_gaussian(lat: np.ndarray) -> bool:
    if len(lat) > _MOST_GAUSSIAN:
        return False
    exact = np.degrees(np.arcsin(leggauss(len(lat))[0]))
    return bool(np.allclose(lat, exact, atol=1e-3 * abs(lat[1] - lat[0])))


def _is_even(values: np.ndarray) -> bool:
    steps = np.diff(values.astype(float))
    return bool(np.allclose(steps, steps[:1], rtol=1e-3))


def _step(frames: xr.Dataset) -> str:
    if "time" not in frames.coords or frames.sizes["time"] < 2:
        return ""
    first, second = frames["time"].values[:2]
    step = second - first
    if isinstance(step, np.timedelta64):
        seconds = step / np.timedelta64(1, "s")
    elif hasattr(step, "total_seconds"):
        seconds = step.total_seconds()
    else:
        return f", time step {_number(step)} {frames['time'].attrs.get('units', '')}".rstrip()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f", time step {_number(seconds / length)} {unit}"
    return f", time step {_number(seconds)} s"


def _number(value: float) -> str:
    return f"{float(value):.6g}"
