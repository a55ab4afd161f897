"""HDF5 files of Dedalus 3: one dataset per task, coordinates attached as dimension scales."""

from itertools import product
from pathlib import Path

import h5py
import xarray as xr

from swsr.sources.grids import axis_attributes, geographic
from swsr.sources.lazy import hdf5_variable


def is_dedalus(file: h5py.File) -> bool:
    """Whether an open HDF5 file has this layout."""
    return "tasks" in file and "sim_time" in file.get("scales", {})


def open_dedalus(path: Path) -> xr.Dataset:
    """All tasks on the grid, lazily, with `sim_time` as time; components are named `u_0`.

    Tasks in coefficient space, or constant along a dim, are left out.

    Raises
    ------
    ValueError
        When no task is on the grid, or a task has more or fewer frames than `sim_time`.
    """
    fields, coords = {}, {}
    with h5py.File(path) as file:
        times = file["scales"]["sim_time"][()]
        for name, task in file["tasks"].items():
            if not all(task.attrs.get("grid_space", [True])):
                continue
            if len(task) != len(times):
                raise ValueError(
                    f"{path}: tasks/{name} has {len(task)} frames, scales/sim_time {len(times)}"
                )
            labels = [dim.label for dim in task.dims]
            if "constant" in labels:
                continue
            order = labels.count("")
            dims = ("time", *(label for label in labels[1:] if label))
            for axis, label in enumerate(labels):
                if axis and label and len(task.dims[axis]):
                    coords[label] = task.dims[axis][0][()]
            for index in product(*(range(size) for size in task.shape[1 : 1 + order])):
                component = "_".join([name, *map(str, index)])
                fixed = dict(enumerate(index, 1))
                fields[component] = hdf5_variable(path, task, dims, fixed, dims[1:])
    if not fields:
        raise ValueError(f"{path}: no task holds a field in grid space: add them with layout='g'")
    dataset = xr.Dataset(fields).assign_coords(time=("time", times))
    for name, values in coords.items():
        dataset = dataset.assign_coords({name: (name, values, axis_attributes(name, values))})
    return geographic(dataset)
