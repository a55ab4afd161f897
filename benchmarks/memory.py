"""Does the memory of a stage grow with the length of a series?

Peak resident memory of each stage, in a process of its own, for a series of 1, 5 and 20 times as
many frames, and its seconds for the shortest. Prints a table of ratios to the shortest series and
writes memory.json.

    python benchmarks/memory.py [--frames 36] [--points 160] [--times 1 5 20]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import xarray as xr
import yaml
from measure import publish, table

from swsr.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent
TIMES = (1, 5, 20)
CHUNK_FRAMES = 8
CACHE_MB = 16
STAGES = (
    "extract", "downscale", "upscale", "upscale_spectral", "train_2d", "infer_2d", "constrain",
    "apply", "train_3d", "infer_3d", "train_joint", "infer_joint", "evaluate", "report",
)  # fmt: skip


def write_frames(path: Path, num_frames: int, points: int) -> None:
    """Waves that travel east, on `points` latitudes and twice as many longitudes."""
    lat = np.linspace(-90, 90, points, endpoint=False) + 90 / points
    lon = np.arange(2 * points) * 180 / points
    random = np.random.default_rng(0)
    phases = random.uniform(0, 2 * np.pi, 12)
    angle = np.radians(lon)[None] * np.arange(1, 13)[:, None] + phases[:, None]
    shape = np.cos(np.radians(lat))[:, None] ** 2
    frames = np.empty((num_frames, points, 2 * points), "float32")
    for number in range(num_frames):
        frames[number] = shape * np.cos(angle - 0.1 * number).sum(axis=0) * 1e-5
    xr.Dataset(
        {"vorticity": (("time", "lat", "lon"), frames, {"units": "s-1"})},
        {
            "time": xr.date_range("2000-01-01", periods=num_frames, freq="h"),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    ).to_netcdf(path, encoding={"vorticity": {"chunksizes": (1, points, 2 * points)}})


def write_settings(folder: Path) -> None:
    """The settings file of each stage: the default study's, one short epoch each."""
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    config["source"] |= {"kind": "files", "train": ["frames.nc"], "test": []}
    config["extract"] |= {"chunk_frames": CHUNK_FRAMES}
    for stage in ("train_2d", "train_3d", "train_joint"):
        config[stage] |= {"epochs": 1, "patch_points": 16}
    settings = Settings.from_mapping(config)
    for stage in STAGES:
        with suppress(KeyError):  # some read no settings
            (folder / f"{stage}.json").write_text(settings.for_stage(stage).to_json())


def arguments(folder: Path, stage: str) -> list[str]:
    """What a stage is called with."""
    places = ("truth", "low", "raw", "spectral", "2d", "constrained", "3d", "joint")
    truth, low, raw, spectral, two, constrained, three, joint = (
        str(folder / name / "train_0.json") for name in places
    )
    networks = [str(folder / f"train_{d}" / "network.safetensors") for d in ("2d", "3d", "joint")]
    # One store stands for all methods that evaluate reads: it is their number that costs.
    methods = ["bicubic", "network_2d", "network_3d_raw", "network_3d_processed", "combined_raw"]
    evaluated = {"truth": truth, "low": low} | dict.fromkeys(methods, raw)
    stores = [f"{name}/train_0={store}" for name, store in evaluated.items()]
    trained = [
        f"{name}={folder}/train_2d" for name in ("train_2d", "train_3d/raw", "train_3d/processed")
    ]
    paths = {
        "extract": ["--files", f"{folder}/frames.nc", "--output", truth],
        "downscale": ["--high", truth, "--output", low],
        "upscale": ["--low", low, "--like", truth, "--output", raw],
        "upscale_spectral": ["--low", low, "--like", truth, "--output", spectral],
        "train_2d": ["--low", low, "--high", truth, "--output", f"{folder}/train_2d"],
        "infer_2d": ["--network", networks[0], "--low", low, "--like", truth, "--output", two],
        "constrain": ["--frames", two, "--low", low, "--output", constrained],
        "apply": [networks[0], f"{folder}/coarse.nc", f"{folder}/fine.zarr"],
        "train_3d": ["--frames", raw, "--high", truth, "--output", f"{folder}/train_3d"],
        "infer_3d": ["--network", networks[1], "--frames", raw, "--output", three],
        "train_joint": ["--low", low, "--high", truth, "--output", f"{folder}/train_joint"],
        "infer_joint": ["--network", networks[2], "--low", low, "--like", truth, "--output", joint],
        "evaluate": [
            "--stores", *stores, "--series", "train_0=train", "--network", networks[0],
            "--training", *trained, "--output", f"{folder}/evaluate",
        ],
        "report": [
            "--stores", *stores, "--series", "train_0=train", "--evaluation", f"{folder}/evaluate",
            "--training", *trained, "--study", str(folder), "--output", f"{folder}/report",
        ],
    }  # fmt: skip
    settings = folder / f"{stage}.json"
    given = ["--settings", str(settings)] if settings.exists() else []
    return [stage, *paths[stage], *given, "--cache-mb", str(CACHE_MB), "--threads", "1"]


def peak_mb(command: list[str]) -> tuple[float, float]:
    """Peak resident memory of a command, from what the system counted for it; and its seconds."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "swsr", *command], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: failed")
    return usage.ru_maxrss / 1024, time.monotonic() - started


def measure(
    num_frames: int, points: int, stages: tuple[str, ...]
) -> dict[str, tuple[float, float]]:
    """MB and seconds of each stage over one series."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, size in (("frames.nc", points), ("coarse.nc", points // 2)):
            # Elsewhere: the system counts the peak of a parent as that of its children too.
            process = get_context("spawn").Process(
                target=write_frames, args=(folder / file, num_frames, size)
            )
            process.start()
            process.join()
        write_settings(folder)
        return {stage: peak_mb(arguments(folder, stage)) for stage in stages}


def main() -> None:
    """Measure, print the table, write memory.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=36, help="of the shortest series")
    parser.add_argument("--points", type=int, default=160, help="of lat; lon has twice as many")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--times", nargs="+", type=int, default=list(TIMES), help="as many frames")
    given = parser.parse_args()
    stages = tuple(stage for stage in STAGES if stage in given.stages)
    shortest, *longer = (times * given.frames for times in given.times)
    found = {count: measure(count, given.points, stages) for count in (shortest, *longer)}
    frame_mb = 2 * given.points**2 * 4 / 2**20
    rows = []
    for stage in stages:
        first, seconds = found[shortest][stage]
        ratios = [f"{found[count][stage][0] / first:.2f}" for count in longer]
        rows.append([f"`{stage}`", f"{seconds:.0f}", f"{first:.0f} MB", *ratios])
    counts = (shortest, *longer)
    rows.append(["the truth itself", "", *(f"{count * frame_mb:.0f} MB" for count in counts)])
    page = (
        f"frames of {given.points} x {2 * given.points} points, {frame_mb:.2f} MB each; chunks of "
        f"{CHUNK_FRAMES} frames; trainings keep {CACHE_MB} MB of frames\n\n"
        + table(["stage", "seconds", *(f"{count} frames" for count in counts)], rows)
    )
    publish("memory", page, found)


if __name__ == "__main__":
    main()
