"""A study with an experiment and a second seed: what is made, once, and the table of all."""

import pandas as pd
import pytest
import yaml
from chains import run_chain
from tiny import REPOSITORY, read_json

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
        "methods": ["network_2d", "spectral"],
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
    [line] = [line for line in (folder / "table.md").read_text().splitlines() if "| mse " in line]
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
        assert made == {"settings", "logs", "train_2d", "infer_2d", "evaluate"}


def test_one_changed_experiment_runs_alone(compared):
    changed = {"experiments": {"mse": {"train_2d": {"epochs": 3}}}}
    jobs = compared.would_run(changed)
    assert jobs == {"train_2d": 2, "infer_2d": 4, "evaluate": 2, "compare": 1}
    assert compared.would_run() == {}
