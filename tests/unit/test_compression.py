"""Frames through codecs: bounds in closed form, another decoder, and what a clip depends on."""

import io
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
from PIL import Image

from swsr import compression
from swsr.compression import compress, count_bits, decode, encode, to_levels, to_values

# Neither size is a multiple of anything that codecs like.
SHAPE = (8, 33, 67)
QUALITIES = {"h264": (0, 10, 20, 30, 40, 51), "mjpeg": (1, 2, 5, 12, 31)}


@pytest.fixture(scope="module")
def frames():
    """Waves that travel and fine detail, values near 1e-4."""
    frame, lat, lon = np.mgrid[[slice(size) for size in SHAPE]]
    waves = np.sin((lon + 2 * frame) / 7) * np.cos(lat / 9)
    detail = np.sin((lon * lat + 13 * frame) / 50)
    return (1e-4 * (3 * waves + detail)).astype("float32")


@pytest.fixture(scope="module")
def limits(frames):
    return float(frames.min()), float(frames.max())


def test_lossless_codec_leaves_the_rounding_to_256_levels(frames, limits):
    low, high = limits
    step = (high - low) / 255
    found = compress(frames, "h264", 0, limits)
    assert (found.dtype, found.shape) == (np.float32, frames.shape)
    assert np.abs(found - frames).max() <= step / 2 * (1 + 1e-4)
    np.testing.assert_allclose(
        found, low + step * np.round((frames.astype(float) - low) / step), rtol=0, atol=1e-3 * step
    )


@pytest.mark.parametrize("codec", QUALITIES)
def test_worse_quality_has_larger_errors_and_fewer_bits(frames, limits, codec):
    found = [compress(frames, codec, quality, limits) for quality in QUALITIES[codec]]
    errors = [float(((each - frames) ** 2).mean()) for each in found]
    bits = [count_bits(frames, codec, quality, limits) for quality in QUALITIES[codec]]
    assert errors == sorted(errors)
    assert len(set(errors)) == len(errors)
    assert bits == sorted(bits, reverse=True)
    assert bits[0] > 2 * bits[-1]


def test_pillow_decodes_the_same_pictures(frames, limits):
    """Motion JPEG is a JPEG for each frame; decoders may differ by rounding."""
    packets = encode(to_levels(frames, limits), "mjpeg", 3)
    ours = decode(packets, "mjpeg")
    for picture, packet in zip(ours, packets, strict=True):
        image = Image.open(io.BytesIO(packet))
        image.draft("L", None)
        theirs = np.asarray(image).astype(int)
        assert np.abs(picture.astype(int) - theirs).max() <= 2


@pytest.mark.parametrize("codec", QUALITIES)
def test_values_beyond_the_limits_are_those_of_the_limits(codec):
    ramp = np.tile(np.linspace(-2, 3, 64, dtype="float32"), (2, 32, 1))
    levels = to_levels(ramp, (0.0, 1.0))
    assert (levels[ramp <= 0] == 0).all()
    assert (levels[ramp >= 1] == 255).all()
    best = QUALITIES[codec][0]
    assert np.abs(compress(ramp, codec, best, (0.0, 1.0)) - np.clip(ramp, 0, 1)).max() < 0.05


def test_levels_come_back_from_their_values():
    levels = np.arange(256, dtype="uint8").reshape(1, 16, 16)
    for limits in ((-3e-5, 7e-4), (9e3, 1.1e4)):
        assert (to_levels(to_values(levels, limits), limits) == levels).all()


def test_constant_frames_stay_what_they_are():
    constant = np.full((3, 20, 20), 9.5, "float32")
    assert (compress(constant, "h264", 30, (9.5, 9.5)) == constant).all()


@pytest.mark.parametrize("codec", QUALITIES)
def test_a_clip_is_the_same_every_time_also_in_threads(codec):
    """As x264's fast code is not, without `cpu-independent`: of sizes like these and at these
    qualities a third of the clips differed."""
    frame, lat, lon = np.mgrid[:8, :48, :80]
    waves = 127 + 90 * np.sin((lon + 2 * frame) / 7) * np.cos(lat / 9)
    levels = (waves + 30 * np.sin((lat * lon + 13 * frame) / 50)).clip(0, 255).astype("uint8")
    asked = [quality for quality in QUALITIES[codec][1:] for _ in range(12)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda quality: b"".join(encode(levels, codec, quality)), asked))
    assert len(set(made)) == len(QUALITIES[codec]) - 1


def test_a_clip_of_h264_starts_with_its_only_key_frame(frames, limits):
    packets = encode(to_levels(frames, limits), "h264", 30)
    kinds = [{unit[0] & 31 for unit in compression._payload(packet, "h264")} for packet in packets]
    assert kinds == [{5}, *[{1}] * 7]  # 5: what a decoder can start from, table 7-1
    first = decode(packets[:1], "h264")
    assert (first[0] == decode(packets, "h264")[0]).all()


def test_headers_that_a_stream_has_once_count_no_bits(frames, limits):
    """Sizes of the picture, say, and x264's own settings as text, both in the first packet."""
    packets = encode(to_levels(frames, limits), "h264", 20)
    bits = count_bits(frames, "h264", 20, limits)
    headers = 8 * sum(map(len, packets)) - bits
    assert 0 < headers / 8 < 1000
    more = np.concatenate([frames, frames])  # headers are there once
    twice = 8 * sum(map(len, encode(to_levels(more, limits), "h264", 20)))
    assert abs(twice - count_bits(more, "h264", 20, limits) - headers) < 8 * 4 * len(more)


def test_missing_encoder_is_named(monkeypatch, frames, limits):
    def create(name, mode):
        raise av.codec.codec.UnknownCodecError(name)

    monkeypatch.setattr(av.CodecContext, "create", create, raising=False)
    with pytest.raises(ValueError, match="h264: PyAV has no encoder libx264"):
        compress(frames, "h264", 20, limits)
