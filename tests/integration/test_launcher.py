"""How the workflow starts ranks on this machine."""

import ast
import os
import re
import subprocess
from platform import node

import pytest
from tiny import REPOSITORY


@pytest.fixture
def launch(tmp_path):
    """Run a command by LOCAL_MPI in a folder for temporary files, as Snakemake's shell does."""
    text = (REPOSITORY / "workflow" / "paths.smk").read_text()
    launcher = ast.literal_eval(
        re.search(r"^LOCAL_MPI = (\(.*?^\))", text, re.MULTILINE | re.DOTALL)[1]
    )

    def run(command):
        return subprocess.run(
            ["bash", "-c", f"set -euo pipefail; {launcher} -n 2 {command}"],
            env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_jobs_of_open_mpi_share_no_folder(launch, tmp_path):
    """What another job does to the folder that Open MPI 4 shares between jobs disturbs none."""
    (tmp_path / f"ompi.{node()}.{os.getuid()}").touch()
    done = launch("printenv OMPI_COMM_WORLD_RANK")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["0", "1"]


def test_its_folder_is_removed(launch, tmp_path):
    assert launch("true").returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_failure_is_a_failure(launch, tmp_path):
    assert launch("false").returncode != 0
    assert list(tmp_path.iterdir()) == []
