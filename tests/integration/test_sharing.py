"""What two studies have in common is made once; what only looks alike is not shared."""

import json
import shutil
from pathlib import Path

import pytest
from tiny import read_json, stage_settings, tiny_frames

from swsr.__main__ import main
from swsr.checkpoint import Checkpoints
from swsr.provenance import provenance_path
from swsr.sharing import take_over
from swsr.zarr_io import open_frames, store_path


@pytest.fixture
def extract(tmp_path, monkeypatch):
    """Extracts the frames of a file for a study, as the workflow does."""
    monkeypatch.chdir(tmp_path)
    tiny_frames().to_netcdf("frames.nc")

    def extract(study, frames="frames.nc", **sections) -> Path:
        folder = Path("results", *study.split("/"))
        (folder / "settings").mkdir(parents=True, exist_ok=True)
        settings = stage_settings(folder / "settings", "extract", **sections)
        output = folder / "extract" / "seed_0.json"
        arguments = ["--settings", settings, "--files", frames, "--output", output]
        assert main(["extract", *map(str, arguments), "--studies", "results"]) == 0
        return output

    return extract


def origin(output):
    return read_json(output.with_suffix(".provenance.json"))["taken_over_from"]


def test_equal_store_is_linked(extract):
    first, second = extract("first"), extract("second")
    assert origin(first) is None
    assert origin(second) == str(first)
    assert read_json(first) == read_json(second)
    chunk = Path("vorticity") / "c" / "0" / "0" / "0"
    inodes = {(store_path(output) / chunk).stat().st_ino for output in (first, second)}
    assert len(inodes) == 1
    assert open_frames(second).identical(open_frames(first))


def test_other_settings_share_nothing(extract):
    extract("first")
    assert origin(extract("second", extract={"chunk_frames": 3})) is None


@pytest.mark.parametrize("decides", ["code", "packages"])
def test_other_code_or_packages_share_nothing(extract, monkeypatch, decides):
    extract("first")
    monkeypatch.setattr(f"swsr.sharing.{decides}", lambda: {"version": "another"})
    assert origin(extract("second")) is None


def test_other_frames_share_nothing(extract):
    extract("first")
    tiny_frames(seed=1).to_netcdf("other.nc")
    Path("other.nc").replace("frames.nc")
    assert origin(extract("second")) is None


def test_large_files_are_not_read_to_know_them(extract, monkeypatch):
    monkeypatch.setattr("swsr.sharing._LARGE", 1000)
    first = extract("first")
    assert origin(extract("second")) == str(first)
    Path("frames.nc").touch()
    assert origin(extract("third")) is None


def test_zarr_stores_that_look_alike_share_nothing(extract):
    for seed in (0, 1):
        shutil.rmtree("frames.zarr", ignore_errors=True)
        tiny_frames(seed=seed).to_zarr("frames.zarr", zarr_format=3, consolidated=False)
        assert origin(extract(f"study_{seed}", "frames.zarr")) is None
    assert origin(extract("third", "frames.zarr")) == "results/study_1/extract/seed_0.json"


def test_study_and_experiments_share(extract):
    tried = extract("mine/experiments/wide")
    assert origin(extract("mine")) == str(tried)
    assert origin(extract("other/experiments/wide")) == str(tried)


def test_provenance_of_an_earlier_result_does_not_outlive_it(extract):
    output = extract("first")
    Path("frames.nc").write_bytes(b"")
    arguments = ["--settings", "results/first/settings/extract.json", "--files", "frames.nc"]
    assert main(["extract", *arguments, "--output", str(output)]) == 1
    assert not output.with_suffix(".provenance.json").exists()


def test_damaged_store_is_not_taken_over(extract):
    first = extract("first")
    next(path for path in store_path(first).rglob("c/0/0/0")).unlink()
    second = extract("second")
    assert origin(second) is None
    assert open_frames(second).sizes["time"] == tiny_frames().sizes["time"]


def test_store_that_its_study_makes_anew_meanwhile_is_not_taken_over(extract, monkeypatch):
    extract("first")

    def link(source, target):
        content = bytearray(Path(source).read_bytes())
        content[-1] ^= 1
        Path(target).write_bytes(content)

    monkeypatch.setattr("swsr.sharing._link", link)
    second = extract("second")
    assert origin(second) is None
    assert (
        open_frames(second)
        .load()
        .equals(open_frames(Path("results/first/extract/seed_0.json")).load())
    )


def test_a_training_ends_whose_result_was_taken_over_meanwhile(tmp_path):
    twin, ours = (tmp_path / "results" / study / "train_2d" for study in ("a", "b"))
    twin.mkdir(parents=True)
    (twin / "metrics.json").write_text("{}")
    record = {"recipe": "the same", "files": ["metrics.json"]}
    provenance_path(twin).write_text(json.dumps(record))
    running = Checkpoints(ours / "checkpoints", "of earlier settings")
    running.claim()
    running.check_latest()
    assert take_over(ours, "the same", tmp_path / "results") == twin
    with pytest.raises(ValueError, match="another training"):
        running.check_latest()
