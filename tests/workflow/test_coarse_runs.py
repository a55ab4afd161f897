"""A study with coarse runs in place of copies, through Snakemake."""

import os
import shutil

import pytest
import xarray as xr
import yaml
from chains import Chain
from tiny import read_json, tiny_frames

pytestmark = pytest.mark.chain

CONFIG = {
    "study": "mine",
    "source": {
        "kind": "files",
        "variables": ["vorticity"],
        "train": ["fine.nc"],
        "test": ["fine_test.nc"],
        "coarse": {"train": ["coarse run.nc"], "test": ["coarse_test.nc"]},
    },
    "train_2d": {"epochs": 1},
    "methods": ["network_2d"],
    "experiments": {"copies": {"source": {"coarse": None}}},
    "apply": {"files": ["coarse_test.nc"], "method": "network_2d"},
}
FROM_DOWNSCALE = ["compare", "downscale", "evaluate", "infer_2d", "report", "train_2d", "upscale"]


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The finished study of pairs, and beside it an experiment of copies."""
    folder = tmp_path_factory.mktemp("pairs")
    for name, seed in (("fine", 0), ("fine_test", 1)):
        tiny_frames(seed=seed).to_netcdf(folder / f"{name}.nc")
    for name, seed in (("coarse run", 0), ("coarse_test", 1)):
        tiny_frames(40, 12, 24, seed=seed).to_netcdf(folder / f"{name}.nc")
    (folder / "mine.yaml").write_text(yaml.safe_dump(CONFIG))
    chain = Chain(folder, folder / "mine.yaml")
    for targets in ((), ("--", "apply")):
        done = chain.snakemake(*targets)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return chain


def test_networks_read_the_runs_and_the_experiment_reads_copies(mine):
    results = mine.folder / "results" / "mine"
    log = (results / "logs" / "downscale" / "train_0.log").read_text()
    assert "12 x 24 points of coarse run.nc, a coarse run" in log
    record = read_json(results / "downscale" / "train_0.provenance.json")
    assert [name for name, *_ in record["read"]] == ["coarse run.nc"]
    copies = results / "experiments" / "copies"
    assert "12 x 24 points from train_0" in (copies / "logs/downscale/train_0.log").read_text()
    assert not (copies / "extract").exists()
    page = (results / "report" / "report.html").read_text()
    assert "are those of coarse runs" in page
    other = read_json(copies / "evaluate" / "metrics.json")["test"]["bicubic"]["psnr"]
    assert read_json(results / "evaluate" / "metrics.json")["test"]["bicubic"]["psnr"] != other


def test_apply_gives_what_the_study_inferred(mine):
    results = mine.folder / "results" / "mine"
    stores = results / "apply" / "coarse_test.zarr", results / "infer_2d" / "test_0.zarr"
    ours, theirs = (xr.open_zarr(store, consolidated=False) for store in stores)
    scale = float(abs(theirs["vorticity"]).max())
    ours = ours.sel(time=theirs["time"])
    xr.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=1e-5)


def test_a_changed_run_is_read_again_and_no_copy_is_made_anew(mine):
    assert mine.would_run() == {}
    path = mine.folder / "coarse run.nc"
    kept = shutil.copy2(path, mine.folder / "kept.nc")
    try:
        tiny_frames(41, 12, 24).to_netcdf(path)
        assert sorted(mine.would_run()) == FROM_DOWNSCALE
        path.unlink()
        tiny_frames(42, 12, 24).to_netcdf(path)
        os.utime(path, (0, 0))  # older than all results, as files that are moved here
        again = mine.would_run()
        assert sorted(again) == FROM_DOWNSCALE
        assert again["downscale"] == again["train_2d"] == 1
    finally:
        shutil.move(kept, path)
    assert mine.would_run() == {}


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("none.nc", None, "source.coarse: none.nc: no such file"),
        ("fine.nc", None, "source.coarse: fine.nc: fine.nc is one of the fine files: name the run"),
        ("short.nc", lambda c: c.isel(time=slice(9)), "short.nc: has no frame of 2000-01-01 09:00"),
    ],
)
def test_runs_of_no_use_are_refused_before_anything_runs(mine, name, change, words):
    if change:
        change(tiny_frames(40, 12, 24)).to_netcdf(mine.folder / name)
    coarse = {"train": [name], "test": ["coarse_test.nc"]}
    done = mine.snakemake("--dry-run", config={"source": {"coarse": coarse}})
    assert done.returncode == 1
    said = (done.stdout + done.stderr).splitlines()
    assert sum(words in line for line in said) == 1
