"""What networks share: how their output lies on their input, and layers that several have."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

ANOMALY, CORRECTION = 0.1, 0.01
"""Sizes of anomalies from 1/2, and of corrections to a skip, in fields scaled to [0, 1]: the units
in which layers work best."""

_HALF_DECONVOLUTION = 4
"""Points of output, on each side of its middle, that the 9x9 transposed convolution spreads to."""

_KEYS_REACH = 2
"""Points of input that Keys' kernel reaches beyond an edge."""


@dataclass(frozen=True)
class Reach:
    """How a network's output lies on its input's grid, for windows over large frames.

    Attributes
    ----------
    scale
        Points of output per point of input along lat and lon.
    trim
        Points of input missing from the output on each side.
    halo
        Points of input beyond an output point that have any influence on it.
    num_frames
        Consecutive frames read for one frame of output.
    extends
        Whether frames are given with `trim` more points on each side, which makes the output whole.
    block
        Side of the squares of input points, counted from the first, that are taken as one.
    predictors
        Channels of input, the last ones, that the output lacks.
    """

    scale: int
    trim: int
    halo: int
    num_frames: int
    extends: bool
    block: int = 1
    predictors: int = 0

    @property
    def margin(self) -> int:
        """Points that frames are extended by on each side before they are given."""
        return self.trim if self.extends else 0


def deconvolution_reach(scale: int) -> int:
    """Points of input beyond an edge that the transposed convolution, or Keys' kernel, asks for."""
    return max(_KEYS_REACH, -(-_HALF_DECONVOLUTION // scale))


def anomalies(frames: Tensor) -> Tensor:
    """Frames scaled to [0, 1] as anomalies from 1/2, of order one."""
    return (frames - 0.5) / ANOMALY


def inner(frames: Tensor, points: int) -> Tensor:
    """Frames (..., lat, lon) without so many points on each side."""
    return frames[..., points:-points, points:-points] if points else frames


def channels_last(frames: Tensor) -> Tensor:
    """Frames (n, channels, lat, lon) laid out point by point, if they are on a CPU.

    2D layers keep that layout to the last, and need not reorder many channels for a fast kernel.
    """
    if frames.device.type != "cpu":
        return frames
    # `contiguous` would leave a single channel as it is, whose layout then is no one's choice.
    return frames.clone(memory_format=torch.channels_last)


class Residual(nn.Module):
    """Layers of 3x3 kernels that pad nothing, with their input, cropped, added to their output."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """(n, channels, lat, lon) -> the same, smaller by what the layers take off."""
        residual: Tensor = self.layers(features)
        return inner(features, (features.shape[-1] - residual.shape[-1]) // 2) + residual


def initialise(layers: nn.Module) -> None:
    """Random weights for layers followed by ReLU (He et al. 2015, arXiv 1502.01852), biases zero.

    Transposed convolutions get a normal distribution of deviation 0.01.
    """
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        elif isinstance(layer, nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=0.01)
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)


def initialise_as_keras(layers: nn.Module) -> None:
    """Random weights as Keras, whose names the study's layers have, gives them; biases zero.

    Uniform (Glorot and Bengio 2010, AISTATS, equation 16). Without a skip these smaller weights
    are better than those of `initialise`: the output starts nearer to the frames.
    """
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d):
            assert layer.bias is not None
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
