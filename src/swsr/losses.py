"""Losses: sums over points, so that parts of a batch on several ranks add up exactly."""

from torch import Tensor


def summed_loss(name: str, output: Tensor, truth: Tensor) -> Tensor:
    """Sum over all points of (a - b)^2 for `mse`, of |a - b| for `l1`; a scalar."""
    difference = output - truth
    if name == "mse":
        return difference.square().sum()
    assert name == "l1"
    return difference.abs().sum()
