"""The last layer of FSRCNN: a transposed convolution, computed the way that is fast on a CPU."""

import torch
from torch import Tensor, nn
from torch.nn.functional import fold

_WIDTH = 9
"""Points of the kernel along lat and lon, on the output's grid."""


class Upsampling(nn.ConvTranspose2d):
    """A transposed convolution of 9 x 9 points, whose output has `scale` points per input point.

    Parameters, and results but for rounding (of order 1e-6 in float32), are those of torch's own.
    On CPUs, torch's takes most of the time of the whole network when few channels come out of
    many. There, what every input point adds to the 9 x 9 output points around it is computed as a
    matrix product, and then summed where it overlaps.

    Parameters
    ----------
    channels, variables
        Channels of input and output.
    scale
        Points of output per point of input along lat and lon.
    """

    def __init__(self, channels: int, variables: int, scale: int) -> None:
        # The padding centres the kernel.
        super().__init__(
            channels, variables, _WIDTH, stride=scale, padding=(_WIDTH - scale + 1) // 2,
            output_padding=(_WIDTH - scale) % 2,
        )  # fmt: skip

    def forward(self, given: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(n, channels, lat, lon) -> (n, variables, scale * lat, scale * lon)."""
        # GPUs have kernels of their own for it, and other programs that read ONNX do too.
        if given.device.type != "cpu" or torch.compiler.is_exporting():
            return super().forward(given, output_size)
        assert self.bias is not None and isinstance(self.padding, tuple)
        products = self.weight.flatten(1).T.contiguous()  # (variables * 81, channels)
        # In the layout of `layers.channels_last`, points are the rows of a matrix as they lie.
        points = given.permute(0, 2, 3, 1).flatten(1, 2)
        # `products @ points` would make one product of all frames, and copy the result in order.
        added = torch.bmm(products.expand(len(given), -1, -1), points.transpose(1, 2))
        scale = self.stride[0]
        size = (given.shape[-2] * scale, given.shape[-1] * scale)
        summed = fold(added, size, (_WIDTH, _WIDTH), padding=self.padding, stride=scale)
        return summed + self.bias[:, None, None]
