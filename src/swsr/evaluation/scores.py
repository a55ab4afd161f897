"""Figures of whole series by every method, aligned with the truth: a row per frame, and means."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

from swsr.evaluation import metrics
from swsr.grids import Grid
from swsr.networks.study import TRIM_POINTS
from swsr.scaling import Scaling
from swsr.settings import PACK_FRAMES
from swsr.zarr_io import frames_at_once, stack_variables

MARGIN = PACK_FRAMES // 2
"""Frames at each end of a set that are not the centre of a pack inside the set."""

Points: TypeAlias = Literal["inner", "all"]

Figures: TypeAlias = dict[str, dict[str, float | None]]
"""Of each method, as `metrics.json` has them."""


@dataclass(frozen=True)
class Pair:
    """The same frames and points of a result and of the truth.

    `weights`, (lat,), are those of the points' areas.
    """

    result: xr.Dataset
    truth: xr.Dataset
    weights: np.ndarray


def align(
    result: xr.Dataset, truth: xr.Dataset, frames: slice, points: Points, *, centres: bool
) -> Pair | None:
    """A result beside the truth; None where the result lacks points that are asked for.

    Parameters
    ----------
    result, truth
        One whole series; the result may lack frames at its ends and points at its borders.
    frames
        The range of a set in `truth`.
    points
        `inner` leaves out the border that a 3D network may take off.
    centres
        Only frames that are centres of packs inside the set.
    """
    trim = (truth.sizes["lat"] - result.sizes["lat"]) // 2
    missing = (truth.sizes["time"] - result.sizes["time"]) // 2
    margin = MARGIN if centres else 0
    border = TRIM_POINTS if points == "inner" else 0
    first, last = frames.start + margin, frames.stop - margin
    if trim > border or missing > first or last > truth.sizes["time"] - missing:
        return None
    cut = slice(border, truth.sizes["lat"] - border), slice(border, truth.sizes["lon"] - border)
    ours = [slice(part.start - trim, part.stop - trim) for part in cut]
    return Pair(
        result.isel(time=slice(first - missing, last - missing), lat=ours[0], lon=ours[1]),
        truth.isel(time=slice(first, last), lat=cut[0], lon=cut[1]),
        Grid.of(truth).weights[cut[0]],
    )


def score_frames(
    pair: Pair, variables: tuple[str, ...], scaling: Scaling, normal: Mapping[str, np.ndarray]
) -> Iterator[dict[str, object]]:
    """A row of figures per frame; `normal` holds the mean of each variable, on the pair's points.

    The study's MSE, PSNR and SSIM are of values scaled to [0, 1], every point alike; `*_area` are
    the same weighted by area, as are `rmse_*` and `mae_*`, in the variable's unit, and `acc_*`.
    """
    assert pair.result.sizes == pair.truth.sizes
    size = frames_at_once(pair.truth)
    for first in range(0, pair.truth.sizes["time"], size):
        block = slice(first, first + size)
        result, truth = (each.isel(time=block).load() for each in (pair.result, pair.truth))
        ours, theirs = (_scaled(each, variables, scaling) for each in (result, truth))
        columns: dict[str, np.ndarray] = {"time": truth["time"].values}
        columns["mse"] = metrics.mse(ours, theirs).numpy()
        columns["psnr"] = np.array([metrics.psnr(float(error)) for error in columns["mse"]])
        columns["mse_area"] = metrics.mse_area(ours, theirs, pair.weights)
        columns["psnr_area"] = np.array([metrics.psnr(float(e)) for e in columns["mse_area"]])
        similarity = metrics.ssim_map(ours, theirs)
        columns["ssim"] = similarity.mean(dim=(1, 2, 3)).numpy()
        columns["ssim_area"] = metrics.ssim_area(similarity, pair.weights)
        for name in variables:
            frames, wanted = result[name].values, truth[name].values
            columns[f"rmse_{name}"] = metrics.rmse(frames - wanted, pair.weights)
            columns[f"mae_{name}"] = metrics.mae(frames - wanted, pair.weights)
            columns[f"acc_{name}"] = metrics.anomaly_correlation(
                frames, wanted, normal[name], pair.weights
            )
        for row in zip(*columns.values(), strict=True):
            yield dict(zip(columns, row, strict=True))


def _scaled(dataset: xr.Dataset, variables: tuple[str, ...], scaling: Scaling) -> Tensor:
    values = stack_variables(dataset, variables).values
    return torch.from_numpy(scaling.to_unit(values))


def mean_over_frames(frames: pd.DataFrame) -> pd.DataFrame:
    """Means over the frames of each set, method and crop.

    PSNR is that of the mean MSE, RMSE the root of the mean square.
    """
    keys = ["set", "method", "points"]
    names = [str(name) for name in frames if name not in (*keys, "series", "frame", "time")]
    roots = {name: 2.0 if name.startswith("rmse_") else 1.0 for name in names}
    squared = frames.assign(**{name: frames[name] ** power for name, power in roots.items()})
    means = squared.groupby(keys, sort=False)[names].mean().reset_index()
    means = means.assign(**{name: means[name] ** (1 / power) for name, power in roots.items()})
    for area in ("", "_area"):
        means[f"psnr{area}"] = [metrics.psnr(error) for error in means[f"mse{area}"]]
    means["frames"] = frames.groupby(keys, sort=False).size().to_numpy()
    return means


def nested(means: pd.DataFrame) -> dict[str, Figures]:
    """`{set: {method: {figure: value}}}` on the inner points."""
    found: dict[str, Figures] = {}
    for row in means[means["points"] == "inner"].to_dict("records"):
        methods = found.setdefault(str(row["set"]), {})
        methods[str(row["method"])] = {
            # What has no value, such as the correlation of nothing, is not known.
            str(key): float(value) if pd.notna(value) else None
            for key, value in row.items()
            if key not in ("set", "method", "points", "frames")
        }
    return found


def fill(methods: Figures) -> None:
    """Give every method all figures that interpolation has, None where they are not known."""
    for given in methods.values():
        for key in methods["bicubic"]:
            given.setdefault(key, None)
