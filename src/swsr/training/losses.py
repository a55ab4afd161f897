"""Losses: sums over points, so that parts of a batch on several ranks add up exactly."""

import torch
from torch import Tensor


def summed_loss(name: str, output: Tensor, truth: Tensor) -> Tensor:
    """The loss, summed over all points and not averaged; a scalar.

    With e = output - truth:

    - `l1`: |e|
    - `mse`: e^2
    - `mse_gradient`: e^2 + (d_lat e)^2 + (d_lon e)^2, see `_gradients`
    - `mse_spectral`: e^2 + the same of amplitudes along lon, see `_amplitudes`

    Parameters
    ----------
    name
        One of these.
    output, truth
        Values scaled to [0, 1]: (n, variables, lat, lon).
    """
    difference = output - truth
    if name == "l1":
        return difference.abs().sum()
    squares = difference.square().sum()
    if name == "mse_gradient":
        return squares + _gradients(difference)
    if name == "mse_spectral":
        return squares + _amplitudes(output, truth)
    assert name == "mse"
    return squares


def _gradients(error: Tensor) -> Tensor:
    """Squared differences of neighbours along lat and lon, summed.

    A gradient per point of the grid, not per metre, as in Mathieu, Couprie and LeCun (2016, arXiv
    1511.05440, eq. 6, with squares): a wave of k radians per point counts 4 sin^2(k / 2) times its
    squares, from 0 for the longest to 4 for the shortest along each dim.
    """
    return error.diff(dim=-2).square().sum() + error.diff(dim=-1).square().sum()


def _amplitudes(output: Tensor, truth: Tensor) -> Tensor:
    """Sum over wavenumbers m along lon of (|A_m| - |B_m|)^2, whatever the phases are.

    An error of amplitude so counts twice and one of place once: blurring, which `mse` forgives
    where the place is uncertain, costs more (as the Fourier losses of Fuoli et al. 2021, arXiv
    2106.00783). By Parseval it is `mse` at most. Frames that do not go around the
    globe are taken as periodic, both alike.
    """
    ours, theirs = (torch.fft.fft(part, dim=-1, norm="ortho").abs() for part in (output, truth))
    return (ours - theirs).square().sum()
