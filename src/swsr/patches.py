"""Samples for training: frames or packs of frames with their truth, whole or as patches."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from swsr.geometry import Frames, Geometry
from swsr.inference import packs
from swsr.networks.layers import Reach
from swsr.scaling import Scaling
from swsr.settings import Train

_IMAGES_BEYOND = 0.25
"""How far mirror images may leave the range of frames, as a share of it."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Source(Protocol):
    """Frames (frames, variables, lat, lon) in physical units, in memory or read when asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the four dims."""

    def __getitem__(self, frames: slice, /) -> Frames:
        """Some consecutive frames."""


@dataclass(frozen=True)
class Samples:
    """Inputs and truths of one set, for a network with a given reach.

    Parameters
    ----------
    inputs
        One source per series.
    truths
        Likewise, on a grid finer by `reach.scale`, of the first variables: without predictors.
    reach
        How the network's output lies on its input.
    scaling
        To [0, 1], of all variables, applied to what is taken.
    geometry
        What lies beyond the edges, for networks that read it.
    mirror_signs
        Of each variable, as `components.mirror_signs` gives them.

    A sample is one frame of output: with packs of five, the first and the last two frames of a
    series are no samples.
    """

    inputs: tuple[Source, ...]
    truths: tuple[Source, ...]
    reach: Reach
    scaling: Scaling
    geometry: Geometry
    mirror_signs: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        for low, high in zip(self.inputs, self.truths, strict=True):
            lat, lon = (size * self.reach.scale for size in low.shape[-2:])
            if high.shape != (low.shape[0], low.shape[1] - self.reach.predictors, lat, lon):
                raise ValueError(
                    f"frames of shape {low.shape} do not fit truth of shape {high.shape} "
                    f"at scale {self.reach.scale}"
                )

    def __len__(self) -> int:
        return sum(self.lengths)

    @property
    def lengths(self) -> list[int]:
        """Number of samples of each series, in order."""
        return [source.shape[0] - self.reach.num_frames + 1 for source in self.inputs]

    @property
    def size(self) -> tuple[int, int]:
        """Points of lat and lon of an input frame."""
        _, _, lat, lon = self.inputs[0].shape
        return lat, lon

    @property
    def mirrors(self) -> tuple[bool, bool]:
        """Whether images mirrored along lat, and along lon, stay near the range of the training.

        Not where a variable that changes its sign is far from symmetric about zero, as winds that
        blow east: networks would learn what never occurs, beyond the range that values are scaled
        by.
        """
        lat, lon = self.leaving.T
        return not lat.any(), not lon.any()

    @property
    def leaving(self) -> NDArray[np.bool_]:
        """Of each variable, whether its image along lat, and along lon, leaves the range."""
        one_sided = np.abs(2 * self.scaling.zero - 1) > _IMAGES_BEYOND
        return (np.array(self.mirror_signs) < 0) & one_sided[:, None]

    def batch(self, patches: list["Patch"]) -> tuple[Tensor, Tensor]:
        """Inputs and truths of patches of one size, stacked along a first dim."""
        inputs, truths = self._stack(patches)
        return torch.from_numpy(inputs), torch.from_numpy(truths)

    def whole(self, samples: list[int]) -> tuple[Frames, Frames]:
        """Inputs and truths of samples with all their points, stacked along a first dim."""
        return self._stack([Patch(sample, 0, 0, *self.size) for sample in samples])

    def _stack(self, patches: list["Patch"]) -> tuple[Frames, Frames]:
        inputs, truths = zip(*(self._cut(patch) for patch in patches), strict=True)
        return np.stack(inputs), np.stack(truths)

    def _cut(self, patch: "Patch") -> tuple[Frames, Frames]:
        series, first = self.locate(patch.sample)
        reach = self.reach
        lat = range(patch.top - reach.margin, patch.top + patch.lat + reach.margin)
        lon = range(patch.left - reach.margin, patch.left + patch.lon + reach.margin)
        frames = self.inputs[series][first : first + reach.num_frames]
        fine_lat, fine_lon = (
            range((part.start + reach.trim) * reach.scale, (part.stop - reach.trim) * reach.scale)
            for part in (lat, lon)
        )
        centre = first + reach.num_frames // 2
        truth = self.truths[series][centre : centre + 1]
        given = self._take(patch, frames, lat, lon)
        return packs(given, reach.num_frames)[0], self._take(patch, truth, fine_lat, fine_lon)[0]

    def _take(self, patch: "Patch", frames: Frames, lat: range, lon: range) -> Frames:
        """Points of frames, mirrored if the patch is, scaled to [0, 1]."""
        number = frames.shape[1]
        cut = self.geometry.first(number).cut(frames, lat, lon)
        # Signs, across a pole too, are those of physical values: scaled only after the cut.
        return self.scaling.first(number).to_unit(self._mirror(patch, cut))

    def _mirror(self, patch: "Patch", frames: Frames) -> Frames:
        """What was cut for a patch, mirrored if that is."""
        if not any(patch.mirrored):
            return frames
        # Lat and lon are the last two axes of frames, and the two columns of signs.
        axes = tuple(axis for axis in (-2, -1) if patch.mirrored[axis])
        of_each = np.array(self.mirror_signs[: frames.shape[1]], dtype="float32")
        signs = of_each[:, axes].prod(axis=1)
        return np.flip(frames, axes) * signs[:, None, None]

    def beyond(self, lat: int, lon: int) -> tuple[bool, bool]:
        """Whether patches of so many points may go beyond the last latitude, and longitude."""
        edges, (num_lat, num_lon) = self.geometry, self.size
        over = edges.lat == "periodic" and self.reach.extends and lat < num_lat
        return over, edges.lon == "periodic" and self.reach.extends and lon < num_lon

    def locate(self, sample: int) -> tuple[int, int]:
        """The series of a sample, and the first of its frames there."""
        for series, count in enumerate(self.lengths):
            if sample < count:
                return series, sample
            sample -= count
        raise IndexError(sample)


@dataclass(frozen=True)
class Patch:
    """Part of a sample: a rectangle of its input's grid, which may go around a periodic one.

    The output lies on it, without the points that the network trims and does not extend by.
    `mirrored` is whether the order of its points is the opposite, along lat and along lon.
    """

    sample: int
    top: int
    left: int
    lat: int
    lon: int
    mirrored: tuple[bool, bool] = (False, False)


def draw_epoch(
    samples: Samples, chunk: int, settings: Train, seed: int, epoch: int
) -> list[list[Patch]]:
    """All batches of an epoch in random order: the same for any number of ranks.

    Batches are dealt in lanes: the i-th patches of all batches follow on each other in an order
    that takes chunk after chunk. A rank takes the same places in every batch, and so needs each
    chunk of a store only once, and a few at a time. Only the last batch may be smaller.

    Parameters
    ----------
    samples
        Of the training set.
    chunk
        Frames in a chunk of its stores.
    settings
        `global_batch_size`, `patch_points`, `patches_per_frame`, and `augmentation`: with `mirror`
        patches are mirrored with even odds along lat, and along lon, see `Samples.mirrors`.
    seed, epoch
        What the order and the places depend on.
    """
    random = np.random.default_rng([seed, epoch])
    order = _shuffle_by_chunk(samples.lengths, chunk, settings.patches_per_frame, random)
    patches = _place(order, samples, settings, random)
    first, lanes = 0, []
    size, longer = divmod(len(patches), settings.global_batch_size)
    for number in range(settings.global_batch_size):
        last = first + size + (number < longer)
        lanes.append(patches[first:last])
        first = last
    return [[lane[step] for lane in lanes if step < len(lane)] for step in range(len(lanes[0]))]


def _shuffle_by_chunk(
    lengths: list[int], chunk: int, repeats: int, random: np.random.Generator
) -> NDArray[np.intp]:
    """Numbers of all samples: chunks in random order, samples in random order inside them."""
    starts = np.concatenate([[0], np.cumsum(lengths)])
    chunks = [
        np.arange(first, min(first + chunk, last))
        for start, last in pairwise(starts)
        for first in range(start, last, chunk)
    ]
    shuffled = [
        random.permutation(np.repeat(chunks[number], repeats))
        for number in random.permutation(len(chunks))
    ]
    return np.concatenate(shuffled)


def _place(
    order: NDArray[np.intp],
    samples: Samples,
    settings: Train,
    random: np.random.Generator,
) -> list[Patch]:
    lat, lon = samples.size
    height, width = settings.patch_points or lat, settings.patch_points or lon
    over, around = samples.beyond(height, width)
    tops = random.integers(0, lat if over else lat - height + 1, size=len(order))
    lefts = random.integers(0, lon if around else lon - width + 1, size=len(order))
    mirrored = np.zeros((len(order), 2), dtype=bool)
    if settings.augmentation == "mirror":
        mirrored = (random.random(mirrored.shape) < 0.5) & samples.mirrors
    return [
        Patch(int(sample), int(top), int(left), height, width, (bool(in_lat), bool(in_lon)))
        for sample, top, left, (in_lat, in_lon) in zip(order, tops, lefts, mirrored, strict=True)
    ]


def prefetch(load: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`load` of each item, in order, while the next one is loaded in the background."""
    with ThreadPoolExecutor(1) as background:
        waiting = None
        for item in items:
            following = background.submit(load, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
