"""Sources through Snakemake: what `inspect` prints is a config as it stands."""

import json

import pytest
from chains import Chain
from source_files import MAKERS
from tiny import REPOSITORY, read_json, run_swsr

pytestmark = pytest.mark.chain


@pytest.mark.parametrize("name", ["pdebench", "dedalus_sphere", "images"])
def test_what_inspect_prints_runs(tmp_path, name):
    made = MAKERS[name](tmp_path)
    printed = run_swsr("inspect", *made.files, cwd=tmp_path)
    assert (printed.returncode, printed.stderr) == (0, "")
    (tmp_path / "mine.yaml").write_text(printed.stdout)
    chain = Chain(tmp_path, tmp_path / "mine.yaml")
    small = {"train_3d": {"patch_points": 16}}
    done = chain.snakemake("--until", "extract", config=small)
    assert done.returncode == 0, done.stdout
    results = tmp_path / "results" / "default"
    found = read_json(results / "source.json")["series"]
    assert {path.stem for path in (results / "extract").glob("*[0-9].json")} == set(found)
    for series, facts in found.items():
        assert facts["found"] in (results / "logs" / "extract" / f"{series}.log").read_text()
        assert "(detected)" in facts["found"]
    if name == "pdebench":
        assert list(found) == ["train_0", "train_1", "test_0"]


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


def test_another_part_of_the_files_is_extracted_again(tmp_path):
    MAKERS["netcdf4_packed"](tmp_path)
    source = {"kind": "files", "train": ["run.nc"], "test": []}
    chain = Chain(tmp_path, REPOSITORY / "studies" / "tiny.yaml")
    config = {"source": source}
    done = chain.snakemake("--until", "extract", config=config)
    assert done.returncode == 0, done.stdout
    assert chain.would_run(config)["downscale"] == 1
    assert "extract" not in chain.would_run(config)
    part = {"source": source | {"select": {"lat": [-60, 60]}}}
    assert chain.would_run(part)["extract"] == 1
    assert json.loads((tmp_path / "results" / "tiny" / "source.json").read_text())["series"]
