"""The whole chain on tiny frames."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from chains import Chain, run_chain
from PIL import Image
from tiny import REPOSITORY, read_json, tiny_frames

from swsr.checkpoint import Card, save_network
from swsr.networks.build import build_network
from swsr.zarr_io import open_frames

pytestmark = pytest.mark.chain

METHODS = {
    "bicubic",
    "network_2d",
    "network_3d_raw",
    "network_3d_processed",
    "combined_raw",
    "joint",
    "spectral",
    "constrained_2d",
}


@pytest.fixture(scope="module")
def results(chain):
    return chain.folder / "results" / "tiny"


def test_every_set_has_every_method_and_metric(results):
    metrics = read_json(results / "evaluate" / "metrics.json")
    assert metrics.keys() == {"train", "validation", "test"}
    for methods in metrics.values():
        assert methods.keys() == METHODS
        for figures in methods.values():
            assert figures.keys() >= {"mse", "psnr", "ssim", "rmse_vorticity", "acc_vorticity"}
            assert all(np.isfinite([value for value in figures.values() if value is not None]))
    assert metrics["test"]["network_2d"]["resolution_km_vorticity"] > 1000
    assert metrics["test"]["network_2d"].keys() == metrics["test"]["combined_raw"].keys()


def test_figures_are_those_of_the_stores(results):
    """PSNR of two methods on the test frames, computed here from the stores alone."""
    network = results / "train_2d" / "network.safetensors"
    assert network.exists()
    train = open_frames(results / "extract" / "seed_0.json")["vorticity"].values[:24]
    span = train.max() - train.min()
    truth = open_frames(results / "extract" / "seed_10.json")["vorticity"].values[2:-2, 2:-2, 2:-2]
    metrics = read_json(results / "evaluate" / "metrics.json")["test"]
    for method, stage in (
        ("bicubic", "upscale"),
        ("network_3d_processed", "infer_3d/processed_on_processed"),
    ):
        frames = open_frames(results / stage / "seed_10.json")["vorticity"].values
        inner = frames[2:-2, 2:-2, 2:-2] if method == "bicubic" else frames[:, 2:-2, 2:-2]
        error = np.mean(((inner - truth) / span) ** 2, dtype="float64")
        assert metrics[method]["psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-3)


def test_training_ran_in_two_horovod_ranks(results):
    for log in ("train_2d.log", "train_3d/raw.log", "train_3d/processed.log"):
        assert "2 ranks by Horovod (MPI)" in (results / "logs" / log).read_text()


def test_results_have_physical_units_coordinates_and_provenance(results):
    truth = open_frames(results / "extract" / "seed_10.json")
    fine = open_frames(results / "infer_2d" / "seed_10.json")
    packed = open_frames(results / "infer_3d" / "processed_on_processed" / "seed_10.json")
    for dim in ("time", "lat", "lon"):
        np.testing.assert_array_equal(fine[dim], truth[dim])
        np.testing.assert_array_equal(
            packed[dim], truth[dim][2:-2] if dim == "time" else truth[dim]
        )
    assert fine["vorticity"].attrs == truth["vorticity"].attrs
    assert fine["vorticity"].attrs["units"] == "s-1"
    assert '"stage": "infer_2d"' in fine.attrs["swsr"]
    provenance = read_json(results / "train_2d" / "provenance.json")
    assert provenance["ranks"] == 2
    assert provenance["settings"]["train"]["network"] == "skip_2d"
    assert {"version", "commit", "host", "seconds", "packages"} <= provenance.keys()


def test_stores_open_with_xarray_alone(results):
    with xr.open_zarr(results / "infer_2d" / "seed_10.zarr", consolidated=False) as fine:
        assert fine["vorticity"].dims == ("time", "lat", "lon")
        assert np.issubdtype(fine["time"].dtype, np.datetime64)


def test_tables_have_the_studys_rows_and_the_picture_is_one(results):
    tables = (results / "evaluate" / "tables.md").read_text()
    rows = [line.split("|")[1:3] for line in tables.splitlines() if line.startswith("|")]
    labels = [tuple(cell.strip() for cell in row) for row in rows]
    for label in ("2D", "3D on raw", "3D on 2D results"):
        for part in ("train", "validation"):
            assert (f"{label}, epoch 0", part) in labels
            assert (f"{label}, epoch 2", part) in labels
    for label in ("3D on raw", "3D on 2D results"):
        assert (f"{label}, input", "test") in labels
        assert (f"{label}, output", "test") in labels
    with Image.open(results / "evaluate" / "picture.png") as picture:
        assert min(picture.size) > 300


def test_second_run_does_nothing(chain):
    assert chain.would_run() == {}


def test_another_run_from_scratch_gives_the_same_bits(chain, tmp_path):
    """Stores, networks, figures, tables, the picture; not what tells times: logs, events, the report."""
    again = run_chain(tmp_path, chain.configfile)
    first, second = (bits(each.folder / "results" / "tiny") for each in (chain, again))
    assert sum(name.endswith("network.safetensors") for name in first) == 4
    assert {Path(name).suffix for name in first} > {".json", ".safetensors", ".png", ".md"}
    assert first == second


def bits(results):
    """Digest of every file that must not differ between two runs."""
    timed = ("provenance.json", "history.csv")
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file()
        and not path.name.endswith(timed)
        and path.relative_to(results).parts[0] not in ("logs", "report")
        and not {"checkpoints", "events"} & set(path.parts)
    }


@pytest.fixture
def copy(chain, tmp_path):
    """The finished chain again, to be damaged."""
    shutil.copytree(chain.folder, tmp_path / "copy", copy_function=shutil.copy2)
    return Chain(tmp_path / "copy", chain.configfile)


def remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("lost", "again"),
    [
        ("evaluate/metrics.json", {"evaluate": 1, "report": 1}),
        ("evaluate/picture.png", {"evaluate": 1, "report": 1}),
        ("infer_3d/raw_on_raw/seed_10.zarr", {"infer_3d": 1, "evaluate": 1, "report": 1}),
        (
            "infer_2d/seed_10.json",
            {"infer_2d": 1, "infer_3d": 2, "constrain": 1, "evaluate": 1, "report": 1},
        ),
        ("train_3d/raw/history.csv", {"train_3d": 1, "infer_3d": 4, "evaluate": 1, "report": 1}),
        (
            "train_3d/raw/network.safetensors",
            {"train_3d": 1, "infer_3d": 4, "evaluate": 1, "report": 1},
        ),
    ],
)
def test_deleted_result_is_made_again_with_what_follows(copy, lost, again):
    remove(copy.folder / "results" / "tiny" / lost)
    jobs = copy.would_run()
    assert jobs == again


def test_deleted_store_comes_back_the_same(copy):
    results = copy.folder / "results" / "tiny"
    manifest = results / "infer_2d" / "seed_10.json"
    before = manifest.read_text()
    remove(manifest.with_suffix(".zarr"))
    done = copy.snakemake()
    assert done.returncode == 0, done.stderr
    assert manifest.read_text() == before
    assert copy.would_run() == {}


def test_coarse_runs_without_truth_are_super_resolved(copy):
    results = copy.folder / "results" / "tiny"
    low = open_frames(results / "downscale" / "seed_10.json").rename(lat="y", lon="x")
    low.to_netcdf(copy.folder / "coarse run.nc")
    config = {"apply": {"files": ["coarse run.nc"], "method": "network_3d_processed"}}
    consistent = {"apply": config["apply"] | {"consistent": True}}
    done = copy.snakemake("--", "apply", config=consistent)
    assert done.returncode == 0, done.stderr
    constrained = open_frames(results / "apply" / "coarse_run.json").load()
    done = copy.snakemake("--", "apply", config=config)
    assert done.returncode == 0, done.stderr
    ours = open_frames(results / "apply" / "coarse_run.json")
    theirs = open_frames(results / "infer_3d" / "processed_on_processed" / "seed_10.json")
    scale = float(np.abs(theirs["vorticity"]).max())
    np.testing.assert_allclose(
        ours["vorticity"] / scale, theirs["vorticity"] / scale, rtol=0, atol=1e-5
    )
    # Gaussian latitudes are not quite even: refined ones are right to a hundredth of a step.
    for dim in ("lat", "lon"):
        step = float(theirs[dim][1] - theirs[dim][0])
        np.testing.assert_allclose(ours[dim], theirs[dim], rtol=0, atol=0.01 * step)
    assert float(np.abs(constrained["vorticity"] - ours["vorticity"]).max()) > 1e-4 * scale
    done = copy.snakemake("--dry-run", "--", "apply", config=config)
    assert "Nothing to be done" in done.stdout + done.stderr


def foreign_file(folder):
    """A model's output as other people write it: names, order and kind of numbers differ."""
    frames = tiny_frames(num_frames=60, variables=("vorticity", "depth"))
    frames["depth"] = frames["depth"] * 1e7 + 1e4
    frames["depth"].attrs["units"] = "m"
    foreign = frames.astype("float64").rename(time="t", lat="latitude", lon="longitude")
    foreign = foreign.isel(latitude=slice(None, None, -1)).transpose("t", "longitude", "latitude")
    # As climate models often have it: a calendar without leap days, and more coordinates.
    days = xr.date_range("0001-02-27", periods=60, freq="h", calendar="noleap", use_cftime=True)
    foreign = foreign.assign_coords(t=days, step=("t", np.arange(60)))
    foreign.to_netcdf(folder / "model.nc")
    return frames


def test_another_models_file_needs_only_another_source(tmp_path):
    frames = foreign_file(tmp_path)
    config = yaml.safe_load((REPOSITORY / "studies" / "tiny.yaml").read_text())
    config["source"] = {
        "kind": "files",
        "variables": ["vorticity", "depth"],
        "train": ["model.nc"],
        "test": [],
    }
    config["methods"] = ["network_2d", "network_3d_processed"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    run_chain(tmp_path, tmp_path / "mine.yaml")
    results = tmp_path / "results" / "tiny"
    stored = open_frames(results / "extract" / "train_0.json")
    xr.testing.assert_allclose(stored.drop_vars("time"), frames.drop_vars("time"))
    fine = open_frames(results / "infer_2d" / "train_0.json")
    assert fine["depth"].attrs["units"] == "m"
    # Channels that were mixed up would be wrong by orders of magnitude.
    for name in ("vorticity", "depth"):
        error = float(np.sqrt(((fine[name] - stored[name]) ** 2).mean()))
        assert error < float(stored[name].std())
    found = read_json(results / "evaluate" / "metrics.json")["test"].keys()
    assert found == {"bicubic", *config["methods"]}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"train_2d": {"epoch": 3}}, "unknown key train_2d.epoch"),
        ({"train_2d": {"epochs": "ten"}}, "train_2d.epochs is 'ten'"),
        ({"train_2d": {"learning_rate": float("inf")}}, "train_2d.learning_rate is inf"),
        ({"experiments": {True: {}}}, "experiments names True, which is no text"),
        (
            {"source": {"kind": "files", "train": ["~no_user/run.nc"], "test": []}},
            "source.train: ~no_user/run.nc: no such file",
        ),
        (
            {"source": {"kind": "files", "train": ["run_{a}.nc"], "test": []}},
            "source.train: run_{a}.nc: a name with braces",
        ),
        ({"train_3d": {"network": "resnet"}}, "train_3d.network is 'resnet'"),
        (
            {"source": {"kind": "files", "train": ["no_such.nc"], "test": []}},
            "source.train: no_such.nc: no such file",
        ),
        (
            {"source": {"kind": "files", "train": ["mine.*"], "test": ["./mine.yaml"]}},
            "mine.yaml is in source.train mine.* too",
        ),
    ],
)
def test_wrong_config_stops_snakemake_with_one_line(tmp_path, config, sentence):
    for name in ("mine.yaml", "run_{a}.nc"):
        (tmp_path / name).write_text("")
    chain = Chain(tmp_path, REPOSITORY / "studies" / "tiny.yaml")
    done = chain.snakemake(config=config)
    assert done.returncode != 0
    assert sum(sentence in line for line in (done.stderr + done.stdout).splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_a_section_that_stands_twice_is_refused(tmp_path):
    """YAML would take the second, and leave the first out without a word."""
    file = tmp_path / "mine.yaml"
    file.write_text("study: mine\ntrain_2d: {epochs: 3}\ntrain_2d: {network: skip_2d}\n")
    done = Chain(tmp_path, file).snakemake("--dry-run")
    assert done.returncode != 0
    assert "mine.yaml: train_2d stands twice in what begins in line 1" in done.stderr + done.stdout


OWN = "results/tiny/train_2d/network.safetensors"


@pytest.mark.parametrize(
    ("key", "path", "config"),
    [
        ("train_2d.start", OWN, {}),
        ("train_2d.start", "{folder}/" + OWN, {}),
        ("train_2d.start", "~/" + OWN, {}),
        ("train_2d.start", "results/../" + OWN, {}),
        ("train_2d.start", OWN.replace("results", "linked"), {}),
        ("train_3d.start", "~/results/tiny/train_3d/raw/network.safetensors", {}),
        ("train_2d.first_layer", OWN, {}),
        ("train_2d.first_layer", "~/" + OWN, {}),
        (
            "train_2d.start",
            OWN,
            {
                "methods": ["network_3d_raw"],
                "apply": {"files": ["a.nc"], "method": "network_2d"},
            },
        ),
    ],
)
def test_a_training_does_not_start_from_itself(tmp_path, monkeypatch, key, path, config):
    """However it is spelled: Snakemake would delete it first, or tell of a circle."""
    monkeypatch.setenv("HOME", str(tmp_path))
    own = tmp_path / path.replace("~", ".").replace("linked", "results").format(folder=tmp_path)
    own.parent.mkdir(parents=True)
    own.write_text("weights")
    (tmp_path / "linked").symlink_to("results")
    section, name = key.split(".")
    given = path.format(folder=tmp_path)
    chain = Chain(tmp_path, REPOSITORY / "studies" / "tiny.yaml")
    done = chain.snakemake("--dry-run", config=config | {section: {name: given}})
    assert done.returncode == 1
    shown = given.replace("~", str(tmp_path))
    sentence = f"{key}: {shown}: is what it trains: name a copy of it"
    assert sum(sentence in line for line in (done.stderr + done.stdout).splitlines()) == 1


@pytest.mark.parametrize("is_trained", [False, True])
def test_an_experiment_starts_from_the_study_under_the_name_of_its_rule(tmp_path, is_trained):
    """Under another name Snakemake would not know that it has to be trained first."""
    own = tmp_path / OWN
    own.parent.mkdir(parents=True)
    card = Card("skip_2d", ("vorticity",), ("s-1",), 2, (0.0,), (1.0,), {}, {}, {}, {})
    if is_trained:
        save_network(own, build_network("skip_2d", 1, 2), card)
    chain = Chain(tmp_path, REPOSITORY / "studies" / "tiny.yaml")
    for given, sentence in ((own, f"this run trains it: write {OWN}, so"), (OWN, "")):
        tuned = {"methods": ["network_2d"], "train_2d": {"start": str(given)}}
        done = chain.snakemake("--dry-run", config={"experiments": {"tuned": tuned}})
        assert done.returncode == (1 if sentence else 0), done.stderr
        assert sentence in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"start": OWN, "network": "study_2d"}, "will be skip_2d, not study_2d"),
        ({"start": "none.safetensors"}, "none.safetensors: no such file"),
    ],
)
def test_what_is_wrong_with_an_experiment_is_said_of_it(tmp_path, changes, sentence):
    """Before hours are spent on the network that it would start from."""
    chain = Chain(tmp_path, REPOSITORY / "studies" / "tiny.yaml")
    tuned = {"methods": ["network_2d"], "train_2d": changes}
    done = chain.snakemake("--dry-run", config={"experiments": {"tuned": tuned}})
    assert done.returncode == 1
    said = (done.stderr + done.stdout).splitlines()
    assert (
        sum(f"experiments.tuned: train_2d.start: {changes['start']}" in line for line in said) == 1
    )
    assert sentence in done.stderr + done.stdout


def test_apply_without_coarse_runs_is_refused(tmp_path):
    chain = Chain(tmp_path, REPOSITORY / "studies" / "tiny.yaml")
    assert "train_2d" in chain.would_run()
    done = chain.snakemake("--", "apply")
    assert done.returncode == 1
    sentence = "apply.files is empty: name the coarse runs to super-resolve"
    assert sum(sentence in line for line in (done.stderr + done.stdout).splitlines()) == 1


FILES = {"source": {"kind": "files", "train": ["frames.nc"], "test": []}}


@pytest.mark.parametrize(
    ("frames", "config", "sentence"),
    [
        (tiny_frames(lat=25), {}, "25 points of lat are not divisible by downscale.scale 2"),
        (tiny_frames(12), {}, "split: of 12 frames the validation set gets 2"),
        (tiny_frames(60), {"train_3d": {"patch_points": 30}}, "have only 24 points"),
        (tiny_frames(60), {"source": {"variables": ["vo"]}}, "no variable 'vo'"),
        (tiny_frames(60), {"source": {"test": ["coarse.nc"]}}, "its lat 16 are not those of"),
    ],
)
def test_files_that_a_later_stage_would_refuse_stop_snakemake(tmp_path, frames, config, sentence):
    frames.to_netcdf(tmp_path / "frames.nc")
    tiny_frames(60, lat=16).to_netcdf(tmp_path / "coarse.nc")
    chain = Chain(tmp_path, REPOSITORY / "studies" / "tiny.yaml")
    config = config | {"source": FILES["source"] | config.get("source", {})}
    done = chain.snakemake("--dry-run", config=config)
    assert done.returncode != 0
    assert sum(sentence in line for line in (done.stderr + done.stdout).splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_files_are_opened_again_only_when_they_changed(tmp_path):
    path = tmp_path / "frames.nc"
    tiny_frames(60).to_netcdf(path)
    chain = Chain(tmp_path, REPOSITORY / "studies" / "tiny.yaml")
    assert chain.snakemake("--dry-run", config=FILES).returncode == 0
    found = tmp_path / "results" / "tiny" / "source.json"
    assert read_json(found)["series"]["train_0"]["frames"] == 60
    before = found.stat().st_mtime_ns
    assert chain.snakemake("--dry-run", config=FILES).returncode == 0
    assert found.stat().st_mtime_ns == before
    tiny_frames(70).to_netcdf(path)
    assert chain.snakemake("--dry-run", config=FILES).returncode == 0
    assert read_json(found)["series"]["train_0"]["frames"] == 70


def test_ranks_that_do_not_divide_the_batch_stop_snakemake(tmp_path):
    chain = Chain(tmp_path, REPOSITORY / "studies" / "tiny.yaml")
    done = chain.snakemake("--set-resources", "train_3d:tasks=3")
    assert done.returncode != 0
    sentence = "is not divisible by the 3 ranks of train_3d"
    assert sum(sentence in line for line in (done.stderr + done.stdout).splitlines()) == 1
    assert not (tmp_path / "results").exists()
