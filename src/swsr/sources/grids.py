"""Coordinates as spectral models give them, in the terms of this package."""

from typing import Any

import numpy as np
import xarray as xr

from swsr.components import rename_along


def geographic(dataset: xr.Dataset) -> xr.Dataset:
    """Colatitude theta and longitude phi in radians become lat and lon in degrees.

    Any other dataset comes back as it is.
    """
    if not {"theta", "phi"} <= set(dataset.coords):
        return dataset
    theta, phi = (dataset[name].values.astype(float) for name in ("theta", "phi"))
    if theta.min() < 0 or theta.max() > np.pi * 1.001 or np.ptp(phi) > 2 * np.pi * 1.001:
        return dataset
    renamed = rename_along(dataset, {"theta": "lat", "phi": "lon"})
    return renamed.assign_coords(
        lat=("lat", 90 - np.degrees(theta), {"units": "degrees_north"}),
        lon=("lon", np.degrees(phi), {"units": "degrees_east"}),
    )


def axis_attributes(name: str, values: np.ndarray, *, periodic: bool = False) -> dict[str, Any]:
    """CF attributes of a coordinate in the model's own unit; a period becomes `modulo`."""
    attributes: dict[str, Any] = {"units": "1"}
    if name in {"x", "y"}:
        attributes["axis"] = name.upper()
    if periodic and len(values) > 1:
        attributes["modulo"] = float(values[-1] - values[0] + values[1] - values[0])
    return attributes
