"""The benchmarks keep up with the library: they run, small, and write what the page is made of.

Not chain.py, which times the default chain, and results.py: other tests run what they call. Nor
peers.py, whose other tools are gigabytes: what they are given is tested.
"""

import importlib
import itertools
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import REPOSITORY

SMALL = {
    "training": ["--frames", "12", "--repeats", "1"],
    "inference": ["--frames", "4", "--repeats", "1"],
    "data": ["--frames", "16", "--repeats", "1"],
    "scaling": ["--ranks", "2", "--repeats", "1"],
    "quality": ["--grid", "T21", "--frames", "30", "--epochs", "2", "--repeats", "1"],
    "transfer": [
        "--grid", "T21", "--frames", "30", "--epochs", "1", "--repeats", "1",
        "--pretrain-epochs", "1",
    ],
    "coarse_runs": ["--fine", "T42", "--coarse", "T21", "--frames", "30", "--epochs", "1"],
    "startup": ["--repeats", "1"],
    "memory": ["--points", "64", "--times", "1", "--stages", "extract", "downscale"],
}  # fmt: skip


@pytest.mark.chain
@pytest.mark.parametrize("name", SMALL)
def test_benchmark_runs(name, tmp_path):
    done = subprocess.run(
        [sys.executable, REPOSITORY / "benchmarks" / f"{name}.py", *SMALL[name]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "\n| --- |" in done.stdout
    written = json.loads((tmp_path / f"{name}.json").read_text())
    assert written["found"]
    for target in written["targets"]:
        assert target["what"] and isinstance(target["met"], bool)


@pytest.mark.parametrize(("reads", "points"), [("low", 4), ("raw", 4), ("raw", None)])
def test_other_tools_get_points_that_belong_together(reads, points, tmp_path, monkeypatch):
    """High-resolution frames that repeat each point show which point a patch is of."""
    low = np.random.default_rng(0).random((3, 5, 6), dtype=np.float32)

    def repeated(fields):
        return fields.repeat(2, axis=-2).repeat(2, axis=-1) if reads == "low" else fields

    frames, results = tmp_path / "frames.npz", tmp_path / "results.npz"
    test, truth = low[:2], repeated(low)
    np.savez(frames, high=truth, **{reads: low, f"test_{reads}": test})
    monkeypatch.setattr(sys, "argv", ["run", str(frames), str(results), "200", "400"])
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks" / "others")
    module = importlib.import_module("job")
    monkeypatch.delitem(sys.modules, "job")
    clock = SimpleNamespace(perf_counter=itertools.count().__next__)  # a second at each look
    monkeypatch.setattr(module, "time", clock)
    job = module.Job(reads)
    corners = set()
    for given, wanted in job.batches(repeated, 7, 2, points):
        assert given.shape == (2, points or 5, points or 6)
        assert np.array_equal(wanted, repeated(given))
        corners |= {float(patch[0, 0]) for patch in given}
    # Any frame, every longitude, and latitudes at which a patch does not leave the frame.
    assert corners == {float(value) for value in low[:, : 2 if points else 1].ravel()}
    with np.load(results) as found:
        assert found["parameters"] == 7
        assert 0 < found["seen_0"] == pytest.approx(found["seen_1"] / 2, rel=0.1)
        assert np.array_equal(found["results_1"], repeated(test))
