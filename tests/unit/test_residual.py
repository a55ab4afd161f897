"""Our networks of residual blocks: parameters and cost by hand, and where they start from."""

import re

import pytest
import torch
from tiny import REPOSITORY
from torch import nn

from swsr.networks.build import build_network, count_parameters
from swsr.networks.layers import Residual
from swsr.networks.residual import Block
from swsr.resampling.bicubic import resize
from swsr.settings import PACK_FRAMES

ROW_3D = re.compile(r"^\| `(\w+_3d)` \| ([\d,]+) \| ([\d,]+) \|", re.MULTILINE)


@pytest.mark.parametrize("scale", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("variables", [1, 3])
def test_parameters_by_hand(variables, scale):
    """Weights and a bias per feature: 5x5, five blocks of 16 features, scale^2 per variable."""
    last = variables * scale**2
    expected = (25 * variables + 1) * 16 + 5 * (9 * 16 + 1) * 16 + (9 * 16 + 1) * last
    assert count_parameters(build_network("subpixel_2d", variables, scale)) == expected
    # Five frames of 6x6 points, three blocks of 44 features, 2 x 2 points per variable.
    expected = (36 * 5 * variables + 1) * 44 + 3 * (9 * 44 + 1) * 44 + (9 * 44 + 1) * 4 * variables
    assert count_parameters(build_network("fusion_3d", variables, 1)) == expected
    # Five frames of 5x5 points, eight blocks of 24 features, scale^2 points per variable.
    expected = (25 * 5 * variables + 1) * 24 + 8 * (9 * 24 + 1) * 24 + (9 * 24 + 1) * last
    assert count_parameters(build_network("fusion_joint", variables, scale)) == expected


def test_no_more_parameters_than_the_study():
    for ours, studys in (
        ("subpixel_2d", "study_2d"),
        ("fusion_3d", "study_3d"),
        ("fusion_joint", "study_joint"),
    ):
        assert count_parameters(build_network(ours, 1, 2)) <= count_parameters(
            build_network(studys, 1, 2)
        )


def multiply_adds_3d(name, points=160):
    """Of all layers, per point of a frame far from its edges."""
    network, found = build_network(name, 1, 1), []

    def note(layer, given, output):
        coarse = output.shape[-1] < 0.6 * points
        frames = output.shape[2] if isinstance(layer, nn.Conv3d) else 1
        found.append(layer.weight.numel() * frames / (4 if coarse else 1))

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d):
            layer.register_forward_hook(note)
    with torch.inference_mode():
        network(torch.rand(1, 1, PACK_FRAMES, points, points))
    return round(sum(found))


def test_documented_table_of_3d_networks():
    rows = ROW_3D.findall((REPOSITORY / "docs" / "experiments.md").read_text())
    names = ("study_3d", "skip_3d", "fusion_3d")
    assert {name: tuple(figures) for name, *figures in rows} == {
        name: (f"{count_parameters(build_network(name, 1, 1)):,}", f"{multiply_adds_3d(name):,}")
        for name in names
    }


def test_documented_cost_of_fusion_joint():
    """Every weight is used once for each low-resolution point."""
    network = build_network("fusion_joint", 1, 2)
    weights = sum(parameter.numel() for parameter in network.parameters() if parameter.dim() > 1)
    said = f"{count_parameters(network):,} parameters and {weights:,} multiply-adds"
    assert said in (REPOSITORY / "docs" / "experiments.md").read_text()


@pytest.mark.parametrize("name", ["fusion_3d", "fusion_joint"])
def test_fusion_reads_every_frame(name):
    network = build_network(name, 1, 2)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    pack = torch.rand(1, 1, PACK_FRAMES, 30, 30, requires_grad=True)
    network(pack).sum().backward()
    assert (pack.grad.abs().sum(dim=(0, 1, 3, 4)) > 0).all()


def test_fusion_joint_of_equal_frames_is_a_2d_network_of_one():
    """Whose first filters are the sums of those of all five frames; winds beside vorticity."""
    torch.manual_seed(0)
    network = build_network("fusion_joint", 1, 2, 2)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    frames = torch.rand(1, 3, 30, 32)
    first, *others = network.layers
    weight = first.weight.unflatten(1, (3, PACK_FRAMES)).sum(2)
    features = nn.functional.conv2d((frames - 0.5) / 0.1, weight, first.bias)
    bicubic = resize(frames[:, :1], (60, 64))[..., 22:-22, 22:-22]
    expected = bicubic + 0.01 * nn.Sequential(*others)(features)
    pack = frames[:, :, None].expand(-1, -1, PACK_FRAMES, -1, -1)
    torch.testing.assert_close(network(pack), expected)


def test_layers_of_fusion_are_those_of_blocks_of_points():
    """FFDNet's way: 2 x 2 points as channels, then 3x3 layers, then the points back in place."""
    torch.manual_seed(0)
    network = build_network("fusion_3d", 1, 1)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    pack = torch.rand(1, 1, PACK_FRAMES, 28, 32)
    first, *others = network.layers
    blocks = nn.functional.pixel_unshuffle((pack[:, 0] - 0.5) / 0.1, 2)
    # (44, 5, 3 * 2, 3 * 2) -> (44, 5 * 2 * 2, 3, 3)
    weight = first.weight.reshape(44, 5, 3, 2, 3, 2).permute(0, 1, 3, 5, 2, 4).reshape(44, 20, 3, 3)
    features = nn.functional.conv2d(blocks, weight, first.bias)
    expected = pack[:, :, 2, 10:-10, 10:-10] + 0.01 * nn.Sequential(*others)(features)
    torch.testing.assert_close(network(pack), expected)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_block_and_its_gradients_are_those_of_torchs_own_rules(precision, layout):
    generator = torch.Generator().manual_seed(0)
    ours = Block(nn.ReLU(), nn.Conv2d(6, 6, 3)).to(precision)
    plain = Residual(*ours.layers)
    features = torch.randn(2, 6, 9, 12, generator=generator).to(precision, memory_format=layout)
    wanted = torch.randn(2, 6, 7, 10, generator=generator).to(precision)
    found = []
    for block in (ours, plain):
        given = features.clone().requires_grad_()
        result = block(given)
        found.append([result, *torch.autograd.grad(result, [given, *ours.parameters()], wanted)])
    for our, its in zip(*found, strict=True):
        assert torch.equal(our, its)
