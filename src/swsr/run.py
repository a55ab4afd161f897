"""What a stage needs beside its data: the other ranks, a device, a log."""

import ctypes
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import dask
from tqdm import tqdm

from swsr.communication import Communicator, local_rank

if TYPE_CHECKING:
    import torch


Device: TypeAlias = Literal["auto", "cpu", "cuda"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Options of glibc's `mallopt`."""

_KEPT_BYTES = 2**30
"""More than a layer gives for the packs that go through a network at once."""


@dataclass(frozen=True)
class Run:
    """How a stage runs, none of which changes its result.

    `device_name` is `cpu`, `cuda`, or `auto`, which takes a GPU where there is one.
    `window_points` bounds the memory of inference: the side of a window on the input's grid.
    `cache_mb` bounds the frames that a training rank keeps in memory after reading them.

    Raises
    ------
    ValueError
        When there is no such device.
    """

    communicator: Communicator = field(default_factory=Communicator)
    device_name: Device = "cpu"
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("swsr"))
    window_points: int = 512
    cache_mb: int = 4096

    def __post_init__(self) -> None:
        known = get_args(Device)
        if self.device_name not in known:
            raise ValueError(f"device {self.device_name!r}: not one of {', '.join(known)}")

    @property
    def device(self) -> "torch.device":
        """Where this rank computes.

        Raises
        ------
        ValueError
            When `cuda` is asked for and there is none.
        """
        import torch  # not for stages that have no use for it: it takes a second

        if self.device_name == "cuda" and not torch.cuda.is_available():
            raise ValueError("--device cuda: torch finds no GPU on this node")
        if self.device_name == "cpu" or not torch.cuda.is_available():
            return torch.device("cpu")
        # Launchers show each rank its own GPU, or every rank all of its node.
        device = torch.device("cuda", local_rank() % torch.cuda.device_count())
        torch.cuda.set_device(device)
        # Else gradients of convolutions are summed in another order each time.
        torch.backends.cudnn.deterministic = True
        return device

    @property
    def has_bfloat16(self) -> bool:
        """Whether the device has instructions for bfloat16; others imitate them, slowly."""
        import torch

        if self.device.type == "cuda":
            return torch.cuda.is_bf16_supported(including_emulation=False)
        return any(has for name, has in torch.cpu.get_capabilities().items() if "bf16" in name)

    def say(self, sentence: str) -> None:
        """A line for the user, once whatever the number of ranks."""
        self.log.info(sentence)

    def warn(self, sentence: str) -> None:
        """A line on what may make a result worse than it looks."""
        if self.communicator.rank == 0:
            self.log.warning(sentence)

    def note(self, sentence: str) -> None:
        """A line for the log file alone, on the rank that calls."""
        record = self.log.makeRecord(self.log.name, logging.INFO, __file__, 0, sentence, (), None)
        for handler in self.log.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.handle(record)


def open_log(stage: str, path: Path | None, rank: int) -> logging.Logger:
    """A log that goes to the terminal and, from rank 0, to a file; other ranks only warn."""
    log = logging.getLogger(f"swsr.{stage}")
    log.handlers.clear()
    log.setLevel(logging.INFO if rank == 0 else logging.WARNING)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter(f"{stage}: %(message)s"))
    log.addHandler(terminal)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if rank == 0:
            path.write_text("")
        file = logging.FileHandler(path, mode="a")  # all ranks at the end, none over another's line
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(file)
    log.propagate = False
    return log


def use_threads(threads: int) -> None:
    """How many threads of the CPU torch, BLAS and dask use: before the first two are imported."""
    # Snakemake sets all three to the threads of a job, which its ranks divide.
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ[f"{library}_NUM_THREADS"] = str(threads)
    dask.config.set(num_workers=threads)


def keep_memory() -> None:
    """Keep memory that was freed for what comes next, where the C library is glibc.

    It would give large parts back to the system, which layers then ask for again, page by page
    and filled with zeros: a fifth of the time of a 3D network on a CPU.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            library.mallopt(option, _KEPT_BYTES)


def report_epochs(run: Run, epochs: int) -> Callable[[list[dict[str, float]]], None]:
    """A reporter of the last epoch: a bar when a person watches a terminal, else a line each."""

    def line(row: dict[str, float]) -> str:
        return (
            f"epoch {row['epoch']:.0f}/{epochs}  train loss {row['train_loss']:.3e}  "
            f"validation {row['validation_psnr']:.2f} dB  {row['seconds']:.1f} s"
        )

    if not sys.stderr.isatty() or run.communicator.rank > 0:
        return lambda history: run.say(line(history[-1]))
    # Not drawn before the first epoch: lines that the stage still says would run into it.
    bar = tqdm(total=epochs, unit="epoch", leave=False, delay=1e-3)

    def advance(history: list[dict[str, float]]) -> None:
        run.note(line(history[-1]))
        bar.set_postfix_str(f"validation {history[-1]['validation_psnr']:.2f} dB", refresh=False)
        bar.update(len(history) - bar.n)

    return advance
