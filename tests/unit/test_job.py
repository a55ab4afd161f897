"""What a scheduler says of the job that a stage runs in."""

import pytest

from swsr.job import job_id, num_nodes

NAMES = ("SLURM_JOB_ID", "SLURM_JOB_NUM_NODES", "LSB_JOBID", "OMPI_COMM_WORLD_LOCAL_SIZE")


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
