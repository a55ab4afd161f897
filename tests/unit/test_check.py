"""What is known of the files of a study before anything runs: series that are unlike are refused."""

import numpy as np
import pytest
from tiny import config, tiny_frames

from swsr.check import check_files
from swsr.settings import Settings

PACKED = ["network_2d", "network_3d_processed"]


def as_wind(frames):
    wind = frames["vorticity"].assign_attrs(standard_name="eastward_wind")
    return frames.assign(vorticity=wind)


def every_other(frames):
    return frames.isel(time=slice(None, None, 2))


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Checks a file to train on and a changed one to test on, or to train on too."""
    monkeypatch.chdir(tmp_path)

    def check(change, methods=PACKED, second="test", **sections):
        for name in ("one.nc", "two.nc"):
            (tmp_path / name).unlink(missing_ok=True)  # another call may have it open
        tiny_frames().to_netcdf("one.nc")
        change(tiny_frames(60)).to_netcdf("two.nc")
        entries = {"train": ["one.nc"], "test": []}
        entries[second] = [*entries[second], "two.nc"]
        source = {"kind": "files"} | entries | sections.pop("source", {})
        patches = {"patch_points": 12}
        settings = Settings.from_mapping(
            config(
                source=source,
                methods=methods,
                train_2d=patches | sections.pop("train_2d", {}),
                train_3d=patches,
                train_joint=patches,
                **sections,
            )
        )
        files = {
            name: [tmp_path / str(entry)]
            for role in ("train", "test")
            for name, entry in settings.series(role).items()
        }
        check_files(settings, files, {}, tmp_path / "source.json")

    return check


def test_series_that_are_alike_pass(check, tmp_path):
    check(lambda frames: frames)
    assert (tmp_path / "source.json").exists()


def test_other_components_of_vectors_are_refused(check, tmp_path):
    """Across a pole, and in mirror images, they have other signs."""
    with pytest.raises(
        ValueError, match=r"two.nc: its components of vectors \['vorticity'\] are not"
    ):
        check(as_wind)
    assert not (tmp_path / "source.json").exists()


def test_waves_are_refused_where_the_grid_has_none(check):
    def region(frames):
        return frames.isel(lon=slice(24))

    with pytest.raises(ValueError, match="nc: spectral interpolation needs a grid between both"):
        check(region, ["spectral", "network_2d"])


def regional(frames):
    """A region of as many points."""
    return frames.assign_coords(lat=frames["lat"] / 2, lon=frames["lon"] / 2)


def test_training_series_with_other_edges_are_refused(check):
    edges = r"{'lat': 'edge', 'lon': 'edge'} are not those of .*one.nc, {'lat': 'pole', 'lon': 'per"
    with pytest.raises(ValueError, match=f"two.nc: its edges {edges}"):
        check(regional, second="train")
    check(regional, second="train", source={"periodic": []})
    check(regional, second="test")


def test_an_odd_number_of_low_resolution_longitudes_around_poles_is_refused(check):
    """The meridian across a pole would lie between two of them."""

    def fifty(frames):
        return tiny_frames(60, lon=50)

    with pytest.raises(ValueError, match=r"two.nc: 50 points of lon make 25 at .*scale 2, an odd"):
        check(fifty)
    with pytest.raises(ValueError, match="all series of a study must be alike"):
        check(fifty, source={"periodic": []})  # no poles: only the other file is another


def test_patches_and_latitudes_are_checked_of_the_networks_that_are_trained(check):
    large, coarse = {"train_2d": {"patch_points": 13}}, {"downscale": {"scale": 4}}
    for sections, words in (
        (large, "train_2d.patch_points is 13, but frames of .*one.nc have only 12"),
        (coarse | {"train_2d": {"patch_points": 6}}, "skip_2d reads 8 beyond a pole"),
    ):
        check(lambda frames: frames, ["network_3d_raw"], **sections)
        applied = {"files": ["coarse.nc"], "method": "network_2d"}
        for more in ({"methods": ["network_2d"]}, {"apply": applied}):
            with pytest.raises(ValueError, match=words):
                check(lambda frames: frames, **{"methods": ["network_3d_raw"]} | sections | more)


def test_other_time_steps_are_refused_where_frames_are_packed(check):
    with pytest.raises(ValueError, match=r"two.nc: a frame every 7200 seconds, but every 3600 in"):
        check(every_other)
    with pytest.raises(ValueError, match="needs one time step"):
        check(every_other, ["network_2d", "joint"])
    check(every_other, ["spectral", "network_2d", "constrained_2d"])


def test_time_steps_are_compared_where_only_apply_packs_frames(check):
    applied = {"files": ["coarse.nc"], "method": "network_3d_processed"}
    with pytest.raises(ValueError, match="needs one time step"):
        check(every_other, ["network_2d"], apply=applied)
    with pytest.raises(ValueError, match=r"methods and apply.method of 2D alone"):
        check(every_other, ["network_2d"], apply=applied | {"method": "joint"})
    check(every_other, ["network_2d"], apply=applied | {"method": "network_2d"})


def test_times_that_are_numbers_are_compared_too(check):
    def in_minutes(frames):
        times = ("time", 120 * np.arange(frames.sizes["time"]), {"units": "minutes"})
        return frames.assign_coords(time=times)

    with pytest.raises(ValueError, match=r"two.nc: a frame every 7200 seconds, but every 3600 in"):
        check(in_minutes)
