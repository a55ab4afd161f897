"""How near a field is to the truth, one figure per frame.

The study's three take values scaled to [0, 1], every point alike, and have sisters weighted by
area; the others take physical values, weighted by area.
"""

import math

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from swsr.grids import area_mean

_K1, _K2, _DEVIATION, _WINDOW = 0.01, 0.03, 1.5, 5
"""Of SSIM: constants, the window's standard deviation, and its points on a side of the middle."""


def mse(frames: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error of each frame: (n, variables, lat, lon) twice -> (n,).

    sum_ij e_ij^2 / N, every point and variable alike (Wang and Bovik 2009, IEEE Signal Processing
    Magazine 26, eq. 1).
    """
    return (frames - truth).square().mean(dim=(1, 2, 3))


def mse_area(frames: Tensor, truth: Tensor, weights: np.ndarray) -> np.ndarray:
    """The same over the area, sum_ij w_i e_ij^2 / sum_ij w_i, with weights (lat,): (n,)."""
    return area_mean((frames - truth).square().mean(dim=1).numpy(), weights)


def psnr(mean_squared_error: float) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(MAX^2 / MSE) with MAX = 1; inf for no error."""
    return math.inf if mean_squared_error == 0 else -10 * math.log10(mean_squared_error)


def ssim_map(frames: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity around each point: (n, variables, lat, lon) twice -> that shape.

    Wang et al. (2004, IEEE Trans. Image Processing 13, eq. 13): Gaussian window of 11 points with
    a standard deviation of 1.5, K1 = 0.01, K2 = 0.03, data range 1; beyond the edges frames go on
    mirrored. Frames must have at least 11 points along lat and lon. On a GPU, where scikit-image
    computes nothing, in float64.
    """
    if frames.is_cuda:
        # One by one: nothing else bounds the memory of so many maps.
        return torch.cat(
            [
                _ssim_map(f[None].double(), t[None].double())
                for f, t in zip(frames, truth, strict=True)
            ]
        )
    images = [
        structural_similarity(
            frame, wanted, channel_axis=0, gaussian_weights=True, sigma=_DEVIATION, K1=_K1, K2=_K2,
            use_sample_covariance=False, data_range=1.0, full=True,
        )[1]
        for frame, wanted in zip(frames.numpy(), truth.numpy(), strict=True)
    ]  # fmt: skip
    return torch.from_numpy(np.stack(images))


def _ssim_map(frames: Tensor, truth: Tensor) -> Tensor:
    """The same by torch alone, on any device."""
    ours, theirs = _gaussian(frames), _gaussian(truth)
    products = ours * theirs
    squares = ours.square() + theirs.square()
    covariances = _gaussian(frames * truth) - products
    variances = _gaussian(frames.square() + truth.square()) - squares
    means = (2 * products + _K1**2) / (squares + _K1**2)
    return means * (2 * covariances + _K2**2) / (variances + _K2**2)


def _gaussian(frames: Tensor) -> Tensor:
    """Weighted means over the window around each point."""
    offsets = torch.arange(-_WINDOW, _WINDOW + 1, dtype=frames.dtype, device=frames.device)
    weights = torch.exp(-0.5 * (offsets / _DEVIATION) ** 2)
    weights /= weights.sum()
    for dim in (-2, -1):
        size = frames.shape[dim]
        first, last = (
            frames.narrow(dim, start, _WINDOW).flip(dim) for start in (0, size - _WINDOW)
        )
        mirrored = torch.cat([first, frames, last], dim)
        frames = sum(w * mirrored.narrow(dim, n, size) for n, w in enumerate(weights))
    return frames


def ssim(frames: Tensor, truth: Tensor) -> Tensor:
    """Mean of `ssim_map` over points and variables, every point alike: (n,)."""
    return ssim_map(frames, truth).mean(dim=(1, 2, 3))


def ssim_area(similarity: Tensor, weights: np.ndarray) -> np.ndarray:
    """Mean of an `ssim_map` over variables and area, with weights (lat,) of the frames: (n,)."""
    return area_mean(similarity.mean(dim=1).numpy(), weights)


def rmse(errors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Root mean square of errors (n, lat, lon) over the area, in their unit: (n,).

    sqrt(sum_ij w_i e_ij^2 / sum_ij w_i), with weights (lat,) as of `grids.Grid` (as WeatherBench,
    Rasp et al. 2020, J. Adv. Model. Earth Syst. 12, e2020MS002203).
    """
    return np.sqrt(area_mean(errors.astype("float64") ** 2, weights))


def mae(errors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean absolute error over the area of errors (n, lat, lon), in their unit: (n,).

    sum_ij w_i |e_ij| / sum_ij w_i (WeatherBench 2, Rasp et al. 2024, J. Adv. Model. Earth Syst. 16,
    e2023MS004019).
    """
    return area_mean(np.abs(errors), weights)


def anomaly_correlation(
    frames: np.ndarray, truth: np.ndarray, normal: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Correlation over the area of deviations from what is normal at each point: (n,), -1 to 1.

    sum w (f - c)(t - c) / sqrt(sum w (f - c)^2 sum w (t - c)^2), not centred (as WeatherBench,
    Rasp et al. 2020). `normal` c, shape (lat, lon), is a mean over time that neither has a part in;
    nan for a frame without anomalies.
    """
    ours, theirs = frames.astype("float64") - normal, truth.astype("float64") - normal
    with np.errstate(invalid="ignore"):
        return area_mean(ours * theirs, weights) / np.sqrt(
            area_mean(ours**2, weights) * area_mean(theirs**2, weights)
        )
