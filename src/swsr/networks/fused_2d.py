"""The layers of `Network2d` as a few kernels for GPUs, where `SWSR_FUSED` asks for them.

Libraries' convolutions are made for many channels: with 1, 12 and 56 they take several times as
long as the GPU needs to read and write what lies between the layers. Here one kernel takes several
layers, so that 56 channels are never written: 25 points under a 5 x 5 kernel -> 56 -> 12 channels;
12 -> 12 channels, four times; 12 -> 56 channels -> what each point adds to the 9 x 9 points of
output around it, which another kernel sums. The way back computes the 56 channels anew.

Products are in TF32, as cuDNN's are by default. Sums over points are taken in one order on GPUs of
a kind: equal results each time.
"""

from typing import Any

import torch
import triton
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from swsr.networks import fused_kernels as kernels

TILE, WARPS = 64, 4
"""Points that a program takes at once, and its warps: what was fastest on an H100."""

PRECISION = "tf32"
"""Of products; `ieee` is float32."""

_MOST_VARIABLES = 4
"""Of which all points under a 5 x 5 kernel fit the memory that a program shares."""


def fits(given: Tensor) -> bool:
    """Whether the kernels can take this input of a network.

    Not where its gradient is wanted, layers are to compute in bfloat16, or variables are many.
    """
    plain = given.dtype == torch.float32 and not torch.is_autocast_enabled("cuda")
    return plain and not given.requires_grad and given.shape[1] <= _MOST_VARIABLES


def compute(given: Tensor, layers: nn.Sequential) -> Tensor:
    """The layers of a `Network2d`, and their gradients.

    Parameters
    ----------
    given
        (n, variables, lat, lon), float32, on a GPU.
    layers
        The first of 5 x 5 points, four of 3 x 3 and the last of 9 x 9, with those between; they
        pad to keep their size, or nothing.

    Returns
    -------
    (n, variables, scale * lat, scale * lon), of points that are left without padding
    """
    kinds = nn.Conv2d | nn.ConvTranspose2d
    convolutions = [layer for layer in layers if isinstance(layer, kinds)]
    weights = [part for layer in convolutions for part in (layer.weight, layer.bias)]
    pads, last = bool(convolutions[0].padding[0]), convolutions[-1]
    found: Tensor = _Layers.apply(  # type: ignore[no-untyped-call]
        given.contiguous(), pads, last.stride[0], last.padding[0], *weights
    )
    return found


class _Layers(Function):
    """What lies between layers is kept for the way back with 12 channels, after their ReLU."""

    @staticmethod
    def forward(
        ctx: Any, given: Tensor, pads: bool, scale: int, padding: int, *weights: Tensor
    ) -> Tensor:
        variables, (w7, b7, w8, b8) = given.shape[1], weights[-4:]
        kept = [_run_first(given, weights[:4], pads)]
        for w, b in zip(weights[4:-4:2], weights[5:-4:2], strict=True):
            kept.append(_run_middle(kept[-1], w, b, pads))
        n, lat, lon, _ = kept[-1].shape
        count = n * lat * lon
        added = given.new_empty((variables, 81, count))
        kernels.last[(*_programs(given, count), variables)](
            kept[-1], w7, b7, w8, added, count, variables, TILE, PRECISION, num_warps=WARPS
        )
        found = given.new_empty((n, variables, scale * lat, scale * lon))
        grid = (triton.cdiv(found.numel(), 256),)
        kernels.sum_up[grid](
            added, b8, found, found.numel(), lat, lon, variables, scale, padding, 256
        )
        ctx.save_for_backward(given, *kept, *weights)
        ctx.pads, ctx.scale, ctx.padding, ctx.num_kept = pads, scale, padding, len(kept)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        given, *saved = ctx.saved_tensors
        kept, weights = saved[: ctx.num_kept], saved[ctx.num_kept :]
        found = [gradient.sum((0, 2, 3))]
        above, parts = _run_last_back(
            kept[-1], weights[-4:-1], gradient.contiguous(), ctx.scale, ctx.padding
        )
        found = [*parts, *found]
        for number in reversed(range(len(kept) - 1)):
            w, b = weights[4 + 2 * number], weights[5 + 2 * number]
            above, parts = _run_middle_back(kept[number], w, b, above, ctx.pads)
            found = [*parts, *found]
        found = [*_run_first_back(given, weights[:4], above, ctx.pads), *found]
        return None, None, None, None, *found


def _programs(given: Tensor, count: int) -> tuple[int]:
    """Two for each multiprocessor, or one for each tile of `count` points."""
    at_once = 1
    if given.is_cuda:
        at_once = 2 * torch.cuda.get_device_properties(given.device).multi_processor_count
    return (min(at_once, triton.cdiv(count, TILE)),)


def _parts(programs: tuple[int], *like: Tensor) -> list[Tensor]:
    """Room for the sums of each program."""
    return [tensor.new_empty((*programs, *tensor.shape)) for tensor in like]


def _run_first(given: Tensor, weights: tuple[Tensor, ...], pads: bool) -> Tensor:
    n, variables, lat, lon = given.shape
    lost = 0 if pads else 4
    found = given.new_empty((n, lat - lost, lon - lost, 12))
    count, room = found.numel() // 12, triton.next_power_of_2(25 * variables)
    kernels.first[_programs(given, count)](
        given, *weights, found, count, lat, lon, lat - lost, lon - lost,
        2 if pads else 0, variables, room, TILE, PRECISION, num_warps=WARPS,
    )  # fmt: skip
    return found


def _run_first_back(
    given: Tensor, weights: list[Tensor], above: Tensor, pads: bool
) -> list[Tensor]:
    variables, lat, lon = given.shape[1:]
    count, room = above.numel() // 12, triton.next_power_of_2(25 * variables)
    programs = _programs(given, count)
    parts = _parts(programs, *weights)
    kernels.first_back[programs](
        given, *weights[:3], above, *parts, count, lat, lon, *above.shape[1:3],
        2 if pads else 0, variables, room, TILE, PRECISION, num_warps=WARPS,
    )  # fmt: skip
    return [part.sum(0) for part in parts]


def _run_middle(given: Tensor, w: Tensor, b: Tensor, pads: bool) -> Tensor:
    n, lat, lon, _ = given.shape
    lost = 0 if pads else 2
    found = given.new_empty((n, lat - lost, lon - lost, 12))
    count = found.numel() // 12
    kernels.middle[_programs(given, count)](
        given, w, b, found, count, lat, lon, lat - lost, lon - lost,
        1 if pads else 0, TILE, PRECISION, num_warps=WARPS,
    )  # fmt: skip
    return found


def _run_middle_back(
    given: Tensor, w: Tensor, b: Tensor, above: Tensor, pads: bool
) -> tuple[Tensor, list[Tensor]]:
    below, count = torch.empty_like(given), given.numel() // 12
    programs = _programs(given, count)
    parts = _parts(programs, w, b)
    kernels.middle_back[programs](
        given, w, above, below, *parts, count, *given.shape[1:3], *above.shape[1:3],
        1 if pads else 0, TILE, PRECISION, num_warps=WARPS,
    )  # fmt: skip
    return below, [part.sum(0) for part in parts]


def _run_last_back(
    given: Tensor, weights: list[Tensor], above: Tensor, scale: int, padding: int
) -> tuple[Tensor, list[Tensor]]:
    count, variables = given.numel() // 12, above.shape[1]
    (programs,) = _programs(given, count)
    below = given.new_empty((variables, *given.shape))
    of_w7, of_b7 = _parts((variables * programs,), *weights[:2])
    (of_w8,) = _parts((programs,), weights[2])
    kernels.last_back[programs, variables](
        given, *weights, above, below, of_w7, of_b7, of_w8, count, *given.shape[1:3],
        variables, scale, padding, TILE, PRECISION, num_warps=WARPS,
    )  # fmt: skip
    parts = [part.sum(0) for part in (of_w7, of_b7, of_w8)]
    return below.sum(0) if variables > 1 else below[0], parts
