"""Frames without truth through trained networks, by one command."""

from dataclasses import replace

import netCDF4
import numpy as np
import pytest
import xarray as xr
from tiny import damage, run_swsr, stage_settings, tiny_frames

from swsr.__main__ import main
from swsr.application import fine_grid
from swsr.checkpoint import Card, load_network, save_network
from swsr.geometry import Geometry
from swsr.grids import Grid
from swsr.inference_stage import Trained
from swsr.networks.build import build_network
from swsr.resampling import bicubic
from swsr.resampling.coarsening import area_means
from swsr.resampling.regridding import resample_coordinate
from swsr.zarr_io import open_frames


@pytest.fixture
def coarse(stores, tmp_path):
    """The low-resolution frames as the file of another model: other names, and upside down."""
    low = open_frames(stores[0]).drop_encoding().drop_attrs(deep=False)
    foreign = low.rename(lat="latitude", lon="longitude", time="t").isel(
        latitude=slice(None, None, -1)
    )
    foreign.to_netcdf(tmp_path / "coarse.nc")
    return tmp_path / "coarse.nc"


def changed(coarse, change):
    """Another file, made from the coarse one."""
    with xr.open_dataset(coarse) as frames:
        change(frames.load()).to_netcdf(coarse.with_name("changed.nc"))
    return coarse.with_name("changed.nc")


def apply(*arguments):
    done = run_swsr("apply", *arguments, "--threads", 1)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_result_is_that_of_the_chain_on_the_fine_grid(stores, networks, coarse, tmp_path):
    low, high = stores
    for name, arguments in {
        "infer_2d": ("--network", networks[0], "--low", low, "--like", high),
        "infer_3d": ("--network", networks[1], "--frames", tmp_path / "infer_2d.json"),
    }.items():
        done = run_swsr(name, *arguments, "--output", tmp_path / f"{name}.json", "--threads", 1)
        assert done.returncode == 0, done.stderr
    apply(networks[0], coarse, tmp_path / "a.zarr")
    apply(networks[0], coarse, tmp_path / "b.nc", "--then", networks[1])
    with (
        xr.open_zarr(tmp_path / "a.zarr", consolidated=False) as two,
        xr.open_dataset(tmp_path / "b.nc") as three,
    ):
        for ours, name in ((two, "infer_2d"), (three, "infer_3d")):
            theirs = open_frames(tmp_path / f"{name}.json")
            for dim in ("time", "lat", "lon"):
                np.testing.assert_allclose(
                    ours[dim].values.astype(float), theirs[dim].values.astype(float), atol=1e-4
                )
            scale = np.abs(theirs["vorticity"]).max()
            xr.testing.assert_allclose(
                ours["vorticity"].drop_vars(ours.coords) / scale,
                theirs["vorticity"].drop_vars(theirs.coords) / scale, atol=1e-5, rtol=0,
            )  # fmt: skip
            assert ours["vorticity"].attrs["units"] == "s-1"
            assert ours["lat"].attrs["standard_name"] == "latitude"
            assert ours.attrs["Conventions"].startswith("CF-")
            assert "coarse.nc" in ours.attrs["history"]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f * 3, r"of the values lie outside, where its result is a guess"),
        (lambda f: f * 0.001, "are the units the same?"),
        (
            lambda f: f.assign_coords(longitude=f["longitude"] / 2),
            "lon every 7.5 degrees, trained at 15",
        ),
    ],
)
def test_frames_unlike_the_training_are_warned_of(networks, coarse, tmp_path, change, sentence):
    with xr.set_options(keep_attrs=True):
        path = changed(coarse, change)
    assert sentence in apply(networks[0], path, tmp_path / "a.zarr")


def test_other_time_steps_matter_to_3d_alone(networks, coarse, tmp_path):
    path = changed(coarse, lambda f: f.isel(t=slice(None, None, 2)))
    assert "frames every" not in apply(networks[0], path, tmp_path / "a.zarr")
    said = apply(networks[0], path, tmp_path / "b.zarr", "--then", networks[1])
    assert "frames every 7200 seconds, trained at 3600" in said


@pytest.mark.parametrize(
    "order", [[*range(9), *range(11, 20)], [*range(9), *range(8, 20)], [*range(9, 20), *range(9)]]
)
def test_times_that_are_not_even_are_refused_where_frames_are_packed(
    networks, coarse, tmp_path, order
):
    """A gap, a frame that is there twice, and parts in the wrong order."""
    path = changed(coarse, lambda f: f.isel(t=order))
    done = run_swsr("apply", networks[0], path, tmp_path / "a.zarr", "--then", networks[1])
    assert done.returncode == 1
    assert "changed.nc: time is not evenly spaced" in done.stderr
    assert not list(tmp_path.glob("*.zarr"))
    apply(networks[0], path, tmp_path / "b.zarr")


def test_a_region_across_longitude_0_is_taken_as_it_is(networks, coarse, tmp_path):
    def region(frames):
        return frames.roll(longitude=5, roll_coords=True).isel(longitude=slice(12))

    apply(networks[0], changed(coarse, region), tmp_path / "a.zarr")
    fine = open_frames(tmp_path / "a.json")  # 24 longitudes from 3.75 on: the first is the 20th
    np.testing.assert_allclose(fine["lon"], 3.75 + 19 * 15 - 3.75 + 7.5 * np.arange(24))


def with_gap(frames):
    frames["vorticity"][9, 3, 4] = np.nan
    return frames


def in_metres(frames):
    for name in ("latitude", "longitude"):
        frames[name].attrs = {"units": "m"}
    return frames.rename(latitude="lat", longitude="lon")


def on_the_poles(frames):
    return frames.assign_coords(latitude=np.linspace(90, -90, frames.sizes["latitude"]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f.rename(vorticity="vo"), "no variable 'vorticity'"),
        (lambda f: f.assign(vorticity=f["vorticity"].assign_attrs(units="m")), "is in 'm', but in"),
        (with_gap, "vorticity is not finite at 1 points of frame 9"),
        (in_metres, "its grid is in 'm', but"),
        (on_the_poles, "has points on the poles"),
        (lambda f: f.expand_dims(level=2), "2 entries: write a file of one of them first"),
    ],
)
def test_frames_of_another_meaning_are_refused(networks, coarse, tmp_path, change, sentence):
    path = changed(coarse, change)
    done = run_swsr("apply", networks[0], path, tmp_path / "a.zarr")
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*.zarr"))


def test_frames_replaced_after_an_interruption_are_all_of_the_new_file(
    networks, coarse, tmp_path, monkeypatch
):
    whole, calls = Trained.apply, []

    def on_a_full_disk(trained, *arguments):
        calls.append(1)
        if len(calls) > 1:
            raise OSError("No space left on device")
        return whole(trained, *arguments)

    arguments = [networks[0], coarse, tmp_path / "a.zarr", "--threads", "1"]
    with monkeypatch.context() as patch:
        patch.setattr(Trained, "apply", on_a_full_disk)
        assert main(["apply", *map(str, arguments)]) == 1
    assert len(list(tmp_path.glob(".a.zarr.*.partial"))) == 1
    changed(coarse, lambda frames: -frames).replace(coarse)
    for name in ("a", "b"):
        apply(networks[0], coarse, tmp_path / f"{name}.zarr")
    ours, fresh = (open_frames(tmp_path / f"{name}.json") for name in ("a", "b"))
    xr.testing.assert_equal(ours, fresh)


def test_networks_of_other_channels_are_not_chained(tmp_path, fails):
    tiny_frames(variables=("vorticity", "u")).to_netcdf(tmp_path / "coarse.nc")
    chain = []
    for network, scale, variables in (
        ("skip_2d", 2, ("vorticity", "u")), ("skip_3d", 1, ("u", "vorticity")),
    ):  # fmt: skip
        card = Card(
            network=network, variables=variables, units=("s-1", "s-1"), scale=scale,
            scaling_minimum=(-1.0, -1.0), scaling_maximum=(1.0, 1.0), settings={}, version={},
            spacing={"lat": 7.5, "lon": 7.5, "units": "degrees", "seconds": 3600.0}, inputs={},
        )  # fmt: skip
        chain.append(tmp_path / f"{network}.safetensors")
        save_network(chain[-1], build_network(network, 2, scale), card)
    fails(
        "skip_3d.safetensors: takes ['u', 'vorticity'] in this order, but",
        "apply", chain[0], tmp_path / "coarse.nc", tmp_path / "a.zarr", "--then", chain[1],
    )  # fmt: skip


def test_a_3d_network_of_other_frames_is_warned_of(networks, coarse, tmp_path):
    """It was trained on frames of half the distance that these have between their points."""
    sharpening, card = load_network(networks[1])
    spacing = card.spacing | {"lat": card.spacing["lat"] / 2}
    save_network(tmp_path / "other.safetensors", sharpening, replace(card, spacing=spacing))
    said = apply(networks[0], coarse, tmp_path / "a.nc", "--then", tmp_path / "other.safetensors")
    what = "lat every 7.5 degrees, trained at 3.75"
    assert f"other.safetensors: was not trained on what {networks[0]} makes: {what}" in said
    assert "WARNING" not in apply(networks[0], coarse, tmp_path / "b.nc", "--then", networks[1])


def test_too_few_frames_for_3d_are_refused(networks, coarse, tmp_path):
    path = changed(coarse, lambda f: f.isel(t=slice(4)))
    done = run_swsr("apply", networks[0], path, tmp_path / "a.nc", "--then", networks[1])
    assert done.returncode == 1
    assert "4 frames, but" in done.stderr and "makes one of 5" in done.stderr
    assert not list(tmp_path.glob("*a.*"))
    assert "4 frames of" in apply(networks[0], path, tmp_path / "a.nc")


def test_consistent_result_gives_the_coarse_frames_back(networks, coarse, tmp_path):
    with xr.open_dataset(coarse) as frames:
        given = frames["vorticity"].load()[:, ::-1]
    errors = []
    for flags in ((), ("--consistent",)):
        apply(networks[0], coarse, tmp_path / "fine.nc", "--then", networks[1], *flags)
        with xr.open_dataset(tmp_path / "fine.nc") as fine:
            copies = bicubic.downscale(
                fine["vorticity"].values[:, None], 2, Geometry("pole", "periodic")
            )[:, 0]
        errors.append(np.abs(copies - given[2:-2].values).max() / float(np.abs(given).max()))
    assert errors[1] < 1e-5 < 1e-3 < errors[0]


def untrained(name, path, scale=2, **card):
    """A file of an untrained network of ours, which interpolates."""
    card = Card(
        network=name, variables=("vorticity",), units=("s-1",), scale=scale, settings={},
        scaling_minimum=(-1e-4,), scaling_maximum=(1e-4,), version={}, inputs={},
        spacing={"lat": 7.5, "lon": 7.5, "units": "degrees", "seconds": 3600.0}, **card,
    )  # fmt: skip
    save_network(path, build_network(name, 1, scale), card)
    return path


def test_consistent_is_by_the_filter_of_the_training(tmp_path):
    coarse = tiny_frames(3)
    coarse.to_netcdf(tmp_path / "coarse.nc")
    network = untrained("skip_2d", tmp_path / "network.safetensors", filter="mean")
    apply(network, tmp_path / "coarse.nc", tmp_path / "fine.nc", "--consistent")
    with xr.open_dataset(tmp_path / "fine.nc") as fine:
        areas = Grid.of(Geometry.detect(fine).mark(fine)).areas
        means = area_means(fine["vorticity"].values, 2, areas)
    size = float(abs(coarse["vorticity"]).max())
    np.testing.assert_allclose(means, coarse["vorticity"], atol=1e-5 * size)


def test_what_undoes_compression_is_not_made_consistent_with_it(tmp_path, fails):
    small = tiny_frames(3).map(lambda each: each / 2, keep_attrs=True)
    small.to_netcdf(tmp_path / "coarse.nc")
    codec = {"codec": "h264", "quality": 30, "scale": 2}
    network = untrained("skip_2d", tmp_path / "network.safetensors", compression=codec)
    arguments = ("apply", network, tmp_path / "coarse.nc", tmp_path / "fine.nc")
    fails("was trained to undo compression (h264)", *arguments, "--consistent")
    assert not (tmp_path / "fine.nc").exists()
    assert main(list(map(str, arguments))) == 0


def test_joint_network_is_applied_too(tmp_path):
    """Untrained, it gives the frames that the 2D network gives, but the first and the last two."""
    tiny_frames(7).to_netcdf(tmp_path / "coarse.nc")
    found = {}
    for name in ("skip_2d", "skip_joint"):
        network = untrained(name, tmp_path / "network.safetensors")
        apply(network, tmp_path / "coarse.nc", tmp_path / "fine.nc")
        with xr.open_dataset(tmp_path / "fine.nc") as fine:
            found[name] = fine["vorticity"].load()
    assert list(found["skip_joint"]["time"]) == list(found["skip_2d"]["time"][2:-2])
    np.testing.assert_allclose(found["skip_joint"], found["skip_2d"][2:-2], atol=1e-10)


def card_of(**more):
    """A card of a network of vorticity."""
    return Card(
        network="skip_2d", variables=("vorticity",), units=("s-1",), scale=2, settings={},
        scaling_minimum=(-1e-4,), scaling_maximum=(1e-4,), version={}, inputs={}, **more,
    )  # fmt: skip


def test_components_of_vectors_are_those_of_the_training(tmp_path):
    """The coarse file has the variable without the attributes that tell what it is."""
    frames = tiny_frames(3)
    spacing = {"lat": 7.5, "lon": 7.5, "units": "degrees", "seconds": 3600.0}
    results = {}
    for name, trained in {"scalar": (False,), "component": (True,)}.items():
        card = card_of(spacing=spacing, edges=("pole", "periodic"), vectors=trained)
        save_network(tmp_path / "network.safetensors", build_network("skip_2d", 1, 2), card)
        frames.to_netcdf(tmp_path / "plain.nc")
        wind = {"standard_name": "eastward_wind", "units": "s-1"}
        frames.assign(vorticity=frames["vorticity"].assign_attrs(wind)).to_netcdf(
            tmp_path / "wind.nc"
        )
        warned = {}
        for file in ("plain", "wind"):
            output = tmp_path / f"{file}_{name}.nc"
            said = apply(tmp_path / "network.safetensors", tmp_path / f"{file}.nc", output)
            warned[file] = "other components of vectors" in said
            with xr.open_dataset(output) as fine:
                results[file, name] = fine["vorticity"].load()
        assert warned == {"plain": name == "component", "wind": name == "scalar"}
    for name in ("scalar", "component"):
        np.testing.assert_array_equal(results["plain", name], results["wind", name])
    assert np.abs(results["plain", "scalar"] - results["plain", "component"]).max() > 1e-8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("first", [0, 0.4])
def test_copies_of_points_on_the_poles_are_not_refused_for_rounding(scale, dtype, first):
    lat = np.linspace(-90 + first, 90, 192 if not first else 450).astype(dtype)
    lat = lat[len(lat) % scale :]
    low = tiny_frames(1, lat=len(lat) // scale).assign_coords(
        lat=("lat", resample_coordinate(lat, len(lat) // scale).astype(dtype), {"units": "degrees"})
    )
    fine = fine_grid(low, scale, "low.nc")["lat"]
    assert np.abs(fine).max() <= 90
    np.testing.assert_allclose(fine, lat, atol=1e-4)


def test_plane_goes_on_beyond_its_edges_as_in_the_training(tmp_path):
    """Of a periodic plane no point is an edge: shifted frames give shifted results."""
    frames = tiny_frames(3)
    metres = {dim: (dim, np.arange(frames.sizes[dim]), {"units": "m"}) for dim in ("lat", "lon")}
    network = build_network("skip_2d", 1, 2)
    spacing = {"lat": 1.0, "lon": 1.0, "units": "m", "seconds": 3600.0}
    results = {}
    for edges in (("periodic", "periodic"), ("edge", "edge")):
        card = card_of(spacing=spacing, edges=edges)
        save_network(tmp_path / "network.safetensors", network, card)
        found = []
        for shift in (0, 5):
            frames.assign_coords(metres).roll(lat=shift, lon=shift).to_netcdf(tmp_path / "c.nc")
            given = ("--settings", stage_settings(tmp_path, "apply")) if shift else ()
            apply(tmp_path / "network.safetensors", tmp_path / "c.nc", tmp_path / "f.nc", *given)
            with xr.open_dataset(tmp_path / "f.nc") as fine:
                found.append(fine["vorticity"].roll(lat=-2 * shift, lon=-2 * shift).values)
        results[edges] = np.abs(found[0] - found[1]).max() / np.abs(found[0]).max()
    assert results["periodic", "periodic"] < 1e-5 < 1e-2 < results["edge", "edge"]


def test_something_else_is_not_overwritten(networks, coarse, tmp_path):
    tiny_frames(8).to_zarr(tmp_path / "mine.zarr")
    done = run_swsr("apply", networks[0], coarse, tmp_path / "mine.zarr")
    assert done.returncode == 1
    assert "exists, and is not a result of swsr" in done.stderr
    before = coarse.read_bytes()
    done = run_swsr("apply", networks[0], coarse, coarse)
    assert "is what is to be super-resolved" in done.stderr
    (tmp_path / "truth.nc").write_bytes(before)
    done = run_swsr("apply", networks[0], coarse, tmp_path / "truth.nc")
    assert "truth.nc: exists, and is not a result of swsr" in done.stderr
    assert (tmp_path / "truth.nc").read_bytes() == coarse.read_bytes() == before
    done = run_swsr("apply", networks[0], coarse, tmp_path / "fine.tiff")
    assert "give a name that ends with .zarr or .nc" in done.stderr


def test_result_without_its_manifest_is_made_again_but_nobodys_json_removed(
    networks, coarse, tmp_path
):
    """Snakemake removes the manifest before it makes a result again."""
    apply(networks[0], coarse, tmp_path / "fine.zarr")
    (tmp_path / "fine.json").unlink()
    assert "frames of" in apply(networks[0], coarse, tmp_path / "fine.zarr")
    (tmp_path / "mine.json").write_text("{}")
    done = run_swsr("apply", networks[0], coarse, tmp_path / "mine.zarr")
    assert done.returncode == 1
    assert "mine.json: exists, and is not a result of swsr" in done.stderr
    assert (tmp_path / "mine.json").read_text() == "{}"


def test_attributes_of_stored_numbers_do_not_mask_results(networks, coarse, tmp_path):
    """Of a packed file they count in its integers, by which a reader would hide half of ours."""
    ranges = {"valid_range": np.array([0, 32000], "i2"), "actual_range": [0.0, 1.0]}
    file = changed(
        coarse,
        lambda frames: frames.assign(
            vorticity=frames["vorticity"].assign_attrs(**ranges, grid_mapping="crs")
        ).assign_attrs(history="made by a model"),
    )
    with netCDF4.Dataset(file, "a") as opened:
        opened["t"].bounds = "t_bounds"
    apply(networks[0], file, tmp_path / "fine.nc")
    with netCDF4.Dataset(tmp_path / "fine.nc") as fine:
        assert not np.ma.is_masked(fine["vorticity"][:])
        assert not {*ranges, "grid_mapping"} & set(fine["vorticity"].ncattrs())
        assert "bounds" not in fine["time"].ncattrs()
        assert fine.history.endswith("by swsr\nmade by a model")


def test_attributes_of_the_file_are_kept(networks, coarse, tmp_path):
    told = {"title": "a run", "realization_index": 3, "radius_m": 6371229.0}
    file = changed(coarse, lambda frames: frames.assign_attrs(told))
    apply(networks[0], file, tmp_path / "fine.nc")
    with netCDF4.Dataset(tmp_path / "fine.nc") as fine:
        assert {name: fine.getncattr(name) for name in told} == told


def test_files_that_overlap_are_not_joined(networks, coarse, tmp_path):
    for number, part in enumerate((slice(12), slice(10, None))):
        changed(coarse, lambda frames, part=part: frames.isel(t=part)).rename(
            tmp_path / f"part_{number}.nc"
        )
    done = run_swsr("apply", networks[0], tmp_path / "part_*.nc", tmp_path / "fine.nc")
    assert done.returncode == 1
    assert "part_1.nc: begins at 2000-01-01T10" in done.stderr


def test_a_damaged_file_is_said_in_one_line(networks, coarse, tmp_path):
    with xr.open_dataset(coarse) as frames:
        damage(frames.load(), tmp_path / "damaged.nc")
    done = run_swsr("apply", networks[0], tmp_path / "damaged.nc", tmp_path / "fine.nc")
    assert done.returncode == 1
    assert "damaged.nc: cannot be read to its end" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("dim", ["latitude", "longitude"])
def test_one_row_is_refused(networks, coarse, tmp_path, dim):
    file = changed(coarse, lambda frames: frames.isel({dim: slice(1)}))
    done = run_swsr("apply", networks[0], file, tmp_path / "fine.nc")
    assert done.returncode == 1
    assert f"changed.nc: one point of {dim[:3]}" in done.stderr


def test_globes_of_too_few_latitudes_are_refused_by_name(networks, coarse, tmp_path):
    file = changed(coarse, lambda f: f.coarsen(latitude=6, longitude=6).mean())
    done = run_swsr("apply", networks[0], file, tmp_path / "fine.nc")
    assert done.returncode == 1
    assert "changed.nc: 2 latitudes are too few" in done.stderr


def test_latitudes_for_a_network_are_those_that_the_one_before_makes(tmp_path):
    """The second reads 10 beyond a pole, and gets 16."""
    tiny_frames(5, lat=8, lon=16).to_netcdf(tmp_path / "coarse.nc")
    first = untrained("skip_2d", tmp_path / "2d.safetensors")
    then = untrained("fusion_3d", tmp_path / "3d.safetensors", scale=1)
    arguments = ["apply", first, tmp_path / "coarse.nc", tmp_path / "fine.nc", "--then", then]
    assert main(list(map(str, arguments))) == 0
    with xr.open_dataset(tmp_path / "fine.nc") as fine:
        assert dict(fine.sizes) == {"time": 1, "lat": 16, "lon": 32}


def test_hidden_neighbours_of_a_file_are_not_ours_to_remove(networks, coarse, tmp_path):
    hidden = tmp_path / ".fine.json"
    hidden.write_text("{}")
    done = run_swsr("apply", networks[0], coarse, tmp_path / "fine.nc")
    assert done.returncode == 1
    assert ".fine.json: exists, and is not a result of swsr" in done.stderr
    assert hidden.read_text() == "{}"
