"""One self-contained HTML page about a study: answer, pictures, physics, training, provenance."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from swsr import charts, pictures
from swsr.atomic import write_text
from swsr.chain_record import describe_software, read_records, summarise
from swsr.gate import FIGURES, split_key
from swsr.grids import Grid
from swsr.page import Table, read_tables, read_text, render
from swsr.pictures import FILM_FRAMES, Picture, Shown
from swsr.run import Run
from swsr.settings import INTERPOLATIONS, Role
from swsr.tables import LABELS, figure_label, figure_unit
from swsr.zarr_io import open_frames

SHOWN = {
    "ground truth": "truth",
    "low resolution": "low",
    "bicubic interpolation": "bicubic",
    "2D network": "network_2d",
    "2D then 3D": "network_3d_processed",
    "2D and 3D as one": "joint",
}
"""What the maps show; and the best network where there is none of these."""

_PALE = {"network_3d_raw", "combined_raw"}
"""Methods that pictures over time leave out: they would cover the others."""

_METHOD_OF = {
    "train_2d": "network_2d",
    "train_3d/raw": "network_3d_raw",
    "train_3d/processed": "network_3d_processed",
    "train_joint": "joint",
}
"""The method that each training is for."""


@dataclass(frozen=True)
class _Study:
    """What evaluation found, and the frames that it found it in."""

    stores: Mapping[str, Path]
    evaluation: Path
    metrics: dict[str, dict[str, float | None]]
    frames: pd.DataFrame

    @classmethod
    def read(cls, stores: Mapping[str, Path], evaluation: Path) -> "_Study":
        metrics = json.loads((evaluation / "metrics.json").read_text())["test"]
        frames = pd.read_csv(evaluation / "frames.csv")
        chosen = (frames["set"] == "test") & (frames["points"] == "inner")
        return cls(stores, evaluation, metrics, frames[chosen])

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.evaluation / name)

    def text(self, name: str) -> str:
        return (self.evaluation / name).read_text()

    def open(self, method: str, series: str) -> xr.Dataset:
        return open_frames(self.stores[f"{method}/{series}"])

    @property
    def best(self) -> str:
        """The network with the highest PSNR on the test frames."""
        under_two_names = "network_3d_processed"  # combined_processed
        return max(self.networks - {under_two_names}, key=self.psnr)

    @property
    def networks(self) -> set[str]:
        """Methods other than interpolation."""
        return self.metrics.keys() - set(INTERPOLATIONS)

    def psnr(self, method: str) -> float:
        """On the test frames."""
        return self.metrics[method]["psnr"] or 0


def report(
    stores: Mapping[str, Path],
    series: Mapping[str, Role],
    evaluation: Path,
    training: Mapping[str, Path],
    study: Path,
    output: Path,
    run: Run,
) -> None:
    """Write `report.html`.

    Parameters
    ----------
    stores
        As for `evaluate`.
    series
        Name -> whether it trains or tests.
    evaluation
        Folder that `evaluate` wrote.
    training
        `train_2d`, `train_3d/raw`, `train_3d/processed` -> folder of that training.
    study
        Folder of the study, for settings and provenance.
    output
        Folder of the report.
    """
    found = _Study.read(stores, evaluation)
    names = [name for name in series if name in set(found.frames["series"])]
    page = render(
        "page.html.j2",
        {"study": study.name, "series": names[-1]}
        | _answer(found)
        | _pictures(found, names[-1])
        | _charts(found, training)
        | _tables(found)
        | _record(study),
    )
    write_text(output / "report.html", page)
    run.say(f"{output / 'report.html'}: {len(page) / 1e6:.1f} MB, opens in any browser, offline")


def _units(found: _Study) -> dict[str, str]:
    """Of each variable, in order."""
    series = str(found.frames["series"].iloc[0])
    variables = found.open("truth", series).data_vars
    return {str(name): str(each.attrs.get("units", "1")) for name, each in variables.items()}


def _answer(found: _Study) -> dict[str, Any]:
    base, best = found.metrics["bicubic"]["psnr"], found.metrics[found.best]["psnr"]
    assert base is not None and best is not None
    verdicts = json.loads(found.text("gate.json"))
    known = [v for v in verdicts[found.best].values() if v != "not available"]
    label, better = LABELS[found.best], known.count("better")
    counts = f"it is better on {better} of {len(known)} figures"
    if best > base:
        everywhere = "Yes" if "worse" not in known else "Yes, but not on every figure"
        answer = f"{everywhere}: {label}, {best:.2f} dB, {best - base:+.2f} dB; {counts}."
    else:
        answer = f"No: the best is {label}, {best:.2f} dB, {best - base:+.2f} dB; {counts}."
    num_frames = found.frames.groupby("series")["frame"].nunique()
    where = ", ".join(f"{count} of {name}" for name, count in num_frames.items())
    return {
        "question": "Do the networks restore the frames better than bicubic interpolation?",
        "answer": answer,
        "good": best > base and "worse" not in known,
        "best": label,
        "basis": f"Test frames: {where}. No network has seen them.",
        "result": _result_table(found, verdicts, _units(found)),
    }


def _result_table(
    found: _Study, verdicts: Mapping[str, Mapping[str, str]], units: Mapping[str, str]
) -> Table:
    first = next(iter(units))
    keys = ["ssim", f"rmse_{first}", f"resolution_km_{first}"]
    base = found.metrics["bicubic"]["psnr"] or 0
    rows = []
    for method, figures in found.metrics.items():
        if method == "network_3d_processed":  # combined_processed under its other name
            continue
        of_method = list(verdicts.get(method, {}).values())
        known = len(of_method) - of_method.count("not available")
        count = f"{of_method.count('better')} of {known}" if of_method else "–"
        worse = f"{of_method.count('worse')} (!)" if "worse" in of_method else "0"
        psnr = figures["psnr"] or 0
        cells = [FIGURES[split_key(key)[0]].text(figures[key]) for key in keys]
        counts = [count, worse if of_method else "–"]
        rows.append([LABELS[method], f"{psnr:.2f}", f"{psnr - base:+.2f}", *counts, *cells])
    labels = [f"{figure_label(key)} ({figure_unit(key, units)})" for key in keys]
    header = ["test frames", "PSNR (dB)", "gain (dB)", "better on", "worse on", *labels]
    return Table("Result", header, rows)


def _pictures(found: _Study, series: str) -> dict[str, Any]:
    networks = {label: method for label, method in SHOWN.items() if method in found.networks}
    networks = networks or {LABELS[found.best]: found.best}
    label = max(networks, key=lambda label: found.psnr(networks[label]))
    stores = {
        each: found.open(method, series)
        for each, method in (SHOWN | networks).items()
        if f"{method}/{series}" in found.stores
    }
    numbers = np.unique(found.frames.loc[found.frames["series"] == series, "frame"])
    shown = _shown(stores, int(numbers[len(numbers) // 2]))
    film_of = numbers[:: -(-len(numbers) // FILM_FRAMES)]
    reduced = {key: stores[key] for key in ("ground truth", "low resolution", label)}
    film = pictures.draw_film([_shown(reduced, int(number)) for number in film_of], label)
    region, where = pictures.draw_region(shown, "bicubic interpolation", label)
    return {
        "shown": shown,
        "variables": ", ".join(map(str, stores["ground truth"].data_vars)),
        "projection": _projection(shown.grid),
        "maps": pictures.draw_maps(shown),
        "region": region,
        "where": where,
        "film": film,
    }


def _shown(stores: Mapping[str, xr.Dataset], number: int) -> Shown:
    """The first variable of a frame, counted in the truth, from stores that may lack end frames."""
    truth = next(iter(stores.values()))
    name = str(next(iter(truth.data_vars)))
    fields = {}
    for label, dataset in stores.items():
        missing = (truth.sizes["time"] - dataset.sizes["time"]) // 2
        fields[label] = dataset[name].isel(time=number - missing).load()
    attributes = truth[name].attrs
    return Shown(
        Grid.of(truth), fields, str(attributes.get("long_name", name)),
        str(attributes.get("units", "1")), pictures.time_text(fields[next(iter(fields))]),
    )  # fmt: skip


def _projection(grid: Grid) -> str:
    if grid.in_degrees and grid.geometry.lon == "periodic":
        return (
            "Mollweide's projection, areas in proportion, longitude 180° in the middle; parallels "
            "every 30°, meridians every 60°."
        )
    return f"The grid as it is, {len(grid.lat)} x {len(grid.lon)} points, first coordinate upward."


def _charts(found: _Study, training: Mapping[str, Path]) -> dict[str, Any]:
    labels = LABELS | {"network_3d_processed": LABELS["combined_processed"]}
    frames = found.frames[~found.frames["method"].isin(_PALE)]
    variables = [key.removeprefix("acc_") for key in map(str, frames) if key.startswith("acc_")]
    over_time = [_over_time(frames, "psnr", "PSNR (dB)", labels)]
    over_time += [
        _over_time(frames, f"acc_{v}", f"anomaly correlation of {v} (1)", labels) for v in variables
    ]
    spectra = found.table("spectra.csv")
    units = {name: f"({unit})²" for name, unit in _units(found).items()}
    units |= {"kinetic energy": "m² s⁻²", "enstrophy": "s⁻²"}
    means = found.table("means.csv")
    histories = {
        _METHOD_OF[stage]: pd.read_csv(folder / "history.csv") for stage, folder in training.items()
    }
    curves = "Validation PSNR and training loss by epoch: " + "; ".join(
        f"{LABELS[method]} ends at {history['validation_psnr'].iloc[-1]:.2f} dB"
        for method, history in histories.items()
    )
    return {
        "over_time": over_time,
        "spectra": [
            picture
            for quantity in spectra["quantity"].unique()
            for picture in _spectrum(spectra, str(quantity), units[str(quantity)], labels)
        ],
        "conserved": [_conserved(means, str(q), labels) for q in means["quantity"].unique()],
        "training": Picture(
            "Left: validation set, higher is better. Right: loss.",
            charts.training_chart(histories, LABELS),
            curves + ".",
        ),
    }


def _over_time(frames: pd.DataFrame, key: str, ylabel: str, labels: Mapping[str, str]) -> Picture:
    values = frames[["series", "time", "method"]].assign(value=frames[key])
    ends = values.groupby("method", sort=False)["value"].agg(["min", "max"])
    words = "; ".join(
        f"{labels[str(m)]} {row['min']:.4g} to {row['max']:.4g}" for m, row in ends.iterrows()
    )
    return Picture(
        ylabel, charts.time_chart(values, labels, ylabel), f"{ylabel} of every frame: {words}."
    )


def _spectrum(
    spectra: pd.DataFrame, quantity: str, unit: str, labels: Mapping[str, str]
) -> list[Picture]:
    made = [
        Picture(
            f"Power of {quantity} by scale",
            charts.spectrum_chart(spectra, quantity, unit, labels),
            f"Power of {quantity} by wavenumber: truth, interpolation and networks.",
        )
    ]
    if spectra.loc[spectra["quantity"] == quantity, "coherence"].notna().any():
        made.append(
            Picture(
                f"Coherence of {quantity} with the truth",
                charts.coherence_chart(spectra, quantity, labels),
                f"Coherence of {quantity} with the truth by wavenumber.",
            )
        )
    return made


def _conserved(means: pd.DataFrame, quantity: str, labels: Mapping[str, str]) -> Picture:
    rows = means[(means["quantity"] == quantity) & ~means["method"].isin(_PALE)]
    values = rows[["series", "time", "method"]].assign(value=rows["result"] / rows["truth"])
    label = f"mean {quantity}, result over truth (1)"
    words = "; ".join(
        f"{labels[str(method)]} {value:.4f}"
        for method, value in values.groupby("method", sort=False)["value"].mean().items()
    )
    return Picture(label, charts.time_chart(values, labels, label), f"{label}: {words} on average.")


def _tables(found: _Study) -> dict[str, Any]:
    physics = found.text("physics.md")
    return {
        "physics": read_tables(physics)[0],
        "meanings": read_text(physics),
        "gate": read_text(found.text("summary.md")),
        "study_tables": read_tables(found.text("tables.md")),
    }


def _record(study: Path) -> dict[str, Any]:
    records = read_records(study)
    chain = summarise(records)
    for name in ("seconds", "start-up"):
        chain[name] = chain[name].map("{:.0f}".format)
    chain["node-hours"] = chain["node-hours"].map("{:.3f}".format)
    settings = {
        path.stem: json.dumps(json.loads(path.read_text()), indent=2)
        for path in sorted((study / "settings").glob("*.json"))
    }
    rows = [[str(cell) for cell in row] for row in chain.itertuples(index=False)]
    software = [list(pair) for pair in describe_software(records).items()]
    return {
        "chain": Table("The chain", list(map(str, chain)), rows),
        "software": Table("Software", ["software", "version"], software),
        "settings": settings,
    }
