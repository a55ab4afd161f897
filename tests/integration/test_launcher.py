"""How the workflow starts ranks on this machine."""

import os
import signal
import subprocess
import time
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
    said, _ = job.communicate(timeout=60)
    assert job.returncode == 0, said
    assert sorted(said.split()) == ["0", "1"]


def test_a_failure_is_a_failure(launch):
    assert launch("false").wait(timeout=60) != 0


def test_a_signal_reaches_the_ranks(launch):
    job = launch("sleep 60")
    shell = psutil.Process(job.pid)
    while not (
        ranks := [each for each in shell.children(recursive=True) if "sleep" in each.name()]
    ):
        assert job.poll() is None, job.stdout.read()
        time.sleep(0.05)
    job.send_signal(signal.SIGTERM)
    job.wait(timeout=30)
    _, alive = psutil.wait_procs(ranks, timeout=30)
    assert not alive
