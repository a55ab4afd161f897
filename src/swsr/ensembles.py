"""The mean of what several networks make of the same frames, and how far they differ from it."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from swsr.geometry import Frames
from swsr.settings import SPREAD

NUM_MEMBERS = "num_members"
"""Attribute of a spread: of how many networks it is."""


def spread_of(name: str) -> str:
    """What the spread of a variable is called."""
    return name + SPREAD


def with_spread(template: xr.Dataset, num_members: int) -> xr.Dataset:
    """Variables of a result, then of each its spread, which the attributes of the first name.

    `template` has coordinates, and of each variable its attributes; see `zarr_io.fill_store`.

    Raises
    ------
    ValueError
        When a variable has the name of a spread already.
    """
    spreads = {}
    for name, variable in template.data_vars.items():
        spread, title = spread_of(str(name)), variable.attrs.get("long_name", name)
        if spread in template:
            raise ValueError(
                f"{spread} is a variable, and the name of the spread of {name}: give it another"
            )
        attributes = {key: variable.attrs[key] for key in ("units",) if key in variable.attrs}
        attributes["long_name"] = f"standard deviation of {title} over {num_members} networks"
        attributes[NUM_MEMBERS] = num_members
        spreads[spread] = (), 0.0, attributes
    means = {
        name: variable.assign_attrs(ancillary_variables=spread_of(str(name)))
        for name, variable in template.data_vars.items()
    }
    return template.assign(means | spreads)


def mean_and_spread(members: Iterable[Frames]) -> Frames:
    """Combine the same frames by two networks or more.

    Parameters
    ----------
    members
        Of each network (n, variables, lat, lon); one after the other is asked for and let go.

    Returns
    -------
    Array (n, 2 variables, lat, lon): means, then standard deviations of a single network from the
    mean, without bias (n - 1); float32, in the unit of each variable
    """
    remaining = iter(members)
    mean = next(remaining).astype("float64")
    squares, number = np.zeros_like(mean), 1
    # Welford's sums: those over all members at once would need room for all.
    for number, frames in enumerate(remaining, 2):
        change = frames - mean
        mean += change / number
        change *= frames - mean
        squares += change
    spread = np.sqrt(squares / (number - 1))
    return np.concatenate([mean, spread], axis=1, dtype="float32", casting="same_kind")
