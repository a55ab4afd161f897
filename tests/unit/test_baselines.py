"""Published networks: parameters and cost by hand from the papers, and the table of the docs."""

import re

import pytest
import torch
from tiny import REPOSITORY
from torch import nn

from swsr.networks.build import build_network, count_parameters

ROW = re.compile(r"^\| `(\w+_2d)` \| ([\d,]+) \| ([\d,]+) \|", re.MULTILINE)
# Weights without biases and slopes at scale s, one variable; SRCNN's 8,032 is in its paper.
WEIGHTS = {
    "srcnn_2d": lambda s: 9 * 9 * 64 + 64 * 32 + 5 * 5 * 32,
    "fsrcnn_2d": lambda s: 5 * 5 * 56 + 56 * 12 + 4 * 9 * 12**2 + 12 * 56 + 9 * 9 * 56,
    "edsr_2d": lambda s: 9 * 12 + (2 * 2 + 1) * 9 * 12**2 + 9 * 12**2 * s**2 + 9 * 12,
}
OTHERS = {
    "srcnn_2d": lambda s: 64 + 32 + 1,
    "fsrcnn_2d": lambda s: 2 * (56 + 12 + 4 * 12 + 56) + 1,  # a bias and a slope per feature
    "edsr_2d": lambda s: 12 + 5 * 12 + 12 * s**2 + 1,
}


def multiply_adds(name, scale, points=120):
    """Of all layers, per point of the low-resolution grid."""
    network, found = build_network(name, 1, scale), []

    def note(layer, given, output):
        # Of a transposed convolution each weight meets each point of its input, else of its output.
        transposed = isinstance(layer, nn.ConvTranspose2d)
        size = (given[0] if transposed else output).shape[-1]
        on_fine_grid = abs(size - scale * points) < abs(size - points)
        found.append(layer.weight.numel() * (scale**2 if on_fine_grid else 1))

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(note)
    with torch.inference_mode():
        network(torch.rand(1, 1, points, points))
    return sum(found)


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("name", WEIGHTS)
def test_parameters_are_those_of_the_papers(name, scale):
    counted = count_parameters(build_network(name, 1, scale))
    assert counted == WEIGHTS[name](scale) + OTHERS[name](scale)


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 8])
def test_cost_is_that_of_the_papers(scale):
    assert multiply_adds("srcnn_2d", scale) == WEIGHTS["srcnn_2d"](scale) * scale**2
    assert multiply_adds("fsrcnn_2d", scale) == WEIGHTS["fsrcnn_2d"](scale)
    tail = 9 * 12  # on the high grid
    assert multiply_adds("edsr_2d", scale) == WEIGHTS["edsr_2d"](scale) + tail * (scale**2 - 1)


def test_documented_table_is_that_of_the_networks():
    rows = ROW.findall((REPOSITORY / "docs" / "experiments.md").read_text())
    documented = {name: (parameters, cost) for name, parameters, cost in rows}
    assert documented == {
        name: (f"{count_parameters(build_network(name, 1, 2)):,}", f"{multiply_adds(name, 2):,}")
        for name in ("study_2d", "skip_2d", "subpixel_2d", *WEIGHTS)
    }


def test_srcnn_sees_the_bicubic_upscaling():
    """With layers that hand through their middle point its result is the interpolation."""
    network = build_network("srcnn_2d", 1, 2)
    for layer in network.layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
            middle = layer.kernel_size[0] // 2
            nn.init.ones_(layer.weight[:1, :1, middle, middle])
    low = 0.5 + 0.1 * torch.rand(1, 1, 30, 30)  # positive, as ReLUs let through
    bicubic = nn.functional.interpolate(low, size=(60, 60), mode="bicubic", antialias=True)
    trim = 2 * network.reach.trim
    torch.testing.assert_close(network(low), bicubic[..., trim:-trim, trim:-trim])


def test_residual_blocks_add_their_input():
    """Blocks of zeros hand their input through: what is left is a chain of three layers."""
    network = build_network("edsr_2d", 1, 2)
    head, body, *tail = network.layers
    for parameter in body.parameters():
        nn.init.zeros_(parameter)
    low = torch.rand(1, 1, 24, 24)
    features = head(low - 0.5)[..., 5:-5, 5:-5]
    high = nn.Sequential(*tail)(features)[..., 1:-1, 1:-1] + 0.5
    torch.testing.assert_close(network(low), high)
