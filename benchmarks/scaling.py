"""What do ranks gain, what does their communication cost, and what would thousands do?

Frames per second of an epoch of our loop in 1, 2 and 4 ranks with Horovod over MPI and over Gloo
and with torch.distributed, and of PyTorch's DistributedDataParallel in a plain loop; the share of
time in messages, which includes waiting for slower ranks; then a model of many GPUs
(scaling_model.py) with its assumptions.

    python benchmarks/scaling.py [--ranks 2 4] [--repeats 3]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import percent, publish, table, target
from plain_loop import fresh
from scaling_model import Assumptions, efficiency, latency_share, sum_seconds

from swsr.local_ranks import MPIRUN
from swsr.networks.build import count_parameters

NAMES = {
    "mpi": "Horovod (MPI)",
    "gloo": "Horovod (Gloo)",
    "torch": "torch.distributed",
    "ddp": "plain loop, DDP",
    "alone": "one process",
}
MODELLED = (8, 64, 512, 4096)
FRAMES = {"skip_2d": 96, "skip_3d": 20}


def launched(kind: str, ranks: int, network: str) -> dict[str, Any]:
    """What the ranks of one launch measured."""
    horovodrun = [
        str(Path(sys.executable).with_name("horovodrun")), "--gloo",
        "--network-interfaces", "lo", "-np", str(ranks),
    ]  # fmt: skip
    backend = {"mpi": "horovod", "gloo": "horovod", "alone": "none"}.get(kind, kind)
    start = {"gloo": horovodrun, "alone": []}.get(kind, [*MPIRUN, "-n", str(ranks)])
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "found.json")
        subprocess.run(
            [*start, sys.executable, Path(__file__).with_name("scaling_rank.py"), backend,
             str(ranks), network, str(FRAMES[network]), output],
            check=True, capture_output=True,
        )  # fmt: skip
        return json.loads(output.read_text())


def measure(network: str, ranks: list[int], repeats: int) -> dict[str, list[dict[str, Any]]]:
    """`KIND RANKS` -> what each repeat found; all of them in turn."""
    found: dict[str, list[dict[str, Any]]] = {}
    for _ in range(repeats):
        for number in ranks:
            for kind in ("alone",) if number == 1 else ("mpi", "gloo", "torch", "ddp"):
                found.setdefault(f"{kind} {number}", []).append(launched(kind, number, network))
    return found


def rows(network: str, found: dict[str, list[dict[str, Any]]]) -> Iterator[list[str]]:
    """A row for each back end and number of ranks."""
    for key, repeats in found.items():
        kind, number = key.split()
        seconds = [each["seconds"] for each in repeats]
        beside = [each["seconds"] for each in found.get(f"torch {number}", [])]
        alone = [each["seconds"] for each in found["alone 1"]]
        messages = [each.get("communication", float("nan")) / each["seconds"] for each in repeats]
        yield [
            f"`{network}`, {NAMES[kind]}, {number}",
            f"{FRAMES[network] / statistics.median(seconds):.1f} frames/s",
            f"± {percent((max(seconds) - min(seconds)) / 2 / statistics.median(seconds))}",
            f"{_ratio(alone, seconds):.2f}",
            f"{_ratio(beside, seconds):.2f}" if beside else "-",
            "-" if kind in ("ddp", "alone") else percent(statistics.median(messages)),
        ]


def _ratio(slow: list[float], fast: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def modelled(given: Assumptions) -> str:
    """The table of the model, and its assumptions."""
    lines = []
    for network in FRAMES:
        message = 4 * count_parameters(fresh(network))
        lines += [
            [
                f"`{network}`, {ranks}",
                f"{message / 1e3:.0f} kB",
                f"{1e6 * sum_seconds(ranks, message, given):.0f} µs",
                percent(latency_share(ranks, message, given)),
                percent(efficiency(ranks, message, given)),
                percent(efficiency(ranks, message, given, cycle=False)),
                percent(efficiency(ranks, message, given, local_steps=4)),
            ]
            for ranks in MODELLED
        ]
    header = [
        "network, GPUs", "message", "sum", "of it latency", "efficiency, Horovod",
        "without its cycle", "Horovod, 4 batches per sum",
    ]  # fmt: skip
    return (
        f"Modelled, not measured: latency {1e6 * given.latency_s:.0f} µs, "
        f"{given.bytes_per_s / 1e9:.0f} GB/s, Horovod's cycle {1e3 * given.cycle_s:g} ms, "
        f"{1e3 * given.step_s:.0f} ms of computing in a step on every GPU.\n\n"
        + table(header, lines)
    )


def message_table(found: dict[str, list[dict[str, Any]]], number: int) -> str:
    """Time of one sum, by its size, for each back end."""
    kinds = [kind for kind in ("mpi", "gloo", "torch") if f"{kind} {number}" in found]
    sizes = found[f"{kinds[0]} {number}"][0]["messages"]
    lines = [
        [f"{int(size) / 1024:.1f} KiB", *(
            f"{1e3 * statistics.median(e['messages'][size] for e in found[f'{kind} {number}']):.2f}"
            for kind in kinds
        )]
        for size in sizes
    ]  # fmt: skip
    return table([f"ms of one sum over {number} ranks", *(NAMES[kind] for kind in kinds)], lines)


def main() -> None:
    """Measure, print the tables, write scaling.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4], help="beside one process")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    several = min(given.ranks)
    found, lines, targets = {}, [], []
    for network in FRAMES:
        # 3D is measured where ranks have a core each.
        ranks = given.ranks if network == "skip_2d" else [several]
        found[network] = measure(network, [1, *ranks], given.repeats)
        lines += rows(network, found[network])
        seconds = {
            kind: [each["seconds"] for each in found[network][f"{kind} {several}"]]
            for kind in ("mpi", "torch")
        }
        share = _ratio(seconds["torch"], seconds["mpi"])
        what = f"{network}, {several} ranks: speed of Horovod (MPI) over torch.distributed"
        targets.append(target(what, "at least 0.95x", share, met=share >= 0.95))
    header = [
        "network, back end, ranks", "speed", "spread", "over 1 rank", "over torch.distributed",
        "in messages",
    ]  # fmt: skip
    messages = message_table(found["skip_2d"], several)
    page = [table(header, lines), messages, modelled(Assumptions())]
    publish("scaling", "\n".join(page), found, targets)


if __name__ == "__main__":
    main()
