"""Evaluation and report of two variables whose test frames are the end of the training series."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny import make_raw, make_stores, read_json, stage_settings, tiny_frames

from swsr.checkpoint import Card, save_network
from swsr.communication import Communicator
from swsr.drawing import plots
from swsr.evaluation.tables import LABELS
from swsr.networks.build import build_network
from swsr.run import Run
from swsr.stages.evaluate import PACKED, evaluate
from swsr.stages.report import report
from swsr.zarr_io import Layout, open_frames, write_frames

TRAININGS = ("train_2d", "train_3d/raw", "train_3d/processed", "train_joint")
SCORES = {"mse": 1e-3, "psnr": 30.0, "ssim": 0.9}


@dataclass(frozen=True)
class Study:
    """A study up to its evaluation."""

    folder: Path
    stores: dict[str, Path]
    network: Path
    training: dict[str, Path]

    def judge(self, output, *methods):
        """Evaluate some methods, or all, and write the report of them."""
        stores = {
            f"{method}/seed_0": manifest
            for method, manifest in self.stores.items()
            if not methods or method in ("truth", "low", "bicubic", *methods)
        }
        settings = stage_settings(self.folder, "evaluate", source={"test": []})
        series = {"seed_0": "train"}
        evaluate(settings, stores, series, self.network, self.training, output / "evaluate", Run())
        report(
            stores,
            series,
            output / "evaluate",
            self.training,
            self.folder,
            output / "report",
            Run(),
        )


@pytest.fixture(scope="module")
def inferred(tmp_path_factory):
    """A study whose 2D network interpolates, and whose 3D networks give the truth in a border."""
    study = tmp_path_factory.mktemp("results") / "mine"
    frames = tiny_frames(num_frames=60, variables=("vorticity", "depth"))
    frames["depth"] = frames["depth"] * 1e7 + 1e4
    frames["depth"].attrs["units"] = "m"
    low, high = make_stores(study, frames)
    raw = make_raw(low, high)
    stores = {"truth": high, "low": low, "bicubic": raw, "network_2d": raw}
    cut = open_frames(high).isel(time=slice(2, -2), lat=slice(2, -2), lon=slice(2, -2))
    for method in PACKED:
        stores[method] = study / method / "seed_0.json"
        write_frames(cut.chunk({"time": 4}), stores[method], Layout(4), cut.attrs, Communicator())
    values = open_frames(high)
    card = Card(
        network="skip_2d", variables=("vorticity", "depth"), units=("s-1", "m"), scale=2,
        scaling_minimum=tuple(float(values[name].min()) for name in ("vorticity", "depth")),
        scaling_maximum=tuple(float(values[name].max()) for name in ("vorticity", "depth")),
        spacing={}, settings={}, version={}, inputs={},
    )  # fmt: skip
    training = {stage: study / stage for stage in TRAININGS}
    network = study / "train_2d" / "network.safetensors"
    save_network(network, build_network("skip_2d", 2, 2), card)
    for folder in training.values():
        part = {"train": SCORES, "validation": SCORES}
        folder.mkdir(parents=True, exist_ok=True)
        metrics = {"epochs": 2, "parameters": 3, "before": part, "after": part}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        with (folder / "history.csv").open("w") as file:
            rows = csv.writer(file)
            rows.writerow(["epoch", "train_loss", "validation_psnr"])
            rows.writerows([[1, 1e-3, 30.0], [2, 1e-4, 31.0]])
    return Study(study, stores, network, training)


@pytest.fixture(scope="module")
def study(inferred):
    inferred.judge(inferred.folder)
    return inferred.folder


def test_every_variable_has_its_figures(study):
    test = read_json(study / "evaluate" / "metrics.json")["test"]
    assert {"bicubic", "network_2d", *PACKED} == test.keys()
    for name in ("vorticity", "depth"):
        assert test["network_3d_raw"][f"rmse_{name}"] == 0
        assert test["bicubic"][f"rmse_{name}"] > 0
        assert test["bicubic"][f"resolution_km_{name}"] > 100
    # Depth in m, not scaled: bicubic errs by less than its deviation, some tens of metres.
    assert 0.01 < test["bicubic"]["rmse_depth"] < 100
    assert abs(test["bicubic"]["mass"]) < 1e-3


def test_frames_without_border_have_no_global_figures(study):
    test = read_json(study / "evaluate" / "metrics.json")["test"]
    assert test["network_3d_raw"]["mass"] is None
    assert test["network_3d_raw"]["seam_depth"] is None
    assert test["network_3d_raw"].keys() == test["bicubic"].keys()


def test_gate_tells_what_equals_interpolation_from_what_beats_it(study):
    gate = read_json(study / "evaluate" / "gate.json")
    assert set(gate["network_2d"].values()) == {"equal"}
    assert gate["network_3d_raw"]["rmse_depth"] == "better"
    assert gate["network_3d_raw"]["mass"] == "not available"
    summary = (study / "evaluate" / "summary.md").read_text()
    assert "- 2D network: better than interpolation on 0 of " in summary


def test_test_frames_are_the_end_of_the_series(study):
    with (study / "evaluate" / "frames.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == "test"]
    inner = {int(row["frame"]) for row in rows if row["points"] == "inner"}
    assert inner == set(range(50, 58))


@pytest.mark.parametrize("method", ["joint", "network_3d_raw", "combined_raw"])
def test_pictures_of_one_method_show_that(inferred, tmp_path, monkeypatch, method):
    drawn = []
    monkeypatch.setattr(plots, "draw_comparison", lambda fields, *_: drawn.append(list(fields)))
    inferred.judge(tmp_path, method)
    page = (tmp_path / "report" / "report.html").read_text()
    label = "2D and 3D as one" if method == "joint" else LABELS[method]
    assert drawn == [["ground truth", "low resolution", "bicubic", label]]
    assert f"<figcaption>error of {label}: root mean square" in page


def test_report_shows_both_variables(study):
    page = (study / "report" / "report.html").read_text()
    for words in ("Power of depth by scale", "Power of vorticity by scale", "RMSE of depth"):
        assert words in page


def test_region_that_no_training_saw_has_no_anomalies_from_its_mean(inferred, tmp_path):
    """Anomalies are from the mean over training frames, point by point."""
    frames = tiny_frames(num_frames=30, variables=("vorticity", "depth"))
    frames = frames.assign_coords(lon=frames["lon"] + 90)
    low, high = make_stores(tmp_path, frames)
    elsewhere = {"truth": high, "low": low, "bicubic": make_raw(low, high)}
    elsewhere["network_2d"] = elsewhere["bicubic"]
    stores = {f"{method}/test_0": manifest for method, manifest in elsewhere.items()}
    stores |= {f"{method}/seed_0": inferred.stores[method] for method in elsewhere}
    settings = stage_settings(tmp_path, "evaluate")
    series = {"seed_0": "train", "test_0": "test"}
    output = tmp_path / "evaluate"
    evaluate(settings, stores, series, inferred.network, inferred.training, output, Run())
    test = read_json(output / "metrics.json")["test"]["bicubic"]
    assert test["acc_vorticity"] is None
    assert test["rmse_vorticity"] > 0
    training, folder = inferred.training, inferred.folder
    report(stores, series, output, training, folder, tmp_path / "report", Run())
    page = (tmp_path / "report" / "report.html").read_text()
    assert "test_0" in page and "PSNR (dB) of every frame" in page
    assert "nan to nan" not in page
