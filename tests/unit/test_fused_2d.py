"""Kernels for GPUs: the very layers of torch. Without one, with Triton and TRITON_INTERPRET=1."""

import os

import pytest
import torch

from swsr.networks.build import build_network

pytest.importorskip("triton")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
pytestmark = pytest.mark.skipif(
    DEVICE.type == "cpu" and not os.environ.get("TRITON_INTERPRET"), reason="there is no GPU"
)


def shaken(name, variables, scale):
    """No last layer of zeros, before which no gradient is left."""
    torch.manual_seed(0)
    network = build_network(name, variables, scale)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def outputs_and_gradients(compute, network, given):
    torch.manual_seed(1)
    output = compute(given)
    loss = (output * torch.randn(output.shape).to(output)).sum()
    return [output.detach(), *torch.autograd.grad(loss, list(network.parameters()))]


# The gradient of noise is small beside its parts, and TF32 moves some ReLUs to the other side.
@pytest.mark.parametrize(
    ("precision", "off", "gradients_off"), [("ieee", 1e-5, 1e-5), ("tf32", 5e-3, 0.15)]
)
@pytest.mark.parametrize(
    ("variables", "scale", "points"),
    [(1, 2, (12, 15)), (1, 2, (31, 70)), (2, 2, (16, 16)), (3, 3, (9, 20)), (4, 4, (10, 9))],
)
@pytest.mark.parametrize("name", ["study_2d", "skip_2d"])
def test_outputs_and_gradients_are_those_of_the_layers(
    name, variables, scale, points, precision, off, gradients_off, monkeypatch
):
    from swsr.networks import fused_2d

    if precision == "tf32" and DEVICE.type == "cpu":
        pytest.skip("the interpreter knows no TF32")
    monkeypatch.setattr(fused_2d, "PRECISION", precision)
    network = shaken(name, variables, scale)
    given = torch.rand(3, variables, *(2 * network.reach.margin + count for count in points))
    wanted = outputs_and_gradients(network.double().layers, network, given.double())
    network.float().to(DEVICE)
    given = given.to(DEVICE)
    found, again = (
        outputs_and_gradients(lambda x: fused_2d.compute(x, network.layers), network, given)
        for _ in range(2)
    )
    least = [off] + [gradients_off] * (len(wanted) - 1)
    for ours, repeated, theirs, small in zip(found, again, wanted, least, strict=True):
        assert torch.equal(ours, repeated)
        assert (ours.cpu().double() - theirs).norm() < small * theirs.norm()


@pytest.mark.skipif(DEVICE.type == "cpu", reason="there is no GPU")
@pytest.mark.parametrize("name", ["study_2d", "skip_2d"])
def test_networks_take_the_kernels_on_a_gpu_where_they_fit(name, monkeypatch):
    from swsr.networks import fused_2d

    monkeypatch.setenv("SWSR_FUSED", "1")
    network = shaken(name, 1, 2).to(DEVICE)
    given = torch.rand(2, 1, 40, 48, device=DEVICE)
    taken = []
    compute = fused_2d.compute
    monkeypatch.setattr(fused_2d, "compute", lambda *args: taken.append(1) or compute(*args))
    with torch.inference_mode():
        ours = network(given)
    assert taken == [1]
    with torch.autocast("cuda", torch.bfloat16):
        network(given)
    theirs = network(given.requires_grad_())
    assert taken == [1]
    torch.testing.assert_close(ours, theirs.detach(), atol=2e-3, rtol=1e-3)


@pytest.mark.skipif(DEVICE.type == "cpu", reason="there is no GPU")
def test_tf32_shrinks_nothing_and_lets_through_what_is_not_a_number():
    from swsr.networks import fused_2d

    network = shaken("study_2d", 1, 2).to(DEVICE)
    given = torch.rand(4, 1, 40, 48, device=DEVICE)
    wanted = network.double().layers(given.double()).mean()
    found = fused_2d.compute(given, network.float().layers).double().mean()
    assert abs(found - wanted) < 1e-3 * abs(wanted)
    with torch.no_grad():
        network.layers[0].weight[3, 0, 2, 2] = torch.nan
    assert fused_2d.compute(given, network.layers).isnan().any()
