"""One rank of scaling.py: an epoch of our loop, or of DistributedDataParallel, and bare messages.

mpirun -n 2 python benchmarks/scaling_rank.py torch 2 skip_2d 48 out.json
"""

import argparse
import io
import json
import logging
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from made_frames import samples, waves
from plain_loop import SEED, FrameDataset, choices, fresh, order, train_plain
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from swsr import communication
from swsr.checkpoint import Checkpoints
from swsr.communication import Communicator
from swsr.patches import Samples
from swsr.run import keep_memory
from swsr.training.trainer import Trainer

BATCH = 8
MESSAGE_BYTES = (64, 2**16, 2**18, 2**22)


class Timed(Communicator):
    """A communicator that counts the seconds of its sums."""

    def __init__(self, inner: Communicator) -> None:
        self._inner = inner
        self.rank, self.size, self.seconds = inner.rank, inner.size, 0.0

    def sum(self, values: Tensor) -> Tensor:
        """As the one inside."""
        started = time.perf_counter()
        total = self._inner.sum(values)
        self.seconds += time.perf_counter() - started
        return total

    def broadcast(self, value: object) -> object:
        """As the one inside."""
        return self._inner.broadcast(value)

    def barrier(self) -> None:
        """As the one inside."""
        self._inner.barrier()


def data(name: str, num_frames: int, ranks: int) -> tuple[Samples, Samples]:
    """Training samples of a series, and for validation as many of them as there are ranks."""
    train = samples(fresh(name), waves(num_frames))
    first = train.reach.num_frames + ranks - 1
    short = replace(train, inputs=(train.inputs[0][:first],), truths=(train.truths[0][:first],))
    return train, short


def our_epoch(name: str, num_frames: int, ranks: Communicator) -> dict[str, float]:
    """Seconds of an epoch and of its sums."""
    train, short = data(name, num_frames, ranks.size)
    timed = Timed(ranks)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            network=fresh(name), train=train, validation=short, chunk=8,
            settings=choices(name, BATCH), seed=SEED, communicator=timed,
            device=torch.device("cpu"), report=lambda _: None, window_points=512,
        )  # fmt: skip
        ranks.barrier()
        started = time.perf_counter()
        trainer.fit(Checkpoints(Path(folder), "benchmark"), logging.getLogger().debug)
        seconds = time.perf_counter() - started
    steps = -(-len(train) // BATCH)
    return {"seconds": seconds, "communication": timed.seconds, "steps": steps}


def ddp_epoch(name: str, num_frames: int, ranks: Communicator) -> dict[str, float]:
    """Seconds of the plain loop over our layers, with each rank's part of every batch.

    At its end each rank infers what it would validate, and the first saves, as ours do.
    """
    train, short = data(name, num_frames, ranks.size)
    settings = choices(name, BATCH)
    parts = [[batch[i] for i in ranks.share(len(batch))] for batch in order(train, settings)]
    network = DistributedDataParallel(fresh(name))
    ranks.barrier()
    started = time.perf_counter()
    train_plain(network, FrameDataset(train), parts, settings.learning_rate)
    with torch.inference_mode():
        network.module(torch.from_numpy(short.whole([ranks.rank])[0].copy()))
    if ranks.rank == 0:
        torch.save(network.state_dict(), io.BytesIO())
    return {"seconds": time.perf_counter() - started, "steps": len(parts)}


def message_seconds(ranks: Communicator, repeats: int = 30) -> dict[int, float]:
    """Bytes -> median seconds of one sum over all ranks."""
    found = {}
    for size in MESSAGE_BYTES:
        values, seconds = torch.ones(size // 4), []
        for _ in range(repeats):
            ranks.barrier()
            started = time.perf_counter()
            ranks.sum(values)
            seconds.append(time.perf_counter() - started)
        found[size] = statistics.median(seconds)
    return found


def main() -> None:
    """Measure in this rank; the first one writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("backend", choices=["none", "horovod", "torch", "ddp"])
    parser.add_argument("ranks", type=int)
    parser.add_argument("network")
    parser.add_argument("frames", type=int)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    backend = "torch" if given.backend == "ddp" else given.backend
    ranks = communication.start(backend, given.ranks)
    epoch = ddp_epoch if given.backend == "ddp" else our_epoch
    epoch(given.network, 2 * BATCH, ranks)
    found = epoch(given.network, given.frames, ranks)
    found["messages"] = message_seconds(ranks) if given.ranks > 1 else {}
    if ranks.rank == 0:
        given.output.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
