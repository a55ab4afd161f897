"""What do networks of other tools make of the same frames, in the same time?

The half-size study, and networks, losses and optimisers of DL4DS, sup3r and PhysicsNeMo from their
packages, each in an environment of its own (others/NAME.txt) that is made first. All train on the
frames that ours did, one core each, for as many seconds and for ten times as many, and are scored
on the same points of the same test frames by the same code.

    python benchmarks/results.py half --experiments fused fused_winds --block half_fused
    python benchmarks/peers.py [--cores 2] [--times 1 10]
"""

import argparse
import os
import queue
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import yaml
from bench import FOLDER, put
from measure import machine, table
from results import PAGE, ROOT

from swsr.evaluation.scores import align, mean_over_frames, score_frames
from swsr.scaling import Scaling
from swsr.settings import Split
from swsr.zarr_io import open_frames

STUDY = ROOT / "results" / "half"
ENVIRONMENTS = ROOT / "build" / "others"
OURS = {("base", "network_2d"): "the reference 2D network", ("fused", "joint"): "`fusion_joint`"}
OTHERS = {
    "dl4ds": ("[DL4DS](https://github.com/carlos-gg/dl4ds) 1.8.0", "residual, sub-pixel"),
    "sup3r": ("[sup3r](https://github.com/NREL/sup3r) 0.2.7", "spatial generator, no adversary"),
    "physicsnemo": (
        "[PhysicsNeMo](https://github.com/NVIDIA/physicsnemo) 1.3.0",
        "regression of CorrDiff, mini",
    ),
}
"""Name of a script and of its requirements -> tool and network, as the page has them."""
FIRST_SEEDS = ("half", "half/experiments/fused")
VARIABLE = "vorticity"


def python_of(name: str) -> Path:
    """The interpreter of a tool's environment, made if it is not there."""
    folder = ENVIRONMENTS / name
    python, complete = folder / "bin" / "python", folder / "complete.txt"
    requirements = FOLDER / "others" / f"{name}.txt"
    if not complete.exists() or complete.read_text() != requirements.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        # DL4DS asks for scikit-learn by a name that is no longer its own.
        variables = os.environ | {"SKLEARN_ALLOW_DEPRECATED_SKLEARN_PACKAGE_INSTALL": "True"}
        command = [python, "-m", "pip", "install", "--quiet", "-r", requirements]
        subprocess.run(command, env=variables, check=True)
        complete.write_text(requirements.read_text())
    return python


class Frames:
    """The study's frames: as the others get them, and for scores."""

    def __init__(self) -> None:
        fields = {
            name: open_frames(STUDY / stage / "seed_0.json")[VARIABLE]
            for name, stage in {"high": "extract", "low": "downscale", "raw": "upscale"}.items()
        }
        study = yaml.safe_load((ROOT / "studies" / "half.yaml").read_text())
        sets = Split(**study["split"]).ranges(fields["high"].sizes["time"])
        train = fields["high"][sets["train"]].values
        self.mean, self.deviation = float(train.mean()), float(train.std())
        self.limits = Scaling(np.array([train.min()]), np.array([train.max()]))
        self.num_train = len(train)
        self.truth = open_frames(STUDY / "extract" / "seed_0.json").isel(time=sets["test"])
        self._parts = {
            "high": fields["high"][sets["train"]],
            "low": fields["low"][sets["train"]],
            "raw": fields["raw"][sets["train"]],
            "test_low": fields["low"][sets["test"]],
            "test_raw": fields["raw"][sets["test"]],
        }

    def standard(self, name: str) -> np.ndarray:
        """Standardised frames of a part."""
        frames = (self._parts[name].values - self.mean) / self.deviation
        return frames.astype(np.float32)

    def write(self, path: Path) -> None:
        """All parts, for `others/job.py`."""
        np.savez(path, **{name: self.standard(name) for name in self._parts})

    def scores(self, results: np.ndarray) -> tuple[float, float]:
        """PSNR and SSIM of standardised test frames, on the points that the study compares."""
        field = self.truth[VARIABLE].copy(data=results * self.deviation + self.mean)
        result = xr.Dataset({VARIABLE: field})
        everything = slice(0, self.truth.sizes["time"])
        pair = align(result, self.truth, everything, "inner", centres=True)
        assert pair is not None
        normal = {VARIABLE: np.zeros(pair.truth[VARIABLE].shape[1:])}
        rows = pd.DataFrame(score_frames(pair, (VARIABLE,), self.limits, normal))
        means = mean_over_frames(rows.assign(set="test", method="other", points="inner"))
        return float(means["psnr"].iloc[0]), float(means["ssim"].iloc[0])


def trained(names: list[str], frames: Path, times: list[float], cores: int) -> dict[str, Any]:
    """Results of all tools, each on a core of its own."""
    free: queue.Queue[int] = queue.Queue()
    for core in sorted(os.sched_getaffinity(0))[:cores]:
        free.put(core)

    pythons = {name: python_of(name) for name in names}  # before any clock starts
    variables = os.environ | {
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    variables.pop("PYTHONPATH", None)

    def train(name: str) -> dict[str, np.ndarray]:
        core, results = free.get(), frames.with_name(f"{name}.npz")
        try:
            command = [pythons[name], FOLDER / "others" / f"run_{name}.py", frames, results]
            subprocess.run(
                ["taskset", "-c", str(core), *command, *map(str, times)],
                env=variables,
                check=True,
            )
        finally:
            free.put(core)
        with np.load(results) as arrays:
            return dict(arrays)

    with ThreadPoolExecutor(cores) as pool:
        return dict(zip(names, pool.map(train, names), strict=True))


def figures(psnr: float, ssim: float, baseline: float) -> list[str]:
    """As the page has them."""
    return [f"{psnr:.2f}", f"{psnr - baseline:+.2f}", f"{ssim:.4f}"]


def rows_of_ours(compared: pd.DataFrame, baseline: float) -> Iterator[list[str]]:
    """Interpolation and networks of the study, first seed."""
    ssim = compared.loc[("base", "bicubic"), "ssim"]
    yield ["bicubic interpolation", *[""] * 4, *figures(baseline, ssim, baseline)]
    for key, network in OURS.items():
        row = compared.loc[key]
        cost = [f"{row[name]:,.0f}" for name in ("parameters", "seconds", "epochs")]
        yield ["swsr", network, *cost, *figures(row["psnr"], row["ssim"], baseline)]


def rows_of_others(
    frames: Frames, times: list[float], cores: int, baseline: float
) -> Iterator[list[str]]:
    """The other tools' networks, after each of the times."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "frames.npz")
        frames.write(path)
        found = trained(list(OTHERS), path, times, cores)
    for name, (tool, network) in OTHERS.items():
        arrays = found[name]
        for number, seconds in enumerate(times):
            epochs = arrays[f"seen_{number}"] / frames.num_train
            seen = f"{epochs:.0f}" if epochs >= 1 else "< 1"
            scores = figures(*frames.scores(arrays[f"results_{number}"]), baseline)
            yield [tool, network, f"{arrays['parameters']:,}", f"{seconds:,.0f}", seen, *scores]


def main() -> None:
    """Train, score, and write the table into docs/results.md."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--times", type=float, nargs="+", default=[1.0, 10.0])
    given = parser.parse_args()
    rows = pd.read_csv(STUDY / "compare" / "table.csv")
    first = rows[rows["study"].isin(FIRST_SEEDS)].set_index(["experiment", "method"])
    baseline = float(first.loc[("base", "bicubic"), "psnr"])
    frames = Frames()
    psnr, _ = frames.scores(frames.standard("test_raw"))
    assert abs(psnr - baseline) < 0.01, (psnr, baseline)  # scored as the study scores
    times = [each * float(first.loc[("fused", "joint"), "seconds"]) for each in given.times]
    page = table(
        [
            "tool",
            "network",
            "parameters",
            "training (s)",
            "epochs",
            "PSNR (dB)",
            "gain (dB)",
            "SSIM",
        ],
        [
            *rows_of_ours(first, baseline),
            *rows_of_others(frames, times, given.cores, baseline),
        ],
    )
    made = machine()
    origin = f"`python benchmarks/peers.py`, {made['date']}, {made['processor']}, a core each.\n"
    PAGE.write_text(put(PAGE.read_text(), "peers", f"{origin}\n{page}"))


if __name__ == "__main__":
    main()
