"""How the workflow starts ranks on this machine."""

import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from platform import node

import psutil
import pytest

from swsr.local_ranks import in_own_folder


@pytest.fixture
def launch(tmp_path):
    """Start a command in two ranks as Snakemake's shell does."""
    folders = tmp_path / "of jobs"
    folders.mkdir()

    def start(command):
        mpirun = in_own_folder(str(folders))
        return subprocess.Popen(
            ["bash", "-c", f"set -euo pipefail; true; {mpirun} -n 2 {command}"],
            env=os.environ | {"TMPDIR": str(tmp_path)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    return start


def test_jobs_of_open_mpi_share_no_folder(launch, tmp_path):
    """What another job does to the folder that Open MPI 4 shares between jobs disturbs none."""
    (tmp_path / f"ompi.{node()}.{os.getuid()}").touch()
    job = launch("printenv OMPI_COMM_WORLD_RANK")
    said, _ = job.communicate(timeout=300)
    assert job.returncode == 0, said
    assert sorted(said.split()) == ["0", "1"]


def test_a_failure_is_a_failure(launch):
    assert launch("false").wait(timeout=300) != 0


_ENDS = """
import atexit, pathlib, sys, torch
from torch import distributed

def note():
    at_end = "left" if distributed.is_initialized() else "joined"
    pathlib.Path(sys.argv[1], f"rank_{ranks.rank}").write_text(f"{total}, {at_end}")

atexit.register(note)  # runs after what is registered later
from swsr import communication
ranks = communication.start("torch", 2)
total = ranks.sum(torch.ones(1)).item()
"""


def test_no_thread_of_torch_outlives_python(launch, tmp_path):
    """Threads of Gloo would now and then abort ranks that have done their work."""
    job = launch(shlex.join([sys.executable, "-c", _ENDS, str(tmp_path)]))
    said, _ = job.communicate(timeout=300)
    assert job.returncode == 0, said
    found = {path.name: path.read_text() for path in tmp_path.glob("rank_*")}
    assert found == {"rank_0": "2.0, joined", "rank_1": "2.0, joined"}


def sleeping(shell):
    """Its descendants that sleep, among others that come and go."""
    for each in shell.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "sleep" in each.name():
                yield each


def test_a_signal_reaches_the_ranks(launch):
    job = launch("sleep 300")
    shell = psutil.Process(job.pid)
    while len(ranks := list(sleeping(shell))) < 2:
        assert job.poll() is None, job.stdout.read()
        time.sleep(0.05)
    job.send_signal(signal.SIGTERM)
    job.wait(timeout=120)
    _, alive = psutil.wait_procs(ranks, timeout=120)
    assert not alive
