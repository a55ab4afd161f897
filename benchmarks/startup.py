"""How long until a command starts to work?

Seconds of `python -m swsr --help`, of the imports of each stage, and of the start of ranks, each
in processes of their own, in turn.

    python benchmarks/startup.py [--repeats 3]
"""

import argparse
import subprocess
import sys
from collections.abc import Callable

from measure import in_turn, publish, table, target

from swsr.local_ranks import MPIRUN

STAGES = (
    "simulate", "extract", "downscale", "upscale", "train_2d", "infer_2d", "train_3d", "infer_3d",
    "evaluate", "report",
)  # fmt: skip
# As a stage imports them.
IMPORTS = """
from swsr.__main__ import _kept
with _kept():
    import swsr.communication, swsr.run, swsr.status, swsr.sharing, swsr.provenance
    import swsr.stages.{stage}
"""
START = "from swsr import communication; communication.start('{backend}', {ranks})"


def _process(code: str, ranks: int = 0) -> Callable[[], object]:
    before = [*MPIRUN, "-n", str(ranks)] if ranks else []
    command = [*before, sys.executable, "-c", code]
    return lambda: subprocess.run(command, check=True, capture_output=True)


def commands() -> dict[str, Callable[[], object]]:
    """What is timed: help, an empty Python, imports of stages, ranks that only meet."""
    help_ = [sys.executable, "-m", "swsr", "--help"]
    stages = {name: _process(IMPORTS.format(stage=name)) for name in STAGES}
    return {
        "python -m swsr --help": lambda: subprocess.run(help_, check=True, capture_output=True),
        "python alone": _process("pass"),
        **stages,
        "1 rank of mpi": _process(START.format(backend="mpi", ranks=1), 1),
        "2 ranks of horovod": _process(START.format(backend="horovod", ranks=2), 2),
    }


def main() -> None:
    """Measure, print the table, write startup.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    timings = in_turn(commands(), parser.parse_args().repeats)
    help_ = timings["python -m swsr --help"]
    rows = [
        [
            f"`{name}`" if name in STAGES or "swsr" in name else name,
            f"{timing.median:.2f} s",
            f"{timing.spread / 2:.0%}",
            f"{timing.median / help_.median:.1f}",
        ]
        for name, timing in timings.items()
    ]
    targets = [
        target("`python -m swsr --help`", "under 0.5 s", help_.median, met=help_.median < 0.5,
               unit=" s")
    ]  # fmt: skip
    page = table(["until it works", "seconds", "spread", "over `--help`"], rows)
    publish("startup", page, {"timings": timings}, targets)


if __name__ == "__main__":
    main()
