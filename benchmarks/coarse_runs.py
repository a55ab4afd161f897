"""What do networks gain on coarse runs: trained on copies, on coarse runs, and with their winds?

The embedded simulation on a fine and on a coarse grid, from the same initial states: two seeds
train, a third tests. One 2D network is trained on bicubic copies of the fine runs, one on the
coarse runs, one on those with their winds as predictors; all are applied to the coarse run of the
third seed. PSNR by the time since the start, as both runs part from each other.

    python benchmarks/coarse_runs.py [--fine T85] [--coarse T42] [--frames 96]
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml
from measure import publish, table
from memory import REPOSITORY

from swsr.evaluation.metrics import psnr
from swsr.run import Run
from swsr.settings import Settings
from swsr.stages.infer_2d import infer_2d
from swsr.stages.simulate import simulate
from swsr.zarr_io import open_frames

SEEDS = {"train": [0, 1], "test": [10]}
TIME_STEPS = {"T21": 30, "T42": 30, "T85": 15}
STUDY = Path("results", "pairs")
COPIES, WINDS = (STUDY / "experiments" / name for name in ("copies", "winds"))


def simulated(folder: Path, grid: str, num_frames: int, spinup_days: float) -> dict[str, list[str]]:
    """Files of all seeds on a grid, from the same initial states on every grid."""
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    config["simulate"] |= {
        "grid": grid,
        "num_frames": num_frames,
        "spinup_days": spinup_days,
        "time_step_minutes": TIME_STEPS[grid],
    }
    settings = folder / f"{grid}.json"
    settings.write_text(Settings.from_mapping(config).for_stage("simulate").to_json())
    files: dict[str, list[str]] = {}
    for role, seeds in SEEDS.items():
        for seed in seeds:
            path = folder / f"{grid}_{seed}.nc"
            simulate(settings, seed, path, Run())
            files.setdefault(role, []).append(str(path))
    return files


def trained(folder: Path, config: dict[str, object]) -> None:
    """Run the study of coarse runs, and beside it the experiments of copies and of winds."""
    (folder / "pairs.yaml").write_text(yaml.safe_dump(config))
    ranks = ["train_2d:tasks=1", "train_2d:communication=none"]
    subprocess.run(
        ["snakemake", "--snakefile", REPOSITORY / "Snakefile", "--cores", "2", "--configfile",
         "pairs.yaml", "--set-resources", *ranks],
        cwd=folder, check=True, stdout=sys.stderr,
    )  # fmt: skip


def scores(manifests: dict[str, Path], truth: Path) -> Iterator[list[str]]:
    """A row for each: PSNR of all frames, and of every quarter of them; scaled by the truth."""
    wanted = open_frames(truth)["vorticity"].values
    for name, manifest in manifests.items():
        errors = (open_frames(manifest)["vorticity"].values - wanted) / np.ptp(wanted)
        parts = [errors, *np.array_split(errors, 4)]
        yield [name, *(f"{psnr(float(np.square(part).mean())):.2f}" for part in parts)]


def main() -> None:
    """Measure, print the table, write coarse_runs.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--fine", choices=TIME_STEPS, default="T85")
    parser.add_argument("--coarse", choices=TIME_STEPS, default="T42")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--spinup-days", type=float, default=1)
    parser.add_argument("--epochs", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fine, coarse = (
            simulated(folder, grid, given.frames, given.spinup_days)
            for grid in (given.fine, given.coarse)
        )
        source = {"kind": "files", "variables": ["vorticity"], **fine, "coarse": coarse}
        trained(
            folder,
            {
                "study": "pairs",
                "source": source,
                "train_2d": {"epochs": given.epochs},
                "methods": ["network_2d"],
                "experiments": {
                    "copies": {"source": {"coarse": None}},
                    "winds": {"source": {"predictors": ["u", "v"]}},
                },
            },
        )
        study, crossed = folder / STUDY, folder / "crossed.json"
        low, high = study / "downscale" / "test_0.json", study / "extract" / "test_0.json"
        infer_2d(folder / COPIES / "train_2d" / "network.safetensors", low, high, crossed, Run())
        compared = {
            "bicubic interpolation": study / "upscale" / "test_0.json",
            "2D network trained on copies": crossed,
            "2D network trained on coarse runs": study / "infer_2d" / "test_0.json",
            "2D network trained on coarse runs and their winds": (
                folder / WINDS / "infer_2d" / "test_0.json"
            ),
        }
        rows = list(scores(compared, high))
    hours = np.array_split(np.arange(given.frames), 4)
    header = ["of the coarse run (PSNR, dB)", "all", *(f"hours {h[0]} to {h[-1]}" for h in hours)]
    page = table(header, rows)
    page += f"\n{given.coarse} beside {given.fine}, hours counted from day {given.spinup_days:g}.\n"
    publish("coarse_runs", page, {"rows": rows})


if __name__ == "__main__":
    main()
