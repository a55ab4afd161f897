"""Compressed frames from several ranks are those of one; predictors are compressed beside them."""

import json

import numpy as np
import pytest
from tiny import make_stores, mpirun, run_swsr, stage_settings, tiny_frames

from swsr.checkpoint import load_network
from swsr.provenance import COMPRESSION
from swsr.run import Run
from swsr.training.stage import train
from swsr.zarr_io import open_frames, read_manifest

CHOICES = {"scale": 2, "codec": "h264", "quality": 30}


def test_two_ranks_write_the_same_store_and_say_how_many_bits(tmp_path):
    """Their shares of chunks of 3 frames end inside a clip of 8."""
    low, high = make_stores(tmp_path, tiny_frames(), chunk_frames=3, **CHOICES)
    settings = stage_settings(tmp_path, "downscale", downscale=CHOICES)
    output = tmp_path / "ranks" / "seed_0.json"
    done = run_swsr(
        "downscale", "--settings", settings, "--high", high, "--output", output,
        "--communication", "mpi", "--ranks", 2, "--threads", 1, launcher=mpirun(2),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("bits per point") == 1
    assert read_manifest(output) == read_manifest(low)


def test_predictors_go_through_the_codec_by_limits_of_their_own(tmp_path):
    """Lossless, it leaves the rounding to 256 levels between them."""
    frames = tiny_frames(variables=("vorticity", "u"))
    frames["u"] = 1e6 * frames["u"]
    heights = np.random.default_rng(0).random((24, 48), dtype="float32")
    frames["ground"] = (("lat", "lon"), heights, {"units": "m"})
    names = ("u", "ground")
    whole, _ = make_stores(tmp_path / "whole", frames, predictors=names)
    low, high = make_stores(tmp_path, frames, predictors=names, codec="h264", quality=0)
    before, after = (open_frames(path, predictors=True).load() for path in (whole, low))
    assert after.attrs["predictors"] == list(names)
    told = json.loads(after.attrs[COMPRESSION])
    for name in ("vorticity", *names):
        limits = float(before[name].min()), float(before[name].max())
        assert told["limits"][name] == pytest.approx(limits)
        step = (limits[1] - limits[0]) / 255
        assert 0.4 * step < float(abs(after[name] - before[name]).max()) < 0.51 * step
    settings = stage_settings(tmp_path, "train_2d", train_2d={"epochs": 1, "patch_points": 8})
    train(settings, [low], [high], tmp_path / "train_2d", Run())
    _, card = load_network(tmp_path / "train_2d" / "network.safetensors")
    assert card.compression == {"codec": "h264", "quality": 0, "scale": 2}
    assert card.reads == ("vorticity", *names)
