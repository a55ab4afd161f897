"""Associated Legendre functions: spherical harmonics along a meridian."""

import numpy as np
from scipy.special import sph_legendre_p_all

_LATITUDES_AT_ONCE = 8
"""The functions of a few latitudes are found as fast, and have orders of both signs."""


def legendre_functions(lat: np.ndarray, degree: int, order: int, dtype: str) -> np.ndarray:
    """Functions P_l^m of sin(lat), whose squares have an integral of one over sin(lat).

    Parameters
    ----------
    lat
        Latitudes in degrees, (num_lat,).
    degree, order
        The highest l and m.

    Returns
    -------
    Array (order + 1, degree + 1, num_lat); zero where m > l.
    """
    result = np.empty((order + 1, degree + 1, len(lat)), dtype)
    for first in range(0, len(lat), _LATITUDES_AT_ONCE):
        some = slice(first, first + _LATITUDES_AT_ONCE)
        # Not `assoc_legendre_p_all`: on the poles it leaves its norm out (scipy issue 24099).
        functions = sph_legendre_p_all(degree, order, np.radians(90 - lat[some]))[0]
        result[..., some] = functions[:, : order + 1].swapaxes(0, 1)
    # Scipy's have an integral of one over the sphere.
    result *= np.sqrt(2 * np.pi)
    return result
