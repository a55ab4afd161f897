"""Series of frames through a codec, lazily and clip by clip, and what stores say of it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Self

import av
import dask.array
import numpy as np
import xarray as xr

from swsr.compression import CLIP_FRAMES, compress, count_bits
from swsr.schema import DIMS


@dataclass(frozen=True)
class Compression:
    """How the frames of a series were compressed.

    Attributes
    ----------
    codec, quality
        As for `compression.compress`.
    scale
        By which the frames were contracted before.
    limits
        Least and greatest value of each variable over all frames of the series, as of a video of
        it: levels 0 and 255.
    bits_per_point
        Of a frame of the series, all variables alike.
    clip_frames
        From one key frame to the next.
    pyav
        Version, which brings the codecs.
    """

    codec: str
    quality: int
    scale: int
    limits: dict[str, tuple[float, float]]
    bits_per_point: float
    clip_frames: int = CLIP_FRAMES
    pyav: str = av.__version__

    @classmethod
    def measure(cls, frames: xr.Dataset, codec: str, quality: int, scale: int) -> Self:
        """Find the limits, then the bits, which takes as long as to compress all frames."""
        clips = frames.chunk({"time": CLIP_FRAMES})
        # Before the store is begun: its attributes hold them, however often its job is interrupted.
        stacked = clips.to_dataarray("variable")
        ends = {"least": stacked.min(DIMS), "greatest": stacked.max(DIMS)}
        found = xr.Dataset(ends).compute()
        pairs = zip(*(found[end].values.tolist() for end in ends), strict=True)
        limits = dict(zip(map(str, frames.data_vars), pairs, strict=True))
        count = partial(_bits, codec=codec, quality=quality)
        bits = {
            name: ((), _of_each_clip(clips[name], partial(count, limits=each)).sum())
            for name, each in limits.items()
        }
        total = xr.Dataset(bits).compute().to_dataarray().sum()
        return cls(codec, quality, scale, limits, int(total) / stacked.size)

    def apply(self, frames: xr.Dataset) -> xr.Dataset:
        """The same frames as the codec leaves them; nothing is computed."""
        through = partial(compress, codec=self.codec, quality=self.quality)
        return frames.chunk({"time": CLIP_FRAMES}).map(
            lambda variable: variable.copy(
                data=dask.array.map_blocks(
                    partial(through, limits=self.limits[str(variable.name)]),
                    variable.data,
                    dtype="float32",
                    meta=np.empty((0, 0, 0), "float32"),
                )
            )
        )

    @property
    def ratio(self) -> float:
        """Bits of the frames before contraction, in float32, over those of the codec."""
        return 32 * self.scale**2 / self.bits_per_point

    def describe(self) -> str:
        """In words, for the log."""
        return (
            f"{self.codec} at quality {self.quality}: {self.bits_per_point:.3f} bits per point, "
            f"1/{self.ratio:.0f} of the truth in float32"
        )

    def to_json(self) -> str:
        """For the attributes of a store."""
        return json.dumps(asdict(self) | {"ratio": self.ratio}, sort_keys=True)


def _bits(clip: np.ndarray, codec: str, quality: int, limits: tuple[float, float]) -> np.ndarray:
    return np.full((1, 1, 1), count_bits(clip, codec, quality, limits))


def _of_each_clip(variable: xr.DataArray, count: Callable[[np.ndarray], np.ndarray]) -> Any:
    numbers = ((1,) * len(variable.chunksizes["time"]), (1,), (1,))
    return dask.array.map_blocks(
        count, variable.data, dtype="int64", chunks=numbers, meta=np.empty((0, 0, 0), "int64")
    )
