import pytest
import torch
from torch import nn

from swsr.networks.upsampling import Upsampling


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("variables", [1, 3])
def test_is_torchs_transposed_convolution(scale, variables):
    """Results and gradients, to the rounding of float64."""
    torch.manual_seed(0)
    layer = Upsampling(5, variables, scale).double()
    torchs = nn.ConvTranspose2d.forward
    given = torch.rand(2, 5, 7, 11, dtype=torch.float64, requires_grad=True)
    wanted, found = torchs(layer, given), layer(given)
    assert found.shape == (2, variables, 7 * scale, 11 * scale)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-13)
    direction = torch.rand_like(wanted)
    leaves = [given, *layer.parameters()]
    for ours, theirs in zip(
        torch.autograd.grad((found * direction).sum(), leaves),
        torch.autograd.grad((wanted * direction).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_rounds_like_torchs():
    """In float32, on values of the size that networks have there."""
    torch.manual_seed(0)
    layer, given = Upsampling(56, 1, 2), torch.rand(1, 56, 32, 64)
    wanted = nn.ConvTranspose2d.forward(layer, given)
    torch.testing.assert_close(layer(given), wanted, rtol=0, atol=1e-5)
