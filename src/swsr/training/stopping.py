"""Signals that ask a training to save and stop: schedulers send them before its time is up."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""SIGTERM: of `scancel`, or of the end of the time; SIGUSR1: of `sbatch --signal=USR1@SECONDS`."""


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Inside, these signals do not end the process: the function given tells whether one came."""
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
