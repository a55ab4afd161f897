"""Inference on ranks and in windows, through the command line."""

import numpy as np
import pytest
from tiny import mpirun, run_swsr, train

from swsr.zarr_io import open_frames, read_manifest

pytestmark = pytest.mark.usefixtures("raw")


@pytest.fixture(scope="module", params=["2d", "3d"])
def trained(request, stores, raw, tmp_path_factory):
    """Dimension, arguments of inference with a network of one epoch, and its result on one rank."""
    folder = tmp_path_factory.mktemp(request.param)
    done = train(stores, folder, stage=f"train_{request.param}", epochs=1)
    assert done.returncode == 0, done.stderr
    low, high = stores
    given = ("--low", low, "--like", high) if request.param == "2d" else ("--frames", raw)
    arguments = (f"infer_{request.param}", "--network", folder / "network.safetensors", *given)
    done = run_swsr(*arguments, "--output", folder / "one.json", "--threads", 1)
    assert done.returncode == 0, done.stderr
    return arguments, folder / "one.json"


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_write_the_store_of_one(trained, tmp_path, ranks):
    """Bit for bit; with three ranks the shares of 8 (or 7) chunks are unequal."""
    arguments, one = trained
    flags = ("--communication", "mpi", "--ranks", ranks, "--threads", 1)
    done = run_swsr(*arguments, "--output", tmp_path / "a.json", *flags, launcher=mpirun(ranks))
    assert done.returncode == 0, done.stderr
    assert read_manifest(tmp_path / "a.json") == read_manifest(one)


def test_result_does_not_depend_on_the_window(trained, tmp_path):
    arguments, one = trained
    done = run_swsr(*arguments, "--output", tmp_path / "a.json", "--window-points", 9)
    assert done.returncode == 0, done.stderr
    whole = open_frames(one)["vorticity"].values
    parts = open_frames(tmp_path / "a.json")["vorticity"].values
    np.testing.assert_allclose(parts, whole, atol=1e-5 * np.abs(whole).max())
