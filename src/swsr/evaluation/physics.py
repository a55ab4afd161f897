"""Whether a field is one of shallow water: invariants, consistency, edges, flicker, extremes.

Arrays in, numbers out: fields are (n, lat, lon) in physical units, `weights` those of `grids.Grid`,
results one figure per frame unless said otherwise.
"""

from collections.abc import Callable

import numpy as np

from swsr.grids import area_mean

GRAVITY_M_S2 = 9.80616
"""Of the standard tests of shallow water (Williamson et al. 1992, J. Comput. Phys. 102, 211)."""

QUANTILES = (0.001, 0.01, 0.99, 0.999)
"""Shares of the area below the extremes that are compared."""


def mass(depth_m: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean depth, the mass of the fluid per area and density, in m."""
    return area_mean(depth_m, weights)


def energy(depth_m: np.ndarray, u: np.ndarray, v: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of h (u^2 + v^2) / 2 + g h^2 / 2, in m3 s-2, over a flat bottom.

    Kinetic and potential energy per area and density (Vallis 2017, Atmospheric and Oceanic Fluid
    Dynamics, chapter 3), constant in a flow without friction. Velocities in m s-1.
    """
    depth = depth_m.astype("float64")
    return area_mean(depth * (u**2 + v**2) / 2 + GRAVITY_M_S2 * depth**2 / 2, weights)


def enstrophy(vorticity: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of zeta^2 / 2 of relative vorticity in s-1: s-2."""
    return area_mean(vorticity.astype("float64") ** 2, weights) / 2


def drift(values: np.ndarray) -> float:
    """Change of a global mean from the first to the last frame, as a share of the first."""
    return float((values[-1] - values[0]) / abs(values[0]))


def coarse_errors(
    fields: np.ndarray,
    low: np.ndarray,
    weights: np.ndarray,
    downscale: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """How far a result, downscaled, is from the frame that it was made of: (2, n).

    Mean squared difference of `downscale(fields)` and `low`, and mean square of the deviation of
    `low` from its mean. The root of their ratio is the share of the input that was not kept: a
    super-resolution adds what is lost, and leaves what is given. Zero for a perfect result.

    Parameters
    ----------
    fields, low
        (n, lat, lon), and (n, lat / scale, lon / scale).
    weights
        Of the coarse grid's latitudes.
    downscale
        As the input was made from the truth.
    """
    mean = area_mean(low, weights)[:, None, None]
    return np.stack(
        [area_mean((downscale(fields) - low) ** 2, weights), area_mean((low - mean) ** 2, weights)]
    )


def change_errors(errors: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean squares of the change from frame to frame of errors and of the truth: (2, n - 1).

    The root of their ratio is the flicker: what appears and disappears without cause, 0 for a
    result whose error stands still.
    """
    return np.stack(
        [area_mean(np.diff(part.astype("float64"), axis=0) ** 2, weights)
         for part in (errors, truth)]
    )  # fmt: skip


def edge_errors(errors: np.ndarray, at_edge: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean squared errors in a region and elsewhere, shape (2, n).

    The root of their ratio is 1 where the edge is not to be seen in the error.

    Parameters
    ----------
    errors
        (n, lat, lon).
    at_edge
        Which points are in the region, (lat, lon).
    weights
        (lat,).
    """
    area = np.broadcast_to(weights[:, None], at_edge.shape)
    squares = errors.astype("float64") ** 2
    return np.stack(
        [
            np.average(squares[:, where], axis=1, weights=area[where])
            for where in (at_edge, ~at_edge)
        ]
    )


def seam_points(num_lat: int, num_lon: int, width: int) -> np.ndarray:
    """Which points, (lat, lon), lie within `width` of the first or the last meridian."""
    columns = np.arange(num_lon)
    seam = (columns < width) | (columns >= num_lon - width)
    return np.broadcast_to(seam, (num_lat, num_lon))


def pole_points(num_lat: int, num_lon: int, width: int) -> np.ndarray:
    """Which points, (lat, lon), lie within `width` of the first or the last parallel."""
    points: np.ndarray = seam_points(num_lon, num_lat, width).T
    return points


def quantiles(fields: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values below which `QUANTILES` of the area lie, (n, quantiles), in the unit of the field."""
    flat = fields.reshape(len(fields), -1).astype("float64")
    area = np.broadcast_to(weights[:, None], fields.shape[1:]).ravel()
    return np.quantile(flat, QUANTILES, axis=1, weights=area, method="inverted_cdf").T
