"""Small genuine files of every kind of source, each made by the library that usually makes it.

Where that library cannot be installed beside this one, its own file layout is written by h5py, and
the maker says so.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import eccodes
import h5py
import numpy as np
import xarray as xr
from PIL import Image
from tiny import REPOSITORY, tiny_frames

NUM_FRAMES, LAT, LON = 30, 24, 48


@dataclass(frozen=True)
class Made:
    """Names of the files of one series, and what `vorticity` or the like in them is."""

    files: list[str]
    truth: np.ndarray  # (time, lat, lon), lat and lon ascending, in the units of the file
    tolerance: float = 1e-6  # relative to the largest value


def frames() -> xr.Dataset:
    return tiny_frames(num_frames=NUM_FRAMES, lat=LAT, lon=LON)


def made(files, dataset, **more) -> Made:
    return Made(files, dataset["vorticity"].transpose("time", "lat", "lon").values, **more)


def netcdf3(folder: Path) -> Made:
    """netCDF4-python, classic format, latitude downward and last."""
    turned = frames().isel(lat=slice(None, None, -1)).transpose("lon", "time", "lat")
    turned = turned.rename(lat="latitude", lon="longitude")
    turned.to_netcdf(folder / "run.nc", format="NETCDF3_64BIT", engine="netcdf4")
    return made(["run.nc"], frames())


def netcdf4_packed(folder: Path) -> Made:
    """netCDF4-python: 16-bit integers with scale, offset and fill value, as reanalyses are packed."""
    packing = {"dtype": "int16", "scale_factor": 8e-9, "add_offset": 1e-6, "_FillValue": -32767}
    frames().to_netcdf(folder / "run.nc", engine="netcdf4", encoding={"vorticity": packing})
    return made(["run.nc"], frames(), tolerance=1e-3)


def netcdf_many(folder: Path) -> Made:
    """One file per day, in no order of names."""
    for name, part in {"b": slice(0, 10), "a": slice(10, 15), "c": slice(15, None)}.items():
        frames().isel(time=part).to_netcdf(folder / f"run_{name}.nc", engine="netcdf4")
    return made(["run_a.nc", "run_b.nc", "run_c.nc"], frames())


def zarr(folder: Path, version: int, *, zipped: bool) -> Made:
    """xarray and zarr-python."""
    frames().chunk(time=5).to_zarr(folder / "run.zarr", zarr_format=version, consolidated=False)
    if zipped:
        shutil.make_archive(folder / "run", "zip", folder, "run.zarr")
        shutil.rmtree(folder / "run.zarr")
    return made(["run.zip" if zipped else "run.zarr"], frames())


def grib(folder: Path) -> Made:
    """eccodes: two levels, latitude downward, 16 bits per value."""
    write_grib(folder / "run.grib", {"vo": (850, 500)})
    return made(["run.grib"], frames(), tolerance=1e-4)


def write_grib(path: Path, levels_of: dict[str, tuple[int, ...]]) -> None:
    """Variables on levels: the frames at the first one, half of them at others."""
    fields = frames()["vorticity"].isel(lat=slice(None, None, -1))
    with path.open("wb") as file:
        for number, field in enumerate(fields.values):
            for name, levels in levels_of.items():
                for level in levels:
                    handle = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2")
                    keys = {
                        "Ni": LON, "Nj": LAT,
                        "latitudeOfFirstGridPointInDegrees": float(fields["lat"][0]),
                        "latitudeOfLastGridPointInDegrees": float(fields["lat"][-1]),
                        "longitudeOfFirstGridPointInDegrees": 0.0,
                        "longitudeOfLastGridPointInDegrees": float(fields["lon"][-1]),
                        "iDirectionIncrementInDegrees": 360 / LON,
                        "jDirectionIncrementInDegrees": 180 / LAT,
                        "shortName": name, "level": level, "bitsPerValue": 16,
                        "dataDate": 20000101 + number // 24, "dataTime": number % 24 * 100,
                    }  # fmt: skip
                    for key, value in keys.items():
                        eccodes.codes_set(handle, key, value)
                    values = field if level == levels[0] else field / 2
                    eccodes.codes_set_values(handle, values.astype("float64").ravel())
                    eccodes.codes_write(handle, file)
                    eccodes.codes_release(handle)


def the_well(folder: Path) -> Made:
    """PlanetSWE by h5py, attribute by attribute as the dataset's own script writes it.

    The package `the_well` reads such files, and has no writer but for dummies.
    """
    # Its theta is that of Dedalus: from the south pole, in single precision.
    high = frames()["vorticity"].values * 1e5 + 10_000
    with h5py.File(folder / "run.hdf5", "w") as file:
        file.attrs["dataset_name"] = "planetswe"
        file.attrs["n_spatial_dims"] = 2
        file.attrs["n_trajectories"] = 3
        file.attrs["simulation_parameters"] = []
        file.attrs["grid_type"] = "equiangular"
        dimensions = file.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = ["theta", "phi"]
        coordinates = {
            "time": np.arange(NUM_FRAMES),
            "phi": np.arange(LON) * 2 * np.pi / LON,
            "theta": np.radians(90 - frames()["lat"].values),
        }
        for name, values in coordinates.items():
            dataset = dimensions.create_dataset(name, data=values, dtype="f4")
            dataset.attrs["sample_varying"] = False
            if name != "time":
                dataset.attrs["time_varying"] = False
        fields = {"t0_fields": ("height", ()), "t1_fields": ("velocity", (2,)), "t2_fields": None}
        for group, field in fields.items():
            file.create_group(group).attrs["field_names"] = [field[0]] if field else []
            if field:
                name, components = field
                values = np.zeros((3, *high.shape, *components), "f4")
                values[...] = high[..., None] / 1000 if components else high
                values[1:] += 1
                dataset = file[group].create_dataset(name, data=values, dtype="f4")
                dataset.attrs["time_varying"] = dataset.attrs["sample_varying"] = True
                dataset.attrs["dim_varying"] = [True, True]
        file.create_group("scalars").attrs["field_names"] = []
        conditions = file.create_group("boundary_conditions")
        for dim, name, kind in (("phi", "x_periodic", "PERIODIC"), ("theta", "y_open", "OPEN")):
            condition = conditions.create_group(name)
            condition.attrs["associated_dims"] = [dim]
            condition.attrs["associated_fields"] = []
            condition.attrs["bc_type"] = kind
            condition.attrs["sample_varying"] = condition.attrs["time_varying"] = False
            mask = np.zeros(len(coordinates[dim]), bool)
            mask[[0, -1]] = True
            condition.create_dataset("mask", data=mask)
    return Made(["run.hdf5"], high)


def pdebench(folder: Path) -> Made:
    """2D_rdb by h5py, with the calls of PDEBench's own `save_state_to_disk`.

    The package pins versions of torch, numpy and clawpack that nothing here runs with.
    """
    axis = -2.5 + 5 / 32 * (np.arange(32) + 0.5)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    times = np.linspace(0, 1, NUM_FRAMES)
    depths = []
    with h5py.File(folder / "run.h5", "w") as file:
        for sample in range(3):
            radius = 0.5 + 0.1 * sample + times[:, None, None]
            depth = 1 + 1 / (1 + np.exp(4 * (np.hypot(x, 1.1 * y) - radius)))
            file.create_dataset(f"{sample:04}/data", data=depth[..., None], dtype="f")
            file.create_dataset(f"{sample:04}/grid/x", data=axis, dtype="f")
            file.create_dataset(f"{sample:04}/grid/y", data=axis, dtype="f")
            file.create_dataset(f"{sample:04}/grid/t", data=times, dtype="f")
            depths.append(depth)
    return Made(["run.h5"], depths[0].swapaxes(1, 2))


def dedalus(name: str) -> Callable[[Path], Made]:
    def copy(folder: Path) -> Made:
        files = [f"{name}_s1.h5", f"{name}_s2.h5"]
        parts = []
        for file in files:
            shutil.copy(REPOSITORY / "tests" / "data" / file, folder / file)
            with h5py.File(folder / file) as opened:
                parts.append(opened["tasks"]["h"][()])
        # (t, phi, theta), theta from pi to 0; (t, x, y)
        return Made(files, np.concatenate(parts).swapaxes(1, 2))

    return copy


def pixels() -> np.ndarray:
    """Frames (time, rows, columns) of 8 bits, rows from the top."""
    rows, columns = np.mgrid[:32, :48]
    moving = np.arange(NUM_FRAMES)[:, None, None] / NUM_FRAMES
    waves = np.sin(2 * np.pi * (columns / 48 + rows / 64 + moving))
    return (127 + 100 * waves).astype("uint8")


def video(suffix: str, codec: str, pixel_format: str, tolerance: float = 0.05, **options):
    def encode(folder: Path) -> Made:
        with av.open(folder / f"run.{suffix}", "w") as container:
            stream = container.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = 48, 32, pixel_format
            for picture in pixels():
                frame = av.VideoFrame.from_ndarray(picture, format="gray")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return Made([f"run.{suffix}"], pixels()[:, ::-1], tolerance)

    return encode


def images(folder: Path) -> Made:
    """Pillow; the names have numbers without leading zeros."""
    (folder / "run").mkdir()
    for number, picture in enumerate(pixels()):
        Image.fromarray(picture).save(folder / "run" / f"frame_{number}.png")
    return Made(["run"], pixels()[:, ::-1])


def planar(folder: Path) -> Made:
    """netCDF4-python: a plane in metres, x and y by their axis attributes."""
    plane = frames().rename(lat="yc", lon="xc")
    metres = {"yc": np.arange(LAT) * 500.0, "xc": np.arange(LON) * 500.0}
    plane = plane.assign_coords(
        {n: (n, v, {"units": "m", "axis": n[0].upper()}) for n, v in metres.items()}
    )
    plane.to_netcdf(folder / "run.nc", engine="netcdf4")
    return made(["run.nc"], frames())


MAKERS: dict[str, Callable[[Path], Made]] = {
    "netcdf3": netcdf3,
    "netcdf4_packed": netcdf4_packed,
    "netcdf_many": netcdf_many,
    "zarr2": lambda folder: zarr(folder, 2, zipped=False),
    "zarr3": lambda folder: zarr(folder, 3, zipped=False),
    "zarr2_zip": lambda folder: zarr(folder, 2, zipped=True),
    "zarr3_zip": lambda folder: zarr(folder, 3, zipped=True),
    "grib": grib,
    "the_well": the_well,
    "pdebench": pdebench,
    "dedalus_sphere": dedalus("sphere"),
    "dedalus_plane": dedalus("plane"),
    "video_mp4": video("mp4", "libx264", "yuv420p", crf="12"),
    "video_mkv": video("mkv", "ffv1", "gray", 0),
    "video_avi": video("avi", "mjpeg", "yuvj420p", 0.1, q="2"),
    "video_avi_b_frames": video("avi", "libx264", "yuv420p", crf="12", bf="2"),
    "images": images,
    "planar": planar,
}
