"""Conversion of units, as CF writes them."""

import math
import re
from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr

from swsr.components import units_of


def convert(frames: xr.Dataset, units: dict[str, str], origin: str) -> xr.Dataset:
    """Variables in the units asked for, lazily; a variable without units gets them as they are.

    Raises
    ------
    ValueError
        When a unit is not known, or does not measure the same quantity.
    """
    converted = {}
    for name, wanted in units.items():
        given, values = frames[name].attrs.get("units"), frames[name]
        if given is not None:
            factor, offset = _linear(str(given), wanted, f"{origin}: source.units.{name}")
            if (factor, offset) != (1, 0):
                values = values.astype("float64") * factor + offset
        converted[name] = values.assign_attrs(frames[name].attrs, units=wanted)
    return frames.assign(converted)


def convert_like(
    frames: xr.Dataset, units: Mapping[str, str], origin: str, other: str
) -> xr.Dataset:
    """Variables in the units that they have elsewhere, in `other`, lazily.

    Raises
    ------
    ValueError
        When a unit is missing or not known, or does not measure the same quantity.
    """
    given = units_of(frames)
    wanted = {name: unit for name, unit in units.items() if given.get(name, unit) != unit}
    for name, unit in wanted.items():
        try:
            if "units" not in frames[name].attrs:
                raise ValueError
            _linear(given[name], unit, origin)
        except ValueError:
            raise ValueError(
                f"{origin}: {name} is in {given[name]!r}, but in {unit!r} in {other}"
            ) from None
    return convert(frames, wanted, origin)


def conversions(
    before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Name of each variable whose unit is another one, with its unit before and after."""
    for name, unit in before.items():
        if unit != after[name]:
            yield name, unit, after[name]


def _linear(given: str, wanted: str, what: str) -> tuple[float, float]:
    """Factor and offset from one unit to another."""
    if given == wanted:
        return 1.0, 0.0
    # Only where units differ: pint brings matplotlib.
    import cf_xarray.units
    import pint

    registry = cf_xarray.units.units
    parsed = []
    for text in (given, wanted):
        scale, unit = _scale_and_unit(text)
        try:
            parsed.append((scale, registry.parse_units(unit)))
        except (pint.PintError, ValueError, AttributeError, TypeError):
            raise ValueError(f"{what}: {text!r} is no unit that is known (as in m s-1)") from None
    (scale_given, unit_given), (scale_wanted, unit_wanted) = parsed
    try:
        with np.errstate(divide="ignore"):
            zero, one, two = (
                registry.Quantity(value, unit_given).to(unit_wanted).magnitude
                for value in (0.0, 1.0, 2.0)
            )
    except pint.PintError:
        raise ValueError(f"{what}: {given!r} cannot be converted to {wanted!r}") from None
    if not math.isclose(two - one, one - zero, rel_tol=1e-9):  # as of decibels
        raise ValueError(f"{what}: {given!r} is not in proportion to {wanted!r}")
    return (one - zero) * scale_given / scale_wanted, zero / scale_wanted


def _scale_and_unit(text: str) -> tuple[float, str]:
    """The number before a unit, such as 1e-5 of `1e-5 s-1`, and the unit."""
    found = re.fullmatch(r"([\d.]+(?:e[+-]?\d+)?)\s+(.*\S.*)", text.strip(), re.IGNORECASE)
    return (float(found[1]), found[2]) if found else (1.0, text)
