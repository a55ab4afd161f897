"""The pictures of the report: maps, a film, and charts over time, by scale and of trainings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from swsr.drawing import charts, pictures
from swsr.drawing.maps import spans_globe
from swsr.drawing.pictures import FILM_FRAMES, Picture, Shown
from swsr.drawing.plots import time_text
from swsr.ensembles import spread_of
from swsr.evaluation.evaluated import Evaluated
from swsr.evaluation.tables import LABELS, pictured
from swsr.grids import Grid
from swsr.settings import MEMBERS

_GIVEN = {"ground truth": "truth", "low resolution": "low", "bicubic interpolation": "bicubic"}
"""What maps show beside networks."""

_PALE = {"network_3d_raw", "combined_raw"}
"""Methods that pictures over time leave out: they would cover the others."""

_METHOD_OF = {
    "train_2d": "network_2d",
    "train_3d/raw": "network_3d_raw",
    "train_3d/processed": "network_3d_processed",
    "train_joint": "joint",
}
"""The method that each training is for."""


def draw_frames(found: Evaluated, series: str) -> dict[str, Any]:
    """What the page's template shows of the frames of a series."""
    networks = pictured({method: found.psnr(method) for method in found.metrics})
    label = max(networks, key=lambda label: found.psnr(networks[label]))
    stores = {each: found.open(method, series) for each, method in (_GIVEN | networks).items()}
    numbers = _numbers(found, series)
    shown = _shown(stores, _middle(numbers))
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


def draw_spread(found: Evaluated, series: str) -> list[Picture]:
    """Where the best ensemble errs, and where its networks differ; nothing without an ensemble."""
    ensembles = [method for method in MEMBERS if method in found.metrics]
    if not ensembles:
        return []
    best = max(ensembles, key=found.psnr)
    label, result = LABELS[best], found.open(best, series)
    given = {each: found.open(_GIVEN[each], series) for each in ("ground truth", "low resolution")}
    shown = _shown(given | {label: result}, _middle(_numbers(found, series)))
    field = shown.fields[label]
    spread = result[spread_of(str(field.name))].sel(time=field["time"])
    return pictures.draw_spread(shown, label, spread.load())


def _numbers(found: Evaluated, series: str) -> np.ndarray:
    """Numbers of the test frames of a series."""
    return np.unique(found.frames.loc[found.frames["series"] == series, "frame"])


def _middle(numbers: np.ndarray) -> int:
    return int(numbers[len(numbers) // 2])


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
        str(attributes.get("units", "1")), time_text(fields[next(iter(fields))]),
    )  # fmt: skip


def _projection(grid: Grid) -> str:
    if spans_globe(grid):
        return (
            "Mollweide's projection, areas in proportion, longitude 180° in the middle; parallels "
            "every 30°, meridians every 60°."
        )
    return f"The grid as it is, {len(grid.lat)} x {len(grid.lon)} points, first coordinate upward."


def draw_charts(found: Evaluated, training: Mapping[str, Path]) -> dict[str, Any]:
    """What the page's template shows of all test frames, and of trainings: stage -> folder."""
    frames = found.frames[~found.frames["method"].isin(_PALE)]
    # Of series on other points than those of the training nothing is known.
    known = map(str, frames.dropna(axis="columns", how="all"))
    variables = [key.removeprefix("acc_") for key in known if key.startswith("acc_")]
    over_time = [_over_time(frames, "psnr", "PSNR (dB)")]
    over_time += [
        _over_time(frames, f"acc_{v}", f"anomaly correlation of {v} (1)") for v in variables
    ]
    spectra = found.table("spectra.csv")
    units = {name: f"({unit})²" for name, unit in found.units.items()}
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
            for picture in _spectrum(spectra, str(quantity), units[str(quantity)])
        ],
        "spread": _spread(found),
        "conserved": [_conserved(means, str(q)) for q in means["quantity"].unique()],
        "training": Picture(
            "Left: validation set, higher is better. Right: loss.",
            charts.training_chart(histories),
            curves + ".",
        ),
    }


def _over_time(frames: pd.DataFrame, key: str, ylabel: str) -> Picture:
    values = frames[["series", "time", "method"]].assign(value=frames[key])
    ends = values.groupby("method", sort=False)["value"].agg(["min", "max"])
    words = "; ".join(
        f"{LABELS[str(m)]} {row['min']:.4g} to {row['max']:.4g}" for m, row in ends.iterrows()
    )
    return Picture(ylabel, charts.time_chart(values, ylabel), f"{ylabel} of every frame: {words}.")


def _spread(found: Evaluated) -> list[Picture]:
    spreads = found.table("spread.csv")
    return [
        Picture(
            f"Error of {name} where networks differ little, and much",
            charts.spread_chart(spreads, name, unit),
            f"Root mean square error of {name} of the mean of several networks by their spread.",
        )
        for name, unit in found.units.items()
        if name in set(spreads["variable"])
    ]


def _spectrum(spectra: pd.DataFrame, quantity: str, unit: str) -> list[Picture]:
    made = [
        Picture(
            f"Power of {quantity} by scale",
            charts.spectrum_chart(spectra, quantity, unit),
            f"Power of {quantity} by wavenumber: truth, interpolation and networks.",
        )
    ]
    if spectra.loc[spectra["quantity"] == quantity, "coherence"].notna().any():
        made.append(
            Picture(
                f"Coherence of {quantity} with the truth",
                charts.coherence_chart(spectra, quantity),
                f"Coherence of {quantity} with the truth by wavenumber.",
            )
        )
    return made


def _conserved(means: pd.DataFrame, quantity: str) -> Picture:
    rows = means[(means["quantity"] == quantity) & ~means["method"].isin(_PALE)]
    values = rows[["series", "time", "method"]].assign(value=rows["result"] / rows["truth"])
    label = f"mean {quantity}, result over truth (1)"
    words = "; ".join(
        f"{LABELS[str(method)]} {value:.4f}"
        for method, value in values.groupby("method", sort=False)["value"].mean().items()
    )
    return Picture(label, charts.time_chart(values, label), f"{label}: {words} on average.")
