"""Our networks of residual blocks: cheaper than the study's layers, and stronger at equal cost.

All add to a skip what blocks of 3x3 kernels learn: one block is a ReLU and a layer, with its input
added (after He et al. 2016, arXiv 1603.05027, which has two layers in a block). They pad nothing,
neither in space, where frames are given with `reach.margin` more points on each side, nor in time.

`subpixel_2d` upscales in its last layer, by sub-pixel convolution (ESPCN, Shi et al. 2016, arXiv
1609.05158), where FSRCNN spends a third of its cost on a transposed convolution. `fusion_3d` reads
five frames as channels of its first layer, which leaves 2D layers for the rest: early fusion
(VESPCN, Caballero et al. 2017, arXiv 1611.05250), without its motion compensation. It works on
half the points of each dim, as FFDNet does (Zhang, Zuo and Zhang 2018, arXiv 1710.04026), at a
quarter of the cost and with twice the reach. `fusion_joint` does both at once: five low-resolution
frames are channels of its first layer, and its last one upscales.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import pad

from swsr.networks.layers import (
    CORRECTION,
    Reach,
    Residual,
    anomalies,
    channels_last,
    initialise,
    inner,
)
from swsr.resampling.bicubic import resize
from swsr.settings import PACK_FRAMES

_MARGIN = 1
"""Points that a layer of 3x3 kernels takes off on each side."""


class Block(Residual):
    """A ReLU and a layer of 3x3 kernels, as `Residual`, in fewer passes over memory."""

    def forward(self, features: Tensor) -> Tensor:
        """Results and gradients of `Residual.forward`."""
        if torch.compiler.is_exporting():
            return super().forward(features)
        relu, layer = self.layers
        assert isinstance(relu, nn.ReLU)
        positive, skip = _Branches.apply(features)  # type: ignore[no-untyped-call]
        return skip + layer(positive)


class _Branches(Function):
    """What a block's layer reads, and the input that is added to what it gives.

    By torch's own rules each crop fills a gradient of the whole size with zeros, twice, and a
    further pass adds it to the other branch's.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        """(n, channels, lat, lon) -> positive values, and values without the margin."""
        positive = torch.relu(features)
        ctx.save_for_backward(positive)
        return positive, inner(features, _MARGIN)

    @staticmethod
    def backward(ctx: Any, of_positive: Tensor, of_skip: Tensor) -> Tensor:
        """Of both -> of the input."""
        (positive,) = ctx.saved_tensors
        gradient: Tensor = torch.ops.aten.threshold_backward(of_positive, positive, 0)
        inner(gradient, _MARGIN).add_(of_skip)
        return gradient


class SubPixel2d(nn.Module):
    """Five residual blocks of 16 features on the low-resolution grid, and a pixel shuffle.

    What they give is added to the bicubic upscaling. Values and corrections are in units of their
    sizes, as in `study.Network2d`.

    Parameters
    ----------
    variables
        Channels of input and output.
    scale
        Points of output per point of input along lat and lon.
    predictors
        Further channels of input, after those.
    """

    _FEATURES, _DEPTH, _FRAMES = 16, 5, 1

    def __init__(self, variables: int, scale: int, predictors: int = 0) -> None:
        super().__init__()
        self.variables = variables
        first = nn.Conv2d((variables + predictors) * self._FRAMES, self._FEATURES, 5)
        self.layers = _layers(first, self._DEPTH, variables, scale)
        halo = 2 + self._DEPTH + 1  # 5x5: 2 points; each 3x3: 1
        self.reach = Reach(
            scale, trim=halo, halo=halo, num_frames=self._FRAMES, extends=True,
            predictors=predictors,
        )  # fmt: skip

    def forward(self, low: Tensor) -> Tensor:
        """(n, variables + predictors, lat, lon) -> variables, upscaled, without the margin."""
        return self._bicubic(low) + _correction(self.layers, low)

    def _bicubic(self, low: Tensor) -> Tensor:
        """The skip: the variables of frames, upscaled, without the margin."""
        scale = self.reach.scale
        high = resize(low[:, : self.variables], (low.shape[-2] * scale, low.shape[-1] * scale))
        return inner(high, self.reach.trim * scale)


class FusionJoint(SubPixel2d):
    """Eight residual blocks of 24 features on five low-resolution frames, and a pixel shuffle.

    What they give is added to the bicubic upscaling of the centre frame. Parameters are those of
    `SubPixel2d`.
    """

    _FEATURES, _DEPTH, _FRAMES = 24, 8, PACK_FRAMES

    def forward(self, low: Tensor) -> Tensor:
        """(n, variables + predictors, 5, lat, lon) -> variables, upscaled, without the margin."""
        channels = torch.flatten(low, 1, 2)
        return self._bicubic(low[:, :, PACK_FRAMES // 2]) + _correction(self.layers, channels)


class Fusion3d(nn.Module):
    """Three residual blocks of 44 features on five frames as channels, at half the resolution.

    What they give is added to the centre frame, in the units of `SubPixel2d`. The first layer has
    a step of two points and the last one's pixel shuffle undoes it, so that blocks of 2 x 2 points
    are taken as one: frames rolled by an odd number of points give another result.

    Parameters
    ----------
    variables
        Channels of input and output.
    """

    _FEATURES, _DEPTH, _BLOCK = 44, 3, 2

    def __init__(self, variables: int) -> None:
        super().__init__()
        first = nn.Conv2d(
            variables * PACK_FRAMES, self._FEATURES, 3 * self._BLOCK, stride=self._BLOCK
        )
        self.layers = _layers(first, self._DEPTH, variables, self._BLOCK)
        trim = (1 + self._DEPTH + 1) * self._BLOCK  # each layer reaches one block
        self.reach = Reach(
            1, trim, halo=trim + self._BLOCK - 1, num_frames=PACK_FRAMES, extends=True,
            block=self._BLOCK,
        )  # fmt: skip

    def forward(self, pack: Tensor) -> Tensor:
        """(n, variables, 5, lat, lon) -> (n, variables, lat, lon), without the margin."""
        centre = inner(pack[:, :, PACK_FRAMES // 2], self.reach.trim)
        # Completes the last block of an odd number of points; else the first layer skips it.
        whole = pad(torch.flatten(pack, 1, 2), (0, 1, 0, 1), mode="replicate")
        correction = _correction(self.layers, whole)
        return centre + correction[..., : centre.shape[-2], : centre.shape[-1]]


def _correction(layers: nn.Module, channels: Tensor) -> Tensor:
    """What layers add to a skip, of channels (n, channels, lat, lon)."""
    found: Tensor = layers(channels_last(anomalies(channels))) * CORRECTION
    return found


def _layers(first: nn.Conv2d, depth: int, variables: int, finer: int) -> nn.Sequential:
    """The first layer, blocks, and a layer on a grid `finer` than theirs.

    The last layer is zero, so that training starts from the skip.
    """
    features = first.out_channels
    blocks = [Block(nn.ReLU(), nn.Conv2d(features, features, 3)) for _ in range(depth)]
    last = nn.Conv2d(features, variables * finer**2, 3)
    layers = nn.Sequential(first, *blocks, nn.ReLU(), last, nn.PixelShuffle(finer))
    initialise(layers)
    nn.init.zeros_(last.weight)
    return layers
