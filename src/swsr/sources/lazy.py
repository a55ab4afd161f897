"""Arrays that are read when they are used, a slice at a time, by a function of the format."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.backends.common import BackendArray
from xarray.core import indexing

from swsr.components import ALONG

Key = tuple[Any, ...]
"""For each dim an int or a slice of positive step."""


class _Array(BackendArray):
    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype, read: Callable[[Key], np.ndarray]
    ) -> None:
        self.shape, self.dtype, self._read = shape, dtype, read

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )


def lazy_variable(
    dims: tuple[str, ...],
    shape: tuple[int, ...],
    dtype: np.dtype,
    read: Callable[[Key], np.ndarray],
    attributes: dict[str, Any] | None = None,
) -> xr.Variable:
    """A variable whose values `read` returns for an index; it must be fit for pickling."""
    array = indexing.LazilyIndexedArray(_Array(shape, np.dtype(dtype), read))
    return xr.Variable(dims, array, attributes)


def hdf5_variable(
    path: Path,
    dataset: h5py.Dataset,
    dims: tuple[str, ...],
    fixed: Mapping[int, int],
    space: Sequence[str],
) -> xr.Variable:
    """A dataset of an HDF5 file; the file is open only while a slice is read.

    Parameters
    ----------
    dims
        Of the variable, in the order of the file.
    fixed
        Axes of the file that are those of components, not dims, and the index along each.
    space
        Dims that the components lie along, in their order.
    """
    along = " ".join(space[index] for index in fixed.values() if index < len(space))
    sizes = tuple(size for axis, size in enumerate(dataset.shape) if axis not in fixed)
    read = partial(_read_hdf5, path, dataset.name, dict(fixed), dataset.ndim)
    # What has no components may be one, as u that a script took of a velocity: its name tells.
    return lazy_variable(dims, sizes, dataset.dtype, read, {ALONG: along} if fixed else None)


def _read_hdf5(path: Path, name: str, fixed: dict[int, int], ndim: int, key: Key) -> np.ndarray:
    rest = iter(key)
    index = tuple(fixed[axis] if axis in fixed else next(rest) for axis in range(ndim))
    try:
        with h5py.File(path) as file:
            return np.asarray(file[name][index])
    except OSError as error:
        raise ValueError(f"{path}: {name} cannot be read: {error}") from error
