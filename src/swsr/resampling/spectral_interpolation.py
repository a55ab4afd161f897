"""Spectral interpolation: the waves that a coarse grid holds, evaluated on a finer one.

On the sphere spherical harmonics; in a plane Fourier's waves along a periodic dim, and along one
that ends at edges the cosines that go on mirrored there (Denis, Cote and Laprise 2002, Mon. Wea.
Rev. 130, 1812). Point i of the coarse grid lies at (i + 1/2) s - 1/2 of the one finer by s, as in
`bicubic`, so that periodic waves are shifted by half a step of either grid.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy import fft

from swsr.grids import Grid
from swsr.harmonics import legendre_functions

Interpolation: TypeAlias = Callable[[np.ndarray], np.ndarray]


def make_interpolation(low: Grid, fine: Grid, *, vector: bool) -> Interpolation:
    """A function of fields on one grid, (n, lat, lon), to fields on a finer one.

    Parameters
    ----------
    low, fine
        Grids of one area, the second finer by a whole number.
    vector
        Whether fields are a horizontal component of a vector, which changes its sign across a pole.

    Raises
    ------
    ValueError
        When the grid is part of a sphere, or its points do not lie evenly: along lat in a plane,
        and along lon.
    """
    check_grid(fine)
    if _on_sphere(fine):
        return SphereInterpolation(low, fine, vector=vector)
    return PlaneInterpolation(fine)


def check_grid(fine: Grid) -> None:
    """Check that a grid can have it; see `make_interpolation`."""
    edges = fine.geometry.lat, fine.geometry.lon
    if fine.in_degrees and "edge" in edges:
        raise ValueError(
            "spectral interpolation needs a grid between both poles and around the whole sphere, "
            "or a plane: leave spectral out of methods"
        )
    even = {"lon": fine.lon} if _on_sphere(fine) else {"lat": fine.lat, "lon": fine.lon}
    for dim, values in even.items():
        steps = np.diff(values)
        if np.ptp(steps) > 0.01 * steps.mean():
            raise ValueError(
                f"spectral interpolation needs even steps of {dim}, not {steps.min():g} to "
                f"{steps.max():g}: leave spectral out of methods"
            )


def _on_sphere(grid: Grid) -> bool:
    return (grid.geometry.lat, grid.geometry.lon) == ("pole", "periodic")


class SphereInterpolation:
    """Least-squares fit of spherical harmonics to a grid of any latitudes, weighted by area.

    For each zonal wavenumber, fields on the low latitudes are fitted by normalised associated
    Legendre functions, which are evaluated on the fine latitudes; the two together are one matrix.

    Harmonics are those of a triangular truncation, up to the degree that both the latitudes and the
    longitudes resolve: one less than the number of latitudes, as on a Gaussian grid, and less than
    the waves of two points. Quadrature on latitudes that are not Gaussian would end at half of it,
    least squares need not (Sneeuw 1994, Geophys. J. Int. 118, 707): the condition numbers of the
    fits stay near 2 or below on regular and on resampled Gaussian latitudes.

    A component u of a smooth vector field is not smooth at the poles, but u cos(lat) is, as
    spectral models have it: u is fitted by harmonics over cos(lat). Its zonal mean is zero at the
    poles, and is fitted by functions that are: of order 1, the slopes of those of order 0.

    Parameters
    ----------
    low, fine
        Grids between both poles and around the whole sphere.
    vector
        Whether fields are components of vectors.
    """

    def __init__(self, low: Grid, fine: Grid, *, vector: bool) -> None:
        self.degree = min(len(low.lat), (len(low.lon) + 1) // 2) - 1
        self._num_lon = len(fine.lon)
        functions_low, functions_fine = (
            _functions(grid.lat, self.degree, vector=vector) for grid in (low, fine)
        )
        root = np.sqrt(np.cos(np.radians(low.lat)))
        # (m, fine lat, low lat); only degrees of at least m have an order m.
        self._matrices = np.stack(
            [
                functions_fine[m, m:].T @ np.linalg.pinv((root * functions_low[m, m:]).T) * root
                for m in range(self.degree + 1)
            ]
        )

    def __call__(self, fields: np.ndarray) -> np.ndarray:
        """(n, low lat, low lon) -> (n, fine lat, fine lon), float32."""
        num_low = fields.shape[2]
        waves = fft.rfft(fields.astype("float64"), norm="forward")[..., : self.degree + 1]
        by_order = np.ascontiguousarray(waves.transpose(2, 1, 0))
        # Real and imaginary parts as columns, so that the product is one of real matrices.
        fitted = (self._matrices @ by_order.view("float64")).view("complex128")
        shifted = fitted.transpose(2, 1, 0) * _half_step(num_low, self._num_lon, self.degree + 1)
        return fft.irfft(shifted, self._num_lon, norm="forward").astype("float32")


def _functions(lat: np.ndarray, degree: int, *, vector: bool) -> np.ndarray:
    """Profiles of each order along the latitudes: (degree + 1 or more, degree + 1, num_lat)."""
    functions = legendre_functions(lat, degree, max(degree, 1), "float64")
    if not vector:
        return functions
    return np.concatenate([functions[1:2], functions[1:] / np.cos(np.radians(lat))])


class PlaneInterpolation:
    """Waves along periodic dims, cosines along those that end at edges; both by transforms.

    `fine` is the grid of the result.
    """

    def __init__(self, fine: Grid) -> None:
        edges = fine.geometry.lat, fine.geometry.lon
        sizes = len(fine.lat), len(fine.lon)
        self._dims = [
            (axis, size, _refine_periodic if edge == "periodic" else _refine_mirrored)
            for axis, size, edge in zip((1, 2), sizes, edges, strict=True)
        ]

    def __call__(self, fields: np.ndarray) -> np.ndarray:
        """(n, low lat, low lon) -> (n, fine lat, fine lon), float32."""
        result = fields.astype("float64")
        for axis, size, refine in self._dims:
            result = np.moveaxis(refine(np.moveaxis(result, axis, -1), size), -1, axis)
        return result.astype("float32")


def _refine_periodic(values: np.ndarray, num_fine: int) -> np.ndarray:
    """Waves along the last axis."""
    num_low = values.shape[-1]
    waves = fft.rfft(values, norm="forward")
    waves = waves * _half_step(num_low, num_fine, waves.shape[-1])
    if num_low % 2 == 0 and num_fine > num_low:
        # Of the wave of two points the low grid has one amplitude, the fine one a pair.
        waves[..., -1] /= 2
    return np.asarray(fft.irfft(waves, num_fine, norm="forward"))


def _refine_mirrored(values: np.ndarray, num_fine: int) -> np.ndarray:
    """Cosines along the last axis, which begin half a step before the first point of any grid."""
    waves = fft.dct(values, norm="forward")
    return np.asarray(fft.idct(waves, n=num_fine, norm="forward"))


def _half_step(num_low: int, num_fine: int, num_waves: int) -> np.ndarray:
    """Factors of the first waves, from the first point of the low grid to that of the fine one."""
    angle = np.pi / num_fine - np.pi / num_low
    return np.exp(1j * angle * np.arange(num_waves))
