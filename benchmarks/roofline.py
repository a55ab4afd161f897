"""What a network must compute and move, and what the machine could do at best."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_MATRIX = 1024
_COPIED_MB = 128


@dataclass(frozen=True)
class Work:
    """Of one call of a network: floating-point operations, and bytes read and written by layers."""

    flops: float
    bytes: float


def count_work(network: nn.Module, given: Tensor) -> Work:
    """Work of all layers on an input.

    A product and a sum are two operations. Each layer, ReLU too, reads its input and its weights
    and writes its output once: what layers do one after the other, with nothing kept in a cache.
    """
    flops, moved = [], []

    def note(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        weights = sum(p.numel() for p in layer.parameters())
        moved.append(4 * (inputs[0].numel() + output.numel() + weights))
        if isinstance(layer, nn.ConvTranspose2d):
            points = inputs[0].numel() / inputs[0].shape[1]
            flops.append(2 * points * layer.weight.numel())
        elif isinstance(layer, nn.Conv2d | nn.Conv3d):
            flops.append(2 * output.numel() / output.shape[1] * layer.weight.numel())

    handles = [
        layer.register_forward_hook(note)
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ReLU)
    ]
    with torch.inference_mode():
        network(given)
    for handle in handles:
        handle.remove()
    return Work(sum(flops), sum(moved))


def ceilings() -> tuple[dict[str, Callable[[], object]], Work]:
    """A matrix product and a copy to be timed, and the work in each."""
    left, right = torch.rand(2, _MATRIX, _MATRIX)
    product = torch.empty(_MATRIX, _MATRIX)
    source = torch.rand(_COPIED_MB * 2**18)
    copy = torch.empty_like(source)
    things = {
        "matrix product": lambda: torch.mm(left, right, out=product),
        "copy": lambda: copy.copy_(source),
    }
    return things, Work(2 * _MATRIX**3, 2 * 4 * source.numel())
