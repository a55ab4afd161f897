"""What all benchmarks share: repeats in turn, medians and spreads, tables, JSON.

Things that are compared are timed in turn, once each and then again, so that a disturbance of the
machine meets all of them. Times are divided by one another only inside one run.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

NOT_INSTALLED = "not installed"


@dataclass(frozen=True)
class Timing:
    """Seconds of several repeats of one thing."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of the seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """From the shortest to the longest repeat, as a share of the median."""
        return (max(self.seconds) - min(self.seconds)) / self.median

    def ratio(self, other: "Timing") -> float:
        """How many times as fast as another: the median over repeats, each against its own."""
        pairs = zip(self.seconds, other.seconds, strict=True)
        return statistics.median(theirs / ours for ours, theirs in pairs)


def in_turn(
    things: Mapping[str, Callable[[], object]], repeats: int, warm: int = 1
) -> dict[str, Timing]:
    """Time each thing `repeats` times, all of them in turn, after `warm` turns that don't count."""
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for turn in range(warm + repeats):
        for name, thing in things.items():
            started = time.perf_counter()
            thing()
            if turn >= warm:
                seconds[name].append(time.perf_counter() - started)
    return {name: Timing(tuple(each)) for name, each in seconds.items()}


def apart(
    function: Callable[..., object],
    *arguments: object,
    prepare: Callable[[], object] | None = None,
) -> Callable[[], object]:
    """A call of a function in a process of its own, which lives on and may prepare first.

    For things that change how all of a process works.
    """
    process = ProcessPoolExecutor(1, get_context("spawn"), initializer=prepare)
    return lambda: process.submit(function, *arguments).result()


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table: the first column is text, the others are figures."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def percent(share: float) -> str:
    """A share as the tables show it."""
    return f"{100 * share:.0f}%"


def installed(*packages: str) -> bool:
    """Whether all of some packages, which only a benchmark needs, are there."""
    return all(find_spec(name) is not None for name in packages)


def target(what: str, wanted: str, found: float, *, met: bool, unit: str = "x") -> dict[str, Any]:
    """A target of the project, and what this run found."""
    return {"what": what, "wanted": wanted, "found": f"{found:.2f}{unit}", "met": met}


def machine() -> dict[str, Any]:
    """What figures depend on: processor, cores, software, date."""
    import torch

    gpu = f"{torch.cuda.get_device_name()}, " if torch.cuda.is_available() else ""
    return {
        "processor": gpu + _processor(),
        "cores": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def publish(
    name: str,
    text: str,
    found: Mapping[str, Any],
    targets: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Print a page of tables and write NAME.json: the figures, the targets and the machine."""
    print(text.rstrip() + "\n")
    content = {"machine": machine(), "targets": list(targets), "found": found}
    Path(f"{name}.json").write_text(json.dumps(content, indent=2, default=_plain) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, Timing):
        return {"median": value.median, "spread": value.spread, "seconds": value.seconds}
    raise TypeError(type(value))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({len(names)} processors)" if names else platform.processor()
