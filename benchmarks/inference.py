"""How fast is inference, beside other ways to run the network, and how near is it to the limit?

Frames per second through `inference.apply_network`, through the same layers of torch.nn frame by
frame, and through ONNX Runtime. The limit of the machine is measured in the same run: a matrix
product for the operations, a copy for the bytes; the network needs at least the longer of the two.
Beside them stands a convolution of many channels, which may beat the matrix product.
All run in one process, and so with the C library told to keep memory, as ours tells it.

    python benchmarks/inference.py [--frames 16] [--repeats 7]
"""

import argparse
import logging
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from made_frames import samples, waves
from measure import NOT_INSTALLED, Timing, in_turn, installed, percent, publish, table, target
from plain_loop import eager, fresh
from roofline import Work, ceilings, convolution, count_work

from swsr.geometry import Frames
from swsr.inference import apply_network
from swsr.networks.build import Network
from swsr.run import keep_memory

NETWORKS = ("skip_2d", "study_2d", "skip_3d", "study_3d", "fusion_joint")
WINDOW_POINTS = 512


def trained(name: str) -> Network:
    """A network of random weights, also where the last layer starts from zeros."""
    network = fresh(name)
    *_, last = (layer for layer in network.layers if list(layer.parameters()))
    for parameter in last.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return network.eval()


def onnx_runtime(network: Network, given: Frames) -> Callable[[], object]:
    """All samples through ONNX Runtime, with as many threads as torch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    example = torch.from_numpy(given[:2].copy())
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        path = Path(folder, "network.onnx")
        program = torch.onnx.export(
            network, (example,), dynamo=True, verbose=False, opset_version=18,
            input_names=["frames"], dynamic_shapes=({0: "n"},),
        )  # fmt: skip
        program.save(path)
        session = onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    return lambda: np.concatenate(
        [session.run(None, {"frames": given[n : n + 1].copy()})[0] for n in range(len(given))]
    )


def ways(name: str, given: Frames) -> dict[str, Callable[[], Frames]]:
    """Name -> all samples through the network; all give the same."""
    network, torchs = trained(name), eager(trained(name))

    @torch.inference_mode()
    def frame_by_frame() -> Frames:
        frames = (torch.from_numpy(given[n : n + 1].copy()) for n in range(len(given)))
        return np.concatenate([torchs(frame).numpy() for frame in frames])

    things: dict[str, Callable[[], Frames]] = {
        "ours": lambda: apply_network(network, given, WINDOW_POINTS, torch.device("cpu")),
        "eager": frame_by_frame,
    }
    if installed("onnx", "onnxscript", "onnxruntime"):
        things["ONNX Runtime"] = onnx_runtime(network, given)
    for thing in things.values():
        np.testing.assert_allclose(thing(), frame_by_frame(), rtol=0, atol=1e-4)
    return things


def limits(
    work: Work, frames: int, timings: Mapping[str, Timing], done: Work, convolved: Work
) -> dict[str, float]:
    """Seconds that the machine needs at least for some frames, by operations and by bytes.

    And by operations at the speed of a convolution of many channels.
    """
    rates = {
        "compute": done.flops / timings["matrix product"].median,
        "memory": done.bytes / timings["copy"].median,
        "convolution": convolved.flops / timings["convolution"].median,
    }
    return {
        "compute": frames * work.flops / rates["compute"],
        "memory": frames * work.bytes / rates["memory"],
        "convolution": frames * work.flops / rates["convolution"],
        "gflops": rates["compute"] / 1e9,
        "gb_per_s": rates["memory"] / 1e9,
        "convolution_gflops": rates["convolution"] / 1e9,
    }


def measure(name: str, num_frames: int, repeats: int) -> dict[str, Any]:
    """Timings of all ways, and the limits, of one network on whole frames."""
    train = samples(fresh(name), waves(num_frames + fresh(name).reach.num_frames - 1))
    given, _ = train.whole(list(range(len(train))))
    hardware, done = ceilings()
    convolve, convolved = convolution()
    timings = in_turn(ways(name, given) | hardware | {"convolution": convolve}, repeats)
    work = count_work(eager(trained(name)), torch.from_numpy(given[:1].copy()))
    bounds = limits(work, len(given), timings, done, convolved)
    found = {"frames": len(given), "mflop_per_frame": work.flops / 1e6, "limits": bounds}
    return found | {"mb_per_frame": work.bytes / 1e6, "timings": timings}


def rows(name: str, found: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Of the table of speeds and of that of limits."""
    timings, bounds = found["timings"], found["limits"]
    ours = timings["ours"]
    onnx = timings.get("ONNX Runtime")
    speeds = [
        f"`{name}`",
        f"{found['frames'] / ours.median:.1f} frames/s ± {percent(ours.spread / 2)}",
        f"{ours.ratio(timings['eager']):.2f} (± {percent(timings['eager'].spread / 2)})",
        f"{ours.ratio(onnx):.2f} (± {percent(onnx.spread / 2)})" if onnx else NOT_INSTALLED,
    ]
    limiting = max(("compute", "memory"), key=lambda each: bounds[each])
    distances = [
        f"`{name}`",
        f"{found['mflop_per_frame']:.0f}",
        f"{found['mb_per_frame']:.1f}",
        f"{ours.median / bounds['compute']:.2f}",
        f"{ours.median / bounds['memory']:.2f}",
        limiting,
        f"{ours.median / bounds['convolution']:.2f}",
    ]
    return speeds, distances


def main() -> None:
    """Measure, print the tables, write inference.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=16, help="of 64 x 128 points")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    keep_memory()
    found = {name: measure(name, given.frames, given.repeats) for name in NETWORKS}
    speeds, distances = zip(*(rows(name, each) for name, each in found.items()), strict=True)
    targets = []
    for name in ("skip_2d", "skip_3d"):
        timings, bounds = found[name]["timings"], found[name]["limits"]
        faster = timings["ours"].ratio(timings["eager"])
        away = timings["ours"].median / max(bounds["compute"], bounds["memory"])
        what = f"inference of {name}"
        targets += [
            target(f"{what}, beside eager", "at least 1.5x", faster, met=faster >= 1.5),
            target(
                f"{what}, time over a matrix product's or copy's", "at most 2x", away, met=away <= 2
            ),
        ]
    last = found["skip_2d"]["limits"]
    header = [
        "network", "MFLOP/frame", "MB/frame", "over compute", "over memory", "limited by",
        "over the convolution",
    ]  # fmt: skip
    page = (
        table(["inference", "ours", "over eager", "over ONNX Runtime"], speeds)
        + f"\nLimits in the same run: {last['gflops']:.0f} GFLOP/s in a matrix product, "
        f"{last['gb_per_s']:.1f} GB/s in a copy; {last['convolution_gflops']:.0f} GFLOP/s in a "
        "convolution of 128 channels. Our time over what each would take alone:\n\n"
        + table(header, distances)
    )
    publish("inference", page, found, targets)


if __name__ == "__main__":
    main()
