"""Conversion of units, as CF writes them."""

import re

import cf_xarray.units
import pint
import xarray as xr


def convert(frames: xr.Dataset, units: dict[str, str], origin: str) -> xr.Dataset:
    """Variables in the units asked for, lazily; a variable without units gets them as they are.

    Raises
    ------
    ValueError
        When a unit is not known, or does not measure the same quantity.
    """
    for name, wanted in units.items():
        given = frames[name].attrs.get("units")
        values = frames[name]
        if given is not None and str(given) != wanted:
            factor, offset = _linear(str(given), wanted, f"{origin}: source.units.{name}")
            values = values.astype("float64") * factor + offset
        frames[name] = values.assign_attrs(frames[name].attrs, units=wanted)
    return frames


def _linear(given: str, wanted: str, what: str) -> tuple[float, float]:
    """Factor and offset from one unit to another."""
    (scale_given, unit_given), (scale_wanted, unit_wanted) = (
        _parse(given, what),
        _parse(wanted, what),
    )
    registry = cf_xarray.units.units
    try:
        zero, one = (
            registry.Quantity(value, unit_given).to(unit_wanted).magnitude for value in (0.0, 1.0)
        )
    except pint.DimensionalityError:
        raise ValueError(f"{what}: {given!r} cannot be converted to {wanted!r}") from None
    return (one - zero) * scale_given / scale_wanted, zero / scale_wanted


def _parse(text: str, what: str) -> tuple[float, pint.Unit]:
    """The number before a unit, such as 1e-5 of `1e-5 s-1`, and the unit."""
    found = re.fullmatch(r"([\d.]+(?:e[+-]?\d+)?)\s+(.*\S.*)", text.strip(), re.IGNORECASE)
    scale, unit = (float(found[1]), found[2]) if found else (1.0, text)
    try:
        return scale, cf_xarray.units.units.parse_units(unit)
    except (pint.PintError, ValueError, AttributeError, TypeError):
        raise ValueError(f"{what}: {text!r} is no unit that is known (as in m s-1)") from None
