"""The benchmarks keep up with the library: they run, small, and write what the page is made of.

Not chain.py, which times the default chain, and results.py: other tests run what they call.
"""

import json
import subprocess
import sys

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
