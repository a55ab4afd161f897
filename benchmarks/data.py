"""How near do the data stages come to copying the same bytes, and is the interpolation a fast one?

`extract`, `downscale` and `upscale` on one series in a NetCDF file, each called as the command
does, beside copies of the same bytes: as files, and through Zarr with xarray, in the same chunks.
Then the interpolation alone, beside xarray's `interp`, Pillow and OpenCV (which does not
antialias).

    python benchmarks/data.py [--frames 480] [--points 128] [--repeats 5]
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import dask
import numpy as np
import torch
import xarray as xr
import yaml
from made_frames import GLOBE, waves
from measure import NOT_INSTALLED, Timing, in_turn, installed, percent, publish, table, target
from memory import REPOSITORY, write_frames

from swsr.geometry import Frames
from swsr.resampling import bicubic
from swsr.run import Run
from swsr.settings import Settings
from swsr.stages.downscale import downscale
from swsr.stages.extract import extract
from swsr.stages.upscale import upscale
from swsr.zarr_io import open_frames, store_path

MEBIBYTE = 2**20


def stage_settings(folder: Path) -> dict[str, Path]:
    """Settings files of the stages, of the default study but for the file."""
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    config["source"] |= {"kind": "files", "train": [str(folder / "frames.nc")], "test": []}
    settings = Settings.from_mapping(config)
    paths = {stage: folder / f"{stage}.json" for stage in ("extract", "downscale", "upscale")}
    for stage, path in paths.items():
        path.write_text(settings.for_stage(stage).to_json())
    return paths


def stages(folder: Path) -> dict[str, Callable[[], object]]:
    """The stages, and copies of what each reads and writes."""
    paths, run = stage_settings(folder), Run()
    file = folder / "frames.nc"
    high, low, raw = (folder / f"{name}.json" for name in ("high", "low", "raw"))
    copies = {name: folder / f"copy_of_{name}" for name in ("file", "high", "low", "raw")}

    def through_zarr(source: Path | None, name: str, *, coarser: int = 1, finer: int = 1) -> None:
        frames = (
            xr.open_dataset(file, chunks={"time": 8}) if source is None else open_frames(source)
        )
        points = {dim: np.arange(0, frames.sizes[dim], coarser) for dim in ("lat", "lon")}
        plain = frames.isel({dim: each.repeat(finer) for dim, each in points.items()})
        for each in plain.variables.values():
            each.encoding = {}
        plain.attrs = {}
        plain.chunk(time=8, lat=-1, lon=-1).to_zarr(
            copies[name], mode="w", zarr_format=3, consolidated=False
        )

    def copy_files() -> None:
        shutil.copyfile(file, copies["file"])
        shutil.copytree(store_path(low), folder / "low_again", dirs_exist_ok=True)

    return {
        "extract": lambda: extract(paths["extract"], [file], high, run),
        "downscale": lambda: downscale(paths["downscale"], high, low, run),
        "upscale": lambda: upscale(paths["upscale"], low, high, raw, run),
        "extract, copy": lambda: through_zarr(None, "high"),
        "downscale, copy": lambda: through_zarr(high, "low", coarser=2),
        "upscale, copy": lambda: through_zarr(low, "raw", finer=2),
        "files": copy_files,
    }


def resizers(frames: Frames, num_lat: int, num_lon: int) -> dict[str, Callable[[], object]]:
    """Ways to interpolate frames (n, 1, lat, lon) to another grid."""
    _, _, lat, lon = frames.shape
    ours = bicubic.downscale if num_lat < lat else bicubic.upscale
    scale = max(lat, num_lat) // min(lat, num_lat)
    labelled = xr.DataArray(frames[:, 0], dims=("time", "lat", "lon"))
    labelled = labelled.assign_coords(lat=np.arange(lat), lon=np.arange(lon))
    grid = {
        "lat": (np.arange(num_lat) + 0.5) * lat / num_lat - 0.5,
        "lon": (np.arange(num_lon) + 0.5) * lon / num_lon - 0.5,
    }
    found: dict[str, Callable[[], object]] = {
        "ours": lambda: ours(frames, scale, GLOBE),
        "xarray, linear": lambda: labelled.interp(grid, method="linear"),
        "xarray, cubic": lambda: labelled.interp(grid, method="cubic"),
    }
    if installed("PIL"):
        from PIL import Image

        images = [Image.fromarray(frame) for frame in frames[:, 0]]
        size, kernel = (num_lon, num_lat), Image.Resampling.BICUBIC
        found["Pillow, bicubic"] = lambda: [np.asarray(i.resize(size, kernel)) for i in images]
    if installed("cv2"):
        import cv2

        cv2.setNumThreads(torch.get_num_threads())
        found["OpenCV, bicubic"] = lambda: [
            cv2.resize(frame, (num_lon, num_lat), interpolation=cv2.INTER_CUBIC)
            for frame in frames[:, 0]
        ]
    return found


def stage_rows(timings: dict[str, Timing], megabytes: float) -> list[list[str]]:
    """Speeds of the stages, by bytes of the fine grid, and their time over that of copies."""
    return [
        [
            f"`{stage}`",
            f"{megabytes / timings[stage].median:.0f} MB/s",
            f"± {percent(timings[stage].spread / 2)}",
            f"{timings[f'{stage}, copy'].ratio(timings[stage]):.2f}",
        ]
        for stage in ("extract", "downscale", "upscale")
    ]


def interpolation_rows(timings: dict[str, dict[str, Timing]]) -> list[list[str]]:
    """Our speed over that of each other way."""
    names = ("xarray, linear", "xarray, cubic", "Pillow, bicubic", "OpenCV, bicubic")
    return [
        [name, *(
            f"{each['ours'].ratio(each[name]):.2f} (± {percent(each[name].spread / 2)})"
            if name in each else NOT_INSTALLED
            for each in timings.values()
        )]
        for name in names
    ]  # fmt: skip


def main() -> None:
    """Measure, print the tables, write data.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=480)
    parser.add_argument("--points", type=int, default=128, help="of lat; lon has twice as many")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    dask.config.set(num_workers=torch.get_num_threads())
    with tempfile.TemporaryDirectory() as name:
        write_frames(Path(name, "frames.nc"), given.frames, given.points)
        timings = in_turn(stages(Path(name)), given.repeats)
    lat, lon = given.points, 2 * given.points
    megabytes = given.frames * lat * lon * 4 / MEBIBYTE
    high = waves(8, lat, lon)
    low = bicubic.downscale(high, 2, GLOBE)
    resized = {
        "downscale": in_turn(resizers(high, lat // 2, lon // 2), given.repeats),
        "upscale": in_turn(resizers(low, lat, lon), given.repeats),
    }
    both = timings["extract"].median + timings["downscale"].median
    through = both / (timings["extract, copy"].median + timings["downscale, copy"].median)
    files = both / timings["files"].median
    page = (
        f"{given.frames} frames of {lat} x {lon} points, {megabytes:.0f} MB:\n\n"
        + table(["stage", "speed", "spread", "time over a copy through Zarr"], stage_rows(
            timings, megabytes
        ))
        + f"\n`extract` and `downscale` together take {through:.2f} times as long as copying "
        f"through Zarr, and {files:.1f} times as long as copying the files.\n\n"
        + table(["interpolation: ours over", "downscale", "upscale"], interpolation_rows(resized))
    )  # fmt: skip
    targets = [
        target("extract + downscale, over copying the bytes through Zarr", "at most 2x", through,
               met=through <= 2),
        target("extract + downscale, over copying the files", "at most 2x", files, met=files <= 2),
    ]  # fmt: skip
    publish("data", page, {"stages": timings, "interpolation": resized}, targets)


if __name__ == "__main__":
    main()
