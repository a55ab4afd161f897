"""Stores of compressed frames: the same however they are cut into chunks, and what they say."""

import json

import numpy as np
import pytest
from tiny import make_stores, stage_settings, tiny_frames

from swsr.clips import Compression
from swsr.compression import compress, count_bits
from swsr.provenance import COMPRESSION
from swsr.run import Run
from swsr.stages.upscale import upscale
from swsr.zarr_io import open_frames

VARIABLES = ("vorticity", "depth")
CHOICES = {"codec": "h264", "quality": 25}


@pytest.fixture(scope="module")
def frames():
    return tiny_frames(variables=VARIABLES)


@pytest.fixture(scope="module")
def contracted(frames, tmp_path_factory):
    """Low-resolution frames that no codec has seen."""
    return open_frames(make_stores(tmp_path_factory.mktemp("plain"), frames)[0]).load()


@pytest.fixture(scope="module")
def compressed(frames, tmp_path_factory):
    return open_frames(make_stores(tmp_path_factory.mktemp("clips"), frames, **CHOICES)[0]).load()


def test_clips_of_eight_frames_stand_alone(contracted, compressed):
    for name in VARIABLES:
        plain = contracted[name].values
        limits = float(plain.min()), float(plain.max())
        for first in range(0, len(plain), 8):
            clip = compress(plain[first : first + 8], *CHOICES.values(), limits)
            np.testing.assert_array_equal(compressed[name].values[first : first + 8], clip)


@pytest.mark.parametrize("chunk_frames", [3, 8, 30])
def test_chunks_of_the_store_change_no_bit(frames, compressed, chunk_frames, tmp_path):
    low, _ = make_stores(tmp_path, frames, chunk_frames, **CHOICES)
    found = open_frames(low)
    assert found.chunksizes["time"][0] == chunk_frames
    assert found.attrs[COMPRESSION] == compressed.attrs[COMPRESSION]
    for name in VARIABLES:
        np.testing.assert_array_equal(found[name].values, compressed[name].values)


def test_groups_may_be_computed_alone_and_in_any_order(contracted, compressed):
    used = Compression.measure(contracted.chunk({"time": 4}), *CHOICES.values(), 2)
    lazy = used.apply(contracted.chunk({"time": 4}))
    for first in (28, 20, 4, 0, 24):
        group = slice(first, first + 4)
        for name in VARIABLES:
            np.testing.assert_array_equal(
                lazy[name].isel(time=group).values, compressed[name].values[group]
            )


def test_the_store_says_what_was_done_and_what_it_took(contracted, compressed):
    said = json.loads(compressed.attrs[COMPRESSION])
    assert (said["codec"], said["quality"], said["scale"]) == ("h264", 25, 2)
    bits = 0
    for name in VARIABLES:
        plain = contracted[name].values
        limits = float(plain.min()), float(plain.max())
        assert tuple(said["limits"][name]) == limits
        clips = [plain[first : first + 8] for first in range(0, len(plain), 8)]
        bits += sum(count_bits(clip, "h264", 25, limits) for clip in clips)
    points = 2 * contracted["depth"].size
    assert said["bits_per_point"] == pytest.approx(bits / points)
    assert said["ratio"] == pytest.approx(2 * 30 * 24 * 48 * 32 / bits)


def test_compression_alone_is_its_own_interpolation(frames, tmp_path):
    low, high = make_stores(tmp_path, frames, scale=1, codec="mjpeg", quality=4)
    settings = stage_settings(
        tmp_path, "upscale", downscale={"scale": 1, "codec": "mjpeg", "quality": 4}
    )
    raw = tmp_path / "raw" / "seed_0.json"
    upscale(settings, low, high, raw, Run())
    given, found, truth = map(open_frames, (low, raw, high))
    for name in VARIABLES:
        np.testing.assert_array_equal(found[name].values, given[name].values)
        step = float(np.ptp(truth[name].values)) / 255
        error = np.abs(found[name].values - truth[name].values).max()
        assert step / 4 < error < 30 * step
    np.testing.assert_array_equal(found["lat"], truth["lat"])
    assert found.attrs[COMPRESSION] == given.attrs[COMPRESSION]
