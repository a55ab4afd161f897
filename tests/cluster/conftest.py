"""The cluster, folders in which the workflow runs on it, and the table of faults."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from slurm_cluster import SlurmCluster, why_not
from tiny import REPOSITORY
from workplace import Fault, Workplace

WORKFLOW = ("Snakefile", "workflow", "src", "slurm", "lsf", "studies", "envs", "config.yaml")
FAULTS = REPOSITORY / "build" / "faults.md"


@pytest.fixture(scope="session")
def cluster():
    """A running cluster; without one the tests that need it are skipped."""
    reason = why_not()
    if reason:
        pytest.skip(f"THE TESTS ON A SLURM CLUSTER DID NOT RUN: {reason}")
    # Not below pytest's own folders: munged wants one that everyone may enter.
    folder = Path(tempfile.mkdtemp(prefix="swsr-cluster-"))
    cluster = SlurmCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def make_workplace(cluster, tmp_path_factory) -> Callable[[str], Workplace]:
    def make(name: str, like: Workplace | None = None) -> Workplace:
        folder = tmp_path_factory.mktemp(name)
        if like:
            shutil.copytree(like.folder, folder, dirs_exist_ok=True)
            return Workplace(folder, cluster, like.configs, like.snakemake)
        for entry in WORKFLOW:
            source = REPOSITORY / entry
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / entry)
        return Workplace(folder, cluster)

    return make


@pytest.fixture(scope="session")
def fault_table():
    """Collects measured rows; writes them, for docs/cluster.md, to build/faults.md."""
    rows: list[str] = []
    yield lambda name, how: Fault(name, how, rows)
    if rows:
        FAULTS.parent.mkdir(exist_ok=True)
        head = (
            "| fault | how injected | what happened | what was lost | seconds until work went on "
            "| what the user does |\n| --- | --- | --- | --- | --- | --- |\n"
        )
        FAULTS.write_text(head + "\n".join(rows) + "\n")
