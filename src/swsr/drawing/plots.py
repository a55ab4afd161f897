"""Pictures as PNG files: of frames, and of a comparison of experiments."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr

from swsr.atomic import atomic_path
from swsr.drawing.charts import STYLES
from swsr.evaluation.tables import LABELS

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.patches import Rectangle

_BOX_SHARE = (0.28, 0.21)
"""Extent of the enlarged region in lat and lon, as a share of the whole."""

# Shapes tell methods apart without colours.
_MARKS: dict[str, dict[str, Any]] = {
    method: {"color": STYLES[method]["color"], "marker": shape, "linestyle": "none", "capsize": 3}
    for method, shape in (
        ("bicubic", "|"),
        ("network_2d", "o"),
        ("network_3d_raw", "v"),
        ("combined_raw", "x"),
        ("network_3d_processed", "D"),
        ("joint", "s"),
        ("spectral", "_"),
        ("constrained_2d", "*"),
        ("constrained_3d", "P"),
        ("constrained_joint", "X"),
        ("ensemble_2d", "^"),
        ("ensemble_3d", "h"),
        ("ensemble_joint", "8"),
    )
}

_AXES = {"degrees_north": "latitude (°N)", "degrees_east": "longitude (°E)"}


def draw_comparison(fields: dict[str, xr.DataArray], title: str, path: Path) -> None:
    """One frame by several methods: an enlarged region of each, and its error, as PNG.

    Parameters
    ----------
    fields
        Label -> field with dims (lat, lon). The first is the truth, the second the low-resolution
        frame, which gets no error; coordinates of the others are among those of the truth.
    title
        What frame it is.
    path
        File to write.
    """
    truth = next(iter(fields.values()))
    box = busiest_box(truth)
    colours = _colours(truth)
    errors = {
        label: field - truth.sel(lat=field["lat"], lon=field["lon"])
        for label, field in list(fields.items())[2:]
    }
    # One colour scale for all errors, from what interpolation gets wrong.
    error_limit = float(np.quantile(np.abs(next(iter(errors.values())).values), 0.998)) or 1.0
    error_colours = {"cmap": "RdBu_r", "vmin": -error_limit, "vmax": error_limit}
    figure, axes = plt.subplots(
        2, len(fields), figsize=(3.1 * len(fields), 5.4), layout="constrained"
    )
    for axis, (label, field) in zip(axes[0], fields.items(), strict=True):
        image = _map(axis, _cut(field, box), colours, label)
    _colourbar(image, axes[0], truth)
    _map(axes[1, 0], truth, colours, "ground truth, all of it")
    axes[1, 0].add_patch(
        Rectangle((box[1].start, box[0].start), *(_extent(part) for part in box[::-1]), fill=False)
    )
    axes[1, 1].axis("off")
    for axis, (label, error) in zip(axes[1, 2:], errors.items(), strict=True):
        rms = float(np.sqrt((error**2).mean()))
        image = _map(axis, _cut(error, box), error_colours, f"error of {label}\nRMS {rms:.2e}")
    _colourbar(image, axes[1, 2:], truth, prefix="error of ")
    figure.suptitle(f"{_name(truth)}, {title}, {time_text(truth)}")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)


def draw_ranking(summary: pd.DataFrame, path: Path) -> None:
    """PSNR of every method of every experiment as points, with their deviation over seeds.

    `summary` has the columns of `tables.comparison_table`; a row of the picture is an experiment.
    """
    experiments = list(dict.fromkeys(summary["experiment"]))[::-1]
    figure, axis = plt.subplots(figsize=(8, 1.4 + 0.42 * len(experiments)), layout="constrained")
    for method, rows in summary.groupby("method", sort=False):
        axis.errorbar(
            rows["psnr"],
            [experiments.index(name) for name in rows["experiment"]],
            xerr=rows["psnr_deviation"].fillna(0),
            label=LABELS[str(method)],
            **_MARKS[str(method)],
        )
    baseline = summary.loc[summary["method"] == "bicubic", "psnr"].iloc[0]
    axis.axvline(baseline, color="#E69F00", linestyle="--", linewidth=1)
    axis.set(yticks=range(len(experiments)), yticklabels=experiments, xlabel="PSNR (dB)")
    axis.set_ylim(-0.6, len(experiments) - 0.4)
    axis.set_title("Test frames, higher is better", loc="left", fontsize=10)
    axis.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)


def busiest_box(truth: xr.DataArray) -> tuple[slice, slice]:
    """The region, within the grid, where the field varies most from point to point."""
    change = abs(truth.differentiate("lon")).rolling(lat=3, lon=3, center=True).mean()
    at = change.fillna(0).argmax(...)
    box = []
    for dim, share in zip(("lat", "lon"), _BOX_SHARE, strict=True):
        first, last = float(truth[dim][0]), float(truth[dim][-1])
        extent = share * (last - first)
        middle = float(truth[dim][at[dim]])
        start = min(max(middle - extent / 2, first), last - extent)
        box.append(slice(start, start + extent))
    return box[0], box[1]


def _cut(field: xr.DataArray, box: tuple[slice, slice]) -> xr.DataArray:
    return field.sel(lat=box[0], lon=box[1])


def _extent(part: slice) -> float:
    return float(part.stop - part.start)


def _colours(field: xr.DataArray) -> dict[str, Any]:
    """One scale for all fields: even about zero where the field has both signs."""
    low, high = float(field.min()), float(field.max())
    if low < 0 < high:
        limit = max(-low, high)
        return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    return {"cmap": "viridis", "vmin": low, "vmax": high}


def _map(axis: Axes, field: xr.DataArray, colours: dict[str, Any], title: str) -> QuadMesh:
    image = axis.pcolormesh(field["lon"], field["lat"], field, shading="nearest", **colours)
    axis.set_title(title, fontsize=10)
    for dim, label in (("lon", axis.set_xlabel), ("lat", axis.set_ylabel)):
        unit = field[dim].attrs.get("units", "")
        label(_AXES.get(unit, f"{dim} ({unit})" if unit else dim), fontsize=8)
    axis.tick_params(labelsize=7)
    return image


def _colourbar(image: QuadMesh, axes: np.ndarray, truth: xr.DataArray, prefix: str = "") -> None:
    bar = plt.gcf().colorbar(image, ax=list(axes), fraction=0.05, pad=0.01, aspect=25)
    bar.set_label(f"{prefix}{_name(truth)} ({truth.attrs.get('units', '1')})", fontsize=8)
    bar.ax.tick_params(labelsize=7)


def _name(field: xr.DataArray) -> str:
    return str(field.attrs.get("long_name", field.name))


def time_text(field: xr.DataArray) -> str:
    """The time of a frame for people."""
    time = field["time"].values
    if np.issubdtype(time.dtype, np.datetime64):
        return str(np.datetime_as_string(time, unit="m")).replace("T", " ")
    if np.issubdtype(time.dtype, np.timedelta64):
        return f"time {pd.Timedelta(time.astype('timedelta64[ns]').item(), 'ns')}"
    return f"time {time}"
