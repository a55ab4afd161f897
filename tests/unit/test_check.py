"""What is known of the files of a study before anything runs: series that are unlike are refused."""

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
    """Checks a file to train on and a changed one to test on."""
    monkeypatch.chdir(tmp_path)

    def check(change, methods=PACKED):
        for name in ("one.nc", "two.nc"):
            (tmp_path / name).unlink(missing_ok=True)  # another call may have it open
        tiny_frames().to_netcdf("one.nc")
        change(tiny_frames(60)).to_netcdf("two.nc")
        source = {"kind": "files", "train": ["one.nc"], "test": ["two.nc"]}
        patches = {"patch_points": 12}
        settings = Settings.from_mapping(
            config(
                source=source,
                methods=methods,
                train_2d=patches,
                train_3d=patches,
                train_joint=patches,
            )
        )
        files = {"train_0": [tmp_path / "one.nc"], "test_0": [tmp_path / "two.nc"]}
        check_files(settings, files, tmp_path / "source.json")

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


def test_other_time_steps_are_refused_where_frames_are_packed(check):
    with pytest.raises(ValueError, match=r"two.nc: a frame every 7200 seconds, but every 3600 in"):
        check(every_other)
    with pytest.raises(ValueError, match="needs one time step"):
        check(every_other, ["network_2d", "joint"])
    check(every_other, ["spectral", "network_2d", "constrained_2d"])
