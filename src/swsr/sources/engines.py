"""Formats that an engine of xarray opens: NetCDF, Zarr and GRIB."""

import zipfile
from collections.abc import Hashable
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import xarray as xr
from scipy.io import netcdf_file

from swsr.zarr_io import open_archive


def open_netcdf(path: Path) -> xr.Dataset:
    """NetCDF 3 or 4, or whatever an installed engine of xarray takes; packed values unpacked.

    Raises
    ------
    ValueError
        When the file is cut off, or values are packed with what is no number.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start in {b"CDF\x01", b"CDF\x02"}:
        _check_classic(path)
    if start == b"CDF\x05":
        _check_size(path)
    own = start[:3] == b"CDF" or h5py.is_hdf5(path)
    dataset = xr.open_dataset(path, engine="netcdf4" if own else None, chunks=None)
    for name, variable in dataset.variables.items():
        for key in ("scale_factor", "add_offset"):
            number = variable.encoding.get(key, 1)
            if np.asarray(number).dtype.kind not in "iuf" or not np.isfinite(number).all():
                raise ValueError(
                    f"{path}: {key} of {name} is {np.asarray(number).tolist()!r}, "
                    "no number: mend the attribute"
                )
    return dataset


def _check_classic(path: Path) -> None:
    """NetCDF's own library reads zeros where a classic file is cut off; SciPy's reader refuses."""
    try:
        netcdf_file(path, mmap=True).close()
    except (TypeError, ValueError, OSError, IndexError) as error:
        raise ValueError(f"{path}: cannot be opened: cut off or damaged ({error})") from error


def _check_size(path: Path) -> None:
    """The same for 64-bit data (CDF-5), which SciPy does not know: all values lie in the file."""
    with netCDF4.Dataset(path) as file:
        needed = sum(each.size * each.dtype.itemsize for each in file.variables.values())
    if path.stat().st_size < needed:
        raise ValueError(
            f"{path}: cannot be opened: cut off, {path.stat().st_size} bytes of {needed} or more"
        )


def open_zarr(path: Path) -> xr.Dataset:
    """Zarr of version 2 or 3, a folder or a zip of one."""
    if path.is_dir():
        consolidated = (path / ".zmetadata").exists()
        return xr.open_dataset(path, engine="zarr", chunks=None, consolidated=consolidated)
    store = open_archive(path)
    group = _folder_in(path)
    return xr.open_dataset(store, engine="zarr", chunks=None, consolidated=False, group=group)


def open_grib(path: Path) -> xr.Dataset:
    """GRIB 1 or 2 through cfgrib, without writing an index beside the file.

    Raises
    ------
    ValueError
        When the file holds no message, or ends within one.
    """
    import cfgrib  # only here: eccodes takes a second to load

    with path.open("rb") as file:
        file.seek(-min(64, path.stat().st_size), 2)
        if not file.read().rstrip(b"\0\r\n ").endswith(b"7777"):
            raise ValueError(f"{path}: cannot be opened as grib: cut off within a message")

    variables: dict[str, xr.DataArray] = {}
    for dataset in cfgrib.open_datasets(str(path), backend_kwargs={"indexpath": ""}):
        for name, variable in dataset.data_vars.items():
            # Of a variable on several kinds of levels each gets the kind as a suffix but the first.
            kind = variable.attrs.get("GRIB_typeOfLevel", "")
            variables[f"{name}_{kind}" if name in variables else str(name)] = variable
    if not variables:
        raise ValueError(f"{path}: holds no GRIB message")
    merged = xr.Dataset()
    for name, variable in _with_own_dims(variables).items():
        merged = merged.merge({name: variable}, compat="override", join="exact")
    return merged


def _with_own_dims(variables: dict[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Where variables lie on other levels, each has dims of its own, as `isobaricInhPa_vo`."""
    first: dict[Hashable, xr.DataArray] = {}
    differ = {
        dim
        for variable in variables.values()
        for dim in variable.dims
        if not np.array_equal(first.setdefault(dim, variable[dim]), variable[dim])
    }
    return {
        name: variable.rename({dim: f"{dim}_{name}" for dim in variable.dims if dim in differ})
        for name, variable in variables.items()
    }


def _folder_in(path: Path) -> str | None:
    """The folder of a zip in which its store lies, if not at the top."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    tops = [name for name in names if name.endswith((".zgroup", "zarr.json"))]
    folder = min(tops, key=len).rpartition("/")[0] if tops else ""
    return folder or None
