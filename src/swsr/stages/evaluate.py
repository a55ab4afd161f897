"""Compare every method with the truth: figures, tables, physics, a gate and a picture."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from swsr.atomic import write_text
from swsr.checkpoint import Card, load_network
from swsr.drawing import plots
from swsr.ensembles import NUM_MEMBERS, spread_of
from swsr.evaluation import tables
from swsr.evaluation.diagnosis import Diagnosis, diagnose, outer_labels
from swsr.evaluation.figures import figures
from swsr.evaluation.gate import judge
from swsr.evaluation.scores import (
    MARGIN,
    Points,
    align,
    fill,
    mean_over_frames,
    nested,
    score_frames,
)
from swsr.evaluation.spectra import Modes, coherence, make_modes
from swsr.evaluation.spread import spread_figures, spread_table
from swsr.grids import Grid
from swsr.networks.study import TRIM_POINTS
from swsr.run import Run
from swsr.settings import MEMBERS, EvaluateStage, Role, Set, read_stage_settings
from swsr.zarr_io import open_frames

PACKED = (
    "network_3d_raw", "network_3d_processed", "combined_raw", "joint", "constrained_3d",
    "constrained_joint", "ensemble_3d", "ensemble_joint",
)  # fmt: skip
"""Methods whose frames are centres of packs."""


@dataclass(frozen=True)
class _Study:
    """Series of every method, and what they are compared by."""

    stores: Mapping[str, Path]
    series: Mapping[str, Role]
    choices: EvaluateStage
    card: Card

    @property
    def methods(self) -> list[str]:
        """Interpolation, then the networks."""
        names = dict.fromkeys(key.partition("/")[0] for key in self.stores)
        return [name for name in names if name not in ("truth", "low")]

    def open(self, method: str, name: str) -> xr.Dataset:
        """Frames of a method."""
        return self.open_whole(method, name)[list(self.card.variables)]

    def open_whole(self, method: str, name: str) -> xr.Dataset:
        """The same, with their spread where a method is an ensemble."""
        return open_frames(self.stores[f"{method}/{name}"])

    def sets(self, name: str) -> dict[Set, slice]:
        num_frames = self.open("truth", name).sizes["time"]
        if self.series[name] == "test":
            return {"test": slice(0, num_frames)}
        return self.choices.split.ranges(num_frames)

    def tests(self) -> dict[str, slice]:
        """Series that hold test frames, and where."""
        sets = {name: self.sets(name) for name in self.series}
        return {name: parts["test"] for name, parts in sets.items() if "test" in parts}

    @cached_property
    def modes(self) -> Modes | None:
        """Of the grid of the test series; None where they have grids of several kinds."""
        first, *others = (Grid.of(self.open("truth", name)) for name in self.tests())
        return make_modes(first) if all(first.resolves_as(other) for other in others) else None

    @cached_property
    def trained_on(self) -> dict[str, xr.Dataset]:
        """Training frames of each series that has such."""
        sets = {name: self.sets(name) for name in self.series}
        return {
            name: self.open("truth", name).isel(time=parts["train"])
            for name, parts in sets.items()
            if "train" in parts
        }

    def like(self, truth: xr.Dataset) -> tuple[str, ...]:
        """Training series on the points of some frames."""
        return tuple(
            name for name, frames in self.trained_on.items() if _on_points_of(frames, truth)
        )

    def normal(self, names: tuple[str, ...], truth: xr.Dataset) -> dict[str, np.ndarray]:
        """Mean of each variable over the training frames of some series, (lat, lon).

        Not a number where there is no series: then on the points of `truth`.
        """
        if not names:
            nowhere = np.full((truth.sizes["lat"], truth.sizes["lon"]), np.nan)
            return dict.fromkeys(self.card.variables, nowhere)
        parts = [self.trained_on[name] for name in names]
        total = sum(part.sizes["time"] for part in parts)
        sums = {
            name: [part[name].sum("time", dtype="float64").values for part in parts]
            for name in self.card.variables
        }
        return {name: np.sum(each, axis=0) / total for name, each in sums.items()}


def _on_points_of(ours: xr.Dataset, theirs: xr.Dataset) -> bool:
    return all(np.allclose(ours[dim], theirs[dim]) for dim in ("lat", "lon"))


def evaluate(
    settings: Path,
    stores: Mapping[str, Path],
    series: Mapping[str, Role],
    network: Path,
    training: Mapping[str, Path],
    output: Path,
    run: Run,
) -> None:
    """Write figures, tables, spectra, the gate and a picture.

    All methods are compared on the same points: inside each set, the frames that are centres of
    whole packs, without the 2 points at each border that 3D networks may take off. Spectra, global
    means, edges, flicker and extremes need whole frames: they are those of the test set, and of
    methods that give such. Values of MSE, PSNR and SSIM are scaled to [0, 1] by the limits of the
    training split.

    Parameters
    ----------
    settings
        File of an `EvaluateStage`.
    stores
        METHOD/SERIES -> manifest, of `truth`, `low`, `bicubic` and networks.
    series
        Name -> whether it trains or tests.
    network
        Any of the trained networks, for the scaling.
    training
        `train_2d`, `train_3d/raw`, `train_3d/processed`, `train_joint` -> folder of that training.
    output
        Folder of the results.
    """
    choices = read_stage_settings(settings, EvaluateStage)
    study = _Study(stores, series, choices, load_network(network)[1])
    frames = pd.DataFrame(_score(study))
    means = mean_over_frames(frames)
    diagnoses = {method: each for method in study.methods if (each := _diagnose(study, method))}
    found = nested(means)
    for method, diagnosis in diagnoses.items():
        found["test"][method] |= figures(diagnosis, study.modes)
    fill(found["test"])
    spreads: dict[str, tuple[pd.DataFrame, int]] = {
        method: _spread(study, method) for method in study.methods if method in MEMBERS
    }
    for method, (of_method, num_members) in spreads.items():
        found["test"][method] |= spread_figures(of_method, num_members)
    trained = {
        stage: json.loads((folder / "metrics.json").read_text())
        for stage, folder in training.items()
    }
    units = dict(zip(study.card.reads, study.card.units, strict=True))
    verdicts = judge(found["test"])
    summary = tables.summary_table(found["test"]) + "\n" + tables.gate_lines(verdicts)
    summary += tables.spread_lines(found["test"])
    write_text(output / "frames.csv", frames.to_csv(index=False))
    write_text(output / "metrics.csv", means.to_csv(index=False))
    write_text(output / "tables.md", tables.study_tables(means, trained))
    write_text(output / "physics.md", tables.physics_table(found["test"], verdicts, units))
    write_text(output / "gate.json", json.dumps(verdicts, indent=2) + "\n")
    write_text(output / "means.csv", _means(diagnoses).to_csv(index=False))
    write_text(output / "spectra.csv", _spectra(diagnoses, study.modes).to_csv(index=False))
    write_text(output / "spread.csv", _spreads(spreads).to_csv(index=False))
    write_text(output / "summary.md", summary)
    psnr = {method: each["psnr"] or 0 for method, each in found["test"].items()}
    shown = tables.pictured(psnr)
    _draw(study, shown, output / "picture.png")
    write_text(output / "metrics.json", json.dumps(found, indent=2) + "\n")
    run.say("figures of the test set\n" + summary)


def _score(study: _Study) -> Iterator[dict[str, object]]:
    """A row of figures per series, set, frame, method and crop."""
    inner = slice(TRIM_POINTS, -TRIM_POINTS)
    # Only methods that need no pack have every frame of a set.
    crops: dict[bool, tuple[Points, ...]] = {True: ("inner",), False: ("inner", "all")}
    means: dict[tuple[str, ...], dict[str, np.ndarray]] = {}
    card = study.card
    for name in study.series:
        truth = study.open("truth", name)
        like = study.like(truth)
        if like not in means:
            means[like] = study.normal(like, truth)
        normals = {
            "all": means[like],
            "inner": {variable: mean[inner, inner] for variable, mean in means[like].items()},
        }
        for part, frames in study.sets(name).items():
            for method in study.methods:
                result = study.open(method, name)
                for points in crops[method in PACKED]:
                    pair = align(result, truth, frames, points, centres=points == "inner")
                    assert pair is not None
                    place = {"set": part, "series": name, "method": method, "points": points}
                    first = frames.start + (MARGIN if points == "inner" else 0)
                    rows = score_frames(pair, card.variables, card.scaling, normals[points])
                    for number, row in enumerate(rows, first):
                        yield place | {"frame": number} | row


def _diagnose(study: _Study, method: str) -> Diagnosis | None:
    """Of all test frames that are centres of packs; None where the method lacks points."""
    parts = []
    for name, frames in study.tests().items():
        truth = study.open("truth", name)
        pair = align(study.open(method, name), truth, frames, "all", centres=True)
        if pair is None:
            return None
        low = study.open("low", name).isel(time=slice(frames.start + MARGIN, frames.stop - MARGIN))
        parts.append(diagnose(name, pair.result, pair.truth, low, study.modes))
    return Diagnosis.join(parts)


def _spread(study: _Study, method: str) -> tuple[pd.DataFrame, int]:
    """Error by spread on test frames that are centres of packs, and how many networks there are."""
    pairs, num_members = [], 0
    for name, frames in study.tests().items():
        result = study.open_whole(method, name)
        num_members = int(result[spread_of(study.card.variables[0])].attrs[NUM_MEMBERS])
        pair = align(result, study.open("truth", name), frames, "inner", centres=True)
        assert pair is not None
        pairs.append(pair)
    return spread_table(pairs, study.card.variables), num_members


def _spreads(found: Mapping[str, tuple[pd.DataFrame, int]]) -> pd.DataFrame:
    """Error by spread: method, variable, share, spread, error."""
    parts = [table.assign(method=method) for method, (table, _) in found.items()]
    columns = ["method", "variable", "share", "spread", "error"]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


def _means(diagnoses: Mapping[str, Diagnosis]) -> pd.DataFrame:
    """Global means of every frame: series, time, method, quantity, value, truth."""
    tables_of = [
        diagnosis.means[quantity].reset_index().assign(method=method, quantity=quantity)
        for method, diagnosis in diagnoses.items()
        for quantity in outer_labels(diagnosis.means)
    ]
    columns = ["series", "time", "method", "quantity", "result", "truth"]
    return pd.concat(tables_of)[columns] if tables_of else pd.DataFrame(columns=columns)


def _spectra(diagnoses: Mapping[str, Diagnosis], modes: Modes | None) -> pd.DataFrame:
    """Power and coherence by wavelength: mean over frames, and the range of 8 frames in 10."""
    parts = []
    for method, diagnosis in diagnoses.items():
        for quantity, (power, truth, shared) in diagnosis.spectra.items():
            assert modes is not None
            columns = {"method": method, "quantity": quantity, "wavenumber": modes.wavenumbers}
            columns["wavelength_km"] = modes.lengths_m / 1000
            for label, of_frames in (("power", power), ("truth", truth)):
                low, high = np.quantile(of_frames, (0.1, 0.9), axis=0)
                columns |= {
                    label: of_frames.mean(axis=0),
                    f"{label}_low": low,
                    f"{label}_high": high,
                }
            means = shared.mean(axis=0), power.mean(axis=0), truth.mean(axis=0)
            columns["coherence"] = coherence(*means)
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts) if parts else pd.DataFrame(columns=["method", "quantity"])


def _draw(study: _Study, networks: Mapping[str, str], path: Path) -> None:
    """The middle test frame of the last series, interpolated and by networks (label -> method)."""
    name, frames = list(study.tests().items())[-1]
    given = {"ground truth": "truth", "low resolution": "low", "bicubic": "bicubic"}
    opened = {label: study.open(key, name) for label, key in (given | dict(networks)).items()}
    middle = opened["ground truth"]["time"][(frames.start + frames.stop) // 2]
    fields = {
        label: dataset[next(iter(dataset.data_vars))].sel(time=middle).load()
        for label, dataset in opened.items()
    }
    plots.draw_comparison(fields, f"test frame of {name}", path)
