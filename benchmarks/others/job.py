"""What the scripts of other tools share: frames to train on, the clock, results. Needs numpy."""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Job:
    """Random batches until seconds of training are used up, and results after several times.

    The command line names a file of frames, the file for results, and the times. Frames,
    standardised by those that train, (frames, lat, lon), are `high`, and `low` and `test_low` or,
    interpolated to high resolution, `raw` and `test_raw`: `given` and `test` are what this network
    `reads`.
    """

    def __init__(self, reads: Literal["low", "raw"] = "low") -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("frames", type=Path)
        parser.add_argument("results", type=Path)
        parser.add_argument("seconds", type=float, nargs="+")
        command = parser.parse_args()
        with np.load(command.frames) as arrays:
            self.high = arrays["high"]
            self.given, self.test = arrays[reads], arrays[f"test_{reads}"]
        self.scale = self.high.shape[-1] // self.given.shape[-1]
        self._results, self._times = command.results, command.seconds
        self._random = np.random.default_rng(0)

    def batches(
        self, predict: Callable[[Array], Array], parameters: int, patches: int, points: int | None
    ) -> Iterator[tuple[Array, Array]]:
        """What a network reads and is to give, (patches, lat, lon) each, until the last time.

        Patches are squares of `points` points, or whole frames. `predict` gives a frame for a
        frame. Its seconds do not count, nor do those of the first batch, for which a framework
        may compile.
        """
        yield self._batch(patches, points)
        found: dict[str, Any] = {"parameters": parameters}
        seen, used = 0.0, 0.0
        for number, until in enumerate(self._times):
            started = time.perf_counter() - used
            while used < until:
                given, wanted = self._batch(patches, points)
                seen += given.size / self.given[0].size
                yield given, wanted
                used = time.perf_counter() - started
            results = np.stack([predict(frame) for frame in self.test])
            found |= {f"results_{number}": results, f"seen_{number}": seen}
        np.savez(self._results, **found)

    def _batch(self, patches: int, points: int | None) -> tuple[Array, Array]:
        """Random patches, which may lie across the ends of the longitudes."""
        num_lat, num_lon = self.given.shape[1:]
        height, width = points or num_lat, points or num_lon
        pairs = []
        for _ in range(patches):
            frame = self._random.integers(len(self.given))
            top, left = self._random.integers(num_lat - height + 1), self._random.integers(num_lon)
            pairs.append(
                [
                    np.roll(field[frame], -left * step, axis=-1)[
                        top * step : (top + height) * step, : width * step
                    ]
                    for field, step in ((self.given, 1), (self.high, self.scale))
                ]
            )
        given, wanted = zip(*pairs, strict=True)
        return np.stack(given), np.stack(wanted)
