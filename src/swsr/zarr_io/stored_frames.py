"""Frames of a store as an array, read when they are asked for and kept while there is room."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial

import numpy as np
import xarray as xr

from swsr.zarr_io.reading import chunk_frames, stack_variables


class Cache:
    """Blocks of frames in memory, the last used ones, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._blocks: OrderedDict[Hashable, np.ndarray] = OrderedDict()

    def get(self, key: Hashable, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The block of a key, read when it is not here; what was not used for longest goes."""
        block = self._blocks.pop(key, None)
        if block is None:
            block = read()
            size = block.nbytes + sum(kept.nbytes for kept in self._blocks.values())
            while self._blocks and size > self._limit:
                size -= self._blocks.popitem(last=False)[1].nbytes
        self._blocks[key] = block
        return block


class StoredFrames:
    """Some frames of a store as if they were an array (frames, variables, lat, lon), float32.

    Parameters
    ----------
    dataset
        As `open_frames` gives it.
    variables
        Channels, in order.
    frames
        Which frames of the store these are.
    cache
        Where chunks that were read stay for a while; it may be shared.
    """

    def __init__(
        self, dataset: xr.Dataset, variables: tuple[str, ...], frames: slice, cache: Cache
    ) -> None:
        self._stacked = stack_variables(dataset, variables)
        self._chunk = chunk_frames(dataset)
        self._frames = range(dataset.sizes["time"])[frames]
        self._cache = cache

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the four dims."""
        return (len(self._frames), *self._stacked.shape[1:])

    def __getitem__(self, frames: slice) -> np.ndarray:
        """Consecutive frames, read chunk by chunk."""
        wanted = self._frames[frames]
        numbers = range(wanted.start // self._chunk, (wanted.stop - 1) // self._chunk + 1)
        first = numbers.start * self._chunk
        blocks = [
            self._cache.get((id(self), number), partial(self._read, number)) for number in numbers
        ]
        block = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        return block[wanted.start - first : wanted.stop - first]

    def _read(self, number: int) -> np.ndarray:
        first = number * self._chunk
        return self._stacked.isel(time=slice(first, first + self._chunk)).values
