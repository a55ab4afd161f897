"""Files that cannot be used: one clear line that names the file, exit code 1, and no result."""

import shutil
import wave
from pathlib import Path

import av
import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr
from PIL import Image
from source_files import MAKERS, frames
from tiny import stage_settings

from swsr.__main__ import main

BAD = {}
PACKING = {"dtype": "int16", "scale_factor": 8e-9, "add_offset": 0.0, "_FillValue": -32767}


def bad(sentence, **source):
    """Register a maker of files of one series, for which `extract` must say this sentence."""

    def register(maker):
        BAD[maker.__name__] = (maker, sentence, source)
        return maker

    return register


def cut(path: Path, share: float) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path.name


def changed(path: Path, key: str, change) -> list[str]:
    """Put something else in the place of a dataset of an HDF5 file, without its attributes."""
    with h5py.File(path, "a") as file:
        values = change(file[key][:])
        del file[key]
        file[key] = values
    return [path.name]


@bad("run.nc: cannot be opened: cut off")
def netcdf3_cut_off(folder):
    frames().to_netcdf(folder / "run.nc", format="NETCDF3_64BIT")
    return [cut(folder / "run.nc", 0.7)]


@bad("run.nc: cannot be opened: cut off")
def netcdf3_of_64_bit_data_cut_off(folder):
    whole = frames()["vorticity"]
    with netCDF4.Dataset(folder / "run.nc", "w", format="NETCDF3_64BIT_DATA") as file:
        for name, size in whole.sizes.items():
            file.createDimension(name, size)
        file.createVariable("vorticity", "f4", whole.dims)[:] = whole.values
    return [cut(folder / "run.nc", 0.7)]


@bad("cannot be")
def netcdf4_cut_off(folder):
    frames().to_netcdf(folder / "run.nc")
    return [cut(folder / "run.nc", 0.9)]


@bad("run.nc: scale_factor of vorticity is 'small', no number")
def packed_with_text_for_a_scale(folder):
    frames().to_netcdf(folder / "run.nc", encoding={"vorticity": PACKING})
    with netCDF4.Dataset(folder / "run.nc", "a") as file:
        file["vorticity"].setncattr("scale_factor", "small")
    return ["run.nc"]


@bad("run.nc: scale_factor of vorticity is nan, no number")
def packed_with_a_scale_that_is_not_finite(folder):
    frames().to_netcdf(folder / "run.nc", encoding={"vorticity": PACKING})
    with netCDF4.Dataset(folder / "run.nc", "a") as file:
        file["vorticity"].setncattr("scale_factor", np.nan)
    return ["run.nc"]


@bad("vorticity is not finite at 48 points of frame 7")
def fill_values(folder):
    gaps = frames()
    gaps["vorticity"][7, 3] = np.nan
    gaps.to_netcdf(folder / "run.nc", encoding={"vorticity": {"_FillValue": -999.0}})
    return ["run.nc"]


@bad("two.nc: its lat are not those of one.nc")
def two_grids(folder):
    frames().isel(time=slice(10)).to_netcdf(folder / "one.nc")
    frames().isel(time=slice(10, None), lat=slice(1, None)).to_netcdf(folder / "two.nc")
    return ["one.nc", "two.nc"]


@bad("two.nc: vorticity is in '1e-5 s-1', but in 's-1' in one.nc")
def two_units(folder):
    frames().isel(time=slice(10)).to_netcdf(folder / "one.nc")
    other = frames().isel(time=slice(10, None))
    other["vorticity"].attrs["units"] = "1e-5 s-1"
    other.to_netcdf(folder / "two.nc")
    return ["one.nc", "two.nc"]


@bad("two.nc: has no times, but one.nc has some")
def times_in_one_file_of_two(folder):
    frames().isel(time=slice(10)).to_netcdf(folder / "one.nc")
    frames().isel(time=slice(10, None)).drop_vars("time").to_netcdf(folder / "two.nc")
    return ["one.nc", "two.nc"]


@bad("two.nc: no variable 'vorticity'")
def variable_in_the_first_file_only(folder):
    frames().isel(time=slice(10)).to_netcdf(folder / "one.nc")
    frames().isel(time=slice(10, None)).rename(vorticity="vo").to_netcdf(folder / "two.nc")
    return ["one.nc", "two.nc"]


def ground(folder, *names):
    """Frames in files, the first of which has heights of the ground too, without time."""
    for number, name in enumerate(names):
        part = frames().isel(time=slice(10 * number, 10 * number + 10))
        part.assign({} if number else {"ground": part["vorticity"][0]}).drop_vars(
            ["time"] if len(names) == 1 else []
        ).to_netcdf(folder / name)
    return list(names)


@bad("run.nc: variable 'ground' has no dim 'time'", variables=["vorticity", "ground"])
def variable_without_time(folder):
    return ground(folder, "run.nc")


@bad("run.nc: no variable 'heights'", predictors=["heights"])
def predictor_that_is_not_there(folder):
    return ground(folder, "run.nc")


@bad("two.nc: no variable 'ground'", predictors=["ground"])
def predictor_in_the_first_file_only(folder):
    return ground(folder, "one.nc", "two.nc")


@bad("ground is not finite at 48 points of frame", predictors=["ground"])
def predictor_with_fill_values(folder):
    gaps = frames().assign(ground=frames()["vorticity"][0].drop_vars("time"))
    gaps["ground"][3] = np.nan
    gaps.to_netcdf(folder / "run.nc")
    return ["run.nc"]


def two_kinds_of_times(folder, first, second):
    for name, times in (("one.nc", first), ("two.nc", second)):
        frames().isel(time=slice(10)).assign_coords(time=times).to_netcdf(folder / name)
    return ["one.nc", "two.nc"]


@bad("two.nc: its times are plain numbers, but Gregorian dates in one.nc: give them separately")
def dates_and_numbers(folder):
    return two_kinds_of_times(folder, frames()["time"][:10].values, np.arange(10.0))


@bad("two.nc: its times are dates of the calendar 360_day, but dates of the calendar noleap in one")
def dates_of_two_calendars(folder):
    days = [
        xr.date_range("2000-01-01", periods=10, calendar=calendar, use_cftime=True)
        for calendar in ("noleap", "360_day")
    ]
    return two_kinds_of_times(folder, *days)


@bad("two.nc: its times are dates of the calendar noleap, but Gregorian dates in one.nc")
def dates_of_the_usual_and_of_another_calendar(folder):
    days = xr.date_range("2001-01-01", periods=10, calendar="noleap", use_cftime=True)
    return two_kinds_of_times(folder, frames()["time"][:10].values, days)


@bad("the step after frame 9 differs")
def gap_between_files(folder):
    frames().isel(time=slice(10)).to_netcdf(folder / "one.nc")
    frames().isel(time=slice(12, None)).to_netcdf(folder / "two.nc")
    return ["one.nc", "two.nc"]


@bad("two.nc: begins at 2000-01-01T10:00, but one.nc goes on until 2000-01-01T11:00")
def files_that_overlap(folder):
    frames().isel(time=slice(12)).to_netcdf(folder / "one.nc")
    frames().isel(time=slice(10, None)).to_netcdf(folder / "two.nc")
    return ["one.nc", "two.nc"]


@bad("0 frames, fewer than")
def files_without_frames(folder):
    frames().isel(time=slice(0)).to_netcdf(folder / "one.nc")
    frames().isel(time=slice(0)).to_netcdf(folder / "two.nc")
    return ["one.nc", "two.nc"]


@bad("lat is neither ascending nor descending")
def latitude_in_no_order(folder):
    order = [1, 0, *range(2, 24)]
    frames().isel(lat=order).to_netcdf(folder / "run.nc")
    return ["run.nc"]


@bad("lat is neither ascending nor descending")
def latitude_not_a_number(folder):
    lat = frames()["lat"].values.copy()
    lat[4] = np.nan
    frames().assign_coords(lat=("lat", lat, {"units": "degrees_north"})).to_netcdf(folder / "a.nc")
    return ["a.nc"]


@bad("no dim looks like lat")
def curvilinear_grid(folder):
    values = frames()["vorticity"].values
    with netCDF4.Dataset(folder / "run.nc", "w") as file:
        for name, size in zip(("time", "nj", "ni"), values.shape, strict=True):
            file.createDimension(name, size)
        file.createVariable("time", "f8", ("time",))[:] = np.arange(len(values))
        file["time"].units = "hours since 2000-01-01"
        for name, units in (("lat", "degrees_north"), ("lon", "degrees_east")):
            file.createVariable(name, "f8", ("nj", "ni"))[:] = np.ones(values.shape[1:])
            file[name].units = units
        file.createVariable("vorticity", "f4", ("time", "nj", "ni"))[:] = values
        file["vorticity"].coordinates = "lat lon"
    return ["run.nc"]


@bad("neither a Zarr store nor holds pictures")
def folder_that_is_no_zarr(folder):
    (folder / "run.zarr").mkdir()
    (folder / "run.zarr" / "notes.txt").write_text("nothing")
    return ["run.zarr"]


@bad("cannot be opened as zarr")
def zarr_with_broken_metadata(folder):
    frames().to_zarr(folder / "run.zarr", consolidated=False)
    (folder / "run.zarr" / "zarr.json").write_text('{"zarr_format": 3,')
    return ["run.zarr"]


@bad("cannot be read")
def zarr_with_a_broken_chunk(folder):
    frames().to_zarr(folder / "run.zarr", consolidated=False)
    chunk = next(
        path for path in (folder / "run.zarr" / "vorticity" / "c").rglob("0") if path.is_file()
    )
    chunk.write_bytes(chunk.read_bytes()[:50])
    return ["run.zarr"]


@bad("a zip that holds no Zarr store")
def zip_of_something_else(folder):
    (folder / "inside").mkdir()
    (folder / "inside" / "run.txt").write_text("nothing")
    shutil.make_archive(folder / "run", "zip", folder / "inside")
    return ["run.zip"]


@bad("cannot be opened")
def zip_cut_off(folder):
    MAKERS["zarr3_zip"](folder)
    return [cut(folder / "run.zip", 0.5)]


@bad("cannot be opened as grib", variables=["vo"])
def grib_that_only_begins_so(folder):
    (folder / "run.grib").write_bytes(b"GRIB and then nothing of the kind")
    return ["run.grib"]


@bad("run.grib: cannot be opened as grib: cut off", variables=["vo"], select={"isobaricInhPa": 850})
def grib_cut_off(folder):
    MAKERS["grib"](folder)
    return [cut(folder / "run.grib", 0.501)]


@bad("cannot be opened as grib", format="grib")
def netcdf_that_the_config_calls_grib(folder):
    frames().to_netcdf(folder / "run.nc")
    return ["run.nc"]


@bad("3 samples along 'sample': name one, as in", variables=["height"])
def sample_not_named(folder):
    return MAKERS["the_well"](folder).files


@bad("dimensions/theta is missing", variables=["height"])
def the_well_without_a_dim(folder):
    MAKERS["the_well"](folder)
    with h5py.File(folder / "run.hdf5", "a") as file:
        del file["dimensions/theta"]
    return ["run.hdf5"]


@bad("t0_fields/height has 24 points of theta, dimensions/theta 12", variables=["height"])
def the_well_with_half_a_dim(folder):
    MAKERS["the_well"](folder)
    return changed(folder / "run.hdf5", "dimensions/theta", lambda theta: theta[::2])


@bad("t0_fields/height has 3 dims, but its attributes say", variables=["height"])
def the_well_field_without_samples(folder):
    MAKERS["the_well"](folder)
    return changed(folder / "run.hdf5", "t0_fields/height", lambda height: height[0])


@bad("sample 0001 has no data of shape (30, 32, 32, 1), as 0000 has", variables=["depth"])
def pdebench_with_two_shapes(folder):
    MAKERS["pdebench"](folder)
    return changed(folder / "run.h5", "0001/data", lambda data: data[:, ::2, ::2])


@bad("0000/grid/t has 29 values, its data 30", variables=["depth"])
def pdebench_with_a_short_time(folder):
    MAKERS["pdebench"](folder)
    return changed(folder / "run.h5", "0000/grid/t", lambda t: t[:-1])


@bad("tasks/h has 4 frames, scales/sim_time 3", variables=["h"])
def dedalus_stopped_while_writing(folder):
    MAKERS["dedalus_plane"](folder)
    with h5py.File(folder / "plane_s1.h5", "a") as file:
        file["scales/sim_time"].resize(3, axis=0)
    return ["plane_s1.h5"]


@bad("no task holds a field in grid space", variables=["h"])
def dedalus_in_coefficients(folder):
    MAKERS["dedalus_plane"](folder)
    with h5py.File(folder / "plane_s1.h5", "a") as file:
        for task in file["tasks"].values():
            task.attrs["grid_space"] = [False, False]
    return ["plane_s1.h5"]


@bad("cannot be opened", variables=["h"])
def hdf5_cut_off(folder):
    MAKERS["dedalus_plane"](folder)
    return [cut(folder / "plane_s1.h5", 0.5)]


@bad("cannot be opened as video", variables=["grey"])
def mp4_cut_off(folder):
    MAKERS["video_mp4"](folder)
    return [cut(folder / "run.mp4", 0.5)]


@bad("cannot be opened as video", variables=["grey"])
def text_called_mp4(folder):
    (folder / "run.mp4").write_text("not a video\n")
    return ["run.mp4"]


@bad("no video stream", variables=["grey"])
def sound_called_avi(folder):
    with wave.open(str(folder / "run.avi"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    return ["run.avi"]


@bad("a video without frames", variables=["grey"])
def video_without_frames(folder):
    with av.open(folder / "run.avi", "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuvj420p"
        container.start_encoding()
    return ["run.avi"]


@bad("the frame rate is not even: the step after frame 11", variables=["grey"])
def video_of_two_rates(folder):
    with av.open(folder / "run.mkv", "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "gray"
        for number in range(24):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48), number, "uint8"), format="gray")
            frame.pts = number + 100 * (number > 11)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return ["run.mkv"]


@bad("frame_3.png: 20 x 20 pixels of uint8, but frame_0.png has 48 x 32", variables=["grey"])
def pictures_of_two_sizes(folder):
    MAKERS["images"](folder)
    Image.new("L", (20, 20)).save(folder / "run" / "frame_3.png")
    return ["run"]


@bad("frame_3.png: cannot be read", variables=["grey"])
def picture_cut_off(folder):
    MAKERS["images"](folder)
    cut(folder / "run" / "frame_3.png", 0.5)
    return ["run"]


@bad("frame_3.png: not a picture", variables=["grey"])
def picture_that_is_empty(folder):
    MAKERS["images"](folder)
    (folder / "run" / "frame_3.png").write_bytes(b"")
    return ["run"]


def plain(folder):
    frames().expand_dims(level=[850.0, 500.0], axis=1).to_netcdf(folder / "run.nc")
    return ["run.nc"]


def level(**source):
    return {"select": {"level": 850}} | source


SELECTIONS = {
    "dim 'level' has 2 entries: choose one by source.select.level": {},
    "source.select.level: no 700": {"select": {"level": 700}},
    "source.select.height: dims are": {"select": {"level": 850, "height": 2}},
    "source.select.lat: no point from 95": {"select": {"level": 850, "lat": [95, 99]}},
    "source.select.lat: 'north' is no number": {"select": {"level": 850, "lat": ["north", 9]}},
    "source.select.time leaves no frame": {"select": {"level": 850, "time": [1999, 1999]}},
    "source.select.time does not fit": {"select": {"level": 850, "time": ["noon", "night"]}},
    "'parsecs per fortnite' is no unit": level(units={"vorticity": "parsecs per fortnite"}),
    "'s-1' cannot be converted to 'm'": level(units={"vorticity": "m"}),
    "4 frames, fewer than": level(every=8),
}


def extract_arguments(folder, files, source):
    settings = stage_settings(folder, "extract", source=source)
    paths = [folder / file for file in files]
    output = folder / "out" / "seed_0.json"
    return "extract", "--settings", settings, "--files", *paths, "--output", output


@pytest.mark.parametrize("name", BAD)
def test_files_that_cannot_be_used(tmp_path, fails, name):
    maker, sentence, source = BAD[name]
    files = maker(tmp_path)
    fails(sentence, *extract_arguments(tmp_path, files, source))
    assert not list((tmp_path / "out").glob("seed_0.*"))


@pytest.mark.parametrize("sentence", SELECTIONS)
def test_selections_that_do_not_fit(tmp_path, fails, sentence):
    fails(sentence, *extract_arguments(tmp_path, plain(tmp_path), SELECTIONS[sentence]))


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [(3, "no sample #3: it has 3, from #0 on"), (None, "3 samples along 'sample'")],
)
def test_samples_that_are_not_there(tmp_path, fails, sample, sentence):
    made = MAKERS["pdebench"](tmp_path)
    arguments = extract_arguments(tmp_path, made.files, {"variables": ["depth"]})
    fails(sentence, *arguments, *(() if sample is None else ("--sample", sample)))


def test_sample_of_a_file_without_samples(tmp_path, fails):
    frames().to_netcdf(tmp_path / "run.nc")
    arguments = extract_arguments(tmp_path, ["run.nc"], {})
    fails("no dim is 'sample'", *arguments, "--sample", 0)


@pytest.mark.parametrize(
    "url", ["https://me:secret@host.org/run.nc", "s3://bucket/run.zarr?X-Amz-Signature=secret"]
)
def test_passwords_are_not_echoed(tmp_path, capsys, fails, url):
    settings = stage_settings(tmp_path, "extract")
    output = tmp_path / "out" / "seed_0.json"
    for arguments in (
        ("extract", "--settings", settings, "--files", url, "--output", output),
        ("inspect", url),
    ):
        fails("no such file", *arguments)
    assert main(["inspect", url]) == 1
    assert "secret" not in capsys.readouterr().err
