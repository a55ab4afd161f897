"""Antialiased bicubic interpolation: the one definition that every stage shares.

Keys' cubic convolution kernel with a = -1/2 (Keys 1981, IEEE Trans. ASSP 29, eq. 15),

    k(x) =  3/2 |x|^3 - 5/2 |x|^2 + 1             for |x| <= 1
    k(x) = -1/2 |x|^3 + 5/2 |x|^2 - 4 |x| + 2     for 1 < |x| <= 2,

sampled at half-pixel centres: point i of the result lies at (i + 1/2) n_in / n_out - 1/2 of the
input. When the grid gets coarser by s, the kernel is widened to k(x / s) / s, which removes what
the coarser grid cannot hold (as Pillow and MATLAB's `imresize` do). Weights are normalised to a
sum of one; beyond an edge there are no points, except where the geometry knows some: beyond
longitude 360, or across a pole.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from swsr.geometry import Frames, Geometry

_SUPPORT = 2
"""Half the width of the kernel, in points of the coarser grid."""


def resize(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Interpolate frames, shape (n, channels, lat, lon), to `size` (lat, lon) points."""
    return interpolate(frames, size=size, mode="bicubic", antialias=True)


def downscale(frames: Frames, scale: int, geometry: Geometry) -> Frames:
    """Frames (n, variables, lat, lon) on a grid coarser by `scale`: lat / scale, lon / scale."""
    # Whole points of the coarser grid, so that both grids stay aligned.
    return _resize(frames, geometry, (_SUPPORT + 1) * scale, lambda size: size // scale)


def upscale(frames: Frames, scale: int, geometry: Geometry) -> Frames:
    """Frames (n, variables, lat, lon) on a grid finer by `scale`: lat * scale, lon * scale."""
    return _resize(frames, geometry, _SUPPORT + 1, lambda size: size * scale)


def _resize(
    frames: Frames, geometry: Geometry, beyond: int, resized: Callable[[int], int]
) -> Frames:
    lat, lon = (0 if edge == "edge" else beyond for edge in (geometry.lat, geometry.lon))
    extended = np.ascontiguousarray(geometry.extend(frames, lat, lon))
    num_lat, num_lon = map(resized, extended.shape[-2:])
    result = resize(torch.from_numpy(extended), (num_lat, num_lon)).numpy()
    lat, lon = resized(lat), resized(lon)
    return result[..., lat : num_lat - lat, lon : num_lon - lon]
