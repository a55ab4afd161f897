"""Which variables are parts of a shallow-water flow, by name and unit."""

import xarray as xr

from swsr.components import METRES

_ROLES = {
    "vorticity": ("atmosphere_relative_vorticity", "ocean_relative_vorticity"),
    "depth": (),
    "u": ("eastward_wind", "x_wind", "eastward_sea_water_velocity", "sea_water_x_velocity"),
    "v": ("northward_wind", "y_wind", "northward_sea_water_velocity", "sea_water_y_velocity"),
}
"""Parts of a shallow-water flow, known by these names or by CF standard names."""

_OTHER_NAMES = {"depth": ("h", "height")}
"""As files of shallow-water models and of The Well have it."""

_UNITS = {
    "vorticity": ("s-1", "s**-1", "1/s", "s^-1"),
    "depth": METRES,
    "u": ("m s-1", "m/s", "m s**-1", "m s^-1"),
    "v": ("m s-1", "m/s", "m s**-1", "m s^-1"),
}


def find_roles(frames: xr.Dataset) -> dict[str, str]:
    """Which variable is vorticity, depth, u and v, where there is one in the unit of that role."""
    roles: dict[str, str] = {}
    for role, standard_names in _ROLES.items():
        for name, variable in frames.data_vars.items():
            named = name == role or name in _OTHER_NAMES.get(role, ())
            known = named or variable.attrs.get("standard_name") in standard_names
            if known and variable.attrs.get("units") in _UNITS[role]:
                roles.setdefault(role, str(name))
    return roles
