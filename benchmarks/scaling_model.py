"""How training would go on many GPUs: a model, not a measurement.

Weak scaling: every rank computes as many frames in each step, and then all sum one message, the
gradients. With P ranks, a message of M bytes, latency L and bandwidth B, a sum takes

    2 log2(P) L + 2 M (P - 1) / (P B),

the latency of a reduction and a broadcast along a tree, and the volume of a ring (Thakur,
Rabenseifner and Gropp 2005, section 4). Horovod's negotiation adds a cycle to each. Nothing
overlaps, as in our loop; ranks are equally fast; reading is hidden.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Assumptions:
    """Of a cluster; the figures stand for 200 Gbit/s InfiniBand and for a small network on a GPU.

    Attributes
    ----------
    latency_s, bytes_per_s
        Of one message between two nodes.
    cycle_s
        How often Horovod looks for messages: HOROVOD_CYCLE_TIME, which swsr sets on GPUs.
    step_s
        Computing of a step: the starts of some hundred kernels, whatever few frames they work on.
    """

    latency_s: float = 5e-6
    bytes_per_s: float = 20e9
    cycle_s: float = 1e-4
    step_s: float = 3e-3


def sum_seconds(ranks: int, message: int, given: Assumptions) -> float:
    """Seconds of one sum over ranks, without Horovod's cycle."""
    latency = 2 * math.log2(ranks) * given.latency_s
    return latency + 2 * message * (ranks - 1) / ranks / given.bytes_per_s


def efficiency(
    ranks: int, message: int, given: Assumptions, *, cycle: bool = True, local_steps: int = 1
) -> float:
    """Share of the time in which ranks compute; `local_steps` batches between two sums."""
    computing = local_steps * given.step_s
    waiting = sum_seconds(ranks, message, given) + (given.cycle_s if cycle else 0)
    return computing / (computing + waiting)


def latency_share(ranks: int, message: int, given: Assumptions) -> float:
    """Of the seconds of one sum."""
    return 2 * math.log2(ranks) * given.latency_s / sum_seconds(ranks, message, given)
