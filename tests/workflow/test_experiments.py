"""A study with an experiment and a second seed: what is made, once, and the table of all."""

import numpy as np
import pandas as pd
import pytest
import yaml
from chains import run_chain
from tiny import REPOSITORY, read_json

from swsr.checkpoint import load_network
from swsr.evaluation.evaluated import Evaluated
from swsr.geometry import Geometry
from swsr.resampling import bicubic
from swsr.zarr_io import open_frames

pytestmark = pytest.mark.chain

STUDIES = (
    "tiny",
    "tiny/experiments/mse",
    "tiny/experiments/base.seed_1",
    "tiny/experiments/mse.seed_1",
)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """2D networks of two losses, each from two seeds."""
    folder = tmp_path_factory.mktemp("experiments")
    config = yaml.safe_load((REPOSITORY / "studies" / "tiny.yaml").read_text())
    config |= {
        "methods": ["network_2d", "spectral", "ensemble_2d"],
        "experiments": {"mse": {"train_2d": {"loss": "mse"}}},
        "repeats": 2,
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(config))
    return run_chain(folder, folder / "mine.yaml")


def test_a_row_for_every_study_with_its_own_figures(compared):
    results = compared.folder / "results"
    rows = pd.read_csv(results / "tiny" / "compare" / "table.csv")
    assert set(rows["study"]) == set(STUDIES)
    networks = rows[rows["method"] == "network_2d"].set_index("study")
    for study in STUDIES:
        test = read_json(results / study / "evaluate" / "metrics.json")["test"]
        assert networks.loc[study, "psnr"] == pytest.approx(test["network_2d"]["psnr"])
        gain = test["network_2d"]["psnr"] - test["bicubic"]["psnr"]
        assert networks.loc[study, "gain"] == pytest.approx(gain)
    assert networks["psnr"].nunique() == 4
    assert (networks["ranks"] == 2).all()


def test_table_has_means_over_seeds(compared):
    folder = compared.folder / "results" / "tiny" / "compare"
    rows = pd.read_csv(folder / "table.csv")
    chosen = (rows["experiment"] == "mse") & (rows["method"] == "network_2d")
    mean = rows.loc[chosen, "psnr"].mean()
    lines = (folder / "table.md").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("| mse ") and "| 2D network" in line]
    assert f"{mean:.2f} ±" in line
    assert line.split("|")[6].strip() == "2"  # seeds


def test_interpolation_costs_nothing_and_has_one_row(compared):
    folder = compared.folder / "results" / "tiny" / "compare"
    rows = pd.read_csv(folder / "table.csv")
    spectral = rows[rows["method"] == "spectral"]
    assert len(spectral) == len(STUDIES)
    assert spectral["ranks"].isna().all()
    assert (folder / "table.md").read_text().count("spectral interpolation") == 1


def test_what_experiments_share_is_made_once(compared):
    results = compared.folder / "results"
    assert (results / "tiny" / "extract" / "seed_10.zarr").is_dir()
    for study in STUDIES[1:]:
        made = {path.name for path in (results / study).iterdir()}
        ensemble = set() if "seed" in study else {"ensemble"}
        assert made == {"settings", "logs", "train_2d", "infer_2d", "evaluate"} | ensemble


def test_one_changed_experiment_runs_alone(compared):
    changed = {"experiments": {"mse": {"train_2d": {"epochs": 3}}}}
    jobs = compared.would_run(changed)
    assert jobs == {"train_2d": 2, "infer_2d": 4, "ensemble": 2, "evaluate": 2, "compare": 1}
    assert compared.would_run() == {}


def test_ensembles_are_judged_beside_their_members(compared):
    results = compared.folder / "results"
    rows = pd.read_csv(results / "tiny" / "compare" / "table.csv").set_index(["study", "method"])
    of_ensembles = rows.xs("ensemble_2d", level="method")
    assert set(of_ensembles.index) == set(STUDIES[:2])
    for study in STUDIES[:2]:
        test = read_json(results / study / "evaluate" / "metrics.json")["test"]["ensemble_2d"]
        again = study.replace("tiny", "tiny/experiments/base", 1) if study == "tiny" else study
        single = rows.loc[[(study, "network_2d"), (f"{again}.seed_1", "network_2d")], "mse"]
        # The square of a mean is at most the mean of the squares.
        assert test["mse"] < single.mean()
        assert of_ensembles.loc[study, "mse"] == pytest.approx(test["mse"])
        assert test["members"] == 2
        assert test["spread_vorticity"] > 0
    table = (results / "tiny" / "compare" / "table.md").read_text()
    [line] = [
        line for line in table.splitlines() if line.startswith("| base ") and "mean of" in line
    ]
    assert line.split("|")[6].strip() == "2"
    assert "Spread of networks" in (results / "tiny" / "report" / "report.html").read_text()
    classes = pd.read_csv(results / "tiny" / "evaluate" / "spread.csv")
    assert classes["share"].sum() == pytest.approx(1)


def test_coarse_runs_get_the_mean_of_all_repeats(compared):
    results = compared.folder / "results" / "tiny"
    open_frames(results / "downscale" / "seed_10.json").to_netcdf(compared.folder / "coarse.nc")
    config = {"apply": {"files": ["coarse.nc"], "ensemble": True, "method": "network_2d"}}
    done = compared.snakemake("--", "apply", config=config)
    assert done.returncode == 0, done.stderr
    ours = open_frames(results / "apply" / "coarse.json")
    theirs = open_frames(results / "ensemble" / "2d" / "seed_10.json")
    scale = float(np.abs(theirs["vorticity"]).max())
    for name in ("vorticity", "vorticity_spread"):
        np.testing.assert_allclose(ours[name] / scale, theirs[name] / scale, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def with_joint(tmp_path_factory):
    """One network of five frames from two seeds, with what is made of its results."""
    folder = tmp_path_factory.mktemp("joint")
    config = yaml.safe_load((REPOSITORY / "studies" / "tiny.yaml").read_text())
    config |= {"methods": ["joint", "constrained_joint", "ensemble_joint"], "repeats": 2}
    (folder / "mine.yaml").write_text(yaml.safe_dump(config))
    return run_chain(folder, folder / "mine.yaml")


def test_joint_networks_are_made_consistent_and_averaged_as_others_are(with_joint):
    results = with_joint.folder / "results" / "tiny"
    _, card = load_network(results / "train_joint" / "network.safetensors")
    assert card.network == "fusion_joint"
    names = ("infer_joint", "constrain/joint", "ensemble/joint")
    own, consistent, mean = (open_frames(results / name / "seed_10.json") for name in names)
    further = results / "experiments" / "base.seed_1" / "infer_joint" / "seed_10.json"
    expected = (own["vorticity"] + open_frames(further)["vorticity"]) / 2
    np.testing.assert_allclose(mean["vorticity"], expected, atol=1e-6 * float(abs(expected).max()))
    given = open_frames(results / "downscale" / "seed_10.json").isel(time=slice(2, -2))
    np.testing.assert_array_equal(own["time"], given["time"])
    copies = (
        bicubic.downscale(frames["vorticity"].values[:, None], 2, Geometry.of(own))[:, 0]
        for frames in (own, consistent)
    )
    errors = [float(abs(copy - given["vorticity"].values).max()) for copy in copies]
    assert errors[1] < 1e-5 * float(abs(given["vorticity"]).max()) < errors[0]
    rows = pd.read_csv(results / "compare" / "table.csv").set_index(["study", "method"])
    assert rows.loc[("tiny", "constrained_joint"), "psnr"] > rows.loc[("tiny", "joint"), "psnr"]
    assert "joint network, consistent" in (results / "compare" / "table.md").read_text()


def test_coarse_runs_go_through_the_joint_network(with_joint):
    results = with_joint.folder / "results" / "tiny"
    open_frames(results / "downscale" / "seed_10.json").to_netcdf(with_joint.folder / "coarse.nc")
    applied = {"files": ["coarse.nc"], "method": "joint"}
    done = with_joint.snakemake("--", "apply", config={"apply": applied})
    assert done.returncode == 0, done.stderr
    ours = open_frames(results / "apply" / "coarse.json")["vorticity"]
    theirs = open_frames(results / "infer_joint" / "seed_10.json")["vorticity"]
    scale = float(np.abs(theirs).max())
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=1e-5)
    assert not (results / "train_2d").exists()


@pytest.fixture(scope="module")
def with_winds(tmp_path_factory):
    """A 2D network, and one that reads the winds too."""
    folder = tmp_path_factory.mktemp("winds")
    config = yaml.safe_load((REPOSITORY / "studies" / "tiny.yaml").read_text())
    config |= {
        "methods": ["network_2d"],
        "experiments": {"winds": {"source": {"predictors": ["u", "v"]}}},
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(config))
    return run_chain(folder, folder / "mine.yaml")


def test_an_experiment_with_predictors_has_a_row_beside_the_base(with_winds):
    """Of the same truth in the same scale: interpolation has the same figure in both."""
    results = with_winds.folder / "results"
    rows = pd.read_csv(results / "tiny" / "compare" / "table.csv")
    networks = rows[rows["method"] == "network_2d"].set_index("study")
    assert list(networks["experiment"]) == ["base", "winds"]
    interpolated = []
    for study, predictors in (("tiny", ()), ("tiny/experiments/winds", ("u", "v"))):
        test = read_json(results / study / "evaluate" / "metrics.json")["test"]
        assert networks.loc[study, "psnr"] == pytest.approx(test["network_2d"]["psnr"])
        interpolated.append(test["bicubic"]["psnr"])
        _, card = load_network(results / study / "train_2d" / "network.safetensors")
        assert (card.variables, card.predictors) == (("vorticity",), predictors)
    assert networks["psnr"].nunique() == 2
    assert interpolated[0] == pytest.approx(interpolated[1])


def test_other_predictors_of_an_experiment_run_what_depends_on_them(with_winds):
    """Not the simulation, nor anything of the base."""
    of_winds = with_winds.folder / "results" / "tiny" / "experiments" / "winds"
    stages = {"extract", "downscale", "upscale", "train_2d", "infer_2d", "evaluate"}
    assert {path.name for path in of_winds.iterdir()} == {"settings", "logs", *stages}
    changed = {"experiments": {"winds": {"source": {"predictors": ["depth"]}}}}
    assert with_winds.would_run(changed) == {
        "extract": 2, "downscale": 2, "upscale": 2, "train_2d": 1, "infer_2d": 2, "evaluate": 1,
        "compare": 1,
    }  # fmt: skip
    assert with_winds.would_run() == {}


def test_an_evaluation_knows_what_its_networks_read_besides(with_winds):
    for study, predictors in (("tiny", []), ("tiny/experiments/winds", ["u", "v"])):
        results = with_winds.folder / "results" / study
        stores = {f"low/{path.stem}": path for path in results.glob("downscale/seed_*[0-9].json")}
        assert Evaluated.read(stores, results / "evaluate").predictors == predictors
