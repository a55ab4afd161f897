"""How the workflow starts ranks on this machine."""

import os
import re
import shlex
import signal
import subprocess
import time
from platform import node
from tempfile import TemporaryDirectory

import psutil
import pytest
from tiny import REPOSITORY


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Start a command in two ranks by LOCAL_MPI, as Snakemake's shell does."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = (REPOSITORY / "workflow" / "paths.smk").read_text()
    names = {"shlex": shlex, "TemporaryDirectory": TemporaryDirectory}
    exec(re.search(r"^MPI_FOLDERS = .*?^\)\n", text, re.MULTILINE | re.DOTALL)[0], names)

    def start(command):
        return subprocess.Popen(
            ["bash", "-c", f"set -euo pipefail; true; {names['LOCAL_MPI']} -n 2 {command}"],
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
