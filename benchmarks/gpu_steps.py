"""How long is a step of training on a GPU, by the kernels of ours, cuDNN's layers, torch.compile?

Four samples, as CUDA graphs of gradients and of Adam, on frames that lie on the card: in turn, with
what each compiles done before. Networks without kernels of ours have cuDNN's layers.

Not part of `make bench`: by `python benchmarks/bench.py --only gpu_steps`, or alone

    python benchmarks/gpu_steps.py [--steps 60]
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from gpu import BATCH, CASES, CHUNK, GPU, Case, data, settings
from measure import in_turn, publish, table
from plain_loop import SEED, fresh

from swsr.communication import Communicator
from swsr.networks.build import Network
from swsr.networks.fused_2d import compute
from swsr.networks.study import Network2d
from swsr.patches import draw_epoch
from swsr.run import Run
from swsr.training.steps import Part, Steps, adam
from swsr.training.transfer import parameter_groups

_FIRST = 6
"""Steps that compile, warm up and capture."""


def fused(network: Network) -> None:
    """Layers by `fused_2d`, if it has kernels for them."""
    if isinstance(network, Network2d):
        network._compute = partial(compute, layers=network.layers)  # noqa: SLF001


def cudnn(network: Network) -> None:
    """The layers as torch has them, whatever SWSR_FUSED says."""
    if isinstance(network, Network2d):
        network._compute = partial(network.layers)  # noqa: SLF001


def compiled(network: Network) -> None:
    """Those, compiled."""
    cudnn(network)
    network.compile(dynamic=False)


def take(steps: Steps, parts: list[Part], count: int) -> None:
    """So many steps, and the end of the last."""
    for number in range(count):
        steps.take(parts[number % len(parts)], BATCH, [False, False])
    steps.rest()
    torch.cuda.synchronize()


def prepared(case: Case, prepare: Callable[[Network], None], count: int) -> Callable[[], None]:
    """`count` steps of a network of its own, after the first."""
    train, network, chosen = data(case), fresh(case.network).to(GPU), settings(case, 1)
    prepare(network)
    optimizer = adam(parameter_groups(network, 1.0), chosen.learning_rate, GPU)
    steps = Steps(network, train, chosen, Communicator(), GPU, optimizer, 2**32)
    drawn = draw_epoch(train, CHUNK, chosen, SEED, 1)
    parts = [steps.load(batch) for batch in drawn if len(batch) == BATCH]
    take(steps, parts, _FIRST)
    return partial(take, steps, parts, count)


def main() -> None:
    """Measure, print the table, write gpu_steps.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=60)
    given = parser.parse_args()
    assert Run(device_name="cuda").device.type == "cuda"
    found: dict[str, Any] = {}
    rows = []
    for case in CASES:
        kinds = {"ours": fused, "cuDNN": cudnn, "compiled": compiled}
        things = {name: prepared(case, kind, given.steps) for name, kind in kinds.items()}
        found[case.name] = timings = in_turn(things, 5)
        milliseconds = {name: 1e3 * timings[name].median / given.steps for name in kinds}
        print(f"{case.name}: {milliseconds}", file=sys.stderr)
        rows.append(
            [
                case.name.partition(" (")[0],
                *(f"{milliseconds[name]:.2f} ms" for name in ("cuDNN", "compiled", "ours")),
                f"{milliseconds['cuDNN'] / milliseconds['ours']:.1f}",
            ]
        )
    header = ["step", "cuDNN's layers", "by `torch.compile`", "ours", "faster by"]
    publish("gpu_steps", table(header, rows), found)


if __name__ == "__main__":
    main()
