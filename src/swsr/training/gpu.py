"""What keeps a GPU busy: steps replayed as graphs, frames that lie there, figures read late.

The networks are small: their layers take a GPU less time than Python takes to ask for them.
"""

import math
import warnings
from collections import Counter
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from swsr.patches import Patch, Samples, Source

_WARM_UP = 3
"""Calls before a graph is captured, in which libraries choose kernels and take memory."""


class Replayed:
    """A function of tensors and numbers as CUDA graphs, one for each of their shapes and numbers.

    Hundreds of kernels then start with one call. The result lies in memory that the next call
    writes to.

    Parameters
    ----------
    function
        Gives a tensor; on a GPU, without a look at any value.
    device
        The GPU.
    changes
        Whether the function has effects, on weights say. Then its first calls warm up, computed as
        they come; else calls before the first, of which nobody takes the result.
    """

    def __init__(
        self, function: Callable[..., Tensor], device: torch.device, *, changes: bool = False
    ) -> None:
        self._function, self._device, self._changes = function, device, changes
        # Graphs never run side by side, so that one may use the memory of another.
        self._pool = torch.cuda.graph_pool_handle()
        self._beside = torch.cuda.Stream(device)
        self._calls: Counter[object] = Counter()
        self._graphs: dict[object, tuple[torch.cuda.CUDAGraph, list[Tensor], Tensor]] = {}

    def __call__(self, *tensors: Tensor, **numbers: int) -> Tensor:
        """The function's result; tensors may lie on the CPU."""
        key = (*numbers.items(), *((tensor.shape, tensor.dtype) for tensor in tensors))
        self._calls[key] += 1
        if self._changes and self._calls[key] <= _WARM_UP:
            return self._warm_up([tensor.to(self._device) for tensor in tensors], numbers)
        if key not in self._graphs:
            self._graphs[key] = self._capture(
                [tensor.to(self._device, copy=True) for tensor in tensors], numbers
            )
        graph, places, result = self._graphs[key]
        for place, tensor in zip(places, tensors, strict=True):
            place.copy_(tensor, non_blocking=True)
        graph.replay()
        return result

    def _warm_up(self, tensors: list[Tensor], numbers: dict[str, int]) -> Tensor:
        """On another stream, as what is captured after it has to be."""
        before = torch.cuda.current_stream()
        self._beside.wait_stream(before)
        with torch.cuda.stream(self._beside), warnings.catch_warnings():
            # Optimisers whose steps can be captured warn of those that are not.
            warnings.filterwarnings("ignore", "This instance was constructed with capturable=True")
            result = self._function(*tensors, **numbers)
        before.wait_stream(self._beside)
        return result

    def _capture(
        self, places: list[Tensor], numbers: dict[str, int]
    ) -> tuple[torch.cuda.CUDAGraph, list[Tensor], Tensor]:
        if not self._changes:
            for _ in range(_WARM_UP):
                self._warm_up(places, numbers)
        graph = torch.cuda.CUDAGraph()
        # Threads of NCCL and Horovod go on with calls of their own meanwhile.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            result = self._function(*places, **numbers)
        return graph, places, result


class ResidentSamples:
    """Samples whose frames lie on a device, extended beyond their edges and scaled.

    Where mirror images change signs, frames lie there with each sign: scaled after the change, as
    those that are cut one by one.

    Parameters
    ----------
    samples
        Whose frames are read, once.
    lat, lon
        Points of a patch, of which all have as many.
    mirror
        Whether there may be mirror images among the patches.
    device
        Where the frames are to lie.
    """

    def __init__(
        self, samples: Samples, lat: int, lon: int, device: torch.device, *, mirror: bool
    ) -> None:
        self._samples, self._patch = samples, (lat, lon)
        low, high = _extents(samples, lat, lon)
        signs = _signs(samples, mirror=mirror)
        self._low = self._read(samples.inputs, low, signs, device)
        self._high = self._read(samples.truths, high, signs, device)
        self._changes = torch.tensor(samples.mirror_signs, device=device) < 0

    @staticmethod
    def bytes(samples: Samples, lat: int, lon: int, *, mirror: bool) -> int:
        """What the frames of samples take, for patches of so many points."""
        sets = zip((samples.inputs, samples.truths), _extents(samples, lat, lon), strict=True)
        return len(_signs(samples, mirror=mirror)) * sum(
            4 * math.prod((*source.shape[:2], *map(len, extent)))
            for sources, extent in sets
            for source in sources
        )

    def places(self, patches: list[Patch]) -> Tensor:
        """First frame, first lat and first lon of each patch, and whether it is mirrored.

        (n, 5), on the CPU.
        """
        starts, frames = [], 0
        for source in self._samples.inputs:
            starts.append(frames)
            frames += source.shape[0]
        located = [self._samples.locate(patch.sample) for patch in patches]
        return torch.tensor(
            [
                (starts[series] + first, patch.top, patch.left, *patch.mirrored)
                for (series, first), patch in zip(located, patches, strict=True)
            ]
        )

    def batch(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """As `Samples.batch`, of patches at these places."""
        frame, top, left, *mirrored = places.unbind(1)
        reach, (lat, lon) = self._samples.reach, self._patch
        margin, scale, lost = reach.margin, reach.scale, _lost(self._samples)
        changed = self._changed(mirrored)
        inputs = _take(
            self._low,
            changed,
            _numbers(frame, reach.num_frames),
            _numbers(top, lat + 2 * margin, mirrored[0]),
            _numbers(left, lon + 2 * margin, mirrored[1]),
        )
        truths = _take(
            self._high,
            changed[:, : self._high.shape[2]],
            _numbers(frame + reach.num_frames // 2, 1),
            _numbers(top * scale, lat * scale - 2 * lost, mirrored[0]),
            _numbers(left * scale, lon * scale - 2 * lost, mirrored[1]),
        )
        return inputs if reach.num_frames > 1 else inputs.squeeze(2), truths.squeeze(2)

    def _changed(self, mirrored: list[Tensor]) -> Tensor:
        """Whether each variable of each patch has its other sign, as a number: (n, variables)."""
        if len(self._low) == 1:
            return torch.zeros_like(mirrored[0])[:, None]
        return (torch.stack(mirrored, 1)[:, None] * self._changes).sum(2) % 2

    def _read(
        self,
        sources: tuple[Source, ...],
        extent: tuple[range, range],
        signs: list[int],
        device: torch.device,
    ) -> Tensor:
        samples, num_frames = self._samples, sum(source.shape[0] for source in sources)
        variables = sources[0].shape[1]
        geometry, scaling = samples.geometry.first(variables), samples.scaling.first(variables)
        size = (len(signs), num_frames, variables, *map(len, extent))
        frames = torch.empty(size, device=device)
        numbered = (source[n : n + 1] for source in sources for n in range(source.shape[0]))
        for number, frame in enumerate(numbered):
            cut = geometry.cut(frame, *extent)
            for copy, sign in zip(frames, signs, strict=True):
                copy[number : number + 1] = torch.from_numpy(scaling.to_unit(sign * cut))
        return frames


def _signs(samples: Samples, *, mirror: bool) -> list[int]:
    """That frames are needed with."""
    changed = np.array(samples.mirror_signs) < 0
    return [1, -1] if mirror and (changed & samples.mirrors).any() else [1]


def _lost(samples: Samples) -> int:
    """Points of output that the network takes off each side."""
    reach = samples.reach
    return (reach.trim - reach.margin) * reach.scale


def _extents(
    samples: Samples, lat: int, lon: int
) -> tuple[tuple[range, range], tuple[range, range]]:
    """Points of lat and lon, of inputs and of truths, that patches of so many points may need."""
    reach, lost = samples.reach, _lost(samples)
    over, around = samples.beyond(lat, lon)
    last_lat, last_lon = samples.size[0] + over * lat, samples.size[1] + around * lon
    low = (
        range(-reach.margin, last_lat + reach.margin),
        range(-reach.margin, last_lon + reach.margin),
    )
    return low, (
        range(lost, last_lat * reach.scale - lost),
        range(lost, last_lon * reach.scale - lost),
    )


def _numbers(start: Tensor, length: int, mirrored: Tensor | None = None) -> Tensor:
    """From each start so many consecutive numbers, in the opposite order where mirrored."""
    steps = torch.arange(length, device=start.device)
    if mirrored is not None:
        steps = torch.where(mirrored[:, None] > 0, length - 1 - steps, steps)
    return start[:, None] + steps


def _take(frames: Tensor, copy: Tensor, times: Tensor, lat: Tensor, lon: Tensor) -> Tensor:
    """Points at these numbers of frames, rows and columns, each (n, count).

    `copy`, (n, variables), says of which copy:
    (copies, frames, variables, lat, lon) -> (n, variables, frames, rows, columns).
    """
    variables = torch.arange(frames.shape[2], device=frames.device)
    return frames[
        copy[:, :, None, None, None],
        times[:, None, :, None, None],
        variables[:, None, None, None],
        lat[:, None, None, :, None],
        lon[:, None, None, None, :],
    ]


def read_later(values: Tensor) -> Callable[[], list[float]]:
    """Ask for a few values now, and get them later without a wait for what was asked for since."""
    if not values.is_cuda:
        return values.tolist
    here = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    here.copy_(values, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()

    def read() -> list[float]:
        arrived.synchronize()
        return here.tolist()

    return read
