"""Which frames are made: the sections `simulate`, `extract`, `downscale` and `split`."""

from typing import Literal, Self, TypeAlias

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from swsr.settings.base import Strict

PACK_FRAMES = 5
"""Consecutive frames that the 3D network reads to sharpen the centre one."""

SIMULATED = ("vorticity", "divergence", "depth", "u", "v")
"""Variables of the embedded simulation."""

Set: TypeAlias = Literal["train", "validation", "test"]

Codec: TypeAlias = Literal["h264", "mjpeg"]
"""Video codecs that compress low-resolution frames."""

Filter: TypeAlias = Literal["bicubic", "mean"]
"""What makes frames coarser."""

_QUALITIES: dict[Codec, tuple[int, int]] = {"h264": (0, 51), "mjpeg": (1, 31)}
"""Best and worst quality, each on the scale of its codec."""

GRIDS = {
    "T21": (32, 64),
    "T31": (48, 96),
    "T42": (64, 128),
    "T85": (128, 256),
    "T106": (160, 320),
    "T119": (180, 360),
    "T170": (256, 512),
    "T213": (320, 640),
    "T340": (512, 1024),
    "T425": (640, 1280),
}
"""Points of lat and lon of the Gaussian grid of each spectral truncation."""


class Simulate(Strict):
    """The embedded spherical shallow-water simulation."""

    grid: Literal["T21", "T31", "T42", "T85", "T106", "T119", "T170", "T213", "T340", "T425"]
    num_frames: PositiveInt
    interval_minutes: PositiveFloat
    spinup_days: float = Field(ge=0)
    time_step_minutes: PositiveFloat
    jet_speed_m_s: PositiveFloat
    jet_spread_m_s: float = Field(ge=0)
    diffusion_hours: PositiveFloat

    @model_validator(mode="after")
    def _jets_blow_east(self) -> Self:
        if self.jet_spread_m_s >= self.jet_speed_m_s:
            raise ValueError(
                f"simulate.jet_spread_m_s {self.jet_spread_m_s:g} is not less than "
                f"simulate.jet_speed_m_s {self.jet_speed_m_s:g}"
            )
        return self

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        for key, minutes in {
            "interval_minutes": self.interval_minutes,
            "spinup_days": self.spinup_days * 24 * 60,
        }.items():
            steps = minutes / self.time_step_minutes
            if abs(steps - round(steps)) > 1e-6:
                raise ValueError(
                    f"simulate.{key} is not a whole number of simulate.time_step_minutes "
                    f"({minutes:g} / {self.time_step_minutes:g} minutes)"
                )
        return self


class Extract(Strict):
    """How frames are stored."""

    chunk_frames: PositiveInt
    shard_frames: PositiveInt | None

    @model_validator(mode="after")
    def _whole_chunks(self) -> Self:
        if self.shard_frames is not None and self.shard_frames % self.chunk_frames:
            raise ValueError(
                f"extract.shard_frames {self.shard_frames} is not a multiple of "
                f"extract.chunk_frames {self.chunk_frames}"
            )
        return self


class Downscale(Strict):
    """How low-resolution frames are made: contracted, then compressed; scale 1 only compresses."""

    scale: int = Field(ge=1, le=8)
    filter: Filter
    codec: Codec | None
    quality: int | None

    @model_validator(mode="after")
    def _codec_and_quality_fit(self) -> Self:
        if self.codec is None:
            if self.quality is not None:
                raise ValueError(
                    f"downscale.quality is {self.quality}, but no codec compresses: name "
                    "downscale.codec, or use null"
                )
            if self.scale == 1:
                raise ValueError(
                    "downscale.scale is 1, which leaves frames as they are: use 2 to 8, or name "
                    "downscale.codec"
                )
            return self
        best, worst = _QUALITIES[self.codec]
        if self.quality is None or not best <= self.quality <= worst:
            given = "null" if self.quality is None else self.quality
            raise ValueError(
                f"downscale.quality is {given}, but {self.codec} has {best} (best) to {worst}"
            )
        return self


class Split(Strict):
    """Which frames of a training series train, validate and test, in order of time."""

    validation_fraction: float = Field(gt=0, lt=1)
    test_fraction: float = Field(ge=0, lt=1)

    def ranges(self, num_frames: int) -> dict[Set, slice]:
        """Frames of each set in a training series of `num_frames` frames.

        The last `test_fraction` tests, unless that is 0: then the test set lies in other series.
        Of what remains, the last `validation_fraction` validates.

        Raises
        ------
        ValueError
            When a set has fewer frames than a pack of the 3D network.
        """
        first_test = num_frames - round(num_frames * self.test_fraction)
        first_validation = first_test - round(first_test * self.validation_fraction)
        ranges: dict[Set, slice] = {
            "train": slice(0, first_validation),
            "validation": slice(first_validation, first_test),
        }
        if self.test_fraction:
            ranges["test"] = slice(first_test, num_frames)
        for name, frames in ranges.items():
            count = frames.stop - frames.start
            if count < PACK_FRAMES:
                raise ValueError(
                    f"split: of {num_frames} frames the {name} set gets {count}, fewer than the "
                    f"{PACK_FRAMES} that a network reads: give more frames or other fractions"
                )
        return ranges
