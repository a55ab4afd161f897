"""Layers whose kernels have one point or few channels, put so that CPUs have fast code for them.

torch and oneDNN choose code by rules that do not fit these layers. Results are those of torch's own
layers but for rounding; on GPUs and in ONNX files they are torch's own.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv3d, pad

_LANES = 16
"""Values of float32 in a register of AVX-512. oneDNN has fast code for gradients of 3D weights with
so many input channels, or a multiple; with fewer, other code that takes five times as long."""

_FIRST = 4
"""Channels up to which it has code of its own, for first layers."""

_SMALL = 20480
"""Channels x frames x lat (x lon in 2D) of a single sample up to which torch never takes oneDNN."""


def _is_torchs(given: Tensor) -> bool:
    return given.device.type != "cpu" or torch.compiler.is_exporting()


def _dilation(kernel: tuple[int, ...], given: Tensor) -> tuple[int, ...]:
    """Dilation of dims in which the kernel has one point: it changes nothing but who computes.

    With one thread and fewer than 16 samples torch leaves kernels of one point along lat and lon to
    code of its own, which takes up to four times as long as oneDNN's, unless they are dilated.
    """
    if len(given) == 1 and given.shape[:4].numel() <= _SMALL:
        return (1,) * len(kernel)
    return tuple(2 if points == 1 else 1 for points in kernel)


class Convolution2d(nn.Conv2d):
    """A 2D layer. Parameters are those of `nn.Conv2d`, without groups and dilation."""

    def forward(self, given: Tensor) -> Tensor:
        """(n, in_channels, lat, lon) -> (n, out_channels, lat, lon), as `nn.Conv2d`."""
        if _is_torchs(given):
            return super().forward(given)
        assert isinstance(self.padding, tuple)
        dilation = _dilation(self.kernel_size, given)
        return conv2d(given, self.weight, self.bias, self.stride, self.padding, dilation)


class Convolution3d(nn.Conv3d):
    """A 3D layer. Parameters are those of `nn.Conv3d`, without groups and dilation."""

    def forward(self, given: Tensor) -> Tensor:
        """(n, in_channels, frames, lat, lon) -> (n, out_channels, ...), as `nn.Conv3d`."""
        if _is_torchs(given):
            return super().forward(given)
        assert isinstance(self.padding, tuple)
        weight, dilation = self.weight, _dilation(self.kernel_size, given)
        if torch.is_grad_enabled() and _FIRST < self.in_channels < _LANES and _has_lanes():
            zeros = (0, 0) * 3 + (0, _LANES - self.in_channels)  # more channels, the second dim
            given, weight = pad(given, zeros), pad(weight, zeros)
        return conv3d(given, weight, self.bias, self.stride, self.padding, dilation)


def _has_lanes() -> bool:
    return torch.backends.cpu.get_cpu_capability() == "AVX512"
