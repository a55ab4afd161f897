"""Tiny frames, stores and settings for tests."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import xarray as xr
import yaml

from swsr.local_ranks import MPIRUN
from swsr.run import Run
from swsr.settings import Settings
from swsr.stages.downscale import downscale
from swsr.stages.extract import extract
from swsr.stages.upscale import upscale

REPOSITORY = Path(__file__).parent.parent


def tiny_frames(num_frames=30, lat=24, lon=48, variables=("vorticity",), seed=0) -> xr.Dataset:
    """Smooth waves that travel east, as a model would write them, with float32 values near 1e-5."""
    random = np.random.default_rng(seed)
    latitude = np.linspace(-90, 90, lat, endpoint=False) + 90 / lat
    longitude = np.arange(lon) * 360 / lon
    time = np.arange(num_frames)[:, None, None]
    fields = {}
    for name in variables:
        field = np.zeros((num_frames, lat, lon))
        for wave in range(1, 7):
            phase, speed, amplitude = random.uniform(0, 2 * np.pi, 3)
            angle = wave * np.radians(longitude) + phase - 0.1 * speed * time
            field += amplitude * np.cos(angle) * np.cos(np.radians(latitude) * wave)[:, None]
        fields[name] = (("time", "lat", "lon"), (field * 1e-5).astype("float32"), {"units": "s-1"})
    hours = xr.date_range("2000-01-01", periods=num_frames, freq="h", use_cftime=False)
    coords = {
        "time": hours,
        "lat": ("lat", latitude, {"units": "degrees_north"}),
        "lon": ("lon", longitude, {"units": "degrees_east"}),
    }
    return xr.Dataset(fields, coords)


def config(**sections) -> dict:
    """The embedded default with other values in some sections."""
    content = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    for name, values in sections.items():
        content[name] = content[name] | values if isinstance(values, dict) else values
    return content


def stage_settings(folder: Path, stage: str, **sections) -> Path:
    """A settings file of one stage, as the workflow writes it, for frames from files."""
    files = {"kind": "files", "train": ["frames.nc"], "test": ["other.nc"]}
    sections["source"] = files | sections.get("source", {})
    path = folder / f"{stage}.json"
    path.write_text(Settings.from_mapping(config(**sections)).for_stage(stage).to_json())
    return path


def make_stores(
    folder: Path, frames: xr.Dataset, chunk_frames=4, scale=2, predictors=(), **choices
) -> tuple[Path, Path]:
    """Manifests of the low-resolution and of the high-resolution store of frames.

    `choices` are more of `downscale`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames.to_netcdf(folder / "frames.nc")
    sections = {
        "source": {
            "variables": [name for name in frames.data_vars if name not in predictors],
            "predictors": list(predictors),
        },
        "extract": {"chunk_frames": chunk_frames},
        "downscale": {"scale": scale} | choices,
    }
    high, low = folder / "high" / "seed_0.json", folder / "low" / "seed_0.json"
    extract(stage_settings(folder, "extract", **sections), [folder / "frames.nc"], high, Run())
    downscale(stage_settings(folder, "downscale", **sections), high, low, Run())
    return low, high


def make_raw(low: Path, high: Path) -> Path:
    """Manifest of the interpolated frames of a pair of stores."""
    folder = high.parent.parent
    raw = folder / "raw" / "seed_0.json"
    upscale(stage_settings(folder, "upscale"), low, high, raw, Run())
    return raw


def run_swsr(*arguments, launcher=(), cwd=None, env=None) -> subprocess.CompletedProcess:
    """Run a stage as a user would, in a process of its own, or in several under a launcher."""
    command = [*launcher, sys.executable, "-m", "swsr", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=os.environ | (env or {}), capture_output=True, text=True,
        timeout=1200, check=False,  # processors without bfloat16 imitate it, slowly
    )  # fmt: skip


def train(stores, output, *flags, launcher=(), stage="train_2d", **settings):
    """Run a training of three epochs of small patches, or as settings say, as a user would.

    Its loss is smooth: the gradient of `l1` jumps where rounding alone changes the sign of an error,
    so that sums in another order give other weights.
    """
    low, high = stores
    raw = high.parent.parent / "raw" / high.name
    output.mkdir(parents=True, exist_ok=True)
    values = {
        "epochs": 3,
        "patch_points": 12,
        "global_batch_size": 4,
        "learning_rate": 3e-4,
        "loss": "mse",
    } | settings
    path = stage_settings(output, stage, **{stage: values})
    given = ("--frames", raw) if stage == "train_3d" else ("--low", low)
    return run_swsr(
        stage, "--settings", path, *given, "--high", high, "--output", output, "--threads", 1,
        *flags, launcher=launcher,
    )  # fmt: skip


# Tests run side by side: see `local_ranks.in_own_folder`.
_MPI_FOLDER = tempfile.TemporaryDirectory(prefix="swsr-mpi-")


def mpirun(ranks: int) -> list[str]:
    """A launcher of several MPI ranks on this machine."""
    return [*MPIRUN, "--mca", "orte_tmpdir_base", _MPI_FOLDER.name, "-n", str(ranks)]


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Weights of a network file."""
    from safetensors.torch import load_file

    return load_file(path)


def read_json(path: Path):
    """Content of a JSON file."""
    return json.loads(path.read_text())


def damage(frames, path):
    """Write frames with checksums, and then other bytes in the midst of them."""
    frames.to_netcdf(path, encoding={name: {"fletcher32": True} for name in frames.data_vars})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(255 - byte for byte in content[middle : middle + 64])
    path.write_bytes(content)
