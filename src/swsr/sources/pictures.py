"""Frames that are pictures: pixels as points of a plane, channels as variables."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from swsr.sources.lazy import Key, lazy_variable

CHANNELS = ("grey", "red", "green", "blue")


def picture_dataset(
    times: xr.Variable,
    shape: tuple[int, int],
    dtype: np.dtype,
    read: Callable[[str, Key], np.ndarray],
) -> xr.Dataset:
    """A variable per channel, dims (time, y, x); y falls from row to row, as pictures are shown.

    Parameters
    ----------
    shape
        Rows and columns.
    read
        Name of a channel and an index for (time, y, x) -> values.
    """
    rows, columns = shape
    sizes = (times.sizes["time"], rows, columns)
    fields = {
        name: lazy_variable(("time", "y", "x"), sizes, dtype, _Channel(read, name), {"units": "1"})
        for name in CHANNELS
    }
    return xr.Dataset(fields).assign_coords(
        time=times,
        y=("y", np.arange(rows)[::-1].astype(float), {"axis": "Y", "units": "1"}),
        x=("x", np.arange(columns).astype(float), {"axis": "X", "units": "1"}),
    )


class _Channel:
    def __init__(self, read: Callable[[str, Key], np.ndarray], name: str) -> None:
        self.read, self.name = read, name

    def __call__(self, key: Key) -> np.ndarray:
        return self.read(self.name, key)


def frame_numbers(key: int | slice, num_frames: int) -> tuple[list[int], bool]:
    """Frames that an index of time means, ascending, and whether it is a single one."""
    if isinstance(key, slice):
        return list(range(*key.indices(num_frames))), False
    return [int(key)], True
