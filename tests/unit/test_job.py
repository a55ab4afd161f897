"""What a scheduler says of the job that a stage runs in, and a launcher of its ranks."""

import pytest

from swsr.communication import fail, launched_rank, local_rank
from swsr.job import job_id, num_nodes

RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "PALS_RANKID", "HOROVOD_RANK", "RANK")
LOCAL_RANKS = (
    "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "PALS_LOCAL_RANKID", "MPI_LOCALRANKID",
    "MV2_COMM_WORLD_LOCAL_RANK", "HOROVOD_LOCAL_RANK", "LOCAL_RANK",
)  # fmt: skip
NAMES = (
    "SLURM_JOB_ID", "SLURM_JOB_NUM_NODES", "LSB_JOBID", "OMPI_COMM_WORLD_LOCAL_SIZE",
    *RANKS, *LOCAL_RANKS,
)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("said", "job", "nodes"),
    [
        ({}, None, 1),
        ({"SLURM_JOB_ID": "12", "SLURM_JOB_NUM_NODES": "3"}, "12", 3),
        ({"SLURM_JOB_ID": "12", "SLURM_JOB_NUM_NODES": "40"}, "12", 12),  # by salloc
        ({"LSB_JOBID": "34", "OMPI_COMM_WORLD_LOCAL_SIZE": "6"}, "34", 2),
        ({"LSB_JOBID": "34", "OMPI_COMM_WORLD_LOCAL_SIZE": "8"}, "34", 2),  # 8 and 4
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "12"}, None, 1),  # mpirun on this machine
    ],
)
def test_number_and_nodes_of_twelve_ranks(monkeypatch, said, job, nodes):
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert job_id() == job
    assert num_nodes(12) == nodes


def test_a_process_without_a_launcher_is_the_first_rank():
    assert (launched_rank(), local_rank()) == (0, 0)


@pytest.mark.parametrize("name", RANKS)
def test_rank_by_the_word_of_any_launcher(monkeypatch, name):
    monkeypatch.setenv(name, "5")
    assert (launched_rank(), local_rank()) == (5, 0)


@pytest.mark.parametrize("name", LOCAL_RANKS)
def test_rank_within_a_node_by_the_word_of_any_launcher(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert (launched_rank(), local_rank()) == (0, 1)


@pytest.mark.parametrize(
    ("rank", "events"), [("0", ["no room"]), ("2", ["waited", "rank 2: no room"])]
)
def test_other_ranks_let_the_first_speak_for_all(monkeypatch, rank, events):
    found = []
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr("time.sleep", lambda _: found.append("waited"))
    fail(None, "no room", found.append)
    assert found == events
