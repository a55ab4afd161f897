"""How ranks start where no profile says otherwise: on this machine, sharing its cores."""

import shlex

# Messages by ob1: to look for networks that only UCX or libfabric know takes each rank 0.2 s.
MPIRUN = (
    "mpirun", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none",
    "--mca", "mpi_yield_when_idle", "1", "--mca", "pml", "ob1",
)  # fmt: skip


def in_own_folder(folders: str) -> str:
    """How a shell starts `MPIRUN`, before `-n RANKS COMMAND`, with a folder of its own.

    Open MPI 4 keeps files of all jobs in one folder, which a job that ends removes under one that
    starts, so that this one fails (open-mpi/ompi#8510).

    Parameters
    ----------
    folders
        Where the folders of all jobs lie. They stay: a shell that waited for mpirun to remove one
        would keep signals from it.
    """
    return f'TMPDIR="$(mktemp -d -p {shlex.quote(folders)})" {shlex.join(MPIRUN)}'
