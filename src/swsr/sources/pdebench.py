"""HDF5 files of PDEBench's 2D radial dam break: a group per sample, on a bounded plane.

Layout: https://github.com/pdebench/PDEBench, pdebench/data_gen/src/sim_radial_dam_break.py.
"""

from functools import partial
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from swsr.sources.grids import axis_attributes
from swsr.sources.lazy import Key, lazy_variable


def is_pdebench(file: h5py.File) -> bool:
    """Whether an open HDF5 file has this layout."""
    first = next(iter(file.values()), None)
    return isinstance(first, h5py.Group) and {"data", "grid"} <= set(first)


def open_pdebench(path: Path) -> xr.Dataset:
    """The variable `depth`, lazily, with dims (sample, time, x, y).

    Channels after the first, which the radial dam break does not have, are `data_1` and so on.

    Raises
    ------
    ValueError
        When samples differ in shape, or a grid does not fit its data.
    """
    with h5py.File(path) as file:
        samples = sorted(file)
        first = file[samples[0]]["data"]
        shape, dtype = first.shape, first.dtype
        if len(shape) != 4:
            raise ValueError(f"{path}: {first.name} has {len(shape)} dims, not (t, x, y, channel)")
        for sample in samples:
            if "data" not in file[sample] or file[sample]["data"].shape != shape:
                raise ValueError(
                    f"{path}: sample {sample} has no data of shape {shape}, as {samples[0]} has"
                )
        grid = {name: file[samples[0]]["grid"][name][()] for name in ("t", "x", "y")}
    sizes = dict(zip(("t", "x", "y"), shape, strict=False))
    for name, values in grid.items():
        if len(values) != sizes[name]:
            raise ValueError(
                f"{path}: {samples[0]}/grid/{name} has {len(values)} values, its data {sizes[name]}"
            )
    fields = {
        "depth" if channel == 0 else f"data_{channel}": lazy_variable(
            ("sample", "time", "x", "y"),
            (len(samples), *shape[:3]),
            dtype,
            partial(_read, path, samples, channel),
        )
        for channel in range(shape[3])
    }
    return xr.Dataset(fields).assign_coords(
        time=("time", grid["t"]),
        x=("x", grid["x"], axis_attributes("x", grid["x"])),
        y=("y", grid["y"], axis_attributes("y", grid["y"])),
    )


def _read(path: Path, samples: list[str], channel: int, key: Key) -> np.ndarray:
    with h5py.File(path) as file:
        chosen = samples[key[0]]
        if isinstance(chosen, str):
            return np.asarray(file[chosen]["data"][(*key[1:], channel)])
        return np.stack([file[sample]["data"][(*key[1:], channel)] for sample in chosen])
