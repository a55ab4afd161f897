"""What a network must compute and move, and what the machine could do at best."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_MATRIX = {"cpu": 1024, "cuda": 8192}
_COPIED_MB = {"cpu": 128, "cuda": 1024}


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


def ceilings(
    device: torch.device | None = None,
) -> tuple[dict[str, Callable[[], object]], Work]:
    """A matrix product and a copy to be timed, and the work in them."""
    kind, wait = ("cuda", torch.cuda.synchronize) if device else ("cpu", lambda: None)
    size = _MATRIX[kind]
    left, right = torch.rand(2, size, size, device=device)
    product = torch.empty(size, size, device=device)
    source = torch.rand(_COPIED_MB[kind] * 2**18, device=device)
    copy = torch.empty_like(source)
    things = {
        "matrix product": lambda: (torch.mm(left, right, out=product), wait()),
        "copy": lambda: (copy.copy_(source), wait()),
    }
    return things, Work(2 * size**3, 2 * 4 * source.numel())


def convolution() -> tuple[Callable[[], object], Work]:
    """A layer of many channels to be timed, and its work: on some CPUs faster than that product."""
    layer = nn.Conv2d(128, 128, 3).to(memory_format=torch.channels_last)
    frame = torch.rand(1, 128, 64, 64).to(memory_format=torch.channels_last)
    return torch.inference_mode()(lambda: layer(frame)), count_work(layer, frame)
