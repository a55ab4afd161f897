"""What networks share: how their output lies on their input, and layers that several have."""

from dataclasses import dataclass

from torch import Tensor, nn

DECONVOLUTION_REACH = 2
"""Points of input beyond an edge that the transposed convolution asks for, at any scale; and Keys'
kernel."""


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
    """

    scale: int
    trim: int
    halo: int
    num_frames: int
    extends: bool

    @property
    def margin(self) -> int:
        """Points that frames are extended by on each side before they are given."""
        return self.trim if self.extends else 0


def inner(frames: Tensor, points: int) -> Tensor:
    """Frames (..., lat, lon) without so many points, one or more, on each side."""
    return frames[..., points:-points, points:-points]


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
