"""Frames through a lossy video codec and back, in memory: what compression leaves of them.

Codecs take 8-bit pictures. Values between two limits become the levels 0 to 255 of a grey picture
(luma without colour), which alone costs up to half a level, (high - low) / 510; values beyond the
limits are clipped to them. Frames of a call are a clip of its own, which starts with a key frame:
its result depends on nothing else.

`h264` is libx264 with its preset `medium`; quality is its constant rate factor, 0 to 51, and 0 is
lossless. It predicts frames from those before and after (ITU-T H.264). `mjpeg` is FFmpeg's Motion
JPEG; quality is the quantiser's scale, 1 to 31. It codes each frame alone (ITU-T T.81).
"""

import re
from fractions import Fraction

import av
import numpy as np

from swsr.geometry import Frames

CLIP_FRAMES = 8
"""Consecutive frames from one key frame to the next."""

_ENCODERS = {"h264": ("libx264", "gray"), "mjpeg": ("mjpeg", "yuvj420p")}
"""Encoder of each codec in FFmpeg, and the pixel format that holds luma from 0 to 255."""

_BLOCK = 16
"""Points of a macroblock: frames are filled up to whole ones, which encoders do anyhow."""

_NO_COLOUR = 128
_FRAMES_PER_SECOND = 25  # decides nothing at constant quality
_SLICES = (1, 5)
"""Kinds of NAL units of H.264 that hold frames (table 7-1); the others are headers."""


def compress(frames: Frames, codec: str, quality: int, limits: tuple[float, float]) -> Frames:
    """Consecutive frames, encoded and decoded as one clip.

    Parameters
    ----------
    frames
        (n, lat, lon), of one variable.
    codec, quality
        `h264` with 0 to 51, `mjpeg` with 1 to 31; higher is worse.
    limits
        Values that become levels 0 and 255.

    Returns
    -------
    Array of the same shape, float32: one of 256 values between the limits at each point.

    Raises
    ------
    ValueError
        When PyAV was built without the encoder.
    """
    levels = decode(encode(to_levels(frames, limits), codec, quality), codec)
    return to_values(levels[:, : frames.shape[1], : frames.shape[2]], limits)


def count_bits(frames: Frames, codec: str, quality: int, limits: tuple[float, float]) -> int:
    """Bits of the same clip, without headers that a stream has once for all of its frames."""
    packets = encode(to_levels(frames, limits), codec, quality)
    return 8 * sum(len(part) for packet in packets for part in _payload(packet, codec))


def to_levels(values: Frames, limits: tuple[float, float]) -> np.ndarray:
    """The nearest of 256 levels between the limits, uint8."""
    low, high = limits
    span = (high - low) or 1.0  # of a constant field every value is the lowest level
    return np.clip(np.rint((values - low) * (255 / span)), 0, 255).astype("uint8")


def to_values(levels: np.ndarray, limits: tuple[float, float]) -> Frames:
    """Inverse of `to_levels`, but for its rounding."""
    low, high = limits
    return (low + levels * ((high - low) / 255)).astype("float32")


def encode(levels: np.ndarray, codec: str, quality: int) -> list[bytes]:
    """Packets of a clip of grey pictures (n, lat, lon), uint8; equal pictures give equal bytes."""
    lat, lon = levels.shape[1:]
    filled = np.pad(levels, ((0, 0), (0, -lat % _BLOCK), (0, -lon % _BLOCK)), mode="edge")
    encoder = _encoder(codec, quality, filled.shape[1:])
    packets = []
    for number, picture in enumerate(filled):
        frame = _as_frame(picture, _ENCODERS[codec][1])
        frame.pts = number
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in (*packets, *encoder.encode(None))]


def decode(packets: list[bytes], codec: str) -> np.ndarray:
    """Pictures of a clip, filled up to whole blocks: (n, lat, lon), uint8."""
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    given = [av.Packet(packet) for packet in packets]
    frames = [frame for packet in (*given, None) for frame in decoder.decode(packet)]
    assert len(frames) == len(packets)
    return np.stack([_luma(frame) for frame in frames])


def _encoder(codec: str, quality: int, size: tuple[int, ...]) -> av.VideoCodecContext:
    name, pixels = _ENCODERS[codec]
    try:
        encoder = av.CodecContext.create(name, "w")
    except av.codec.codec.UnknownCodecError:
        raise ValueError(
            f"downscale.codec {codec}: PyAV has no encoder {name} here: install av from PyPI"
        ) from None
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = size
    encoder.pix_fmt = pixels
    encoder.framerate = Fraction(_FRAMES_PER_SECOND)
    encoder.time_base = Fraction(1, _FRAMES_PER_SECOND)
    encoder.thread_count = 1
    if codec == "h264":
        # Without it, some of x264's fast code gives other bytes from run to run.
        encoder.options = {"crf": str(quality), "x264-params": "cpu-independent=1"}
    else:
        encoder.options = {"qmin": str(quality), "qmax": str(quality)}
    return encoder


def _as_frame(picture: np.ndarray, pixels: str) -> av.VideoFrame:
    lat, lon = picture.shape
    frame = av.VideoFrame(lon, lat, pixels)
    for number, plane in enumerate(frame.planes):
        rows = np.full((plane.height, plane.line_size), _NO_COLOUR, "uint8")
        if number == 0:
            rows[:, :lon] = picture
        plane.update(rows.tobytes())
    return frame


def _luma(frame: av.VideoFrame) -> np.ndarray:
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), "uint8").reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width].copy()


def _payload(packet: bytes, codec: str) -> list[bytes]:
    if codec != "h264":
        return [packet]
    units = re.split(b"\x00\x00\x01", packet)[1:]
    return [unit for unit in units if unit[0] & 31 in _SLICES]
