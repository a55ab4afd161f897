"""What part of the area each point of a grid stands for, and how far its points lie apart."""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal, Self, TypeAlias

import numpy as np
import xarray as xr
from numpy.polynomial import legendre

from swsr.components import METRES
from swsr.geometry import Geometry

EARTH_RADIUS_M = 6.37122e6
"""Of the standard tests of shallow water (Williamson et al. 1992, J. Comput. Phys. 102, 211)."""

Spacing: TypeAlias = Literal["gauss", "equiangular", "equiangular_with_poles"]
_SPACINGS: tuple[Spacing, ...] = ("gauss", "equiangular", "equiangular_with_poles")
_IN_METRES = dict.fromkeys(METRES, 1.0) | dict.fromkeys(
    ("km", *(f"kilo{name}" for name in METRES[1:])), 1e3
)

_UNEVEN = 0.02
"""Of the mean step, by which steps may differ; those of Gaussian latitudes do by less."""

_WIDEST = 1.9
"""Ratio of a step of longitude at both sides of a region that can be taken for a plane."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Points of frames, and what lies beyond their edges.

    Attributes
    ----------
    lat, lon
        Coordinates, ascending: (num_lat,), (num_lon,).
    unit
        Of both coordinates; degrees lie on a sphere, all else in a plane.
    geometry
        As `Geometry.of` the frames.
    """

    lat: np.ndarray
    lon: np.ndarray
    unit: str
    geometry: Geometry

    @classmethod
    def of(cls, frames: xr.Dataset) -> Self:
        """The grid of whole frames of a store."""
        unit = str(frames["lat"].attrs.get("units", "1"))
        return cls(frames["lat"].values, frames["lon"].values, unit, Geometry.of(frames))

    @property
    def in_degrees(self) -> bool:
        """Whether coordinates are latitudes and longitudes."""
        return self.unit.startswith("degree")

    @cached_property
    def spacing(self) -> Spacing | None:
        """Which latitudes a grid around the whole sphere has; None for every other grid."""
        if not self.in_degrees or self.geometry.lon != "periodic":
            return None
        steps = np.diff(self.lon)
        if np.ptp(steps) > 0.01 * steps.mean():
            return None
        tolerance = 0.01 * float(np.diff(self.lat).mean())
        for spacing in _SPACINGS:
            nodes = np.degrees(np.arcsin(_quadrature(len(self.lat), spacing)[0]))
            if np.allclose(self.lat, nodes, rtol=0, atol=tolerance):
                return spacing
        return None

    @cached_property
    def weights(self) -> np.ndarray:
        """Share of the area of a point at each latitude, with a mean of one: (num_lat,).

        On the whole sphere the weights of the quadrature (Gauss-Legendre, or the one that is exact
        for polynomials in sin(lat) on the regular grid); elsewhere `areas`.
        """
        if not self.spacing:
            return self.areas
        weights = _quadrature(len(self.lat), self.spacing)[1]
        return weights / weights.mean()

    @cached_property
    def areas(self) -> np.ndarray:
        """Area of the cell of a point at each latitude, with a mean of one: (num_lat,).

        In degrees between the parallels half-way to the neighbours, the outermost cells of a globe
        up to the poles; in a plane their distance, all alike where it is even. Points of one
        latitude count alike.
        """
        if self.in_degrees:
            middles = (self.lat[1:] + self.lat[:-1]) / 2
            first, last = 2 * self.lat[0] - middles[0], 2 * self.lat[-1] - middles[-1]
            if self.geometry.lat == "pole":
                first, last = -90.0, 90.0
            edges = np.clip([first, *middles, last], -90, 90)
            areas = np.diff(np.sin(np.radians(edges)))
        else:
            areas = np.ones(len(self.lat)) if _are_even(self.lat) else np.gradient(self.lat)
        return areas / areas.mean()

    def resolves_as(self, other: Self) -> bool:
        """Whether waves on another grid of this size are as long as on this one."""
        if self.spacing is not None:
            return self.spacing == other.spacing
        ours, theirs = self.steps_m, other.steps_m
        return ours == theirs or bool(ours and theirs and np.allclose(ours, theirs, rtol=0.01))

    @property
    def steps_m(self) -> tuple[float, float] | None:
        """Distance of neighbours along lat and lon (mid-latitude), as in a plane.

        None in an unknown unit, where points do not lie evenly, and in degrees where meridians come
        together too much for a plane.
        """
        if not (_are_even(self.lat) and _are_even(self.lon)):
            return None
        steps = [float(np.diff(values).mean()) for values in (self.lat, self.lon)]
        if self.in_degrees:
            lengths = np.cos(np.radians(self.lat))
            if lengths.max() > _WIDEST * lengths.min():
                return None
            metres = np.radians(EARTH_RADIUS_M)
            middle = np.radians((self.lat[0] + self.lat[-1]) / 2)
            return float(steps[0] * metres), float(steps[1] * metres * np.cos(middle))
        if self.unit not in _IN_METRES:
            return None
        return steps[0] * _IN_METRES[self.unit], steps[1] * _IN_METRES[self.unit]


def _are_even(values: np.ndarray) -> bool:
    steps = np.diff(values)
    return bool(np.ptp(steps) <= _UNEVEN * steps.mean())


@cache
def _quadrature(num_lat: int, spacing: Spacing) -> tuple[np.ndarray, np.ndarray]:
    """Nodes in sin(lat), and weights exact for polynomials of a degree below their number."""
    if spacing == "gauss":
        return legendre.leggauss(num_lat)
    parts = num_lat - 1 if spacing == "equiangular_with_poles" else num_lat
    first = 0.0 if parts < num_lat else 0.5
    nodes = -np.cos(np.pi / parts * (first + np.arange(num_lat)))
    integrals = 2.0 * (np.arange(num_lat) == 0)  # of Legendre polynomials
    return nodes, np.linalg.solve(legendre.legvander(nodes, num_lat - 1).T, integrals)


def area_mean(fields: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the area, sum_ij w_i f_ij / sum_ij w_i, of (..., lat, lon): (...).

    `weights`, shape (lat,), need no normalisation.
    """
    return np.einsum("...ij,i->...", fields.astype("float64"), weights) / (
        weights.sum() * fields.shape[-1]
    )
