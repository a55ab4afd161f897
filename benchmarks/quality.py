"""How long until a network is good: the study's 2D network, and ours?

Seconds of training, validation included, until the validation frames of a small simulation reach a
PSNR, in steps above bicubic interpolation. All networks get the frames and epochs of the default
study, each with the learning rate and schedule of the study that it is made for.

    python benchmarks/quality.py [--epochs 30] [--repeats 3]
"""

import argparse
import logging
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import yaml
from made_frames import GLOBE
from measure import percent, publish, table
from memory import REPOSITORY

from swsr.checkpoint import Checkpoints
from swsr.communication import Communicator
from swsr.evaluation import metrics
from swsr.geometry import Frames
from swsr.networks.build import build_network
from swsr.patches import Samples
from swsr.resampling import bicubic
from swsr.run import Run
from swsr.scaling import Scaling
from swsr.settings import Settings, Train2d, TrainJoint
from swsr.stages.simulate import simulate
from swsr.training.trainer import Trainer
from swsr.training.transfer import FirstLayer, start_first_layer

GAINS_DB = (-3, 0, 3, 6, 9)
STUDIES = {
    "study_2d": "studies/paper.yaml",
    "skip_2d": "config.yaml",
    "subpixel_2d": "config.yaml",
    "fusion_joint": "config.yaml",
}


def simulated(grid: str, num_frames: int) -> Frames:
    """Vorticity of the embedded simulation (num_frames, 1, lat, lon)."""
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    config["simulate"] |= {"grid": grid, "num_frames": num_frames}
    settings = Settings.from_mapping(config).for_stage("simulate")
    with tempfile.TemporaryDirectory() as name:
        path, output = Path(name, "simulate.json"), Path(name, "frames.nc")
        path.write_text(settings.to_json())
        simulate(path, 0, output, Run())
        with xr.open_dataset(output) as frames:
            return frames["vorticity"].values[:, None].astype("float32")


def choices(network: str, epochs: int) -> Train2d | TrainJoint:
    """Settings of a training: the default's, with what its study sets of its own."""
    kind: type[Train2d | TrainJoint] = TrainJoint if network.endswith("joint") else Train2d
    stage = "train_joint" if kind is TrainJoint else "train_2d"
    default = yaml.safe_load((REPOSITORY / "config.yaml").read_text())[stage]
    own = yaml.safe_load((REPOSITORY / STUDIES[network]).read_text())[stage]
    rates = {key: own[key] for key in ("learning_rate", "schedule", "loss", "augmentation")}
    return kind(**default | rates | {"network": network, "epochs": epochs})


def limits(high: Frames) -> Scaling:
    """Of the frames that train."""
    train = high[: len(high) * 4 // 5]
    return Scaling(np.array([train.min()]), np.array([train.max()]))


def history(
    network: str,
    epochs: int,
    high: Frames,
    seed: int = 0,
    start: FirstLayer | None = None,
    rate: float = 1.0,
) -> list[dict[str, float]]:
    """Figures of all epochs of a training on the first four fifths of some frames.

    `start` is what the first layer starts from, `rate` its share of the learning rate.
    """
    first = len(high) * 4 // 5
    low = bicubic.downscale(high, 2, GLOBE)
    torch.manual_seed(seed)
    built = build_network(network, 1, 2)
    if start is not None:
        start_first_layer(built, start)
    scaling = limits(high)
    train = Samples((low[:first],), (high[:first],), built.reach, scaling, GLOBE, ((-1, -1),))
    validation = replace(train, inputs=(low[first:],), truths=(high[first:],))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            network=built, train=train, validation=validation, chunk=8,
            settings=choices(network, epochs), seed=seed, communicator=Communicator(),
            device=torch.device("cpu"), report=lambda _: None, window_points=512,
            first_layer_rate=rate,
        )  # fmt: skip
        checkpoints = Checkpoints(Path(folder), "benchmark")
        return trainer.fit(checkpoints, logging.getLogger().debug).history


def psnr_of_bicubic(high: Frames) -> float:
    """Of the validation frames, on the scale that networks see."""
    first, scaling = len(high) * 4 // 5, limits(high)
    given = bicubic.upscale(bicubic.downscale(high[first:], 2, GLOBE), 2, GLOBE)
    difference = scaling.to_unit(given) - scaling.to_unit(high[first:])
    return metrics.psnr(float(np.square(difference).mean()))


def seconds_until(rows: list[dict[str, float]], psnr: float) -> float | None:
    """Seconds of all epochs up to the first whose validation reaches a PSNR; None if none does."""
    total = 0.0
    for row in rows:
        total += row["seconds"]
        if row["validation_psnr"] >= psnr:
            return total
    return None


def described(seconds: list[float | None]) -> str:
    """Median and spread, or that it was not reached."""
    known = [each for each in seconds if each is not None]
    if len(known) < len(seconds):
        return "not reached"
    middle = statistics.median(known)
    return f"{middle:.1f} s ± {percent((max(known) - min(known)) / 2 / middle)}"


def main() -> None:
    """Measure, print the table, write quality.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--grid", default="T42")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    high = simulated(given.grid, given.frames)
    found: dict[str, list[Any]] = {name: [] for name in STUDIES}
    for _ in range(given.repeats):
        for name in STUDIES:
            found[name].append(history(name, given.epochs, high))
    baseline = psnr_of_bicubic(high)
    rows = []
    for gain in GAINS_DB:
        times = {
            name: [seconds_until(rows, baseline + gain) for rows in histories]
            for name, histories in found.items()
        }
        pairs = list(zip(times["study_2d"], times["skip_2d"], strict=True))
        known = all(each is not None for pair in pairs for each in pair)
        ratio = f"{statistics.median(a / b for a, b in pairs):.1f}" if known else "-"
        name = f"{baseline + gain:.1f} dB (bicubic {gain:+})"
        rows.append([name, *map(described, times.values()), ratio])
    header = ["validation PSNR", *(f"`{name}`" for name in STUDIES), "`study_2d` over `skip_2d`"]
    last = " and ".join(
        f"{each[0][-1]['validation_psnr']:.1f} dB (`{name}`)" for name, each in found.items()
    )
    page = table(header, rows) + f"\nAfter {given.epochs} epochs: {last}.\n"
    publish("quality", page, {"bicubic": baseline, "histories": found})


if __name__ == "__main__":
    main()
