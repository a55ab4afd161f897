from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from swsr.geometry import Geometry
from swsr.inference import packs
from swsr.networks.build import build_network, count_parameters
from swsr.resampling import bicubic
from swsr.settings import LATITUDES_READ

NAMES_2D = ["study_2d", "skip_2d", "subpixel_2d", "srcnn_2d", "fsrcnn_2d", "edsr_2d"]
READERS = [*NAMES_2D, "study_joint", "skip_joint", "fusion_joint"]
"""Networks that may read predictors."""
# The study's own table, channels last: (frames, lat, lon, channels), parameters.
STUDY_3D = [
    ((5, 318, 640, 32), 2432),
    ((5, 318, 640, 8), 776),
    ((5, 318, 640, 8), 1736),
    ((5, 318, 640, 8), 1736),
    ((5, 318, 640, 32), 800),
    ((3, 316, 638, 32), 27680),
    ((1, 314, 636, 32), 27680),
    ((314, 636, 1), 289),
]
# FSRCNN(56, 12, 4) on the low-resolution grid: weights and biases by hand from the kernels.
STUDY_2D = [
    ((159, 320, 56), 5 * 5 * 56 + 56),
    ((159, 320, 12), 56 * 12 + 12),
    *[((159, 320, 12), 3 * 3 * 12 * 12 + 12)] * 4,
    ((159, 320, 56), 12 * 56 + 56),
    ((318, 640, 1), 9 * 9 * 56 + 1),
]


def layer_table(network, sample):
    """Output shape, channels last, and parameters of every layer that has any."""
    rows = []

    def note(layer, _, output):
        shape = (*output.shape[2:], output.shape[1])
        rows.append((tuple(shape), sum(p.numel() for p in layer.parameters())))

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d):
            layer.register_forward_hook(note)
    with torch.inference_mode():
        network(sample)
    return rows


def test_3d_layers_are_the_studys():
    assert layer_table(build_network("study_3d", 1, 1), torch.rand(1, 1, 5, 318, 640)) == STUDY_3D


def test_2d_layers_are_fsrcnns():
    assert layer_table(build_network("study_2d", 1, 2), torch.rand(1, 1, 159, 320)) == STUDY_2D


@pytest.mark.parametrize(("dimension", "table"), [("2d", STUDY_2D), ("3d", STUDY_3D)])
def test_skip_networks_have_the_same_layers(dimension, table):
    """But for what they pad: the same channels and parameters, layer by layer."""
    network = build_network(f"skip_{dimension}", 1, 2)
    sizes = [40, 40] if dimension == "2d" else [5, 40, 40]
    layers = layer_table(network, torch.rand(1, 1, *sizes))
    assert [(shape[-1], count) for shape, count in layers] == [
        (shape[-1], count) for shape, count in table
    ]


@pytest.mark.parametrize(("name", "count"), [("2d", 12637), ("3d", 63129)])
def test_parameter_counts(name, count):
    assert count_parameters(build_network(f"study_{name}", 1, 2)) == count
    assert count_parameters(build_network(f"skip_{name}", 1, 2)) == count


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("name", NAMES_2D)
def test_2d_multiplies_the_grid_by_the_scale(name, scale):
    network = build_network(name, 3, scale)
    beyond = 2 * network.reach.margin
    output = network(torch.rand(2, 3, 7 + beyond, 9 + beyond))
    assert output.shape == (2, 3, 7 * scale, 9 * scale)


@pytest.mark.parametrize(("name", "lost"), [("study_3d", 4), ("skip_3d", 0), ("fusion_3d", 0)])
def test_only_the_studys_3d_network_loses_points(name, lost):
    network = build_network(name, 3, 1)
    beyond = 2 * network.reach.margin
    for lat, lon in ((12, 16), (13, 17)):
        output = network(torch.rand(2, 3, 5, lat + beyond, lon + beyond))
        assert output.shape == (2, 3, lat - lost, lon - lost)


def test_untrained_skip_networks_are_the_interpolation_and_the_centre_frame():
    globe = Geometry("pole", "periodic")
    frames = np.random.default_rng(0).random((5, 1, 12, 16), dtype="float32")
    for name, scale, expected in (
        ("skip_2d", 2, bicubic.upscale(frames, 2, globe)),
        ("skip_2d", 1, frames),
        ("skip_3d", 1, frames[2:3]),
        ("subpixel_2d", 2, bicubic.upscale(frames, 2, globe)),
        ("subpixel_2d", 3, bicubic.upscale(frames, 3, globe)),
        ("fusion_3d", 1, frames[2:3]),
        ("fusion_joint", 2, bicubic.upscale(frames[2:3], 2, globe)),
        ("fusion_joint", 3, bicubic.upscale(frames[2:3], 3, globe)),
    ):
        network = build_network(name, 1, scale)
        extended = globe.extend(frames, network.reach.margin, network.reach.margin)
        samples = torch.from_numpy(packs(extended, network.reach.num_frames).copy())
        np.testing.assert_allclose(network(samples).detach(), expected, atol=3e-6)


def frames_for(network, channels):
    """For an output of a few points."""
    beyond = 2 * network.reach.margin
    frames = [network.reach.num_frames] if network.reach.num_frames > 1 else []
    return torch.rand(2, channels, *frames, 7 + beyond, 9 + beyond)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("name", READERS)
def test_predictors_are_read_by_the_first_layer_alone_and_not_given(name, scale):
    """Each by filters of its own; there are no other weights more."""
    torch.manual_seed(0)
    plain, network = (build_network(name, 2, scale, predictors) for predictors in (0, 3))
    assert (plain.reach.predictors, network.reach.predictors) == (0, 3)
    before = {key: weight.shape for key, weight in plain.named_parameters()}
    wider = {key for key, weight in network.named_parameters() if weight.shape != before.pop(key)}
    assert not before
    [first] = wider
    filters, of_variables = network.get_parameter(first), plain.get_parameter(first)
    frames_read = 5 if name == "fusion_joint" else 1
    assert filters.shape == (len(of_variables), frames_read * (2 + 3), *of_variables.shape[2:])
    for parameter in network.parameters():  # zeros in the last layer would let no gradient through
        nn.init.normal_(parameter, std=0.1)
    frames = frames_for(network, 2 + 3)
    output = network(frames)
    assert output.shape == plain(frames[:, :2]).shape
    output.square().sum().backward()
    assert (filters.grad.abs().amax(dim=(0, 2, 3)) > 0).all()


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("name", ["skip_2d", "subpixel_2d", "skip_joint", "fusion_joint"])
def test_untrained_skip_networks_are_the_same_interpolation_whatever_the_predictors(name, scale):
    plain, network = (build_network(name, 2, scale, predictors) for predictors in (0, 3))
    frames = frames_for(network, 2 + 3)
    wanted = plain(frames[:, :2])
    for size in (1.0, 1e4):
        frames[:, 2:] *= size
        assert torch.equal(network(frames), wanted)


@pytest.mark.parametrize(
    "name", ["study_3d", "skip_3d", "fusion_3d", "study_3d_first_joint", "skip_3d_first_joint"]
)
def test_networks_that_begin_with_3d_layers_read_no_predictors(name):
    with pytest.raises(ValueError, match=f"{name} reads no predictors"):
        build_network(name, 1, 2, 1)


def test_layers_in_bfloat16_leave_skips_whole_and_gradients_nearly():
    """The skip, which is most of a frame, stays bit for bit; eight bits are left of corrections."""
    for name in ("skip_2d", "subpixel_2d", "skip_3d", "fusion_3d", "skip_joint", "fusion_joint"):
        skips, gradients = [], []
        for enabled in (False, True):
            torch.manual_seed(0)
            network = build_network(name, 1, 2)
            side = 16 + 2 * network.reach.margin
            given = torch.rand(2, network.reach.num_frames, side, side)
            given = given[:, None] if network.reach.num_frames > 1 else given
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                skips.append(network(given).detach())
            nn.utils.vector_to_parameters(
                nn.utils.parameters_to_vector(network.parameters()) + 0.01, network.parameters()
            )
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                error = (network(given) - 0.5).square().mean()
            error.backward()
            gradients.append(nn.utils.parameters_to_vector(p.grad for p in network.parameters()))
        assert torch.equal(*skips)
        whole, rounded = gradients
        assert 0 < (rounded - whole).norm() < 0.02 * whole.norm()


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_skip_network_learns(scale):
    """To undo a mean over neighbours, at the highest rate of the default study.

    Without the units of its values and corrections nothing is learnt from this seed at any scale:
    its ReLUs die at once.
    """
    torch.manual_seed(0)
    network = build_network("skip_2d", 1, scale)
    margin = network.reach.margin * scale
    angles = torch.arange(36 * scale) * 2 * torch.pi / (36 * scale)
    lat, lon = (torch.randint(1, 10, (1, 12, 1)) * angles for _ in range(2))
    phases = torch.rand(1, 12, 1, 1) * 6
    truth = 0.5 + 0.05 * torch.cos(lat[..., None] + lon[..., None, :] + phases).sum(1, keepdim=True)
    mean = nn.AvgPool2d(3, 1, 1, count_include_pad=False) if scale == 1 else nn.AvgPool2d(scale)
    low = mean(truth)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    errors = []
    for _ in range(30):
        optimizer.zero_grad()
        error = ((network(low) - truth[..., margin:-margin, margin:-margin]) ** 2).mean()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.1 * errors[0]


@pytest.mark.parametrize("scale", range(1, 9))
@pytest.mark.parametrize("name", [*NAMES_2D, "study_joint", *LATITUDES_READ])
def test_settings_know_what_networks_read_beyond_a_pole(name, scale):
    reach, known = build_network(name, 1, scale).reach, LATITUDES_READ.get(name, (0, 0))
    read = reach.margin if reach.extends else 0
    assert read == known[scale > 1] if scale < 3 else read <= known[1]


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        *product(NAMES_2D, [1, 2, 3, 4, 5, 8]),
        *product(["study_3d", "skip_3d", "fusion_3d"], [1]),
        *product(["fusion_joint"], [1, 2, 3]),
    ],
)
def test_no_point_beyond_the_halo_has_influence(name, scale):
    torch.manual_seed(0)
    network = build_network(name, 1, scale)
    for parameter in network.parameters():  # zeros in the last layer would hide what is behind
        nn.init.uniform_(parameter, 0.01, 0.1)
    reach, size = network.reach, 45
    frames = torch.rand(1, 1, *([5] if reach.num_frames == 5 else []), size, size)
    frames.requires_grad_()
    middle = size // 2
    at = (middle - reach.trim) * reach.scale
    # Every point of output that lies on the middle point of input.
    network(frames)[..., at : at + reach.scale, at : at + reach.scale].sum().backward()
    rows = frames.grad.abs().sum(dim=tuple(range(frames.dim() - 2))).sum(dim=1).nonzero().flatten()
    assert int(middle - rows.min()) <= reach.halo
    assert int(rows.max() - middle) <= reach.halo
    assert max(int(middle - rows.min()), int(rows.max() - middle)) >= reach.halo - 1


@pytest.mark.parametrize("name", ["study_2d", "study_3d"])
def test_the_studys_networks_start_as_in_keras(name):
    """Keras's default: uniform within sqrt(6 / (fan in + fan out)), with a third of its square."""
    torch.manual_seed(0)
    layers = build_network(name, 1, 2).layers
    for layer in layers:
        if hasattr(layer, "weight"):
            fans = sum(layer.weight.shape[:2]) * layer.weight[0, 0].numel()
            bound = (6 / fans) ** 0.5
            assert layer.weight.abs().max() <= bound
            torch.testing.assert_close(
                layer.weight.square().mean().item(), bound**2 / 3, rtol=0.2, atol=0
            )


def test_unknown_network_is_named():
    with pytest.raises(ValueError, match="unknown network 'resnet'"):
        build_network("resnet", 1, 2)
