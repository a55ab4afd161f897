"""All benchmarks, one after the other; what they print goes into docs/performance.md.

Each script runs in a process of its own, in a folder for its JSON, and its page replaces what
stands between its markers. The targets are gathered from the JSON into a table of their own.

    python benchmarks/bench.py [--only training inference] [--output build/benchmarks]
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measure import machine, table

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parent / "docs" / "performance.md"
# In this order; together within half an hour on two idle cores.
SCRIPTS: dict[str, list[str]] = {
    "training": [],
    "inference": [],
    "data": [],
    "chain": [],
    "scaling": [],
    "memory": ["--frames", "36", "--points", "64"],
    "quality": ["--repeats", "2"],
    "startup": [],
}
GPU = ("gpu", "gpu_steps")
"""Only where there is one, and when it is asked for."""


def run(name: str, output: Path) -> str:
    """What a script prints, with how long it took; its own words where it fails."""
    started = time.monotonic()
    command = [sys.executable, str(FOLDER / f"{name}.py"), *SCRIPTS.get(name, [])]
    done = subprocess.run(command, cwd=output, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}.py failed: {' '.join(command)}")
    seconds = time.monotonic() - started
    print(f"{done.stdout}\n{name}: {seconds:.0f} s\n", flush=True)
    found, asked = machine(), " ".join([f"{name}.py", *SCRIPTS.get(name, [])])
    return (
        f"{done.stdout.strip()}\n\nMeasured by `python benchmarks/{asked}` in {seconds:.0f} s: "
        f"{found['date']}, {found['processor']}, torch {found['torch']} on "
        f"{found['cores']} thread(s) a process.\n"
    )


def put(page: str, name: str, text: str) -> str:
    """The page with a text between the markers of a name."""
    block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    changed, count = block.subn(lambda found: f"{found[1]}{text}{found[2]}", page)
    assert count == 1, name
    return changed


def targets(output: Path) -> str:
    """A table of all targets in the JSON of the scripts, which all have run."""
    found: list[dict[str, Any]] = []
    for name in SCRIPTS:
        found += json.loads((output / f"{name}.json").read_text())["targets"]
    rows = [
        [each["what"], each["wanted"], each["found"], "yes" if each["met"] else "**no**"]
        for each in found
    ]
    return table(["target", "wanted", "measured", "met"], rows)


def main() -> None:
    """Run the scripts and write the page after each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", nargs="+", choices=[*SCRIPTS, *GPU], default=list(SCRIPTS))
    parser.add_argument("--output", type=Path, default=FOLDER.parent / "build" / "benchmarks")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    for name in given.only:
        text = run(name, given.output)
        PAGE.write_text(put(PAGE.read_text(), name, text))
    missing = [name for name in SCRIPTS if not (given.output / f"{name}.json").exists()]
    if missing:
        print(f"the table of targets stays: {given.output} has none of {', '.join(missing)}")
    else:
        PAGE.write_text(put(PAGE.read_text(), "targets", targets(given.output)))


if __name__ == "__main__":
    main()
