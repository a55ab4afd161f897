"""Runs at low resolution in place of copies of finer frames: each beside one that is its truth.

A coarse model has points elsewhere than copies of a finer grid do: of two Gaussian grids, those of
the coarser one lie on every other longitude of the finer one, and not in the middle of two. Its
frames are interpolated by a fraction of their step, by cubic splines, to where copies have them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from swsr.components import units_of
from swsr.geometry import Geometry
from swsr.resampling.regridding import resample_coordinate
from swsr.resampling.splines import onto_grid
from swsr.schema import Spacing
from swsr.sources.files import kind_of_times
from swsr.sources.units import convert_like

_ALIKE = 1e-3
"""Of a step of time, by which frames of one moment may differ: rounding of hours and days."""

_FAR = 1.25
"""Ratio of the steps of both grids beyond which `scale` seems to be another one."""


def low_frames(
    coarse: xr.Dataset,
    fine: xr.Dataset,
    scale: int,
    periodic: Sequence[str] | None,
    origin: str,
    warn: Callable[[str], None],
) -> xr.Dataset:
    """Frames of a coarse run at the times of finer ones, on the points of their copies, lazily.

    Parameters
    ----------
    coarse
        Canonical, with the variables of `fine`; on its own grid, at any times.
    fine
        Canonical, which carry their geometry.
    scale
        Points of `fine` along lat and lon per point of the result.
    periodic
        Dims of the coarse run that go around, or None: as its coordinates tell.
    origin
        What to call the coarse run.
    warn
        Is told, in a sentence each, which units are converted and whose grid seems unlike.

    Returns
    -------
    Frames with coordinates, attributes and geometry as copies of `fine` have them

    Raises
    ------
    ValueError
        When units cannot be converted, the run lacks a time or a part of the region, or its grid is
        in other units.
    """
    converted = convert_like(coarse, units_of(fine), origin, "the fine frames")
    for name, unit in units_of(converted).items():
        if unit != units_of(coarse)[name]:
            warn(f"{origin}: {name} is converted from {units_of(coarse)[name]!r} to {unit!r}")
    grid = {
        dim: resample_coordinate(fine[dim].values, fine.sizes[dim] // scale)
        for dim in ("lat", "lon")
    }
    _check_grid(converted, fine, scale, origin, warn)
    geometry = replace(Geometry.detect(converted, periodic), vectors=Geometry.of(fine).vectors)
    low = onto_grid(geometry.mark(_at_times(converted, fine, origin)), grid, origin)
    low = low.assign_attrs(fine.attrs).assign_coords({"time": fine["time"]} | _of(fine, grid))
    return low.assign({name: low[name].assign_attrs(fine[name].attrs) for name in fine.data_vars})


def _of(fine: xr.Dataset, grid: Mapping[str, np.ndarray]) -> dict[str, object]:
    return {dim: (dim, values, fine[dim].attrs) for dim, values in grid.items()}


def _check_grid(
    coarse: xr.Dataset, fine: xr.Dataset, scale: int, origin: str, warn: Callable[[str], None]
) -> None:
    for dim in ("lat", "lon"):
        if coarse.sizes[dim] < 2:
            raise ValueError(f"{origin}: one point of {dim}: give frames of lat and lon")
    ours, theirs = Spacing.of(coarse), Spacing.of(fine)
    if ours.units != theirs.units:
        raise ValueError(
            f"{origin}: its grid is in {ours.units!r}, but that of the fine frames in "
            f"{theirs.units!r}"
        )
    for dim, step, wanted in (
        ("lat", ours.lat, scale * theirs.lat),
        ("lon", ours.lon, scale * theirs.lon),
    ):
        if not 1 / _FAR < step / wanted < _FAR:
            warn(
                f"{origin}: has {dim} every {step:.4g}, but downscale.scale {scale} makes the fine "
                f"frames' every {wanted:.4g}: is it another scale?"
            )


def _at_times(coarse: xr.Dataset, fine: xr.Dataset, origin: str) -> xr.Dataset:
    """The frames of the moments of `fine`."""
    ours, wanted = coarse.indexes["time"], fine.indexes["time"]
    if not (len(ours) and ours.is_unique and ours.is_monotonic_increasing):
        raise ValueError(f"{origin}: its times do not ascend, or it holds no frames")
    if kind_of_times(coarse) != kind_of_times(fine) or type(ours) is not type(wanted):
        raise ValueError(
            f"{origin}: its times ({ours[0]!s}, ...) are not of the kind of those of the fine "
            f"frames ({wanted[0]!s}, ...): write both alike"
        )
    step = wanted[1] - wanted[0] if len(wanted) > 1 else None
    nearest = {} if step is None else {"method": "nearest", "tolerance": abs(step) * _ALIKE}
    places = ours.get_indexer(wanted, **nearest)
    missing = wanted[places < 0]
    if len(missing):
        raise ValueError(
            f"{origin}: has no frame of {missing[0]!s}, as {len(missing)} of {len(wanted)} that "
            "the fine frames have: give them, or select times that both have by source.select"
        )
    return coarse.isel(time=places)
