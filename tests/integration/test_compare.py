"""Studies side by side: their gain, what their trainings cost, and how seeds differ."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

from swsr.page import read_tables
from swsr.run import Run
from swsr.stages.compare import compare

BICUBIC = 30.04
"""PSNR of interpolation in every study; the mean of three such numbers is off by rounding."""

GAINS = {
    "mine": 3.0,
    "mine/experiments/wide": 6.0,
    "mine/experiments/base.seed_1": 5.0,
    "mine/experiments/base.seed_2": 4.0,
}
"""What the 2D network of each study has more, in dB."""

SECONDS = (16, 2, 1)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The folder that `compare` wrote, of trainings of three epochs."""
    folder = tmp_path_factory.mktemp("results")
    evaluations, training = {}, {}
    for study, gain in GAINS.items():
        evaluations[study] = folder / study / "evaluate"
        training[f"{study}/train_2d"] = folder / study / "train_2d"
        for path in (evaluations[study], training[f"{study}/train_2d"]):
            path.mkdir(parents=True)
        test = {
            "bicubic": {"psnr": BICUBIC, "ssim": 0.8},
            "network_2d": {"psnr": BICUBIC + gain, "ssim": 0.9},
        }
        (evaluations[study] / "metrics.json").write_text(json.dumps({"test": test}))
        trained = training[f"{study}/train_2d"]
        (trained / "metrics.json").write_text(json.dumps({"parameters": 1234, "epochs": 3}))
        (trained / "provenance.json").write_text(json.dumps({"ranks": 2, "seconds": 1.0}))
        with (trained / "history.csv").open("w") as file:
            rows = csv.writer(file)
            rows.writerow(["epoch", "seconds"])
            rows.writerows(enumerate(SECONDS, 1))
    compare(evaluations, training, folder / "compare", Run())
    return folder / "compare"


def test_a_training_costs_the_seconds_of_all_its_epochs(compared):
    rows = pd.read_csv(compared / "table.csv").set_index(["method", "study"])
    networks, interpolation = rows.loc["network_2d"], rows.loc["bicubic"]
    assert networks["seconds"].to_dict() == dict.fromkeys(GAINS, 19)
    assert networks["gain"].to_dict() == pytest.approx(GAINS)
    costs = ["parameters", "epochs", "seconds", "ranks"]
    assert networks.loc["mine", costs].tolist() == [1234, 3, 19, 2]
    assert interpolation[costs].isna().all(axis=None)
    assert (interpolation["gain"] == 0).all()


def test_seeds_of_an_experiment_are_one_row(compared):
    """Interpolation of the same frames is named once, however many seeds experiments have."""
    [table] = read_tables((compared / "table.md").read_text())
    mean = f"34.04 ± {np.std([3, 5, 4], ddof=1):.2f}"
    assert table.rows == [
        ["base", "bicubic interpolation", "30.04", "+0.00", "0.8000", "–", "–", "–", "–"],
        ["base", "2D network", mean, "+4.00", "0.9000", "3", "1,234", "3", "19"],
        ["wide", "2D network", "36.04", "+6.00", "0.9000", "1", "1,234", "3", "19"],
    ]  # fmt: skip


def test_methods_that_only_further_seeds_have_are_no_rows(compared, tmp_path):
    """They gave members to an ensemble: a mean of them lacks the first seed."""
    test = {
        "bicubic": {"psnr": BICUBIC, "ssim": 0.8},
        "ensemble_2d": {"psnr": BICUBIC + 5, "ssim": 0.9, "members": 3},
    }
    folders = [compared.parent / study for study in GAINS if study != "mine/experiments/wide"]
    evaluations = {str(each.relative_to(compared.parent)): each / "evaluate" for each in folders}
    training = {
        f"{study}/train_2d": path.parent / "train_2d" for study, path in evaluations.items()
    }
    evaluations["mine"] = tmp_path / "evaluate"
    evaluations["mine"].mkdir()
    (evaluations["mine"] / "metrics.json").write_text(json.dumps({"test": test}))
    compare(evaluations, training, tmp_path / "compare", Run())
    [table] = read_tables((tmp_path / "compare" / "table.md").read_text())
    assert [row[1] for row in table.rows] == ["bicubic interpolation", "mean of 2D networks"]
    assert table.rows[1][5] == "3"  # seeds
    assert set(pd.read_csv(tmp_path / "compare" / "table.csv")["method"]) == {
        "bicubic",
        "ensemble_2d",
    }
