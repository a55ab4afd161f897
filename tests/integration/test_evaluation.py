"""Evaluation and report of two variables whose test frames are the end of the training series."""

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny import make_raw, make_stores, read_json, stage_settings, tiny_frames

from swsr.checkpoint import Card, save_network
from swsr.communication import Communicator
from swsr.drawing import plots
from swsr.evaluation.tables import LABELS
from swsr.grids import Grid
from swsr.networks.build import build_network
from swsr.run import Run
from swsr.settings import MEMBERS
from swsr.stages.ensemble import ensemble
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


def save_scaling(network, frames):
    """A network whose card has the limits of some frames."""
    variables = tuple(frames.data_vars)
    card = Card(
        network="skip_2d", variables=variables, scale=2,
        units=tuple(frames[name].attrs["units"] for name in variables),
        scaling_minimum=tuple(float(frames[name].min()) for name in variables),
        scaling_maximum=tuple(float(frames[name].max()) for name in variables),
        spacing={}, settings={}, version={}, inputs={},
    )  # fmt: skip
    save_network(network, build_network("skip_2d", len(variables), 2), card)


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
        if method not in MEMBERS:
            lazy = cut.chunk({"time": 4})
            write_frames(lazy, stores[method], Layout(4), cut.attrs, Communicator())
    members = [stores["network_3d_processed"], study / "larger" / "seed_0.json"]
    larger = (1.1 * cut).assign_attrs(cut.attrs).chunk({"time": 4})
    write_frames(larger, members[1], Layout(4), cut.attrs, Communicator())
    for method in MEMBERS.keys() & PACKED:
        ensemble(members, stores[method], Run())
    training = {stage: study / stage for stage in TRAININGS}
    network = study / "train_2d" / "network.safetensors"
    save_scaling(network, open_frames(high))
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


def test_spread_of_an_ensemble_is_held_against_its_error(study):
    """Members are the truth and 1.1 times the truth: 0.05 of it is the error, 0.1 / sqrt(2) the spread."""
    test = read_json(study / "evaluate" / "metrics.json")["test"]
    for name in ("vorticity", "depth"):
        assert test["ensemble_3d"][f"spread_{name}"] == pytest.approx(3**0.5, rel=1e-2)
    assert test["ensemble_3d"]["members"] == 2
    assert "spread_vorticity" not in test["network_3d_processed"]
    summary = (study / "evaluate" / "summary.md").read_text()
    words = "mean of 2D, then 3D networks, 2 of them: their spread in vorticity is 1.73 of what"
    assert words in summary
    page = (study / "report" / "report.html").read_text()
    assert "Error of depth where networks differ little, and much" in page
    sizes = re.findall(
        r"<figcaption>(?:size of the error|spread), mean of.*? ([\d.e-]+) s-1<", page
    )
    error, spread = map(float, sizes)
    assert spread / error == pytest.approx(2**0.5, rel=0.01)


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
    label = "joint network" if method == "joint" else LABELS[method]
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


@dataclass(frozen=True)
class TwoSeries:
    """Two training series of unequal length, 60 and 40 frames, and what was found of them."""

    stores: dict[str, Path]
    output: Path

    def frames(self, method, series):
        """Of a method, as an array (time, lat, lon)."""
        return open_frames(self.stores[f"{method}/{series}"])["vorticity"].values


@pytest.fixture(scope="module")
def two_series(tmp_path_factory):
    """Methods are interpolation, twice the truth, and the truth itself."""
    folder, stores = tmp_path_factory.mktemp("two"), {}
    for seed, num_frames in enumerate((60, 40)):
        name = f"seed_{seed}"
        low, high = make_stores(folder / name, tiny_frames(num_frames, seed=seed))
        twice, truth = folder / name / "twice" / "seed.json", open_frames(high)
        double = (2 * truth).assign_attrs(truth.attrs)
        write_frames(double, twice, Layout(4), truth.attrs, Communicator())
        given = {"truth": high, "low": low, "bicubic": make_raw(low, high)}
        given |= {"network_2d": twice, "constrained_2d": high}
        stores |= {f"{method}/{name}": manifest for method, manifest in given.items()}
    network, output = folder / "train_2d" / "network.safetensors", folder / "evaluate"
    save_scaling(network, open_frames(stores["truth/seed_0"]))
    series = dict.fromkeys(("seed_0", "seed_1"), "train")
    settings = stage_settings(folder, "evaluate", source={"test": []})
    evaluate(settings, stores, series, network, {}, output, Run())
    return TwoSeries(stores, output)


def test_frames_are_held_against_their_own_input(two_series):
    """The truth, downscaled, is that input, and twice the truth is off by all of it."""
    test = read_json(two_series.output / "metrics.json")["test"]
    assert test["constrained_2d"]["consistency_vorticity"] < 1e-5
    assert test["network_2d"]["consistency_vorticity"] == pytest.approx(1, rel=1e-2)


def test_anomalies_are_from_the_mean_over_all_training_frames(two_series):
    """The first 38 and 26 frames train; 50 to 57 and 34 to 37 are centres of test packs."""
    truth, ours = (
        [two_series.frames(method, f"seed_{seed}") for seed in (0, 1)]
        for method in ("truth", "bicubic")
    )
    normal = np.concatenate([truth[0][:38], truth[1][:26]]).mean(axis=0, dtype="float64")
    weights = Grid.of(open_frames(two_series.stores["truth/seed_0"])).weights[2:-2, None]

    def inner_anomalies(series):
        frames = np.concatenate([series[0][50:58], series[1][34:38]])
        return (frames - normal)[:, 2:-2, 2:-2]

    a, b = inner_anomalies(ours), inner_anomalies(truth)
    shared, power, own = (np.sum(weights * c * d, axis=(1, 2)) for c, d in ((a, b), (a, a), (b, b)))
    test = read_json(two_series.output / "metrics.json")["test"]["bicubic"]
    expected = np.mean(shared / np.sqrt(power * own))
    assert 1 - test["acc_vorticity"] == pytest.approx(1 - expected, rel=1e-4)


def test_spectra_are_told_by_wavelength_of_the_result_and_of_the_truth(two_series):
    table = pd.read_csv(two_series.output / "spectra.csv")
    chosen = (table["method"] == "network_2d") & (table["quantity"] == "vorticity")
    spectra = table[chosen]
    np.testing.assert_allclose(spectra["power"], 4 * spectra["truth"], rtol=1e-4)
    np.testing.assert_allclose(spectra["coherence"], 1, rtol=1e-4)
    for edge in ("low", "high"):
        np.testing.assert_allclose(
            spectra[f"power_{edge}"], 4 * spectra[f"truth_{edge}"], rtol=1e-4
        )
    degree = np.arange(1, 12)
    np.testing.assert_array_equal(spectra["wavenumber"], degree)
    circumference_km = 40_031.6  # of a sphere with a radius of 6371.22 km
    expected = circumference_km / np.sqrt(degree * (degree + 1))
    np.testing.assert_allclose(spectra["wavelength_km"], expected, rtol=1e-4)
