"""Tables of an evaluation: which figure stands where."""

from pathlib import Path

import pandas as pd
import pytest

from swsr.evaluation.evaluated import Evaluated
from swsr.evaluation.tables import pictured, study_tables, summary_table
from swsr.page import read_tables


def figures(psnr):
    return {"psnr": float(psnr), "ssim": psnr / 100, "mse": 10 ** (-psnr / 10)}


PSNR = {
    ("bicubic", "all"): 21, ("bicubic", "inner"): 22,
    ("network_2d", "all"): 31, ("network_2d", "inner"): 32,
    ("network_3d_raw", "inner"): 42,
    ("combined_raw", "inner"): 52,
    ("network_3d_processed", "inner"): 62,
}  # fmt: skip
TRAININGS = {"train_2d": 11, "train_3d/raw": 12, "train_3d/processed": 13}


@pytest.fixture(scope="module")
def tables():
    """Both tables of the study, by figures each of which stands for one thing alone."""
    rows = [
        {"set": part, "method": method, "points": points} | figures(psnr + offset)
        for part, offset in (("validation", 5), ("test", 0))
        for (method, points), psnr in PSNR.items()
    ]
    trained = {
        stage: {"epochs": 7}
        | {
            when: {"train": figures(psnr + more), "validation": figures(psnr + more + 0.1)}
            for when, more in (("before", 0.25), ("after", 0.5))
        }
        for stage, psnr in TRAININGS.items()
    }
    return read_tables(study_tables(pd.DataFrame(rows), trained))


def test_rows_of_trainings_have_their_own_figures(tables):
    rows = {(row[0], row[1]): row[4] for row in tables[0].rows}
    assert rows == {
        ("2D, epoch 0", "train"): "11.25", ("2D, epoch 0", "validation"): "11.35",
        ("2D, epoch 7", "train"): "11.50", ("2D, epoch 7", "validation"): "11.60",
        ("3D on raw, input", "test"): "22.00",
        ("3D on raw, epoch 0", "train"): "12.25", ("3D on raw, epoch 0", "validation"): "12.35",
        ("3D on raw, epoch 7", "train"): "12.50", ("3D on raw, epoch 7", "validation"): "12.60",
        ("3D on raw, output", "test"): "42.00",
        ("3D on 2D results, input", "test"): "32.00",
        ("3D on 2D results, epoch 0", "train"): "13.25",
        ("3D on 2D results, epoch 0", "validation"): "13.35",
        ("3D on 2D results, epoch 7", "train"): "13.50",
        ("3D on 2D results, epoch 7", "validation"): "13.60",
        ("3D on 2D results, output", "test"): "62.00",
    }  # fmt: skip


def test_chain_has_whole_frames_before_packing_and_inner_points_after(tables):
    rows = {row[0]: row[1:4] for row in tables[1].rows}
    two = ["31.00 dB, 0.31000", "32.00 dB, 0.32000"]
    assert rows == {
        "3D trained on raw frames": [*two, "52.00 dB, 0.52000"],
        "3D trained on 2D results": [*two, "62.00 dB, 0.62000"],
    }


def test_gain_is_what_a_method_has_more_than_interpolation():
    test = {"bicubic": figures(30), "network_2d": figures(33.5), "spectral": figures(28)}
    [table] = read_tables(summary_table(test))
    assert [row[1:3] for row in table.rows] == [
        ["30.00", "+0.00"], ["33.50", "+3.50"], ["28.00", "-2.00"],
    ]  # fmt: skip


def test_pictures_show_the_usual_networks_or_the_best_of_others():
    others = {"bicubic": 50.0, "network_3d_raw": 40.0, "combined_raw": 35.0, "spectral": 45.0}
    assert pictured(others) == {"3D on interpolated frames": "network_3d_raw"}
    assert pictured(others | {"network_2d": 30.0}) == {"2D network": "network_2d"}


def test_best_network_has_the_highest_psnr():
    psnr = {"bicubic": 50.0, "network_2d": 30.0, "joint": 40.0, "combined_raw": None}
    metrics = {method: {"psnr": value} for method, value in psnr.items()}
    evaluated = Evaluated({}, Path(), metrics, pd.DataFrame())
    assert evaluated.best == "joint"
