"""Published 2D networks to compare with, at about the cost of ours.

All map (n, variables + predictors, lat, lon) with `reach.margin` more points on each side to
(n, variables, scale * lat, scale * lon), on values scaled to [0, 1]. Their layers are the
published ones, but pad nothing: frames go on beyond their edges as for those of `study`,
so that a comparison is one of layers and not of edges. Weights start as in `layers.initialise`.
"""

from torch import Tensor, nn

from swsr.networks.convolutions import Convolution2d
from swsr.networks.layers import (
    Reach,
    Residual,
    channels_last,
    deconvolution_reach,
    initialise,
    inner,
)
from swsr.networks.upsampling import Upsampling
from swsr.resampling.bicubic import resize

_BICUBIC_REACH = 2
"""Points of the coarser grid that Keys' kernel reaches."""


class Srcnn(nn.Module):
    """SRCNN 9-1-5: three layers on the bicubic upscaling, at the cost of the high grid.

    Dong, Loy, He and Tang 2016 (IEEE Trans. PAMI 38, 295; arXiv 1501.00092, section 4.1): 64 and 32
    features.

    Parameters
    ----------
    variables
        Channels of input and output.
    scale
        Points of output per point of input along lat and lon.
    predictors
        Further channels of input, after those.
    """

    _LOST = 6
    """High-resolution points that the 9x9 (4) and the 5x5 layer (2) take off each side."""

    def __init__(self, variables: int, scale: int, predictors: int = 0) -> None:
        super().__init__()
        self.scale = scale
        self.layers = nn.Sequential(
            nn.Conv2d(variables + predictors, 64, 9), nn.ReLU(),
            Convolution2d(64, 32, 1), nn.ReLU(),
            nn.Conv2d(32, variables, 5),
        )  # fmt: skip
        halo = -(-self._LOST // scale) + (_BICUBIC_REACH if scale > 1 else 0)
        self.reach = Reach(
            scale, trim=halo, halo=halo, num_frames=1, extends=True, predictors=predictors
        )
        initialise(self.layers)

    def forward(self, low: Tensor) -> Tensor:
        """(n, variables + predictors, lat, lon) -> variables, upscaled, without the margin."""
        size = (low.shape[-2] * self.scale, low.shape[-1] * self.scale)
        high: Tensor = self.layers(channels_last(resize(low, size)))
        return inner(high, self.reach.trim * self.scale - self._LOST)


class Fsrcnn(nn.Module):
    """FSRCNN(56, 12, 4) with its PReLUs, one slope per channel.

    Dong, Loy and Tang 2016 (arXiv 1608.00367, section 3.3). `study_2d` has ReLUs and pads zeros.

    Parameters
    ----------
    variables, scale, predictors
        As for `Srcnn`.
    """

    def __init__(self, variables: int, scale: int, predictors: int = 0) -> None:
        super().__init__()
        detail, shrunk, depth = 56, 12, 4
        mapping: list[nn.Module] = []
        for _ in range(depth):
            mapping += [nn.Conv2d(shrunk, shrunk, 3), nn.PReLU(shrunk)]
        self.layers = nn.Sequential(
            nn.Conv2d(variables + predictors, detail, 5), nn.PReLU(detail),
            Convolution2d(detail, shrunk, 1), nn.PReLU(shrunk),
            *mapping,
            Convolution2d(shrunk, detail, 1), nn.PReLU(detail),
            Upsampling(detail, variables, scale),
        )  # fmt: skip
        halo = 2 + depth + deconvolution_reach(scale)  # 5x5: 2 points; each 3x3: 1
        self.reach = Reach(
            scale, trim=halo, halo=halo, num_frames=1, extends=True, predictors=predictors
        )
        initialise(self.layers)

    def forward(self, low: Tensor) -> Tensor:
        """(n, variables + predictors, lat, lon) -> variables, upscaled, without the margin."""
        high: Tensor = self.layers(channels_last(low))
        return inner(high, deconvolution_reach(self.reach.scale) * self.reach.scale)


class Edsr(nn.Module):
    """EDSR with 2 residual blocks of 12 features: about the parameters of FSRCNN.

    Lim, Son, Kim, Nah and Lee 2017 (arXiv 1707.02921, section 3): no batch normalisation, a
    shift by the mean, 1/2 here. One pixel shuffle does the upscaling at every scale, where the
    published network of scale 4 has two.

    Parameters
    ----------
    variables, scale, predictors
        As for `Srcnn`.
    """

    _MEAN = 0.5

    def __init__(self, variables: int, scale: int, predictors: int = 0) -> None:
        super().__init__()
        features, depth = 12, 2

        def conv(outputs: int = features) -> nn.Conv2d:
            return nn.Conv2d(features, outputs, 3)

        blocks = [Residual(conv(), nn.ReLU(), conv()) for _ in range(depth)]
        self.layers = nn.Sequential(
            nn.Conv2d(variables + predictors, features, 3),
            Residual(*blocks, conv()),
            conv(features * scale**2), nn.PixelShuffle(scale),
            conv(variables),
        )  # fmt: skip
        # Each 3x3 layer: 1 point; the last one's is of the high grid, in the next point of input.
        halo = 1 + 2 * depth + 1 + 1 + 1
        self.reach = Reach(
            scale, trim=halo, halo=halo, num_frames=1, extends=True, predictors=predictors
        )
        initialise(self.layers)

    def forward(self, low: Tensor) -> Tensor:
        """(n, variables + predictors, lat, lon) -> variables, upscaled, without the margin."""
        high: Tensor = self.layers(channels_last(low - self._MEAN))
        return inner(high, self.reach.scale - 1).float() + self._MEAN
