"""How low-resolution copies are made of frames: what `downscale` does and a constraint undoes.

`bicubic` is the antialiased filter of the study, sharp and with small negative weights. `mean` is
the mean over the area of the points that a low-resolution one stands for, as the cells of a coarser
model and conservative regridding hold it: the mean over all cells stays what it is.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr

from swsr.geometry import Frames, Geometry
from swsr.grids import Grid
from swsr.resampling import bicubic
from swsr.settings import Filter


@dataclass(frozen=True, eq=False)
class Coarsening:
    """Makes low-resolution copies of frames on one grid.

    Attributes
    ----------
    filter
        `bicubic` or `mean`.
    scale
        Points of lat and lon per low-resolution point; divides both numbers of points.
    areas
        Of the cell of a point at each latitude, in any unit, all above zero: (lat,).
    """

    filter: Filter
    scale: int
    areas: np.ndarray

    @classmethod
    def of(cls, fine: xr.Dataset, filter_name: Filter, scale: int) -> Self:
        """For whole canonical frames on the fine grid."""
        return cls(filter_name, scale, Grid.of(fine).areas)

    def __call__(self, frames: Frames, geometry: Geometry) -> Frames:
        """Frames (n, variables, lat, lon) -> (n, variables, lat / scale, lon / scale)."""
        if self.filter == "bicubic":
            return bicubic.downscale(frames, self.scale, geometry)
        return area_means(frames, self.scale, self.areas)


def area_means(frames: Frames, scale: int, areas: np.ndarray) -> Frames:
    """Means over `scale` x `scale` points, sum_ij a_i f_ij / sum_ij a_i.

    Parameters
    ----------
    frames
        (..., lat, lon)
    scale
        Divides both.
    areas
        Of the cell of a point at each latitude, in any unit: (lat,).

    Returns
    -------
    Array (..., lat / scale, lon / scale) of the same type
    """
    *others, num_lat, num_lon = frames.shape
    cells = frames.reshape(*others, num_lat // scale, scale, num_lon // scale, scale)
    shares = areas.reshape(-1, scale)
    shares = (shares / (shares.sum(axis=1, keepdims=True) * scale)).astype(frames.dtype)
    means: Frames = np.einsum("...isjt,is->...ij", cells, shares)
    return means
