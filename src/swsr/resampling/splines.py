"""Frames onto another grid of the same region, or of a part of it, by cubic splines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr
from scipy.interpolate import make_interp_spline

from swsr.geometry import Frames, Geometry
from swsr.resampling.regridding import map_frames

_MARGIN = 12
"""Points beyond an edge that frames go on after; what lies there fades by 0.27 a point."""

_SAME = 1e-3
"""Of a step, by which points of one grid may lie off those of another: float32 and degrees."""


def onto_grid(frames: xr.Dataset, grid: Mapping[str, np.ndarray], origin: str) -> xr.Dataset:
    """Frames on other points, lazily; as they are where the points are theirs.

    Parameters
    ----------
    frames
        Canonical, which carry their geometry.
    grid
        Coordinates lat and lon, ascending, in the unit of those of the frames. Longitudes in
        degrees may be counted from elsewhere.
    origin
        What to call the frames.

    Raises
    ------
    ValueError
        When points lie more than half a step beyond the frames.
    """
    turned = dict(grid) | {"lon": _counted_as(frames["lon"], grid["lon"])}
    if all(_are_same(frames[dim].values, values) for dim, values in turned.items()):
        return frames.assign_coords({dim: (dim, v, frames[dim].attrs) for dim, v in grid.items()})
    geometry = Geometry.of(frames)
    spline = _Spline(
        _Axis.of(frames["lat"], turned["lat"], geometry.lat, origin),
        _Axis.of(frames["lon"], turned["lon"], geometry.lon, origin),
    )
    return map_frames(frames, grid, spline)


def _counted_as(lon: xr.DataArray, wanted: np.ndarray) -> np.ndarray:
    """Longitudes in degrees with the turns that bring their middle next to that of `lon`."""
    if not str(lon.attrs.get("units", "")).startswith("degree"):
        return wanted
    apart = float(wanted[0] + wanted[-1] - lon.values[0] - lon.values[-1]) / 2
    return wanted - 360 * round(apart / 360)


def _are_same(ours: np.ndarray, wanted: np.ndarray) -> bool:
    step = float(np.diff(ours).min()) if len(ours) > 1 else 1.0
    return ours.shape == wanted.shape and np.allclose(ours, wanted, rtol=0, atol=_SAME * step)


@dataclass(frozen=True, eq=False)
class _Axis:
    """A dim: points beyond each end that are read, and weights (wanted, points + 2 beyond)."""

    beyond: int
    weights: np.ndarray

    @classmethod
    def of(cls, coordinate: xr.DataArray, wanted: np.ndarray, edge: str, origin: str) -> Self:
        values = coordinate.values.astype("float64")
        beyond = 0 if edge == "edge" else min(_MARGIN, len(values))
        points = _continued(values, beyond, edge)
        if edge == "periodic":
            wanted = values[0] + (wanted - values[0]) % _period(values)
        step = float(np.diff(values).max())
        outside = max(points[0] - wanted.min(), wanted.max() - points[-1])
        if outside > (0.5 + _SAME) * step:
            raise ValueError(
                f"{origin}: {coordinate.name} from {values[0]:.6g} to {values[-1]:.6g} does not "
                f"reach from {wanted.min():.6g} to {wanted.max():.6g}: give frames of all of it"
            )
        inside = wanted.clip(points[0], points[-1])
        spline = make_interp_spline(points, np.eye(len(points)), k=min(3, len(points) - 1))
        return cls(beyond, spline(inside))


def _continued(values: np.ndarray, beyond: int, edge: str) -> np.ndarray:
    """Coordinates with those of the points that `Geometry.extend` adds."""
    if not beyond:
        return values
    first, last = values[:beyond], values[-beyond:]
    if edge == "pole":
        return np.concatenate([-180 - first[::-1], values, 180 - last[::-1]])
    period = _period(values)
    return np.concatenate([last - period, values, first + period])


def _period(values: np.ndarray) -> float:
    """Of even coordinates that go around once."""
    return float(values[-1] - values[0] + np.diff(values).mean())


@dataclass(frozen=True)
class _Spline:
    """Along lat, then along lon: a product of two cubic splines."""

    lat: _Axis
    lon: _Axis

    def __call__(self, frames: Frames, geometry: Geometry) -> Frames:
        """Frames (..., lat, lon) -> (..., wanted lat, wanted lon)."""
        extended = geometry.extend(frames, self.lat.beyond, self.lon.beyond)
        return (self.lat.weights @ extended @ self.lon.weights.T).astype("float32")
