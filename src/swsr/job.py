"""The job of a cluster that this process runs in, by its scheduler's word."""

import os


def job_id() -> str | None:
    """Its number in SLURM or LSF; None outside of a job."""
    return os.environ.get("SLURM_JOB_ID") or os.environ.get("LSB_JOBID")


def num_nodes(ranks: int) -> int:
    """How many nodes `ranks` are spread over; 1 where nothing says more.

    SLURM counts the nodes of the allocation, of which ranks may use fewer. Elsewhere launchers
    of Open MPI's family, jsrun among them, say how many ranks are on this one.
    """
    counted = os.environ.get("SLURM_JOB_NUM_NODES")
    on_this = int(os.environ.get("OMPI_COMM_WORLD_LOCAL_SIZE", ranks))
    return min(int(counted), ranks) if counted else -(-ranks // on_this)
