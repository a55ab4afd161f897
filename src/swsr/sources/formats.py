"""Which format a file has, told by its content, and the function that opens it."""

import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import h5py
import xarray as xr

from swsr.settings import Format, without_password
from swsr.sources import images, video
from swsr.sources.dedalus import is_dedalus
from swsr.sources.pdebench import is_pdebench
from swsr.sources.the_well import is_the_well

TITLES: dict[Format, str] = {
    "netcdf": "NetCDF",
    "zarr": "Zarr",
    "grib": "GRIB",
    "the_well": "HDF5 of The Well",
    "pdebench": "HDF5 of PDEBench",
    "dedalus": "HDF5 of Dedalus",
    "video": "video",
    "images": "pictures",
}
_HDF5_LAYOUTS: dict[Format, Callable[[h5py.File], bool]] = {
    "the_well": is_the_well,
    "dedalus": is_dedalus,
    "pdebench": is_pdebench,
}
_BY_START_OR_NAME: list[tuple[Callable[[bytes, str], bool], Format]] = [
    (lambda start, _: start[:3] == b"CDF", "netcdf"),
    (lambda start, _: start[:4] == b"GRIB", "grib"),
    (lambda _, suffix: suffix in images.SUFFIXES, "images"),
    (lambda _, suffix: suffix in video.SUFFIXES, "video"),
]
_ZARR_FILES = ("zarr.json", ".zgroup", ".zmetadata", ".zarray")


def detect_format(path: Path) -> Format:
    """The format of a file or folder.

    Raises
    ------
    ValueError
        When there is no such file, or its content is of no format.
    """
    name = without_password(str(path))
    if not path.exists():
        raise ValueError(f"{name}: no such file")
    if path.is_dir():
        return _of_folder(path)
    try:
        with path.open("rb") as file:
            start = file.read(16)
        if h5py.is_hdf5(path):
            return _of_hdf5(path)
        if zipfile.is_zipfile(path):
            return _of_zip(path)
    except OSError as error:
        raise ValueError(f"{name}: cannot be opened: {_first_line(error)}") from error
    for fits, found in _BY_START_OR_NAME:
        if fits(start, path.suffix.lower()):
            return found
    return _of_engines(path)


def open_one(path: Path, found: Format) -> xr.Dataset:
    """All of one file or folder, lazily, under the names that it has.

    Raises
    ------
    ValueError
        When it cannot be opened, with the reason.
    """
    module, function = _opener(found)
    given = [path] if found == "images" else path
    try:
        return getattr(import_module(f"swsr.sources.{module}"), function)(given)
    except Exception as error:
        # Readers of damaged files raise anything; our own sentences name the file already.
        if isinstance(error, ValueError) and str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: cannot be opened as {found}: {_first_line(error)}") from error


def _opener(found: Format) -> tuple[str, str]:
    module = "engines" if found in {"netcdf", "zarr", "grib"} else found
    return module, f"open_{found}"


def _of_folder(path: Path) -> Format:
    if any((path / name).exists() for name in _ZARR_FILES):
        return "zarr"
    if images.pictures_in(path):
        return "images"
    raise ValueError(
        f"{path}: a folder that is neither a Zarr store nor holds pictures: for several files "
        f"write a glob, such as {path}/*.nc"
    )


def _of_hdf5(path: Path) -> Format:
    with h5py.File(path) as file:
        for found, fits in _HDF5_LAYOUTS.items():
            if fits(file):
                return found
    return "netcdf"


def _of_zip(path: Path) -> Format:
    with zipfile.ZipFile(path) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist()}
    if names & set(_ZARR_FILES):
        return "zarr"
    raise ValueError(f"{path}: a zip that holds no Zarr store: unpack it")


def _of_engines(path: Path) -> Format:
    """NetCDF where some engine of xarray, perhaps a plugin, takes the file."""
    for engine in xr.backends.list_engines().values():
        try:
            if engine.guess_can_open(str(path)):
                return "netcdf"
        except Exception:  # noqa: S112  (a plugin that cannot look does not take it)
            continue
    raise ValueError(
        f"{path}: cannot be opened: empty, cut off, or of no known format "
        f"({', '.join(TITLES)}, or another that an installed engine of xarray takes)"
    )


def _first_line(error: BaseException) -> str:
    lines = without_password(str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
