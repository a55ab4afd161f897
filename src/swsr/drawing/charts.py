"""Lines for web pages, as SVG: spectra, training, figures over time. Colours of Okabe and Ito."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from swsr.drawing.maps import Colours
from swsr.evaluation.tables import LABELS

# Colour, dashes and width: lines are told apart without colour, too.
STYLES: dict[str, dict[str, Any]] = {
    "truth": {"color": "#000000", "linestyle": "-", "linewidth": 2.2},
    "bicubic": {"color": "#E69F00", "linestyle": "--"},
    "spectral": {"color": "#999999", "linestyle": (0, (1, 1))},
    "network_2d": {"color": "#0072B2", "linestyle": "-"},
    "network_3d_raw": {"color": "#CC79A7", "linestyle": ":"},
    "combined_raw": {"color": "#D55E00", "linestyle": (0, (4, 1, 1, 1, 1, 1))},
    "network_3d_processed": {"color": "#009E73", "linestyle": "-."},
    "joint": {"color": "#56B4E9", "linestyle": (0, (6, 2))},
    "constrained_2d": {"color": "#0072B2", "linestyle": ":", "linewidth": 2.5},
    "constrained_3d": {"color": "#009E73", "linestyle": (0, (3, 1, 1, 1)), "linewidth": 2.5},
    "constrained_joint": {"color": "#56B4E9", "linestyle": (0, (1, 2)), "linewidth": 2.5},
    "ensemble_2d": {"color": "#004D80", "linestyle": (0, (5, 1))},
    "ensemble_3d": {"color": "#00664B", "linestyle": (0, (5, 1, 1, 1))},
    "ensemble_joint": {"color": "#2A7FA8", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
}
_SIZE = (5.4, 3.6)
_LEAST_SHARE = 1e-3


def spectrum_chart(spectra: pd.DataFrame, quantity: str, unit: str) -> str:
    """Power by wavenumber: means over frames, and the range of 8 frames in 10, shaded.

    `spectra` has the columns of `spectra.csv`.
    """
    rows = spectra[spectra["quantity"] == quantity]
    figure, axis = _figure()
    first = rows[rows["method"] == rows["method"].iloc[0]]
    _band(axis, first, "truth", "truth", "truth")
    for method, each in rows.groupby("method", sort=False):
        _band(axis, each, "power", str(method), LABELS[str(method)])
    least = first["truth"].max() * 1e-9
    axis.set(xscale="log", yscale="log", ylabel=f"{quantity} per wavenumber ({unit})")
    axis.set_ylim(bottom=max(least, first["truth"].min() / 10))
    _wavenumbers(axis, first)
    return _as_uri(figure)


def coherence_chart(spectra: pd.DataFrame, quantity: str) -> str:
    """Coherence with the truth by wavenumber, and the level down to which a scale is resolved."""
    rows = spectra[spectra["quantity"] == quantity]
    figure, axis = _figure()
    for method, each in rows.groupby("method", sort=False):
        axis.plot(
            each["wavenumber"], each["coherence"], label=LABELS[str(method)], **STYLES[str(method)]
        )
    axis.axhline(0.5, color="grey", linewidth=0.8)
    axis.set(xscale="log", ylim=(0, 1.03), ylabel=f"coherence of {quantity} (1)")
    _wavenumbers(axis, rows[rows["method"] == rows["method"].iloc[0]])
    return _as_uri(figure)


def training_chart(histories: Mapping[str, pd.DataFrame]) -> str:
    """Validation PSNR and training loss by epoch; keys are the methods that are trained for."""
    figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.4), layout="constrained")
    for method, history in histories.items():
        label, style = LABELS[method], STYLES[method]
        marker = {"marker": "o", "markersize": 3} if len(history) < 40 else {}
        axes[0].plot(history["epoch"], history["validation_psnr"], label=label, **style, **marker)
        axes[1].plot(history["epoch"], history["train_loss"], label=label, **style, **marker)
    axes[0].set(xlabel="epoch", ylabel="validation PSNR (dB)")
    axes[1].set(xlabel="epoch", ylabel="training loss (1)", yscale="log")
    for axis in axes:
        _finish(axis)
    return _as_uri(figure)


def time_chart(values: pd.DataFrame, ylabel: str) -> str:
    """A figure of every frame by each method.

    Parameters
    ----------
    values
        Columns series, time, method, value; series follow each other along the axis.
    ylabel
        Name and unit of the figure.
    """
    figure, axis = _figure()
    series = list(dict.fromkeys(values["series"]))
    for method, each in values.groupby("method", sort=False):
        for index, name in enumerate(series):
            part = each[each["series"] == name]
            label = LABELS[str(method)] if index == 0 else None
            style = STYLES[str(method)]
            if len(part) == 1:  # no line has one end
                style = style | {"marker": "o", "markersize": 3}
            axis.plot(_positions(part, values, series), part["value"], label=label, **style)
    axis.set(ylabel=ylabel, xlabel=f"test frame ({', '.join(series)})")
    _finish(axis)
    return _as_uri(figure)


def spread_chart(spreads: pd.DataFrame, variable: str, unit: str) -> str:
    """Error of ensembles by their spread, and where the one is as large as the other.

    `spreads` has the columns of `spread.csv`; classes of less than a thousandth of the area, which
    few points decide, are left out.
    """
    rows = spreads[(spreads["variable"] == variable) & (spreads["share"] >= _LEAST_SHARE)]
    figure, axis = _figure()
    for method, each in rows.groupby("method", sort=False):
        style = STYLES[str(method)] | {"marker": "o", "markersize": 3}
        axis.plot(each["spread"], each["error"], label=LABELS[str(method)], **style)
    ends = rows[["spread", "error"]].to_numpy()
    line = [ends.min(), ends.max()]
    axis.plot(line, line, color="grey", linewidth=0.8, label="error as large as spread")
    axis.set(xscale="log", yscale="log")
    axis.set(xlabel=f"spread of {variable} ({unit})", ylabel=f"error of {variable} ({unit})")
    _finish(axis)
    return _as_uri(figure)


def colour_bar(colours: Colours, label: str) -> str:
    """The scale of several pictures."""
    figure, axis = plt.subplots(figsize=(6.4, 0.75), layout="constrained")
    scale = ScalarMappable(Normalize(colours.low, colours.high), colours.name)
    figure.colorbar(scale, cax=axis, orientation="horizontal", label=label, extend="both")
    return _as_uri(figure)


def _positions(part: pd.DataFrame, values: pd.DataFrame, series: list[str]) -> np.ndarray:
    """Numbers of frames; those of a series start where the one before ends."""
    name = part["series"].iloc[0]
    before = series[: series.index(name)]
    start = values[values["series"].isin(before)].groupby("series")["time"].nunique().sum()
    # In their order, which that of lead times as text is not.
    times = values.loc[values["series"] == name, "time"].unique()
    return start + pd.Index(times).get_indexer(part["time"])


def _figure() -> tuple[Figure, Axes]:
    return plt.subplots(figsize=_SIZE, layout="constrained")


def _band(axis: Axes, rows: pd.DataFrame, column: str, method: str, label: str) -> None:
    style = STYLES[method]
    axis.plot(rows["wavenumber"], rows[column], label=label, **style)
    axis.fill_between(
        rows["wavenumber"], rows[f"{column}_low"], rows[f"{column}_high"],
        color=style["color"], alpha=0.15, linewidth=0,
    )  # fmt: skip


def _wavenumbers(axis: Axes, rows: pd.DataFrame) -> None:
    """Below the number of waves, above their length."""
    axis.set_xlabel("wavenumber")
    axis.set_xlim(1, rows["wavenumber"].max())
    _finish(axis)
    top = axis.secondary_xaxis("top")
    lengths = [
        length
        for power in range(4, -7, -1)
        for length in (5 * 10.0**power, 2 * 10.0**power, 10.0**power)
        if rows["wavelength_km"].min() <= length <= rows["wavelength_km"].max()
    ]
    places = np.interp(-np.log(lengths), -np.log(rows["wavelength_km"]), np.log(rows["wavenumber"]))
    top.set_xticks(np.exp(places), [f"{length:g}" for length in lengths], minor=False)
    top.set_xticks([], minor=True)
    top.set_xlabel("wavelength (km)")


def _finish(axis: Axes) -> None:
    axis.grid(visible=True, alpha=0.3)
    for side in ("right", "top"):
        axis.spines[side].set_visible(False)
    axis.legend(fontsize=8, frameon=False)


def _as_uri(figure: Figure) -> str:
    data = io.BytesIO()
    # The same figures give the same bytes.
    with mpl.rc_context({"svg.hashsalt": "swsr"}):
        figure.savefig(data, format="svg", metadata={"Date": None})
    plt.close(figure)
    return "data:image/svg+xml;base64," + base64.b64encode(data.getvalue()).decode()
