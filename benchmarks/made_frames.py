"""Frames for the benchmarks, in memory: waves that travel east, on the default grid."""

import numpy as np

from swsr.geometry import Frames, Geometry
from swsr.networks.build import Network
from swsr.patches import Samples
from swsr.resampling import bicubic
from swsr.scaling import Scaling

GLOBE = Geometry("pole", "periodic")


def waves(num_frames: int, lat: int = 64, lon: int = 128) -> Frames:
    """Frames (num_frames, 1, lat, lon) of values near 1e-5, as of vorticity."""
    random = np.random.default_rng(0)
    numbers = np.arange(1, 13)[:, None, None, None]
    phases, tilts, speeds = random.uniform(0, 2 * np.pi, (3, 12, 1, 1, 1))
    angle = numbers * np.linspace(0, 2 * np.pi, lon, endpoint=False) + phases
    angle = angle + tilts * np.linspace(-1, 1, lat)[:, None]
    angle = angle - 0.05 * speeds * np.arange(num_frames)[:, None, None]
    shape = np.cos(np.linspace(-np.pi / 2, np.pi / 2, lat))[:, None] ** 2
    return (1e-5 * shape * np.cos(angle).sum(axis=0))[:, None].astype("float32")


def samples(network: Network, high: Frames) -> Samples:
    """Training samples of a network from frames of the fine grid: low-resolution, or raw ones."""
    scale = network.reach.scale
    given = bicubic.downscale(high, 2, GLOBE)
    if scale == 1:
        given = bicubic.upscale(given, 2, GLOBE)
    scaling = Scaling(np.array([high.min()]), np.array([high.max()]))
    return Samples((given,), (high,), network.reach, scaling, GLOBE, ((-1, -1),))
