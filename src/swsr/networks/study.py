"""The study's networks, layer by layer, and the same layers with skips.

The study's pad with zeros, and its 3D network loses 2 points at each edge. With skips they learn
only what is added to the bicubic upscaling (2D) or to the centre frame (3D), and pad nothing: they
are given frames that go on beyond their edges as their geometry says (`layers.Reach.extends`), so
that the seam of the longitudes and the poles are places like any other.

The 2D network is FSRCNN (Dong, Loy and Tang 2016, arXiv 1608.00367, section 3.3: d = 56, s = 12,
m = 4) with ReLU for PReLU, the 3D network the study's shortened 3DSRnet (after Kim et al. 2018,
arXiv 1812.09079).
"""

import os

from torch import Tensor, nn

from swsr.networks.convolutions import Convolution2d, Convolution3d
from swsr.networks.layers import (
    CORRECTION,
    Reach,
    anomalies,
    channels_last,
    deconvolution_reach,
    initialise,
    initialise_as_keras,
    inner,
)
from swsr.networks.upsampling import Upsampling
from swsr.resampling.bicubic import resize
from swsr.settings import PACK_FRAMES

TRIM_POINTS = 2
"""Points that the two unpadded layers of the study's 3D network take off each side of a frame."""

_FUSED = "SWSR_FUSED"
"""In the environment, asks for the kernels of `fused_2d`: no whole training was tried with them."""

_HALO_3D = 7
"""Points that the 5x5 layer (2) and the five 3x3 layers of the 3D network reach."""


class Network2d(nn.Module):
    """FSRCNN: five kinds of layers on the low-resolution grid, upscaled by the last.

    Parameters
    ----------
    variables
        Channels of input and output.
    scale
        Points of output per point of input along lat and lon.
    predictors
        Further channels of input, after those.
    skip
        Add the bicubic upscaling of the input to the output, and pad nothing.

    With `skip`, the layers work on values and corrections of order one: frames are taken as
    anomalies from 1/2 in units of 0.1, corrections in units of 0.01, which are their sizes in
    fields scaled to [0, 1]. Without these units the corrections drown in the layers' response to
    the mean, training stays at the skip, and first steps that go too far leave ReLUs that never
    answer again.
    """

    def __init__(self, variables: int, scale: int, predictors: int = 0, *, skip: bool) -> None:
        super().__init__()
        self.variables, self.scale, self.skip = variables, scale, skip
        detail, shrunk, depth = 56, 12, 4
        mapping: list[nn.Module] = []
        for _ in range(depth):
            mapping += [
                nn.Conv2d(shrunk, shrunk, 3, padding=0 if skip else 1),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(
            nn.Conv2d(variables + predictors, detail, 5, padding=0 if skip else 2),
            nn.ReLU(inplace=True),
            Convolution2d(detail, shrunk, 1), nn.ReLU(inplace=True),
            *mapping,
            Convolution2d(shrunk, detail, 1), nn.ReLU(inplace=True),
            Upsampling(detail, variables, scale),
        )  # fmt: skip
        halo = 2 + depth + deconvolution_reach(scale)  # 5x5: 2 points; each 3x3: 1
        trim = halo if skip else 0
        self.reach = Reach(
            scale, trim=trim, halo=halo, num_frames=1, extends=skip, predictors=predictors
        )
        if skip:
            initialise(self.layers)
            _set_last(self.layers, weight=0.0, bias=0.0)
        else:
            initialise_as_keras(self.layers)

    def forward(self, low: Tensor) -> Tensor:
        """(n, variables + predictors, lat, lon) -> (n, variables, scale * lat, scale * lon).

        With `skip` the input has `reach.margin` more points on each side.
        """
        if not self.skip:
            return self._compute(low)
        size = (low.shape[-2] * self.scale, low.shape[-1] * self.scale)
        bicubic = inner(resize(low[:, : self.variables], size), self.reach.trim * self.scale)
        correction = self._compute(anomalies(low)) * CORRECTION
        return bicubic + inner(correction, deconvolution_reach(self.scale) * self.scale)

    def _compute(self, given: Tensor) -> Tensor:
        """The layers, on a GPU by kernels made for them if they are asked for."""
        if given.is_cuda and os.environ.get(_FUSED) and not self.reach.predictors:
            from swsr.networks import fused_2d

            if fused_2d.fits(given):
                return fused_2d.compute(given, self.layers)
        found: Tensor = self.layers(channels_last(given))
        return found


class Network3d(nn.Module):
    """The study's 3D network: five padded 3D layers, two unpadded ones, one 2D layer.

    Parameters
    ----------
    variables
        Channels of input and output.
    skip
        Add the centre frame of the input to the output, which then has no activation, pad only in
        time, and work in the units of `Network2d`. Without, the output has the study's ReLU.
    """

    def __init__(self, variables: int, *, skip: bool) -> None:
        super().__init__()
        self.skip = skip
        # Time goes through five layers with its length kept; lat and lon with `skip` shrink.
        wide, narrow = ((1, 0, 0), (1, 0, 0)) if skip else ((1, 2, 2), (1, 1, 1))
        self.layers = nn.Sequential(
            Convolution3d(variables, 32, (3, 5, 5), padding=wide), nn.ReLU(inplace=True),
            Convolution3d(32, 8, (3, 1, 1), padding=(1, 0, 0)), nn.ReLU(inplace=True),
            Convolution3d(8, 8, 3, padding=narrow), nn.ReLU(inplace=True),
            Convolution3d(8, 8, 3, padding=narrow), nn.ReLU(inplace=True),
            Convolution3d(8, 32, (3, 1, 1), padding=(1, 0, 0)), nn.ReLU(inplace=True),
            Convolution3d(32, 32, 3), nn.ReLU(inplace=True),
            Convolution3d(32, 32, 3), nn.ReLU(inplace=True),
            nn.Flatten(1, 2),  # (n, 32, 1, lat, lon): one frame is left
            nn.Conv2d(32, variables, 3, padding=0 if skip else 1),
        )  # fmt: skip
        trim = _HALO_3D if skip else TRIM_POINTS
        self.reach = Reach(1, trim, halo=_HALO_3D, num_frames=PACK_FRAMES, extends=skip)
        if skip:
            initialise(self.layers)
            _set_last(self.layers, weight=0.0, bias=0.0)
        else:
            initialise_as_keras(self.layers)
            # From the middle of [0, 1] the last ReLU cannot start, and stay, at zero everywhere.
            _set_last(self.layers, weight=None, bias=0.5)
            self.layers.append(nn.ReLU(inplace=True))

    def forward(self, pack: Tensor) -> Tensor:
        """(n, variables, 5, lat, lon) -> (n, variables, lat - 4, lon - 4).

        With `skip` the input has `reach.margin` more points on each side than the output.
        """
        if not self.skip:
            sharpened: Tensor = self.layers(pack)
            return sharpened
        correction = self.layers(anomalies(pack)) * CORRECTION
        return inner(pack[:, :, PACK_FRAMES // 2], self.reach.trim) + correction


def _set_last(layers: nn.Sequential, *, weight: float | None, bias: float) -> None:
    """Set the last layer's values. Zeros start training from the skip itself.

    From larger random weights the first steps of a skip network only undo them, which leaves
    ReLUs that never answer again.
    """
    last = layers[-1]
    assert isinstance(last, nn.Conv2d | nn.ConvTranspose2d)
    assert last.bias is not None
    nn.init.constant_(last.bias, bias)
    if weight is not None:
        nn.init.constant_(last.weight, weight)
