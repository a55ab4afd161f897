"""Fields by scale: power in spherical harmonics (sphere) or in waves (plane), and what is shared.

Modes of both kinds are normalised so that the power of a field, summed over wavenumbers, is the
area mean of its squared deviation from its mean (Parseval). In a plane all points count alike, also
in a region of the globe that is taken for one.
"""

from typing import Protocol

import numpy as np
from scipy import fft

from swsr.grids import EARTH_RADIUS_M, Grid, area_mean
from swsr.harmonics import legendre_functions

_ROUNDING = 1e-9
"""Of a wavenumber: what halves may lack."""


class Modes(Protocol):
    """Amplitudes of fields, sorted by wavenumber; `make_modes` finds those of a grid.

    Attributes
    ----------
    wavenumbers
        (k,): total wavenumber on the sphere, waves across the shorter side in a plane.
    lengths_m
        Wavelength of each wavenumber, (k,).
    """

    wavenumbers: np.ndarray
    lengths_m: np.ndarray

    def of(self, fields: np.ndarray) -> np.ndarray:
        """Amplitudes of fields (n, lat, lon), without their means: (n, modes, ...)."""

    def power(self, modes: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Products of two sets of amplitudes, summed over all modes of a wavenumber: (n, k)."""

    def energy_of_rotation(self, vorticity: np.ndarray) -> np.ndarray:
        """Spectrum of kinetic energy from amplitudes of vorticity in s-1: (n, k), m2 s-2."""

    def flow_energy(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Spectrum of kinetic energy of velocities (n, lat, lon) in m s-1: (n, k), m2 s-2."""


def make_modes(grid: Grid) -> Modes | None:
    """Spherical harmonics or waves, whichever fit the grid; None where neither do."""
    if grid.spacing is not None:
        return SphereModes(grid)
    return PlaneModes(grid) if grid.steps_m is not None else None


class SphereModes:
    """Spherical harmonics of total wavenumbers 1 to what the latitudes resolve.

    On N Gaussian latitudes quadrature is exact for products of two harmonics up to degree N - 1;
    on N evenly spaced ones up to degree N / 2 - 1 (Driscoll and Healy 1994, Adv. Appl. Math. 15).

    Raises
    ------
    ValueError
        When the grid does not span the sphere.
    """

    def __init__(self, grid: Grid) -> None:
        if grid.spacing is None:
            raise ValueError("not a Gaussian or regular grid around the whole sphere")
        num_lat, num_lon = len(grid.lat), len(grid.lon)
        degrees = num_lat if grid.spacing == "gauss" else num_lat // 2
        orders = min(degrees, num_lon // 2)
        self._weights = grid.weights
        self._cosine = np.cos(np.radians(grid.lat))
        # One degree more than the result has, for derivatives of the last.
        functions = legendre_functions(grid.lat, degrees, orders - 1, "float32")
        # Mean squares over the sphere: half of those over sin(lat); m > 0 stands for both signs.
        functions *= (grid.weights / num_lat).astype("float32")
        functions *= np.where(np.arange(orders) > 0, 2, np.sqrt(2)).astype("float32")[:, None, None]
        self._functions = functions
        self.wavenumbers = np.arange(1, degrees)
        self.lengths_m = (
            2 * np.pi * EARTH_RADIUS_M / np.sqrt(self.wavenumbers * (self.wavenumbers + 1.0))
        )

    def of(self, fields: np.ndarray) -> np.ndarray:
        """Amplitudes of fields (n, lat, lon): complex (n, m, l), m and l from 0."""
        # In float32 a large mean would leave its rounding in every mode.
        anomalies = fields - area_mean(fields, self._weights)[:, None, None]
        return self._transform(anomalies)[..., :-1]

    def _transform(self, fields: np.ndarray) -> np.ndarray:
        """Amplitudes with one degree more than `of` gives."""
        orders = len(self._functions)
        waves = fft.rfft(fields.astype("float32"), norm="forward")[..., :orders]
        by_order = np.ascontiguousarray(waves.transpose(2, 1, 0))
        # Real and imaginary parts as columns, so that the product is one of real matrices.
        amplitudes = (self._functions @ by_order.view("float32")).view("complex64")
        return amplitudes.transpose(2, 0, 1).astype("complex128")

    def power(self, modes: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Sum over m of the products of amplitudes, for each l > 0: (n, l)."""
        return np.einsum("nml,nml->nl", modes, others.conj()).real[:, 1:]

    def energy_of_rotation(self, vorticity: np.ndarray) -> np.ndarray:
        """Kinetic energy of the flow without divergence that has this vorticity.

        E(l) = a^2 / (2 l (l + 1)) |zeta(l)|^2, the inverse of the Laplacian (Boer and Shepherd
        1983, J. Atmos. Sci. 40, 164): modes of (n, lat, lon) in s-1 -> (n, l) in m2 s-2.
        """
        return self.power(vorticity, vorticity) * (self.lengths_m / (2 * np.pi)) ** 2 / 2

    def flow_energy(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """E(l) = a^2 / (2 l (l + 1)) (|zeta(l)|^2 + |delta(l)|^2), as `energy_of_rotation`.

        Not with points on the poles: the transform is of velocity over cos(lat).
        """
        along, across = (self._transform(part / self._cosine[:, None]) for part in (u, v))
        order = 1j * np.arange(len(self._functions))[:, None]
        vorticity = order * across[..., :-1] - self._slope(along)
        divergence = order * along[..., :-1] + self._slope(across)
        return np.sum(
            [self.energy_of_rotation(part / EARTH_RADIUS_M) for part in (vorticity, divergence)],
            axis=0,
        )

    def _slope(self, modes: np.ndarray) -> np.ndarray:
        """Of f, with one degree more than the result: d((1 - mu^2) f) / dmu, mu = sin(lat).

        By parts and (1 - mu^2) dP_l / dmu = (l + 1) e_l P_(l-1) - l e_(l+1) P_(l+1), with
        e_l^2 = (l^2 - m^2) / (4 l^2 - 1) (Bourke 1972, Mon. Wea. Rev. 100, 683).
        """
        order, degree = (np.arange(size) for size in modes.shape[1:])
        coupling = np.sqrt(np.maximum(degree**2 - order[:, None] ** 2, 0) / (4 * degree**2 - 1))
        above = degree[:-1] * coupling[:, 1:] * modes[..., 1:]
        below = np.zeros_like(above)
        below[..., 1:] = (degree[1:-1] + 1) * coupling[:, 1:-1] * modes[..., :-2]
        return above - below


class PlaneModes:
    """Waves of a plane: Fourier along a periodic dim, cosines along one that ends at edges.

    Cosines (the discrete cosine transform of type II) see a field go on mirrored beyond its edges,
    without the jumps that Fourier's waves would make there (Denis, Cote and Laprise 2002, Mon.
    Wea. Rev. 130, 1812). Modes are collected in rings of equal wavenumber.

    Raises
    ------
    ValueError
        When the unit of the coordinates is not one of length or degrees.
    """

    def __init__(self, grid: Grid) -> None:
        steps = grid.steps_m
        if steps is None:
            raise ValueError(f"coordinates in {grid.unit!r} give no lengths")
        self._periodic = grid.geometry.lat == "periodic", grid.geometry.lon == "periodic"
        sizes = len(grid.lat), len(grid.lon)
        along = [
            np.abs(fft.fftfreq(size, step)) if periodic else np.arange(size) / (2 * size * step)
            for size, step, periodic in zip(sizes, steps, self._periodic, strict=True)
        ]
        self._cycles_per_m = np.hypot(along[0][:, None], along[1][None, :])
        # Rings as wide as the longest wave of the shorter side, so that none is empty.
        width = 1 / min(size * step for size, step in zip(sizes, steps, strict=True))
        # Halves, which cosines have, go up: `rint` would give even rings twice as many.
        self._ring = np.floor(self._cycles_per_m / width + 0.5 + _ROUNDING).astype(int)
        # The mean has no scale; cosines of half a wave belong to the longest waves.
        self._ring[self._ring == 0] = 1
        self._ring[0, 0] = 0
        self.wavenumbers = np.arange(1, self._ring.max() + 1)
        self.lengths_m = 1 / (self.wavenumbers * width)

    def of(self, fields: np.ndarray) -> np.ndarray:
        """Amplitudes of fields (n, lat, lon): (n, lat, lon)."""
        modes = fields.astype("float64")
        for axis, periodic in ((1, self._periodic[0]), (2, self._periodic[1])):
            if not periodic:
                modes = fft.dct(modes, axis=axis, norm="ortho") / np.sqrt(fields.shape[axis])
        for axis, periodic in ((1, self._periodic[0]), (2, self._periodic[1])):
            if periodic:
                modes = fft.fft(modes, axis=axis, norm="forward")
        return modes

    def power(self, modes: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Real part of the products with the conjugate, summed over each ring: (n, k)."""
        products = (modes * np.conj(others)).real
        rings = self._ring.ravel()
        return np.stack([np.bincount(rings, each.ravel())[1:] for each in products])

    def energy_of_rotation(self, vorticity: np.ndarray) -> np.ndarray:
        """Kinetic energy of the flow without divergence that has this vorticity, (n, k).

        E = |zeta|^2 / (2 (2 pi kappa)^2) for kappa cycles per metre; only in a plane that is
        periodic both ways: at an edge vorticity alone does not give the flow.
        """
        assert all(self._periodic)
        cycles = np.where(self._cycles_per_m > 0, self._cycles_per_m, np.inf)
        streaming = vorticity / (2 * np.pi * cycles)
        return self.power(streaming, streaming) / 2

    def flow_energy(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """E = (|u|^2 + |v|^2) / 2."""
        return np.sum([self.power(part, part) for part in map(self.of, (u, v))], axis=0) / 2


def coherence(shared: np.ndarray, power: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Share of the variance at each wavenumber that two fields have in common: 0 to 1.

    gamma^2 = S_ab^2 / (S_aa S_bb) where their shared power S_ab is positive, else 0; for the sphere
    the square of the degree correlation (Kaula 1966, Theory of Satellite Geodesy). Powers are those
    of `Modes.power`, of equal shapes; nan where a field has none.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.maximum(shared, 0) ** 2 / (power * truth)


def effective_resolution(
    lengths_m: np.ndarray, coherent: np.ndarray, threshold: float
) -> float | None:
    """The smallest wavelength down to which coherence with the truth stays at `threshold` or above.

    As for gridded altimetry (Ballarotta et al. 2019, Ocean Sci. 15, 1091), but by coherence where
    they take noise over signal. None when not even the longest wave is coherent.

    Parameters
    ----------
    lengths_m
        Wavelengths, falling: (k,).
    coherent
        Coherence of each: (k,).
    threshold
        Between 0 and 1.
    """
    lost = np.flatnonzero(~(coherent >= threshold))
    last = (lost[0] if lost.size else len(lengths_m)) - 1
    return float(lengths_m[last]) if last >= 0 else None


def distance_db(power: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square of 10 log10(S / S_truth) over wavenumbers, the log-spectral distance, in dB.

    Powers of shape (k,), those of the truth above zero.
    """
    with np.errstate(divide="ignore"):
        return float(np.sqrt(np.mean((10 * np.log10(power / truth)) ** 2)))


def holds_power(truth: np.ndarray, least_share: float) -> np.ndarray:
    """Wavenumbers, (k,), each of which holds `least_share` of the truth's variance or more."""
    return truth >= least_share * truth.sum()
