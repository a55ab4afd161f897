"""From one grid to another of the same region: coordinates, and all frames through a function."""

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from swsr.geometry import Geometry


def resample_coordinate(values: np.ndarray, num_low: int) -> np.ndarray:
    """Coordinates of the low grid: where the centres of its points lie between those of the high.

    Point i of a grid coarser by s lies at index (i + 1/2) s - 1/2 of the finer one (the
    convention of `bicubic`); between two points the coordinate is linear.
    """
    scale = len(values) / num_low
    index = (np.arange(num_low) + 0.5) * scale - 0.5
    return np.interp(index, np.arange(len(values)), values)


def refine_coordinate(values: np.ndarray, scale: int) -> np.ndarray:
    """Coordinates of a grid finer by `scale`, whose points `resample_coordinate` averages.

    Between two points linear, and beyond the first and the last as between their neighbours: exact
    for even steps, near it for Gaussian latitudes.
    """
    index = (np.arange(len(values) * scale) + 0.5) / scale - 0.5
    below = np.clip(np.floor(index).astype(int), 0, len(values) - 2)
    return values[below] + (index - below) * (values[below + 1] - values[below])


def map_frames(
    dataset: xr.Dataset,
    grid: Mapping[str, np.ndarray],
    function: Callable[[np.ndarray, Geometry], np.ndarray],
) -> xr.Dataset:
    """Apply an array function to every variable, block by block in time, lazily.

    Parameters
    ----------
    dataset
        Frames of a store, which carry their geometry.
    grid
        Coordinates `lat` and `lon` of the result; their attributes are those of `dataset`.
    function
        (frames, 1, lat, lon) -> (frames, 1, len(grid["lat"]), len(grid["lon"])), float32, in the
        geometry of the variable.
    """
    mapped = xr.Dataset(
        {
            name: _map_variable(dataset[name], grid, function, Geometry.of(dataset[[name]]))
            for name in dataset.data_vars
        },
        attrs=dataset.attrs,
    )
    return mapped.assign_coords(
        {dim: (dim, values, dataset[dim].attrs) for dim, values in grid.items()}
    )


def _map_variable(
    variable: xr.DataArray,
    grid: Mapping[str, np.ndarray],
    function: Callable[[np.ndarray, Geometry], np.ndarray],
    geometry: Geometry,
) -> xr.DataArray:
    sizes = {f"new_{dim}": len(values) for dim, values in grid.items()}
    mapped = xr.apply_ufunc(
        lambda block: function(block[:, None], geometry)[:, 0],
        variable.chunk({"lat": -1, "lon": -1}),
        input_core_dims=[["lat", "lon"]],
        output_core_dims=[["new_lat", "new_lon"]],
        dask="parallelized",
        output_dtypes=["float32"],
        dask_gufunc_kwargs={"output_sizes": sizes},
        keep_attrs=True,
    )
    return mapped.rename({f"new_{dim}": dim for dim in grid})
