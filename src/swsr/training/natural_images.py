"""Photographs that lie in installed packages, as frames: to train on without a download.

Those of scikit-image (public domain or as its README says, most of them) train, the two of
scikit-learn (CC BY) validate. FSRCNN's own training pictures may not be passed on.
"""

import hashlib
from pathlib import Path
from typing import TypeAlias

import numpy as np
from skimage import data
from skimage.color import rgb2gray
from sklearn.datasets import load_sample_images

from swsr.geometry import Frames, Geometry
from swsr.resampling import bicubic
from swsr.settings import IMAGE_TILE_POINTS

Images: TypeAlias = dict[str, Frames]
"""Name -> luminance (lat, lon), 0 to 1, first row at the top."""

PLANE = Geometry("edge", "edge")
"""Pictures end at their edges."""

_NAMES = (
    "astronaut", "brick", "camera", "cat", "cell", "clock", "coffee", "coins", "grass", "gravel",
    "hubble_deep_field", "immunohistochemistry", "moon", "retina", "rocket", "stereo_motorcycle",
)  # fmt: skip
"""Of scikit-image, all photographs that its wheel holds."""


def training_images() -> Images:
    """Pictures that train."""
    images = {name: getattr(data, name)() for name in _NAMES}
    images["stereo_motorcycle"] = images["stereo_motorcycle"][0]  # the left of a pair
    return {name: _grey(image) for name, image in images.items()}


def validation_images() -> Images:
    """Pictures that validate."""
    sample = load_sample_images()
    return {
        Path(name).stem: _grey(image)
        for name, image in zip(sample.filenames, sample.images, strict=True)
    }


def tiles(images: Images, scale: int) -> tuple[Frames, Frames]:
    """Low-resolution tiles and their truth, from all of some pictures but what is left at edges.

    Parameters
    ----------
    images
        Of any sizes.
    scale
        Points of truth per point of low resolution.

    Returns
    -------
    Arrays (tiles, 1, side, side) and (tiles, 1, side * scale, side * scale), the latter of
    `IMAGE_TILE_POINTS` or a little less. Pictures are made coarser whole, so that tiles have their
    neighbours' part.
    """
    side = IMAGE_TILE_POINTS // scale
    low, high = [], []
    for image in images.values():
        lat, lon = (size // scale * scale for size in image.shape)
        whole = image[None, None, :lat, :lon]
        low.append(_cut(bicubic.downscale(whole, scale, PLANE), side))
        high.append(_cut(whole, side * scale))
    return np.concatenate(low), np.concatenate(high)


def digests(images: Images) -> dict[str, str]:
    """SHA-256 of the values of each picture: other releases of the packages may have others."""
    return {
        f"image/{name}": hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
        for name, image in images.items()
    }


def _grey(image: np.ndarray) -> Frames:
    assert image.dtype == np.uint8
    return (rgb2gray(image) if image.ndim == 3 else image / 255).astype("float32")


def _cut(frame: Frames, side: int) -> Frames:
    """Whole tiles of a frame (1, 1, lat, lon): (tiles, 1, side, side)."""
    rows, columns = (size // side for size in frame.shape[-2:])
    whole = frame[0, 0, : rows * side, : columns * side].reshape(rows, side, columns, side)
    return whole.transpose(0, 2, 1, 3).reshape(-1, 1, side, side)
