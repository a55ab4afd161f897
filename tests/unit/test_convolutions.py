"""Layers are torch's own, whichever code computes them."""

import pytest
import torch
from torch import nn

from swsr.networks import convolutions
from swsr.networks.convolutions import Convolution2d, Convolution3d

SHAPES = {
    "a point of 2D": (Convolution2d(56, 12, 1), (3, 56, 9, 14)),
    "a point of 2D, one sample": (Convolution2d(56, 12, 1), (1, 56, 9, 14)),
    "a point of 2D, one large sample": (Convolution2d(12, 56, 1), (1, 12, 40, 50)),
    "a point along lat and lon": (
        Convolution3d(32, 8, (3, 1, 1), padding=(1, 0, 0)),
        (2, 32, 5, 9, 8),
    ),
    "one pack": (Convolution3d(8, 32, (3, 1, 1), padding=(1, 0, 0)), (1, 8, 5, 9, 8)),
    "few channels": (Convolution3d(8, 8, 3, padding=(1, 0, 0)), (2, 8, 5, 9, 8)),
    "a first layer": (Convolution3d(2, 32, (3, 5, 5), padding=(1, 2, 2)), (2, 2, 5, 9, 8)),
}
TORCHS = {Convolution2d: nn.Conv2d.forward, Convolution3d: nn.Conv3d.forward}


def found_and_gradients(forward, layer, given):
    """The output, and gradients of input, weights and bias of a sum with fixed weights."""
    output = forward(layer, given)
    direction = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).reshape(output.shape)
    leaves = [given, *layer.parameters()]
    return output, *torch.autograd.grad((output * direction).sum(), leaves)


@pytest.mark.parametrize("lanes", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("layer", "shape"), SHAPES.values(), ids=SHAPES)
def test_is_torchs_layer(monkeypatch, layer, shape, dtype, lanes):
    """To the rounding of float64 as mathematics, and to that of float32 by the code that is taken."""
    monkeypatch.setattr(convolutions, "_has_lanes", lambda: lanes)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # else torch takes the same code for both
    try:
        torch.manual_seed(0)
        given = torch.rand(shape, dtype=torch.float64)
        exact = layer.double()
        wanted = found_and_gradients(TORCHS[type(layer)], exact, given.clone().requires_grad_())
        ours = layer.to(dtype)
        found = found_and_gradients(type(layer).forward, ours, given.to(dtype).requires_grad_())
        room = 1e-12 if dtype == torch.float64 else 2e-5
        for each, expected in zip(found, wanted, strict=True):
            scale = float(expected.detach().abs().max())
            torch.testing.assert_close(each.double(), expected, rtol=0, atol=room * scale)
    finally:
        torch.set_num_threads(threads)
