"""What lies beyond the edges of frames: another meridian, the other side of a pole, or nothing.

Frames carry it as attributes, which every store keeps. Interpolation and networks take the points
that they need from beyond an edge by `Geometry.cut`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from swsr.components import is_component

LatEdge: TypeAlias = Literal["pole", "periodic", "edge"]
LonEdge: TypeAlias = Literal["periodic", "edge"]


Frames = NDArray[np.float32]


@dataclass(frozen=True)
class Geometry:
    """How frames go on beyond their edges.

    Attributes
    ----------
    lat
        What comes after the first and the last row. `pole`: the meridian on the other side;
        `periodic`: the other end; `edge`: nothing, and the outermost points are repeated.
    lon
        `periodic` or `edge`, likewise of columns.
    vectors
        Of each variable, whether it is a horizontal component of a vector, and so changes its
        sign across a pole.
    """

    lat: LatEdge
    lon: LonEdge
    vectors: tuple[bool, ...] = (False,)

    @classmethod
    def detect(cls, frames: xr.Dataset, periodic: Sequence[str] | None = None) -> Self:
        """From coordinates in degrees: a periodic longitude, and latitudes that end at the poles.

        In other units only a dim whose attribute `modulo` is its length is periodic. `periodic`,
        if not None, names the dims that are, whatever the coordinates tell.
        """
        vectors = tuple(is_component(variable) for variable in frames.data_vars.values())
        if periodic is not None:
            whole = "lon" in periodic and cls.detect(frames).lat == "pole"
            beyond: LatEdge = "pole" if whole else "edge"
            lat: LatEdge = "periodic" if "lat" in periodic else beyond
            return cls(lat, "periodic" if "lon" in periodic else "edge", vectors)
        degrees = all(
            str(frames[dim].attrs.get("units", "")).startswith("degree") for dim in ("lat", "lon")
        )
        if not degrees:
            return cls(_plane_edge(frames["lat"]), _plane_edge(frames["lon"]), vectors)
        if not is_periodic(frames["lon"].values, 360):
            return cls("edge", "edge", vectors)
        even = frames.sizes["lon"] % 2 == 0
        between_poles = even and _between_poles(frames["lat"].values)
        return cls("pole" if between_poles else "edge", "periodic", vectors)

    @classmethod
    def of(cls, frames: xr.Dataset) -> Self:
        """As `mark` noted it on the frames of a store."""
        vectors = tuple(name in frames.attrs["vectors"] for name in frames.data_vars)
        return cls(frames.attrs["lat_edge"], frames.attrs["lon_edge"], vectors)

    @classmethod
    def noted(cls, frames: xr.Dataset) -> tuple[LatEdge, LonEdge] | None:
        """Edges that `mark` noted on a store, or on a file made of one; None on any other file."""
        if not {"lat_edge", "lon_edge"} <= frames.attrs.keys():
            return None
        return frames.attrs["lat_edge"], frames.attrs["lon_edge"]

    def mark(self, frames: xr.Dataset) -> xr.Dataset:
        """The same frames with this geometry as their attributes."""
        names = [str(n) for n, v in zip(frames.data_vars, self.vectors, strict=True) if v]
        return frames.assign_attrs(lat_edge=self.lat, lon_edge=self.lon, vectors=names)

    def first(self, number: int) -> Self:
        """That of frames with so many of the variables, the first ones."""
        return replace(self, vectors=self.vectors[:number])

    def cut(self, frames: Frames, lat: range, lon: range) -> Frames:
        """A rectangle of frames that may lie partly, or go around, beyond their edges.

        Parameters
        ----------
        frames
            In physical units, whose sign means something: (..., variables, lat, lon).
        lat, lon
            Points to take, numbered from the first of the frames: negative ones lie before it.
            Along lat at most as many beyond an edge as there are points.

        Returns
        -------
        Array (..., variables, len(lat), len(lon)); a view where nothing lies beyond an edge.

        Raises
        ------
        ValueError
            When lat reaches further beyond a pole than the other side has points.
        """
        num_lat, num_lon = frames.shape[-2:]
        if self.lat == "pole" and (lat.start < -num_lat or lat.stop > 2 * num_lat):
            raise ValueError(
                f"frames of {num_lat} latitudes are too few for a network or an interpolation that "
                f"reads {max(-lat.start, lat.stop - num_lat)} beyond a pole"
            )
        first = min(max(lat.start, 0), num_lat)
        inside = range(first, max(first, min(lat.stop, num_lat)))
        if self.lat != "pole" or len(inside) == len(lat):
            rows = _take(frames, lat, -2, periodic=self.lat == "periodic")
            return _take(rows, lon, -1, periodic=self.lon == "periodic")
        beyond = range(lon.start + num_lon // 2, lon.stop + num_lon // 2)
        signs = np.where(self.vectors, -1, 1).astype("float32")[:, None, None]
        parts = [_take(frames[..., inside.start : inside.stop, :], lon, -1, periodic=True)]
        if lat.start < 0:
            south = frames[..., max(-lat.stop, 0) : -lat.start, :][..., ::-1, :]
            parts.insert(0, signs * _take(south, beyond, -1, periodic=True))
        if lat.stop > num_lat:
            north = frames[..., 2 * num_lat - lat.stop : min(num_lat, 2 * num_lat - lat.start), :]
            parts.append(signs * _take(north[..., ::-1, :], beyond, -1, periodic=True))
        return np.concatenate(parts, axis=-2)

    def extend(self, frames: Frames, lat: int, lon: int) -> Frames:
        """Frames with so many more points at both ends of lat and of lon."""
        num_lat, num_lon = frames.shape[-2:]
        return self.cut(frames, range(-lat, num_lat + lat), range(-lon, num_lon + lon))


def _take(values: Frames, points: range, axis: int, *, periodic: bool) -> Frames:
    size = values.shape[axis]
    if points.start >= 0 and points.stop <= size:
        slices = [slice(None)] * values.ndim
        slices[axis] = slice(points.start, points.stop)
        return values[tuple(slices)]
    return np.take(values, points, axis, mode="wrap" if periodic else "clip")


def _plane_edge(coordinate: xr.DataArray) -> LonEdge:
    period = coordinate.attrs.get("modulo")
    return "periodic" if period and is_periodic(coordinate.values, float(period)) else "edge"


def once_around(frames: xr.Dataset) -> xr.Dataset:
    """The same frames without a last meridian that is the first one again, a turn later."""
    in_degrees = str(frames["lon"].attrs.get("units", "")).startswith("degree")
    again = in_degrees and is_periodic(frames["lon"].values[:-1], 360)
    return frames.isel(lon=slice(-1)) if again else frames


def is_periodic(values: np.ndarray, period: float) -> bool:
    """Whether coordinates, ascending and even, go once through their period."""
    if len(values) < 2:
        return False
    step = float(values[1] - values[0])
    return bool(abs(values[-1] - values[0] + step - period) < 0.01 * step)


def _between_poles(lat: np.ndarray) -> bool:
    """Whether the poles lie about half a step beyond the first and the last latitude.

    Regular grids between the poles have them exactly there, Gaussian ones nearly (0.77 of a step).
    A grid with points on the poles goes on otherwise, and counts as ending there.
    """
    south, north = float(lat[0] + 90), float(90 - lat[-1])
    steps = float(lat[1] - lat[0]), float(lat[-1] - lat[-2])
    return all(
        0.25 * step < gap < 0.9 * step for gap, step in zip((south, north), steps, strict=True)
    )
