"""Ranks: one process, Horovod, torch.distributed or plain MPI, behind the same few methods.

The only module that imports horovod, mpi4py and torch.distributed. Everything else is written for
any number of ranks and never asks for its own rank to decide what to do. It imports torch only for
those who have several ranks: stages without networks start in half the time without.
"""

import atexit
import importlib
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Backend: TypeAlias = Literal["none", "horovod", "torch", "mpi"]
Result = TypeVar("Result")


class Communicator:
    """One process. The back ends below do the same among several.

    Attributes
    ----------
    rank, size
        Number of this process, from 0, and how many there are.
    transport
        What messages travel by.
    """

    rank = 0
    size = 1
    transport: str = ""

    def sum(self, values: "Tensor") -> "Tensor":
        """Element-wise sum over ranks of a float tensor."""
        return values

    def gather(self, value: float) -> list[float]:
        """The number that each rank has, in their order, on every rank."""
        import torch

        values = torch.zeros(self.size, dtype=torch.float64)
        values[self.rank] = value
        return self.sum(values).tolist()

    def broadcast(self, value: Result) -> Result:
        """The object of rank 0 on every rank; it must be picklable."""
        return value

    def barrier(self) -> None:
        """Wait until every rank is here."""

    def on_first(self, action: Callable[[], Result]) -> Result:
        """Run `action` on rank 0 and give its result, or its error, to every rank."""
        outcome: tuple[Any, Exception | None] = (None, None)
        if self.rank == 0:
            try:
                outcome = (action(), None)
            except Exception as error:  # raised again on every rank
                outcome = (None, error)
        result, failure = self.broadcast(outcome)
        if failure is not None:
            raise failure
        return result

    def share(self, count: int) -> range:
        """Which of `count` things are this rank's: shares differ by one thing at most."""
        first, last = (count * part // self.size for part in (self.rank, self.rank + 1))
        return range(first, last)

    def abort(self) -> None:
        """End every rank now, without waiting for any."""


class HorovodCommunicator(Communicator):
    """Horovod, over MPI or Gloo as its launcher chose."""

    def __init__(self) -> None:
        # Importing horovod.torch only when asked for: it is not installed everywhere.
        self._hvd = importlib.import_module("horovod.torch")
        import torch

        # Milliseconds between looks for messages, 1 by default: more than a step takes on a GPU.
        # Gloo looks through sockets, at the cost of ranks that share their cores with it.
        if torch.cuda.is_available() or os.environ.get("HOROVOD_CONTROLLER") != "gloo":
            os.environ.setdefault("HOROVOD_CYCLE_TIME", "0.1")
        self._hvd.init()
        self.rank, self.size = self._hvd.rank(), self._hvd.size()
        nccl = " + NCCL" if self._hvd.nccl_built() and torch.cuda.is_available() else ""
        self.transport = ("Gloo" if self._hvd.gloo_enabled() else "MPI") + nccl

    def sum(self, values: "Tensor") -> "Tensor":
        # A name for each kind of message: Horovod would make a new one for every call, and
        # negotiate it between all ranks anew.
        name = f"sum_{values.dtype}_{'x'.join(map(str, values.shape))}"
        return self._hvd.allreduce(values, op=self._hvd.Sum, name=name)

    def broadcast(self, value: Result) -> Result:
        return self._hvd.broadcast_object(value, root_rank=0)

    def barrier(self) -> None:
        self._hvd.barrier()

    def abort(self) -> None:
        _abort_mpi_or_exit(mpi=self._hvd.mpi_enabled())


class TorchCommunicator(Communicator):
    """torch.distributed: Gloo, and NCCL for tensors on GPUs."""

    def __init__(self) -> None:
        import torch

        self._distributed = importlib.import_module("torch.distributed")
        met = {} if "MASTER_ADDR" in os.environ else _meet_through_mpi(self._distributed.TCPStore)
        gpus = torch.cuda.is_available()
        self.transport = "Gloo + NCCL" if gpus else "Gloo"
        self._distributed.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", **met)
        # Its threads still free tensors of the last sum, which aborts a Python that has ended.
        atexit.register(self._distributed.destroy_process_group)
        self.rank = self._distributed.get_rank()
        self.size = self._distributed.get_world_size()

    def sum(self, values: "Tensor") -> "Tensor":
        total = values.clone().contiguous()
        self._distributed.all_reduce(total)
        return total

    def broadcast(self, value: Result) -> Result:
        box = [value]
        self._distributed.broadcast_object_list(box, src=0)
        return box[0]

    def barrier(self) -> None:
        self._distributed.barrier()

    def abort(self) -> None:
        os._exit(1)


class MpiCommunicator(Communicator):
    """MPI through mpi4py, for stages that only divide work."""

    transport = "MPI"

    def __init__(self) -> None:
        self._mpi = importlib.import_module("mpi4py.MPI")
        self._world = self._mpi.COMM_WORLD
        self.rank, self.size = self._world.Get_rank(), self._world.Get_size()

    def sum(self, values: "Tensor") -> "Tensor":
        import torch

        total = torch.empty_like(values, device="cpu")
        self._world.Allreduce(values.cpu().contiguous().numpy(), total.numpy())
        return total.to(values.device)

    def broadcast(self, value: Result) -> Result:
        return self._world.bcast(value)

    def barrier(self) -> None:
        self._world.Barrier()

    def abort(self) -> None:
        _abort_mpi_or_exit(mpi=True)


_BACKENDS: dict[Backend, type[Communicator]] = {
    "none": Communicator,
    "horovod": HorovodCommunicator,
    "torch": TorchCommunicator,
    "mpi": MpiCommunicator,
}


def start(backend: Backend, ranks: int) -> Communicator:
    """Join the other ranks.

    Parameters
    ----------
    backend
        What to communicate by.
    ranks
        How many processes the launcher was asked for.

    Raises
    ------
    ValueError
        When the back end is not installed, or finds another number of ranks: a launcher and a
        back end that do not know of each other give independent runs of one rank each, which
        would all write the same results.
    """
    try:
        communicator = _BACKENDS[backend]()
    except ImportError as error:
        raise ValueError(f"--communication {backend}: not installed: {error}") from error
    if communicator.size != ranks:
        raise ValueError(
            f"--communication {backend} found {communicator.size} ranks, not {ranks}: start it "
            "with mpirun, srun or horovodrun with as many processes as --ranks says"
        )
    # One rank has nobody to wait for: Horovod alone would take a millisecond a message.
    return communicator if ranks > 1 else Communicator()


def launched_rank() -> int:
    """Rank of this process by its launcher's word, before any communication; 0 without one."""
    return _from_environment(
        "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "PALS_RANKID", "HOROVOD_RANK", "RANK"
    )


def local_rank() -> int:
    """Number of this process among those of its node; 0 without a launcher."""
    return _from_environment(
        "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "PALS_LOCAL_RANKID", "MPI_LOCALRANKID",
        "MV2_COMM_WORLD_LOCAL_RANK", "HOROVOD_LOCAL_RANK", "LOCAL_RANK",
    )  # fmt: skip


def _from_environment(*names: str) -> int:
    return next((int(os.environ[name]) for name in names if name in os.environ), 0)


def fail(communicator: Communicator | None, message: str, report: Callable[[str], None]) -> None:
    """Report a failure once, and end the other ranks, which would wait for this one for ever.

    `communicator` is None when communication itself could not start.
    """
    # Ranks that all meet the same error would all report it: rank 0 speaks, and ends the others.
    rank = launched_rank()
    if rank > 0:
        time.sleep(3)
        message = f"rank {rank}: {message}"
    report(message)
    if communicator is not None and communicator.size > 1:
        communicator.abort()


def describe(communicator: Communicator) -> str:
    """For the log: how many ranks, by what."""
    name = type(communicator).__name__.removesuffix("Communicator")
    if not name:
        return "1 process"
    return f"{communicator.size} ranks by {name} ({communicator.transport})"


def _meet_through_mpi(store_class: Callable[..., Any]) -> dict[str, Any]:
    """Arguments by which the ranks of torch.distributed meet at a store of rank 0."""
    # Started by mpirun or srun: MPI tells everyone where rank 0 listens.
    world = importlib.import_module("mpi4py.MPI").COMM_WORLD
    rank, size = world.Get_rank(), world.Get_size()
    store = meeting_point = None
    if rank == 0:
        # The store finds a free port itself: of one that was found before, others may be faster.
        store = store_class(socket.gethostname(), 0, size, is_master=True, wait_for_workers=False)
        meeting_point = store.host, store.port
    address, port = world.bcast(meeting_point)
    store = store or store_class(address, port, size, is_master=False, wait_for_workers=False)
    return {"store": store, "rank": rank, "world_size": size}


def _abort_mpi_or_exit(*, mpi: bool) -> None:
    sys.stderr.flush()
    if mpi:
        importlib.import_module("mpi4py.MPI").COMM_WORLD.Abort(1)
    os._exit(1)
