"""What variables are: scalars, components of vectors or tensors, or what turns, as vorticity.

Names and attributes tell. It decides which change their sign across a pole, and in a mirror.
"""

import re
from collections.abc import Mapping

import xarray as xr

ALONG = "component_along"
"""Attribute of components of vectors and tensors: dims that they lie along, with spaces between."""

_STANDARD_NAMES = {
    "lat": re.compile("(north|south)ward_|y_(wind|velocity|component)"),
    "lon": re.compile("(east|west)ward_|x_(wind|velocity|component)"),
}
"""Standard names of horizontal components of vectors."""

_NAMES = {
    "lat": ("v", "va", "vs", "vas", "v10", "10v", "vwnd", "v_component_of_wind", "vv"),
    "lon": ("u", "ua", "us", "uas", "u10", "10u", "uo", "uwnd", "u_component_of_wind", "uu"),
}
"""Names of such components in models that write no standard names; `vo` is vorticity to some."""

_TURNING = ("vorticity", "streamfunction")
_TURNING_NAMES = ("vo", "zeta", "pv", "strf")


def is_component(variable: xr.DataArray) -> bool:
    """Whether a variable is a horizontal component of a vector, or alike under half a turn."""
    return sum(dim in ("lat", "lon") for dim in _dims_along(variable)) % 2 == 1


def is_vorticity(variable: xr.DataArray) -> bool:
    """Whether a variable turns: vorticity of any kind, or a stream function."""
    if is_component(variable):
        return False
    title = f"{variable.name} {variable.attrs.get('standard_name', '')}".lower()
    return variable.name in _TURNING_NAMES or any(word in title for word in _TURNING)


def mirror_signs(variable: xr.DataArray) -> tuple[int, int]:
    """Sign of a variable in the mirror image along lat, and along lon.

    A flow and its mirror image turn, and point along that dim, in opposite directions: vorticity
    changes its sign in both, a component of a vector in that along its dim, scalars in none. On a
    globe the image along lat of a shallow-water flow is one too; that along lon is where the
    planet's rotation may be taken as constant.
    """
    if is_vorticity(variable):
        return -1, -1
    dims = _dims_along(variable)
    lat, lon = ((-1) ** dims.count(dim) for dim in ("lat", "lon"))
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


def _dims_along(variable: xr.DataArray) -> list[str]:
    """Dims that a component lies along; none of a scalar."""
    if ALONG in variable.attrs:  # as readers of formats that have vectors note
        return str(variable.attrs[ALONG]).split()
    title = str(variable.attrs.get("standard_name", ""))
    return [
        dim
        for dim, names in _NAMES.items()
        if _STANDARD_NAMES[dim].search(title) or variable.name in names
    ]
