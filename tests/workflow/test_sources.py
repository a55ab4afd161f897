"""Sources through Snakemake: what `inspect` prints is a config as it stands."""

import json
import os
import shutil

import numpy as np
import pytest
import yaml
from chains import Chain
from documented import documented
from source_files import MAKERS
from tiny import REPOSITORY, read_json, run_swsr, tiny_frames

pytestmark = pytest.mark.chain


SMALL = {"methods": ["network_2d"], "train_2d": {"epochs": 1}}
TOO_SHORT = "dedalus_plane"
"""Its eight frames are too few for a split."""


@pytest.mark.parametrize("name", [name for name in documented() if name != TOO_SHORT])
def test_what_inspect_prints_runs_to_the_report(tmp_path, name):
    chain = pasted(tmp_path, name)
    done = chain.snakemake(config=SMALL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    study = yaml.safe_load((tmp_path / "mine.yaml").read_text())["study"]
    results = tmp_path / "results" / study
    found = read_json(results / "source.json")["series"]
    assert {path.stem for path in (results / "extract").glob("*[0-9].json")} == set(found)
    for series, facts in found.items():
        assert facts["found"] in (results / "logs" / "extract" / f"{series}.log").read_text()
        assert "(detected)" in facts["found"]
    if name in ("the_well", "pdebench"):
        assert list(found) == ["train_0", "train_1", "test_0"]
    test = read_json(results / "evaluate" / "metrics.json")["test"]
    assert test.keys() == {"bicubic", "network_2d"}
    assert all(np.isfinite(method["psnr"]) for method in test.values())
    assert (results / "report" / "report.html").stat().st_size > 100_000


def test_what_inspect_prints_of_a_short_run_is_refused_in_one_line(tmp_path):
    done = pasted(tmp_path, TOO_SHORT).snakemake(config=SMALL)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "split: of 8 frames" in line]
    assert "give more frames or other fractions" in line


def pasted(folder, name):
    """A chain on what `inspect` prints for the files of a maker, as it stands."""
    made = MAKERS[name](folder)
    printed = run_swsr("inspect", *made.files, cwd=folder)
    assert (printed.returncode, printed.stderr) == (0, "")
    (folder / "mine.yaml").write_text(printed.stdout)
    return Chain(folder, folder / "mine.yaml")


def test_a_sample_for_training_and_test_is_refused(tmp_path):
    MAKERS["pdebench"](tmp_path)
    source = {"kind": "files", "variables": ["depth"], "train": ["run.h5#0"]}
    chain = Chain(tmp_path, REPOSITORY / "studies" / "tiny.yaml")
    for test in ("run.h*#0", "./run.h5#0"):
        done = chain.snakemake("--dry-run", config={"source": source | {"test": [test]}})
        assert done.returncode == 1
        assert "run.h5 is in source.train run.h5#0 too" in done.stdout + done.stderr
    done = chain.snakemake("--dry-run", config={"source": source | {"test": ["run.h5#1"]}})
    assert done.returncode == 0, done.stdout


def extracted(folder, maker, **source):
    """A chain whose series is extracted, and its config."""
    MAKERS[maker](folder)
    chain = Chain(folder, REPOSITORY / "studies" / "tiny.yaml")
    source = {"kind": "files", "train": ["run.nc"], "test": []} | source
    config = {"source": source, "methods": ["network_2d"]}
    done = chain.snakemake("--until", "extract", config=config)
    assert done.returncode == 0, done.stdout
    assert "extract" not in chain.would_run(config)
    return chain, config


def test_files_are_read_anew_also_when_they_are_not_newer(tmp_path):
    chain, config = extracted(tmp_path, "netcdf4_packed")
    (tmp_path / "run.nc").touch()
    assert "extract" not in chain.would_run(config)
    os.utime(tmp_path / "run.nc", (0, 0))  # as of a file that was moved here
    for _ in range(2):  # a dry run forgets nothing
        assert chain.would_run(config)["extract"] == 1
    assert chain.snakemake("--until", "extract", config=config).returncode == 0
    assert "extract" not in chain.would_run(config)
    tiny_frames(40, lat=48, lon=96).to_netcdf(tmp_path / "run.nc")  # newer, and other frames
    assert chain.would_run(config)["extract"] == 1
    assert chain.snakemake("--until", "extract", config=config).returncode == 0
    assert "extract" not in chain.would_run(config)


def test_pictures_that_were_drawn_again_are_read_anew(tmp_path):
    chain, config = extracted(tmp_path, "images", variables=["grey"], train=["run"])
    picture = sorted((tmp_path / "run").iterdir())[3]
    picture.write_bytes(picture.read_bytes())
    assert chain.would_run(config)["extract"] == 1


def test_settings_decide_where_snakemake_has_no_records(tmp_path):
    """As after results were copied, or a study was renamed with its folder."""
    chain, config = extracted(tmp_path, "netcdf4_packed")
    shutil.rmtree(tmp_path / ".snakemake")
    assert "extract" not in chain.would_run(config)
    changed = config | {"extract": {"chunk_frames": 7}}
    assert chain.would_run(changed)["extract"] == 1
    assert "extract" not in chain.would_run(config)  # a dry run changes nothing


def test_another_part_of_the_files_is_extracted_again(tmp_path):
    chain, config = extracted(tmp_path, "netcdf4_packed")
    assert chain.would_run(config)["downscale"] == 1
    part = config | {"source": config["source"] | {"select": {"lat": [-60, 60]}}}
    assert chain.would_run(part)["extract"] == 1
    assert json.loads((tmp_path / "results" / "tiny" / "source.json").read_text())["series"]
