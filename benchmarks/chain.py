"""Where does the time of the embedded default study go, and how much of it is overhead?

Runs the whole workflow in an empty folder, and reads what each stage recorded beside its result.
The overhead is the time in which no stage works: Snakemake itself, imports and the start of ranks
(where no other stage hides them), the ends of jobs.

    python benchmarks/chain.py [--configfile studies/tiny.yaml]
"""

import argparse
import json
import subprocess
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from measure import percent, publish, table, target
from memory import REPOSITORY

from swsr.chain_record import read_records, summarise


def run_chain(folder: Path, configfile: Path, cores: int) -> float:
    """Seconds of the workflow."""
    started = time.monotonic()
    subprocess.run(
        ["snakemake", "--snakefile", REPOSITORY / "Snakefile", "--cores", str(cores),
         "--configfile", configfile.resolve(), "--quiet", "all"],
        cwd=folder, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return time.monotonic() - started


def spans(study: Path) -> list[tuple[float, float]]:
    """From when to when each stage worked, in seconds since 1970."""
    found = []
    for path in study.rglob("*provenance.json"):
        record = json.loads(path.read_text())
        end = path.stat().st_mtime  # `started` is in whole seconds
        start = end - record["seconds"]
        assert abs(start - datetime.fromisoformat(record["started"]).timestamp()) < 3, path
        found.append((start + record["startup_seconds"], end))
    return sorted(found)


def covered(spans: list[tuple[float, float]]) -> float:
    """Seconds in which at least one stage worked."""
    total, last = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, last))
        last = max(last, end)
    return total


def rows(study: Path, wall: float) -> list[list[Any]]:
    """A row per stage: its results, their seconds, and what of them is start-up."""
    return [
        [
            f"`{row['stage']}`",
            row["results"],
            row["ranks"],
            f"{row['seconds']:.1f} s",
            percent(row["seconds"] / wall),
            percent(row["start-up"] / row["seconds"]),
        ]
        for row in summarise(read_records(study)).to_dict("records")[:-1]
    ]


def main() -> None:
    """Run the chain, print the table, write chain.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--configfile", type=Path, default=REPOSITORY / "config.yaml")
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        wall = run_chain(Path(name), given.configfile, given.cores)
        study = next(Path(name, "results").iterdir())
        worked = covered(spans(study))
        stages = rows(study, wall)
    overhead = 1 - worked / wall
    page = (
        f"{wall:.0f} s on {given.cores} cores; for {percent(overhead)} of it no stage works.\n\n"
        + table(
            ["stage", "results", "ranks", "seconds", "of the whole", "of which start-up"], stages
        )
    )
    found = {"seconds": wall, "overhead": overhead, "stages": stages}
    targets = [
        target("overhead of the embedded default", "under 25%", 100 * overhead,
               met=overhead < 0.25, unit="%")
    ]  # fmt: skip
    publish("chain", page, found, targets)


if __name__ == "__main__":
    main()
