"""What variables are: scalars, components of vectors or tensors, or what turns, as vorticity.

Attributes and names tell. It decides which change their sign across a pole, and in a mirror.
"""

import re
from collections.abc import Mapping

import xarray as xr

ALONG = "component_along"
"""Attribute of variables whose reader knows: dims that a component lies along, with spaces between;
none of a scalar."""

_STANDARD_NAMES = {
    "lat": re.compile("(north|south)ward_|(^|_)y_"),
    "lon": re.compile("(east|west)ward_|(^|_)x_"),
}
"""Standard names of horizontal components of vectors."""

_FLOW = "(wind|vel|velocity|current|stress|flux)"
_TITLES = {
    dim: re.compile(
        rf"({ward})ward.*{_FLOW}|{along}[ _]{_FLOW}|(^|[ _]){letter}[ _-](wind|component)(?!s)"
    )
    for dim, ward, along, letter in (
        ("lat", "north|south", "meridional", "v"), ("lon", "east|west", "zonal", "u")
    )
}  # fmt: skip
"""What names and long names of such components hold, where there is no standard name."""

_AFTER = f"(a|s|as|wnd|comp|bar|grd|_?{_FLOW})"
_NAMES = {
    dim: re.compile(
        rf"(\d+m?_?)?({own}|{letter}{_AFTER}|(u|v|tau|_?{_FLOW})_?{axis}|{axis}_?{_FLOW})"
        r"(_?\d{2,}[a-z]*|\d[a-z]*)?"
    )
    for dim, letter, own, axis in (("lat", "v", "vv?", "y"), ("lon", "u", "uu?|uo", "x"))
}
"""Names that models write without more, in small letters; `vo` is vorticity to some."""

_NOT_LINEAR = re.compile("square|variance|standard[ _]deviation|magnitude|speed")
"""In titles of what changes its sign with nothing."""

_TURNING = re.compile("vorticity|stream[ _]?function")
"""In titles of what tells how a flow turns."""

_PLANET = re.compile("coriolis(?!.*cosine)")
"""In titles of what tells how the planet turns: with the sine of the latitude."""

_TURNING_NAMES = ("vo", "vor", "vort", "zeta", "pv", "strf")

METRES = ("m", "metre", "metres", "meter", "meters")
"""What files call the metre: zeta in it is the height of the sea's surface, not vorticity."""


def units_of(frames: xr.Dataset) -> dict[str, str]:
    """The unit of each variable, in order; 1 where a file has none."""
    return {str(name): str(each.attrs.get("units", "1")) for name, each in frames.data_vars.items()}


def is_component(variable: xr.DataArray) -> bool:
    """Whether a variable is a horizontal component of a vector, which half a turn inverts."""
    return sum(dim in ("lat", "lon") for dim in _dims_along(variable)) % 2 == 1


def is_vorticity(variable: xr.DataArray) -> bool:
    """Whether a variable tells how the flow turns in the plane: vorticity, or a stream function."""
    return _turns(variable) and not is_component(variable)


def mirror_signs(variable: xr.DataArray) -> tuple[int, int]:
    """Sign of a variable in the mirror image along lat, and along lon.

    A flow's image points the other way along that dim, and turns the other way: a component of a
    vector changes its sign along its dim, vorticity in both. On a globe the image along lat of a
    shallow-water flow is such a flow; the image along lon belongs on the other hemisphere, as far
    as the planet's rotation does not vary within it.
    """
    dims = _dims_along(variable)
    of_turning = -1 if _turns(variable) or _is_titled(variable, _PLANET) else 1
    lat, lon = (of_turning * (-1) ** dims.count(dim) for dim in ("lat", "lon"))
    return lat, lon


def rename_along(dataset: xr.Dataset, names: Mapping[str, str]) -> xr.Dataset:
    """Rename dims, also where `ALONG` names them."""
    along = {
        variable: " ".join(names.get(dim, dim) for dim in values.attrs[ALONG].split())
        for variable, values in dataset.data_vars.items()
        if ALONG in values.attrs
    }
    renamed = dataset.rename(names)
    return renamed.assign(
        {name: renamed[name].assign_attrs({ALONG: along[name]}) for name in along}
    )


def _turns(variable: xr.DataArray) -> bool:
    known, name = _standard_name(variable), str(variable.name).lower()
    if not known and name in _TURNING_NAMES:
        return variable.attrs.get("units") not in METRES
    return _is_titled(variable, _TURNING)


def _is_titled(variable: xr.DataArray, what: re.Pattern[str]) -> bool:
    title = _standard_name(variable) or f"{str(variable.name).lower()} {_long_name(variable)}"
    return bool(what.search(title)) and not _NOT_LINEAR.search(title)


def _dims_along(variable: xr.DataArray) -> list[str]:
    """Dims that a component lies along; none of a scalar."""
    if ALONG in variable.attrs:
        return str(variable.attrs[ALONG]).split()
    known, name, title = (
        _standard_name(variable), str(variable.name).lower(), _long_name(variable)
    )  # fmt: skip
    if _NOT_LINEAR.search(known or f"{name} {title}"):
        return []
    dims = ("lat", "lon")
    if known:
        return [dim for dim in dims if _STANDARD_NAMES[dim].search(known)]
    by_name = [dim for dim in dims if _NAMES[dim].fullmatch(name) or _TITLES[dim].search(name)]
    return by_name or [dim for dim in dims if _TITLES[dim].search(title)]


def _long_name(variable: xr.DataArray) -> str:
    return str(variable.attrs.get("long_name", "")).lower()


def _standard_name(variable: xr.DataArray) -> str:
    """What is more than a name, if there is one: readers of GRIB write `unknown`."""
    found = str(variable.attrs.get("standard_name", "")).lower()
    return "" if found == "unknown" else found
