"""The nearest frames that coarse-grain to the low-resolution ones exactly.

A network's result y, coarse-grained as the low-resolution frames were (D, a `Coarsening`),
differs from them. Of all frames that do not, y + W^-1 D^T z with

    (D W^-1 D^T) z = low - D y

is the nearest in the mean over the area, whose shares are W: a hard constraint as in Harder et al.
(2023, JMLR 24, arXiv 2208.05424), whose layers are for means over blocks. To a truth that
coarse-grains to `low` it is at least as near as y: a projection onto a convex set that holds it.

Along lat D has one matrix within the frames, A, and one beyond the poles, B, where the meridian at
180 degrees lies (0 for means over cells); along lon it is K. With R a turn by 180 degrees,
D y = A y K^T + B y R K^T. So

    D W^-1 D^T = S x M + T x N,    S = A W^-1 A^T + B W^-1 B^T,    T = A W^-1 B^T + B W^-1 A^T,
                                   M = K K^T,    N = K R K^T,

is solved directly: S and T are diagonal in the basis of their generalised eigenvectors, M and N,
being circulant, in Hartley's (fast diagonalisation: Lynch, Rice and Thomas 1964, Numerische
Mathematik 6, 185). Without poles B is 0, and M need not be circulant.
"""

from dataclasses import replace
from typing import Self

import numpy as np
import xarray as xr
from scipy.linalg import eigh

from swsr.geometry import Geometry
from swsr.resampling.coarsening import Coarsening


class Constraint:
    """Makes frames of one grid consistent with low-resolution ones.

    Parameters
    ----------
    coarsening
        Which made the low-resolution frames.
    num_lon
        Points of lon.
    geometry
        Of one variable: how its frames go on beyond their edges.
    """

    def __init__(self, coarsening: Coarsening, num_lon: int, geometry: Geometry) -> None:
        areas = coarsening.areas
        inside, beyond = _along_lat(coarsening, geometry)
        along_lon = _along_lon(num_lon, coarsening, geometry)
        turned = np.roll(along_lon, num_lon // 2, axis=1)
        self._parts = [(inside, along_lon)]
        if geometry.lat == "pole":
            self._parts.append((beyond, turned))
        self._areas = areas[:, None]
        own = inside / areas @ inside.T + beyond / areas @ beyond.T
        crossed = inside / areas @ beyond.T
        ratios, self._lat_basis = eigh(crossed + crossed.T, own)
        squared, across = along_lon @ along_lon.T, along_lon @ turned.T
        if geometry.lon == "periodic":
            self._lon_basis = _hartley(len(squared))
        else:
            self._lon_basis = np.linalg.eigh(squared)[1]
        own_lon, across_lon = (
            np.einsum("ij,ik,kj->j", self._lon_basis, matrix, self._lon_basis)
            for matrix in (squared, across)
        )
        self._eigenvalues = own_lon + ratios[:, None] * across_lon

    @classmethod
    def of(cls, frames: xr.Dataset, name: str, coarsening: Coarsening) -> Self:
        """For a variable of whole canonical frames."""
        return cls(coarsening, frames.sizes["lon"], Geometry.of(frames[[name]]))

    def downscale(self, fields: np.ndarray) -> np.ndarray:
        """D in double precision: (n, lat, lon) -> (n, lat / scale, lon / scale)."""
        return np.sum([lat @ fields @ lon.T for lat, lon in self._parts], axis=0)

    def __call__(self, fields: np.ndarray, low: np.ndarray) -> np.ndarray:
        """The nearest fields to (n, lat, lon) that coarse-grain to `low`, in double precision."""
        missing = low.astype("float64") - self.downscale(fields.astype("float64"))
        modes = self._lat_basis.T @ missing @ self._lon_basis / self._eigenvalues
        multipliers = self._lat_basis @ modes @ self._lon_basis.T
        change = np.sum([lat.T @ multipliers @ lon for lat, lon in self._parts], axis=0)
        result: np.ndarray = fields + change / self._areas
        return result


def _along_lat(coarsening: Coarsening, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Matrices A and B, (low lat, lat); B has the sign of what lies beyond the poles."""
    # Rows of ones are their own copies at 180 degrees, and those of a vector the opposite.
    points = np.eye(len(coarsening.areas))[:, None, :, None]
    rows: np.ndarray = np.repeat(points, 2 * coarsening.scale, axis=3)
    same, opposite = (
        coarsening(rows, Geometry(geometry.lat, "periodic", (vector,)))[:, 0, :, 0].T
        for vector in (False, True)
    )
    sign = -1 if geometry.vectors[0] else 1
    return (same + opposite) / 2, sign * (same - opposite) / 2


def _along_lon(num_lon: int, coarsening: Coarsening, geometry: Geometry) -> np.ndarray:
    """Matrix K, (low lon, lon)."""
    one_row = replace(coarsening, areas=np.ones(coarsening.scale))
    columns: np.ndarray = np.repeat(np.eye(num_lon)[:, None, None, :], coarsening.scale, axis=2)
    return one_row(columns, Geometry("edge", geometry.lon))[:, 0, 0].T


def _hartley(size: int) -> np.ndarray:
    """Orthogonal and symmetric; symmetric circulant matrices are diagonal in it."""
    angle = 2 * np.pi / size * np.outer(np.arange(size), np.arange(size))
    result: np.ndarray = (np.cos(angle) + np.sin(angle)) / np.sqrt(size)
    return result
