"""A stage that is killed in the middle of a store goes on from there."""

import signal
import subprocess
import sys
import time

import pytest
import xarray as xr
from tiny import run_swsr, stage_settings, tiny_frames

from swsr.__main__ import main
from swsr.zarr_io import StoreWriter, open_frames, read_manifest

CHUNKS = 150


def finished(folder):
    """Time of writing of every whole chunk of the unfinished store."""
    paths = folder.glob(".seed_0.zarr.*.partial/vorticity/c/*/0/0")
    return {path.parts[-3]: path.stat().st_mtime_ns for path in paths}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_extraction_is_resumed(tmp_path, number):
    tiny_frames(4 * CHUNKS, lat=180, lon=360).to_netcdf(tmp_path / "frames.nc")
    settings = stage_settings(tmp_path, "extract", extract={"chunk_frames": 4})
    arguments = ["extract", "--settings", settings, "--files", tmp_path / "frames.nc"]
    done = run_swsr(*arguments, "--output", tmp_path / "whole" / "seed_0.json")
    assert done.returncode == 0, done.stderr

    output = tmp_path / "killed" / "seed_0.json"
    command = [sys.executable, "-m", "swsr", *map(str, arguments), "--output", str(output)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while len(finished(output.parent)) < 5 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait() == -number
    before = finished(output.parent)
    assert 5 <= len(before) < CHUNKS
    assert not output.exists()
    assert not output.with_suffix(".zarr").exists()

    done = run_swsr(*arguments, "--output", output)
    assert done.returncode == 0, done.stderr
    chunks = output.with_suffix(".zarr") / "vorticity" / "c"
    after = {name: (chunks / name / "0" / "0").stat().st_mtime_ns for name in before}
    assert after == before
    assert read_manifest(output) == read_manifest(tmp_path / "whole" / "seed_0.json")


def test_another_trajectory_of_the_file_does_not_go_on_with_the_first(tmp_path, monkeypatch):
    runs = [tiny_frames(seed=0), tiny_frames(seed=1)]
    xr.concat(runs, "sample", combine_attrs="override").to_netcdf(tmp_path / "runs.nc")
    settings = stage_settings(tmp_path, "extract", extract={"chunk_frames": 4})
    output = tmp_path / "extract" / "train_0.json"
    arguments = ["extract", "--settings", settings, "--files", tmp_path / "runs.nc"]
    arguments = [*map(str, arguments), "--output", str(output)]
    write = StoreWriter.write

    def on_a_full_disk(writer, first_frame, frames, variables):
        write(writer, first_frame, frames[:12], variables)
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(StoreWriter, "write", on_a_full_disk)
        assert main([*arguments, "--sample", "0"]) == 1
    assert len(list(output.parent.glob(".train_0.zarr.*.partial"))) == 1
    assert main([*arguments, "--sample", "1"]) == 0
    xr.testing.assert_equal(open_frames(output)["vorticity"], runs[1]["vorticity"])
