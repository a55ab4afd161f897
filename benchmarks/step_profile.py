"""What kernels a step of training spends its time in: why a better loop can gain only so much."""

import torch
from plain_loop import choices, frames_of, fresh, order
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from swsr.patches import Samples
from swsr.training.losses import summed_loss

_STEPS = 5
_SUMS = "overlapping sums"
_KINDS = {
    "convolutions": ("conv", "addmm", "bmm", "aten::mm"),
    _SUMS: ("_Overlapping", "im2col"),
    "ReLU": ("clamp_min", "threshold", "relu"),
}
REST = "all else"
"""Losses, the optimiser, copies, new memory, Python."""


def _kind(event: FunctionEvent) -> str:
    """By a kernel's name; the additions of the last layer by what calls them."""
    for kind, words in _KINDS.items():
        if any(word in event.name for word in words):
            return kind
    caller = event.cpu_parent
    while caller is not None:
        if "_Overlapping" in caller.name:
            return _SUMS
        caller = caller.cpu_parent
    return REST


def kinds_of_step(name: str, train: Samples, batch: int) -> dict[str, float]:
    """Share of each kind of kernel in the time of forward, backward and Adam."""
    settings = choices(name, batch)
    given, truths = frames_of(train, order(train, settings)[:1])
    network = fresh(name)
    optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)

    def step() -> None:
        optimizer.zero_grad()
        (summed_loss("mse", network(given), truths) / truths.numel()).backward()
        optimizer.step()

    step()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(_STEPS):
            step()
    seconds = dict.fromkeys([*_KINDS, REST], 0.0)
    for event in profiler.events():
        seconds[_kind(event)] += event.self_cpu_time_total
    total = sum(seconds.values())
    return {kind: each / total for kind, each in seconds.items()}
