"""Each source on a genuine small file: inspect, paste, extract, and the same values come out."""

import logging
import re
import shutil
from pathlib import Path

import av
import h5py
import numpy as np
import pytest
import xarray as xr
import yaml
from documented import PAGE, documented, printed
from PIL import Image
from source_files import MAKERS, NUM_FRAMES, Made, frames, pixels, write_grib
from tiny import config, tiny_frames

from swsr.__main__ import main
from swsr.components import mirror_signs
from swsr.geometry import Geometry
from swsr.provenance import COMPRESSION, FILTER, compression_of
from swsr.settings import Reading, Settings, matching_files, split_entry
from swsr.sources import video
from swsr.sources.files import open_files
from swsr.zarr_io import PREDICTORS, open_frames

EDGES = {
    "the_well": ("pole", "periodic"),
    "pdebench": ("edge", "edge"),
    "dedalus_sphere": ("pole", "periodic"),
    "dedalus_plane": ("edge", "edge"),
    "images": ("edge", "edge"),
    "planar": ("edge", "edge"),
} | {name: ("edge", "edge") for name in MAKERS if name.startswith("video")}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of the user, which paths are relative to."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inspected(capsys, *files) -> dict:
    """The source section that `inspect` prints."""
    capsys.readouterr()
    assert main(["inspect", *map(str, files)]) == 0
    return yaml.safe_load(capsys.readouterr().out)["source"]


def extracted(source: dict, role="train", **sections):
    """The frames that the workflow would extract for the first series of a source section."""
    settings = Settings.from_mapping(config(source=source, **sections))
    name, entry = next(iter(settings.series(role).items()))
    _, sample = split_entry(entry)
    files = matching_files(entry)
    Path("extract.json").write_text(settings.for_stage("extract").to_json())
    chosen = () if sample is None else ("--sample", str(sample))
    output = Path("out") / f"{name}.json"
    arguments = ("--settings", "extract.json", "--files", *files, *chosen, "--output", str(output))
    assert main(["extract", *arguments, "--log", "extract.log"]) == 0
    logging.shutdown()
    return open_frames(output, predictors=bool(settings.source.predictors))


def assert_is(chosen, made: Made):
    (name,) = chosen.data_vars
    assert chosen[name].dims == ("time", "lat", "lon")
    assert chosen[name].dtype == np.float32
    room = (made.tolerance + 1e-6) * np.abs(made.truth).max()
    np.testing.assert_allclose(chosen[name], made.truth, rtol=0, atol=room)
    for dim in ("lat", "lon"):
        assert (np.diff(chosen[dim]) > 0).all()


@pytest.mark.parametrize("name", MAKERS)
def test_inspect_paste_extract(folder, capsys, name):
    made = MAKERS[name](folder)
    chosen = extracted(inspected(capsys, *made.files))
    assert_is(chosen, made)
    geometry = Geometry.of(chosen)
    assert (geometry.lat, geometry.lon) == EDGES.get(name, ("pole", "periodic"))
    assert "(detected)" in Path("extract.log").read_text()


def test_samples_of_one_file_train_and_test(folder, capsys):
    MAKERS["pdebench"](folder)
    source = inspected(capsys, "run.h5")
    assert (source["train"], source["test"]) == (["run.h5#0:2"], ["run.h5#2"])
    first, last = extracted(source), extracted(source, role="test")
    assert float(abs(first["depth"] - last["depth"]).max()) > 0.1


def test_files_that_are_not_one_series_are_several(folder, capsys):
    for name in ("one.nc", "two.nc"):
        frames().to_netcdf(name)
    assert inspected(capsys, "one.nc", "two.nc")["train"] == ["one.nc", "two.nc"]
    assert main(["inspect", "one.nc", "two.nc"]) == 0
    assert "# 2 series, because they are not one: two.nc: begins at 2000" in capsys.readouterr().out


def test_a_study_may_be_named_by_numbers_and_a_missing_file_is_none(folder, capsys):
    frames().to_netcdf("2000_01.nc")
    assert main(["inspect", "2000_01.nc"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["study"] == "2000"
    assert main(["inspect", "2000_01.nc", "gone.nc"]) == 1
    assert "gone.nc: no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kinds", "edge"),
    [(["PERIODIC"], "periodic"), (["WALL"], "edge"), (["PERIODIC", "WALL"], "edge")],
)
def test_a_plane_of_the_well_is_as_periodic_as_its_boundaries(folder, kinds, edge):
    with h5py.File("run.hdf5", "w") as file:
        file["dimensions/time"] = np.arange(12)
        file["dimensions/x"] = file["dimensions/y"] = np.arange(16) / 16
        file["dimensions"].attrs["spatial_dims"] = ["x", "y"]
        file["t0_fields/h"] = np.random.default_rng(0).random((1, 12, 16, 16), "f4")
        for kind in kinds:
            condition = file.create_group(f"boundary_conditions/{kind}")
            condition.attrs["associated_dims"], condition.attrs["bc_type"] = ["x", "y"], kind
    source = {"kind": "files", "variables": ["h"], "train": ["run.hdf5"], "test": []}
    geometry = Geometry.of(extracted(source))
    assert (geometry.lat, geometry.lon) == (edge, edge)


def test_a_row_is_left_out_where_the_scale_does_not_divide(folder, capsys):
    """Latitudes with points on the poles, as of reanalyses."""
    poles = np.linspace(90, -90, 25)
    odd = tiny_frames(lat=25).assign_coords(lat=("lat", poles, {"units": "degrees_north"}))
    odd.to_netcdf("run.nc")
    chosen = extracted(inspected(capsys, "run.nc"))
    np.testing.assert_allclose(chosen["lat"], poles[:-1][::-1])


def test_one_entry_of_each_further_dim_is_chosen(folder, capsys):
    members = xr.concat([frames(), 2 * frames()], "member").assign_coords(member=[3, 4])
    members.expand_dims(level=[850.0, 500.0, 200.0]).to_netcdf("run.nc")
    source = inspected(capsys, "run.nc")
    assert source["select"] == {"level": 850, "member": 3}
    assert_is(extracted(source), Made(["run.nc"], frames()["vorticity"].values))
    assert main(["inspect", "run.nc"]) == 0
    assert "# of level 850.0, 500.0, 200.0; of member 3, 4\n" in capsys.readouterr().out


def test_samples_along_a_dim_that_the_user_names(folder):
    both = xr.concat([frames(), 2 * frames()], "member")
    both.to_netcdf(folder / "run.nc")
    source = {"kind": "files", "train": ["run.nc#1"], "test": [], "dims": {"sample": "member"}}
    assert_is(extracted(source), Made(["run.nc"], 2 * frames()["vorticity"].values))


def test_what_another_study_noted_of_its_frames_is_not_carried_on(folder):
    """A result of frames that went through a codec is a simulation like any other."""
    notes = {COMPRESSION: '{"codec": "h264"}', FILTER: "mean", "title": "jets"}
    notes[PREDICTORS] = ["vorticity", "u"]
    frames().assign_attrs(notes).to_netcdf(folder / "run.nc")
    chosen = extracted({"kind": "files", "train": ["run.nc"], "test": []})
    assert chosen.attrs.keys() & notes.keys() == {"title"}
    assert list(chosen.data_vars) == ["vorticity"]


def test_scalars_of_an_hdf5_file_may_be_components_by_their_names(folder):
    with h5py.File("run.hdf5", "w") as file:
        file["dimensions/time"] = np.arange(12)
        file["dimensions/x"] = file["dimensions/y"] = np.arange(16) / 16
        file["dimensions"].attrs["spatial_dims"] = ["x", "y"]
        for name in ("u", "h"):
            file[f"t0_fields/{name}"] = np.random.default_rng(0).random((1, 12, 16, 16), "f4")
    source = {"kind": "files", "variables": ["u", "h"], "train": ["run.hdf5"], "test": []}
    chosen = extracted(source)
    assert [mirror_signs(chosen[name]) for name in ("u", "h")] == [(1, -1), (1, 1)]


def test_components_of_vectors_change_sign_across_a_pole(folder):
    MAKERS["the_well"](folder)
    names = ["height", "velocity_0", "velocity_1"]
    source = {"kind": "files", "variables": names, "train": ["run.hdf5#0"], "test": []}
    chosen = extracted(source)
    assert Geometry.of(chosen).vectors == (False, True, True)
    assert list(chosen.data_vars) == names
    assert [mirror_signs(chosen[name]) for name in names] == [(1, 1), (1, -1), (-1, 1)]


def test_components_of_dedalus_are_along_x_and_y(folder):
    """Of h = cos(pi x / 2) + sin(pi y), which the first frame is."""
    MAKERS["dedalus_plane"](folder)
    source = {
        "kind": "files",
        "variables": ["slope_0", "slope_1"],
        "train": ["plane_s*.h5"],
        "test": [],
    }
    first = extracted(source | {"periodic": ["lat", "lon"]}).isel(time=0)
    along_x = -np.pi / 2 * np.sin(np.pi / 2 * first["lon"]) + 0 * first["lat"]
    along_y = np.pi * np.cos(np.pi * first["lat"]) + 0 * first["lon"]
    np.testing.assert_allclose(first["slope_0"], along_x.transpose("lat", "lon"), atol=1e-6)
    np.testing.assert_allclose(first["slope_1"], along_y.transpose("lat", "lon"), atol=1e-6)
    assert mirror_signs(first["slope_0"]) == (1, -1)
    assert mirror_signs(first["slope_1"]) == (-1, 1)


def test_part_of_the_files_in_other_units(folder):
    values = frames()["vorticity"].values
    levels = frames().expand_dims(level=[850.0, 500.0], axis=1)
    levels.isel(lat=slice(None, None, -1)).to_netcdf(folder / "run.nc")
    source = {
        "kind": "files", "train": ["run.nc"], "test": [], "every": 2,
        "select": {"level": 500, "time": ["2000-01-01T04", "2000-01-01T20"], "lat": [-60, 60],
                   "lon": [-60, 60]},
        "units": {"vorticity": "1e-5 day-1"},
    }  # fmt: skip
    chosen = extracted(source)
    assert chosen["vorticity"].attrs["units"] == "1e-5 day-1"
    lat = np.flatnonzero(np.abs(frames()["lat"].values) <= 60)
    wanted = np.roll(values, 8, axis=2)[4:21:2, lat[0] : lat[-1] + 1, :17] * 86400 * 1e5
    np.testing.assert_allclose(chosen["vorticity"], wanted, rtol=1e-5)
    np.testing.assert_allclose(chosen["lon"], np.arange(-60, 61, 7.5))
    assert Geometry.of(chosen).lon == "edge"


HEIGHTS = np.random.default_rng(0).random((24, 48), dtype="float32")


def with_ground():
    """Frames with heights of the ground, which have no time, latitude downward."""
    ground = frames()
    ground["ground"] = (("lat", "lon"), HEIGHTS, {"units": "m"})
    return ground.isel(lat=slice(None, None, -1))


def to_the_well(frames, folder):
    """PlanetSWE's layout, in which a field says itself that it varies in nothing but space."""
    MAKERS["the_well"](folder)
    with h5py.File("run.hdf5", "a") as file:
        upward = frames["ground"].values[::-1]  # as its own theta
        field = file["t0_fields"].create_dataset("ground", data=upward)
        field.attrs["time_varying"] = field.attrs["sample_varying"] = False


def to_several(frames, folder):
    for number, part in enumerate((slice(12), slice(12, None))):
        frames.isel(time=part).to_netcdf(folder / f"run_{number}.nc")


def to_zarr(frames, folder):
    frames.to_zarr(folder / "run.zarr", consolidated=False)


def to_netcdf(frames, folder):
    frames.to_netcdf(folder / "run.nc")


@pytest.mark.parametrize(
    ("write", "train", "variable"),
    [
        (to_netcdf, "run.nc", "vorticity"),
        (to_zarr, "run.zarr", "vorticity"),
        (to_several, "run_*.nc", "vorticity"),
        (to_the_well, "run.hdf5#1", "height"),
    ],
)
def test_a_predictor_without_time_is_the_same_in_each_frame(folder, write, train, variable):
    write(with_ground(), folder)
    source = {"kind": "files", "variables": [variable], "train": [train], "test": []}
    chosen = extracted(source | {"predictors": ["ground"]})
    assert list(chosen.data_vars) == [variable, "ground"]
    assert chosen.attrs[PREDICTORS] == ["ground"]
    assert chosen["ground"].dims == ("time", "lat", "lon")
    np.testing.assert_array_equal(chosen["ground"], np.stack([HEIGHTS] * NUM_FRAMES))
    xr.testing.assert_equal(chosen[[variable]], extracted(source))


def test_a_part_and_units_are_of_predictors_too(folder):
    """With levels and times or without."""
    levels = with_ground()
    levels["u"] = levels["vorticity"].expand_dims(level=[850.0, 500.0], axis=1) * [[[[1]], [[3]]]]
    levels["u"].attrs["units"] = "m s-1"
    levels.to_netcdf("run.nc")
    source = {
        "kind": "files", "train": ["run.nc"], "test": [], "predictors": ["u", "ground"], "every": 2,
        "select": {"level": 500, "time": ["2000-01-01T04", "2000-01-01T20"], "lat": [-60, 60],
                   "lon": [-60, 60]},
        "units": {"u": "km h-1", "ground": "km"},
    }  # fmt: skip
    chosen = extracted(source)
    lat = np.flatnonzero(np.abs(frames()["lat"].values) <= 60)
    rows = slice(lat[0], lat[-1] + 1)
    wind = 3 * 3.6 * np.roll(frames()["vorticity"].values, 8, axis=2)[4:21:2, rows, :17]
    np.testing.assert_allclose(chosen["u"], wind, rtol=1e-5)
    ground = np.roll(HEIGHTS, 8, axis=1)[rows, :17] / 1000
    np.testing.assert_allclose(chosen["ground"], np.stack([ground] * 9), rtol=1e-6)
    assert [chosen[name].attrs["units"] for name in ("u", "ground")] == ["km h-1", "km"]


def test_units_of_a_file_that_has_none(folder):
    MAKERS["pdebench"](folder)
    source = {"kind": "files", "variables": ["depth"], "train": ["run.h5#0"], "test": []}
    chosen = extracted(source | {"units": {"depth": "m"}})
    assert chosen["depth"].attrs["units"] == "m"
    assert float(chosen["depth"].max()) < 3


@pytest.mark.parametrize(
    ("periodic", "edges"),
    [([], ("edge", "edge")), (["lon"], ("edge", "periodic")), (["lat", "lon"], ("periodic",) * 2)],
)
def test_a_plane_is_as_periodic_as_the_user_says(folder, periodic, edges):
    MAKERS["planar"](folder)
    source = {"kind": "files", "train": ["run.nc"], "test": [], "periodic": periodic}
    chosen = extracted(source)
    assert (Geometry.of(chosen).lat, Geometry.of(chosen).lon) == edges
    assert chosen["lat"].attrs["units"] == "m"
    assert "standard_name" not in chosen["lat"].attrs


@pytest.mark.parametrize("units", ["radians", "rad", "deg"])
def test_angles_are_known_by_their_units_where_the_user_names_the_dims(folder, units):
    plain = tiny_frames()
    factor = 1 if units == "deg" else np.pi / 180
    angles = {dim: (dim, plain[dim].values * factor, {"units": units}) for dim in ("lat", "lon")}
    plain.assign_coords(angles).rename(lat="ya", lon="xa").to_netcdf("run.nc")
    source = {"kind": "files", "variables": ["vorticity"], "train": ["run.nc"], "test": []}
    chosen = extracted(source | {"dims": {"lat": "ya", "lon": "xa"}})
    assert (Geometry.of(chosen).lat, Geometry.of(chosen).lon) == ("pole", "periodic")
    np.testing.assert_allclose(chosen["lat"], plain["lat"], atol=1e-9)


@pytest.mark.parametrize("channel", ["red", "green", "blue"])
def test_channels_of_colour_pictures_and_videos(folder, channel):
    colours = np.stack([pixels(), pixels() // 2, 255 - pixels()], axis=-1)
    (folder / "run").mkdir()
    with av.open("run.mkv", "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "bgr0"
        for number, picture in enumerate(colours):
            Image.fromarray(picture).save(f"run/{number}.png")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    wanted = colours[:, ::-1, :, ["red", "green", "blue"].index(channel)]
    for entry in ("run", "run.mkv"):
        source = {"kind": "files", "variables": [channel], "train": [entry], "test": []}
        np.testing.assert_array_equal(extracted(source)[channel], wanted)
        shutil.rmtree("out")


def test_a_chunk_of_a_video_decodes_no_more_than_its_key_frames_ask_for(folder, monkeypatch):
    """Ten key frames with 30 frames each: the last frames come from the last of them alone."""
    with av.open("run.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "30", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for picture in np.concatenate([pixels()] * 10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
        container.mux(stream.encode())
    decoded = []
    whole = video._decode

    def counted(*arguments):
        for number, frame in whole(*arguments):
            decoded.append(number)
            yield number, frame

    monkeypatch.setattr(video, "_decode", counted)
    opened = open_files([Path("run.mp4")], Reading.plain(("grey",)))
    assert opened.sizes["time"] == 300
    assert decoded == []
    opened["grey"][292:].compute()
    assert min(decoded) >= 270


def test_pictures_follow_the_numbers_in_their_names(folder):
    MAKERS["images"](folder)
    opened = open_files(
        [Path("run/frame_10.png"), Path("run/frame_9.png")], Reading.plain(("grey",))
    )
    np.testing.assert_array_equal(opened["grey"], pixels()[9:11, ::-1])


def test_files_of_one_frame_each_that_have_their_time_as_a_scalar(folder):
    for number in range(NUM_FRAMES):
        frames().isel(time=number).to_netcdf(f"run_{number}.nc")
    source = {"kind": "files", "train": ["run_*.nc"], "test": []}
    assert_is(extracted(source), Made([], frames()["vorticity"].values))


def test_files_without_times_follow_the_numbers_in_their_names(folder):
    parts = np.array_split(np.arange(NUM_FRAMES), 12)
    for number, part in enumerate(parts, 1):
        frames().drop_vars("time").isel(time=part).to_netcdf(f"run_{number}.nc")
    source = {"kind": "files", "train": ["run_*.nc"], "test": []}
    assert_is(extracted(source), Made([], frames()["vorticity"].values))


def test_a_series_may_leave_the_years_of_nanoseconds(folder):
    """xarray reads the file until 2262 as datetime64 and the next one as dates of cftime."""
    times = xr.date_range("2262-03-28", periods=NUM_FRAMES, freq="D", use_cftime=True)
    long = frames().assign_coords(time=times)
    long["time"].encoding = {"units": "days since 1850-01-01", "calendar": "proleptic_gregorian"}
    for name, part in {"a": slice(10), "b": slice(10, None)}.items():
        long.isel(time=part).to_netcdf(f"run_{name}.nc")
    source = {"kind": "files", "train": ["run_*.nc"], "test": []}
    chosen = extracted(source)
    assert_is(chosen, Made([], frames()["vorticity"].values))
    assert [str(time) for time in chosen["time"].values] == [str(time) for time in times]


def test_an_attribute_of_the_user_is_not_taken_for_ours(folder):
    frames().assign_attrs(compression="deflate 4").to_netcdf("run.nc")
    chosen = extracted({"kind": "files", "train": ["run.nc"], "test": []})
    assert chosen.attrs["compression"] == "deflate 4"
    assert compression_of(chosen.attrs) is None


def test_frames_without_times_are_counted(folder):
    frames().drop_vars("time").to_netcdf("run.nc")
    source = {"kind": "files", "train": ["run.nc"], "test": []}
    chosen = extracted(source)
    assert_is(chosen, Made([], frames()["vorticity"].values))
    np.testing.assert_array_equal(chosen["time"], np.arange(NUM_FRAMES))


def test_a_file_of_one_level_is_read_where_others_have_many(folder):
    choices = Reading.plain(("vorticity",), select={"level": 850})
    levels = xr.concat([frames(), 2 * frames()], "level").assign_coords(level=[500, 850])
    levels.to_netcdf("levels.nc")
    frames().to_netcdf("one.nc")
    chosen = open_files([Path("levels.nc")], choices, may_lack=True)
    np.testing.assert_array_equal(chosen["vorticity"], 2 * frames()["vorticity"])
    chosen = open_files([Path("one.nc")], choices, may_lack=True)
    np.testing.assert_array_equal(chosen["vorticity"], frames()["vorticity"])
    with pytest.raises(ValueError, match=r"source.select.level: dims are"):
        open_files([Path("one.nc")], choices)


@pytest.mark.parametrize("levels", [(500, 1000), (1000,), (1000, 700, 500)])
def test_grib_variables_on_other_levels_are_read_alone_and_together(folder, levels):
    write_grib(folder / "run.grib", {"vo": (850, 500), "z": levels})
    source = {"kind": "files", "train": ["run.grib"], "test": []}
    alone = {"variables": ["vo"], "select": {"isobaricInhPa": 850}}
    assert_is(extracted(source | alone), Made([], frames()["vorticity"].values, 1e-4))
    select = alone["select"] | ({"isobaricInhPa_z": levels[0]} if levels[1:] else {})
    both = extracted(source | {"variables": ["vo", "z"], "select": select})
    np.testing.assert_allclose(both["vo"], both["z"], atol=1e-4 * float(abs(both["vo"]).max()))


def test_forecasts_have_their_time_in_the_step(folder):
    hours = np.arange(NUM_FRAMES).astype("timedelta64[h]").astype("timedelta64[ns]")
    forecast = (
        frames().rename(time="step").assign_coords(step=hours, time=np.datetime64("2000", "ns"))
    )
    forecast.to_netcdf("run.nc")
    source = {"kind": "files", "train": ["run.nc"], "test": [], "dims": {"time": "step"}}
    assert_is(extracted(source), Made([], frames()["vorticity"].values))


def test_inspect_proposes_no_spread_of_an_ensemble(folder, capsys):
    """Stores list their variables in any order."""
    tiny_frames(8, variables=("depth_spread", "depth")).to_netcdf("mean.nc")
    assert inspected(capsys, "mean.nc")["variables"] == ["depth"]
    tiny_frames(8, variables=("depth_spread",)).to_netcdf("alone.nc")
    assert inspected(capsys, "alone.nc")["variables"] == ["depth_spread"]


def test_inspect_proposes_predictors_that_extract_reads(folder, capsys):
    """With time or without, on the points of the variable; no spreads, masks and profiles."""
    frames = tiny_frames(8, variables=("vorticity", "u", "u_spread"))
    ground = frames["u"].isel(time=0, drop=True)
    frames = frames.assign(ground=ground, mask=ground > 0, profile=ground.isel(lon=0, drop=True))
    frames.to_netcdf("run.nc")
    assert main(["inspect", "run.nc"]) == 0
    assert "  # predictors: [u, ground] # some of these" in capsys.readouterr().out


@pytest.mark.parametrize("name", documented())
def test_documentation_shows_what_inspect_prints(tmp_path, name):
    """And `test_inspect_paste_extract` runs it; `python tests/documented.py` writes it anew."""
    assert printed(name, tmp_path) == documented()[name]


def test_selection_of_the_documentation_is_understood():
    (block,) = [
        block
        for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if "every:" in block
    ]
    Settings.from_mapping(config(source=yaml.safe_load(block)["source"]))
