"""The joint network against the same layers one after the other, frame by frame."""

from itertools import product

import pytest
import torch
from torch import nn

from swsr.networks.build import build_network
from swsr.networks.joint import pack_frames

NAMES = ("study_joint", "skip_joint", "study_3d_first_joint", "skip_3d_first_joint")


def network_of(name, scale=2, variables=1, predictors=0):
    """A joint network, no layer of which is zero, as those of skips are before training."""
    torch.manual_seed(3)
    network = build_network(name, variables, scale, predictors).double()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=0.1)
    return network


def frames_for(network, num_frames, lat=6, lon=7, variables=1):
    margin = 2 * network.reach.margin
    shape = (2, variables, num_frames, lat + margin, lon + margin)
    return torch.rand(shape, dtype=torch.float64, requires_grad=True)


def separately(network, frames):
    """Loops over runs, frames and packs."""
    restored = []
    for run in frames:
        packs = [run[:, first : first + 5] for first in range(run.shape[1] - 4)]
        for pack in packs:
            if network.first_3d:
                restored.append(network.network_2d(network.network_3d(pack[None]))[0])
                continue
            high = [network.network_2d(pack[None, :, frame])[0] for frame in range(5)]
            restored.append(network.network_3d(torch.stack(high, dim=1)[None])[0])
    return torch.stack(restored)


def inner(frames, like):
    """The middle of frames, with as many points as others have."""
    for dim in (-2, -1):
        lost = frames.shape[dim] - like.shape[dim]
        frames = frames.narrow(dim, lost // 2, like.shape[dim])
    return frames


def test_packing_is_that_of_a_loop():
    frames = torch.rand(3, 2, 8, 4, 5)
    packs = [run[:, first : first + 5] for run in frames for first in range(4)]
    torch.testing.assert_close(pack_frames(frames), torch.stack(packs), atol=0, rtol=0)


@pytest.mark.parametrize(
    ("name", "predictors"), [*product(NAMES, [0]), ("study_joint", 2), ("skip_joint", 2)]
)
@pytest.mark.parametrize("num_frames", [5, 7])
def test_result_and_gradients_are_those_of_the_separate_networks(name, predictors, num_frames):
    network = network_of(name, predictors=predictors)
    frames = frames_for(network, num_frames, variables=1 + predictors)
    found = {}
    for label, compute in (("joint", network), ("apart", lambda f: separately(network, f))):
        result = compute(frames)
        result = inner(result, network(frames))
        loss = (result**2).sum()
        found[label] = (result, *torch.autograd.grad(loss, [frames, *network.parameters()]))
    for ours, theirs in zip(*found.values(), strict=True):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [2, 3, 4, 5, 8])
def test_output_lies_on_the_fine_grid(name, scale):
    network = network_of(name, scale, variables=2)
    reach = network.reach
    frames = frames_for(network, 5, variables=2)
    lat, lon = (size - 2 * reach.trim for size in frames.shape[-2:])
    assert network(frames).shape == (2, 2, scale * lat, scale * lon)
    assert (lat, lon) == ((6, 7) if reach.extends else (6 - 2 * reach.trim, 7 - 2 * reach.trim))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_beyond_the_halo_has_any_influence(name):
    network = network_of(name)
    reach = network.reach
    frames = frames_for(network, 5, lat=2 * reach.halo + 9, lon=8)
    row = (frames.shape[-2] - 2 * reach.trim) // 2
    output = network(frames)[0, 0, row * reach.scale]
    [gradient] = torch.autograd.grad(output.sum(), frames)
    rows = gradient[0].abs().sum(dim=(0, 1, 3)).nonzero().flatten() - reach.trim
    assert rows.min() >= row - reach.halo
    assert rows.max() <= row + reach.halo


def test_frames_of_overlapping_packs_are_computed_once():
    network = network_of("skip_joint")
    computed = []
    network.network_2d.register_forward_hook(lambda _, given, __: computed.append(len(given[0])))
    network(frames_for(network, 12))
    assert computed == [2 * 12]


def test_skip_3d_beside_skip_2d_is_bicubic_before_training():
    from swsr.resampling.bicubic import resize

    torch.manual_seed(0)
    network = build_network("skip_joint", 1, 2)
    frames = torch.rand(1, 1, 5, 40, 42)
    bicubic = resize(frames[:, :, 2], (80, 84))
    torch.testing.assert_close(network(frames), inner(bicubic, network(frames)))
