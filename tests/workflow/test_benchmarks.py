"""The benchmarks keep up with the library: each runs, small, and writes what the page is made of."""

import json
import subprocess
import sys

import pytest
from tiny import REPOSITORY

SMALL = {
    "training": ["--frames", "12", "--repeats", "1"],
    "data": ["--frames", "16", "--repeats", "1"],
    "quality": ["--grid", "T21", "--frames", "30", "--epochs", "2", "--repeats", "1"],
    "transfer": [
        "--grid", "T21", "--frames", "30", "--epochs", "1", "--repeats", "1",
        "--pretrain-epochs", "1",
    ],
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
    assert written
    for target in written.get("targets", []):
        assert target["what"] and isinstance(target["met"], bool)
