"""A network over frames of any size: windows that overlap by the network's reach.

Every window carries a halo as wide as the network's reach, which is cut off its result: results of
neighbouring windows are then equal where they meet, so that no weights are needed on the seams,
and the result does not depend on the size of the windows (beyond rounding).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import torch

from swsr.geometry import Frames
from swsr.networks.build import Network
from swsr.networks.joint import NetworkJoint, pack_frames
from swsr.networks.layers import Reach

_BATCH_POINTS = {"cpu": 2**14, "cuda": 2**20}
"""Points that go through a network at once: on a CPU, of input, what its caches hold, as new memory
for more takes longer than the layers; on a GPU, of output, what keeps it busy."""

_LEAST_PACKS = 2
"""Packs that go through a 3D network at once: torch computes a single one, unless it is large, by
other code that takes three times as long on a CPU."""


@dataclass(frozen=True)
class Window:
    """One window along one dim: what to read, what of the result to keep, and where it goes."""

    read: slice
    keep: slice
    place: slice


def windows(length: int, size: int, reach: Reach) -> Iterator[Window]:
    """Windows that cover `length` points of input with `size` points of input or fewer each.

    At the edges of the domain a window ends with the domain, so that a padded layer pads there
    exactly as it does over the whole frame. All begin with a whole block of the network's.
    """
    first, last = reach.trim, length - reach.trim
    size = -(-size // reach.block) * reach.block
    for start in range(first, last, size):
        stop = min(start + size, last)
        begin = (start - reach.halo) // reach.block * reach.block
        read = slice(max(0, begin), min(length, stop + reach.halo))
        offset = read.start + reach.trim
        yield Window(
            read,
            keep=slice((start - offset) * reach.scale, (stop - offset) * reach.scale),
            place=slice((start - first) * reach.scale, (stop - first) * reach.scale),
        )


def packs(frames: Frames, num_frames: int) -> Frames:
    """All samples in consecutive frames (frames, variables, lat, lon), as a view.

    Single frames (n, variables, lat, lon), or packs (n, variables, num_frames, lat, lon).
    """
    if num_frames == 1:
        return frames
    view = np.lib.stride_tricks.sliding_window_view(frames, num_frames, axis=0)
    return np.moveaxis(view, -1, 2)


def apply_network(
    network: Network,
    samples: Frames,
    window_points: int,
    device: torch.device,
    *,
    consecutive: bool = False,
) -> Frames:
    """Apply a network to samples of whole frames.

    Parameters
    ----------
    network
        Trained, or not.
    samples
        As `packs` gives them, scaled to [0, 1].
    window_points
        Side of a window on the input's grid, halo not counted: bounds the memory.
    device
        Where to compute.
    consecutive
        Whether samples follow on each other: frames that packs share then travel to the device, and
        go through the layers of a `NetworkJoint`, once.

    Returns
    -------
    Array (n, variables, scale * (lat - 2 trim), scale * (lon - 2 trim)), without predictors
    """
    reach = network.reach
    num_lat, num_lon = samples.shape[-2:]
    size = [(points - 2 * reach.trim) * reach.scale for points in (num_lat, num_lon)]
    num_variables = samples.shape[1] - reach.predictors
    result = np.empty((len(samples), num_variables, *size), dtype="float32")
    # Not in inference mode, which would make weights that no training can go on with.
    network.to(device)
    area = min(window_points, num_lat) * min(window_points, num_lon)
    if device.type == "cuda":
        area *= reach.scale**2
    batches = _batches(len(samples), _BATCH_POINTS[device.type] // area, reach)
    for lat, lon in product(
        windows(num_lat, window_points, reach), windows(num_lon, window_points, reach)
    ):
        for part in batches:
            given = samples[part, ..., lat.read, lon.read]
            output = _apply(network, given, device, consecutive=consecutive)
            kept = output[..., lat.keep, lon.keep]
            result[part, :, lat.place, lon.place] = kept.cpu().numpy()
    return result


@torch.inference_mode()
def _apply(
    network: Network, samples: Frames, device: torch.device, *, consecutive: bool
) -> torch.Tensor:
    if not consecutive or network.reach.num_frames == 1:
        return network(torch.from_numpy(np.array(samples)).to(device))
    run = torch.from_numpy(_as_run(samples)).to(device)
    return network(run if isinstance(network, NetworkJoint) else pack_frames(run))


def _as_run(consecutive: Frames) -> Frames:
    """Packs (n, variables, 5, lat, lon) -> their one run (1, variables, n + 4, lat, lon)."""
    first, others = consecutive[0], consecutive[1:, :, -1]
    return np.concatenate([first, np.moveaxis(others, 0, 1)], axis=1)[None]


def _batches(count: int, size: int, reach: Reach) -> list[slice]:
    """Parts of `count` samples, of about `size` samples each, and none of a single pack."""
    least = _LEAST_PACKS if reach.num_frames > 1 else 1
    parts = max(1, count // max(size, least))
    limits = [count * number // parts for number in range(parts + 1)]
    return [slice(first, last) for first, last in pairwise(limits)]
