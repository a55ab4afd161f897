"""Runs at low resolution in place of copies of finer frames: each beside one that is its truth.

A coarse model has points elsewhere than copies of a finer grid do: of two Gaussian grids, those of
the coarser one lie on every other longitude of the finer one, and not in the middle of two. Its
frames are interpolated by a fraction of their step, by cubic splines, to where copies have them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import xarray as xr

from swsr.components import units_of
from swsr.geometry import Geometry, once_around
from swsr.resampling.regridding import resample_coordinate
from swsr.resampling.splines import onto_grid
from swsr.schema import Spacing
from swsr.sources.files import is_numbered, kind_of_times, of_one_calendar
from swsr.sources.units import conversions, convert_like

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
        Dims of the coarse run that go around, or None: as its coordinates tell, in a plane as in
        the fine frames.
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
        When units cannot be converted, the run lacks a time or a part of the region, or its grid or
        its times are in other units.
    """
    coarse = once_around(coarse)
    converted = convert_like(coarse, units_of(fine), origin, "the fine frames")
    for name, given, unit in conversions(units_of(coarse), units_of(converted)):
        warn(f"{origin}: {name} is converted from {given!r} to {unit!r}")
    grid = {
        dim: resample_coordinate(fine[dim].values, fine.sizes[dim] // scale)
        for dim in ("lat", "lon")
    }
    _check_grid(converted, fine, scale, origin, warn)
    geometry = _geometry(converted, fine, periodic)
    low = onto_grid(geometry.mark(_at_times(converted, fine, origin)), grid, origin)
    like = {dim: (dim, values, fine[dim].attrs) for dim, values in grid.items()}
    low = low.assign_coords(like | {"time": fine["time"]})
    low.attrs = dict(fine.attrs)
    for variable in fine.data_vars:
        low[variable].attrs = dict(fine[variable].attrs)
    return low


def _geometry(coarse: xr.Dataset, fine: xr.Dataset, periodic: Sequence[str] | None) -> Geometry:
    """What lies beyond the edges of a coarse run; in doubt what lies beyond those of `fine`."""
    wanted = Geometry.of(fine)
    if periodic is None and Spacing.of(fine).units != "degrees":
        edges = {"lat": wanted.lat, "lon": wanted.lon}
        periodic = [dim for dim, edge in edges.items() if edge == "periodic"]
    return replace(Geometry.detect(coarse, periodic), vectors=wanted.vectors)


def _check_grid(
    coarse: xr.Dataset, fine: xr.Dataset, scale: int, origin: str, warn: Callable[[str], None]
) -> None:
    for dim in ("lat", "lon"):
        if coarse.sizes[dim] < 2:
            raise ValueError(f"{origin}: one point of {dim}: give frames of the whole region")
    ours, theirs = Spacing.of(coarse), Spacing.of(fine)
    if ours.units != theirs.units:
        raise ValueError(
            f"{origin}: its grid is in {ours.units!r}, but that of the fine frames in "
            f"{theirs.units!r}: convert one"
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
    if is_numbered(coarse) != is_numbered(fine):
        lacking = "it" if is_numbered(coarse) else "the fine frames"
        raise ValueError(
            f"{origin}: {lacking} has no times, but the other has: write times to both"
        )
    if not coarse.sizes["time"]:
        raise ValueError(f"{origin}: holds no frames")
    kinds = kind_of_times(coarse), kind_of_times(fine)
    if len(set(kinds)) > 1:
        raise ValueError(
            f"{origin}: its times are {kinds[0]}, but {kinds[1]} in the fine frames: write times "
            "of one kind into both"
        )
    ours, wanted = (part.indexes["time"] for part in of_one_calendar([coarse, fine]))
    if not (ours.is_unique and ours.is_monotonic_increasing):
        raise ValueError(f"{origin}: its times do not ascend: sort its frames, each time once")
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
