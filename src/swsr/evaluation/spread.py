"""What the spread of an ensemble says of its error."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from swsr.ensembles import spread_of
from swsr.evaluation.scores import Pair
from swsr.zarr_io import frames_at_once

_PER_OCTAVE = 2
"""Classes of spread for each doubling."""


def spread_table(pairs: list[Pair], variables: tuple[str, ...]) -> pd.DataFrame:
    """Error of an ensemble's mean where its members differ little, and where they differ much.

    Parameters
    ----------
    pairs
        Results that have a spread, beside the truth.
    variables
        Those that have one.

    Returns
    -------
    A row per variable and class of spread, from small to large: `share` of the area, root mean
    square `spread` and `error` in the variable's unit
    """
    rows = pd.concat(
        [each for pair in pairs for name in variables for each in _classes(pair, name)]
    )
    sums = rows.groupby(["variable", "octave"], sort=True).sum().reset_index()
    total = sums.groupby("variable")["area"].transform("sum")
    table = pd.DataFrame({"variable": sums["variable"], "share": sums["area"] / total})
    for name in ("spread", "error"):
        table[name] = np.sqrt(sums[name] / sums["area"])
    order = table["variable"].map(variables.index)
    return table.iloc[np.lexsort((table["spread"], order))].reset_index(drop=True)


def spread_figures(table: pd.DataFrame, num_members: int) -> dict[str, float | None]:
    """Figures of an ensemble: `members`, and `spread_*` of each variable, spread over error.

    The latter is 1 where the spread tells how large the error is. Of members that are as far from
    each other as from the truth, the mean is off by sqrt(1 + 1 / n) of their spread (Fortin et al.
    2014, "Why should ensemble spread match the RMSE of the ensemble mean?"). None where there is
    no error.

    `table` is that of `spread_table`.
    """
    found: dict[str, float | None] = {"members": num_members}
    for name, rows in table.groupby("variable", sort=False):
        spread, error = ((rows["share"] * rows[each] ** 2).sum() for each in ("spread", "error"))
        ratio = (1 + 1 / num_members) * spread / error if error else None
        found[f"spread_{name}"] = None if ratio is None else float(np.sqrt(ratio))
    return found


def _classes(pair: Pair, variable: str) -> Iterator[pd.DataFrame]:
    """Sums over the points of each class of spread, of some frames each: area, squares."""
    results, truths = pair.result[[variable, spread_of(variable)]], pair.truth[[variable]]
    size = frames_at_once(results)
    for first in range(0, truths.sizes["time"], size):
        block = slice(first, first + size)
        result, truth = (each.isel(time=block).load() for each in (results, truths))
        spread = result[spread_of(variable)].values.astype("float64")
        error = result[variable].values - truth[variable].values.astype("float64")
        areas = np.broadcast_to(pair.weights[:, np.newaxis], spread.shape)
        least = np.finfo("float32").tiny  # where members agree to the last bit
        octaves = np.floor(_PER_OCTAVE * np.log2(np.maximum(spread, least))).astype(int)
        found, number = np.unique(octaves, return_inverse=True)
        sums = {"area": areas, "spread": areas * spread**2, "error": areas * error**2}
        yield pd.DataFrame(
            {"variable": variable, "octave": found}
            | {name: np.bincount(number.ravel(), each.ravel()) for name, each in sums.items()}
        )
