"""The last layer of FSRCNN: a transposed convolution, computed the way that is fast on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import pixel_shuffle, unfold

_WIDTH = 9
"""Points of the kernel along lat and lon, on the output's grid."""


class Upsampling(nn.ConvTranspose2d):
    """A transposed convolution of 9 x 9 points, whose output has `scale` points per input point.

    Parameters, and results but for rounding (of order 1e-6 in float32), are those of torch's own.
    On CPUs, torch's takes most of the time of the whole network when few channels come out of
    many. There, what every input point adds to the 9 x 9 output points around it is computed as a
    matrix product, and then summed where it overlaps: along lat, then along lon.

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
        scale, (lat, lon) = self.stride[0], given.shape[-2:]
        products_at = added.unflatten(2, (lat, lon)).unflatten(1, (-1, _WIDTH, _WIDTH))
        summed: Tensor = _Overlapping.apply(  # type: ignore[no-untyped-call]
            products_at, scale, self.padding[0]
        )
        return summed + self.bias[:, None, None]


class _Overlapping(Function):
    """The sum of what overlaps. The gradient of a product is that of the point it fell on."""

    @staticmethod
    def forward(ctx: Any, added: Tensor, scale: int, padding: int) -> Tensor:
        """(n, variables, 9, 9, lat, lon) -> (n, variables, scale * lat, scale * lon)."""
        ctx.scale, ctx.padding = scale, padding
        lat, lon = (scale * points for points in added.shape[-2:])
        phases = _sum_along(_sum_along(added, 2, 4, scale), 3, 5, scale)
        high = pixel_shuffle(phases.flatten(1, 3), scale)
        return high[..., padding : padding + lat, padding : padding + lon]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Of the sum -> of what was added."""
        size = [points // ctx.scale for points in gradient.shape[-2:]]
        spread = unfold(gradient, _WIDTH, padding=ctx.padding, stride=ctx.scale)
        return spread.unflatten(2, size).unflatten(1, (-1, _WIDTH, _WIDTH)), None, None


def _sum_along(added: Tensor, kernel: int, dim: int, scale: int) -> Tensor:
    """Sum along one dim what falls on the same output point, of `scale` points per input point.

    The dim of the kernel becomes that of these `scale` points; the dim of the grid grows by the
    input points that the kernel reaches further.
    """
    points, shape = added.shape[dim], list(added.shape)
    shape[kernel], shape[dim] = scale, points + (_WIDTH - 1) // scale
    summed = added.new_zeros(shape)
    for tap in range(_WIDTH):
        onto = summed.narrow(dim, tap // scale, points).select(kernel, tap % scale)
        onto += added.select(kernel, tap)
    return summed
