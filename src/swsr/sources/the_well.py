"""HDF5 files of The Well: trajectories of one simulation, of scalars, vectors and tensors.

Layout: https://github.com/PolymathicAI/the_well, docs/data_format.md.
"""

from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from swsr.sources.grids import axis_attributes, geographic
from swsr.sources.lazy import hdf5_variable

_ORDERS = {"t0_fields": 0, "t1_fields": 1, "t2_fields": 2}


def is_the_well(file: h5py.File) -> bool:
    """Whether an open HDF5 file has this layout."""
    return "dimensions" in file and any(group in file for group in _ORDERS)


def open_the_well(path: Path) -> xr.Dataset:
    """All fields, lazily, with dims (sample, time, ...); components are named `velocity_0`.

    Raises
    ------
    ValueError
        When a dim has no values, or a field does not have the sizes of its dims.
    """
    with h5py.File(path) as file:
        dims = _spatial_dims(file, path)
        coords = {name: file["dimensions"][name][()] for name in dims}
        fields: dict[str, xr.Variable] = {}
        for group, order in _ORDERS.items():
            for name, field in file.get(group, {}).items():
                fields |= _components(path, name, field, dims, order)
        times = _times(file, path)
        periodic = _periodic(file)
    dataset = xr.Dataset(fields).assign_coords(
        {name: (name, each) for name, each in coords.items()}
    )
    for name in dims:
        dataset[name].attrs = axis_attributes(name, coords[name], periodic=name in periodic)
    return geographic(dataset.assign_coords(times))


def _spatial_dims(file: h5py.File, path: Path) -> list[str]:
    group = file["dimensions"]
    named = group.attrs.get("spatial_dims")
    dims = [name for name in group if name != "time"] if named is None else list(map(_text, named))
    absent = [name for name in [*dims, "time"] if name not in group]
    if absent:
        raise ValueError(f"{path}: dimensions/{absent[0]} is missing")
    return dims


def _times(file: h5py.File, path: Path) -> dict[str, Any]:
    times = file["dimensions"]["time"][()]
    if times.ndim > 2:
        raise ValueError(f"{path}: dimensions/time has {times.ndim} dims, not 1 or 2")
    return {"time": ("time", times)} if times.ndim == 1 else {"times": (("sample", "time"), times)}


def _components(
    path: Path, name: str, field: h5py.Dataset, dims: list[str], order: int
) -> dict[str, xr.Variable]:
    varying = field.attrs.get("dim_varying", [True] * len(dims))
    names = [
        *(["sample"] if field.attrs.get("sample_varying", True) else []),
        *(["time"] if field.attrs.get("time_varying", True) else []),
        *(dim for dim, varies in zip(dims, varying, strict=True) if varies),
    ]
    if len(names) + order != field.ndim:
        raise ValueError(
            f"{path}: {field.name} has {field.ndim} dims, but its attributes say {names}"
            + (f" and {order} of components" if order else "")
        )
    sizes = dict(zip(names, field.shape, strict=False))
    for dim in dims:
        points = field.file["dimensions"][dim].shape[0]
        if sizes.get(dim, points) != points:
            raise ValueError(
                f"{path}: {field.name} has {sizes[dim]} points of {dim}, dimensions/{dim} {points}"
            )
    axes = range(field.ndim - order, field.ndim)
    # The script that made PlanetSWE leaves the components in Dedalus's order, and not in its dims'.
    space = ["phi", "theta"] if set(dims) == {"phi", "theta"} else dims
    indices = product(*(range(field.shape[axis]) for axis in axes))
    return {
        "_".join([name, *map(str, index)]): hdf5_variable(
            path, field, tuple(names), dict(zip(axes, index, strict=True)), space
        )
        for index in indices
    }


def _periodic(file: h5py.File) -> set[str]:
    """Dims along which all boundaries are periodic."""
    kinds: dict[str, set[str]] = {}
    for condition in file.get("boundary_conditions", {}).values():
        for dim in np.atleast_1d(condition.attrs.get("associated_dims", [])):
            kinds.setdefault(_text(dim), set()).add(_text(condition.attrs.get("bc_type", "")))
    return {dim for dim, found in kinds.items() if found == {"PERIODIC"}}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
