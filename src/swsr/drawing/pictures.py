"""Frames of every method for the report: maps, an enlarged region, an animation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from swsr.drawing.charts import colour_bar
from swsr.drawing.maps import Colours, View, as_uri
from swsr.drawing.plots import busiest_box
from swsr.grids import Grid, area_mean

MAP_PIXELS = 760
FILM_PIXELS = 520
FILM_FRAMES = 36
"""At most so many frames are in the animation, evenly spread over the test."""


@dataclass(frozen=True)
class Picture:
    """A picture in the page: a data URI, its label, and the words for who cannot see it."""

    label: str
    uri: str
    alt: str


@dataclass(frozen=True)
class Shown:
    """One variable of one test frame by every method.

    Attributes
    ----------
    grid
        Of whole frames of the truth.
    fields
        Label -> field (lat, lon). The first is the truth, the second the low-resolution frame.
    name, unit
        Of the variable.
    time
        Of the frame, as text.
    """

    grid: Grid
    fields: Mapping[str, xr.DataArray]
    name: str
    unit: str
    time: str

    @property
    def truth(self) -> xr.DataArray:
        """The first field."""
        return next(iter(self.fields.values()))

    def errors(self) -> dict[str, xr.DataArray]:
        """Label -> result minus truth on the result's points, of all but truth and low."""
        return {
            label: error_of(field, self.truth) for label, field in list(self.fields.items())[2:]
        }


def error_of(field: xr.DataArray, truth: xr.DataArray) -> xr.DataArray:
    """A result minus the truth, which may have more points around it."""
    border = [(truth.sizes[dim] - field.sizes[dim]) // 2 for dim in ("lat", "lon")]
    cut = truth.isel(
        {dim: slice(n, truth.sizes[dim] - n) for dim, n in zip(("lat", "lon"), border, strict=True)}
    )
    return field.copy(data=field.values - cut.values)


def draw_maps(shown: Shown) -> dict[str, list[Picture]]:
    """Maps of all fields in one scale, of all errors in another, and both scales.

    Keys: `fields`, `errors`, and `scales` with one bar for each.
    """
    view = View.of(shown.grid, MAP_PIXELS)
    errors = shown.errors()
    colours = Colours.of(shown.truth.values)
    error_colours = Colours.of_errors(next(iter(errors.values())).values)
    quantity = f"{shown.name} ({shown.unit})"
    pictures: dict[str, list[Picture]] = {"fields": [], "errors": []}
    for label, field in shown.fields.items():
        alt = f"Map of {shown.name} at {shown.time}: {label}, {_extent(field, shown.unit)}."
        pictures["fields"].append(Picture(label, _map(view, field, colours), alt))
    for label, error in errors.items():
        size = f"root mean square {_rms(error, shown.grid):.3g}{_unit(shown.unit)}"
        alt = f"Map of the error of {label} in {shown.name} at {shown.time}: {size}."
        text = f"error of {label}: {size}"
        pictures["errors"].append(Picture(text, _map(view, error, error_colours), alt))
    pictures["scales"] = [_scale(colours, quantity), _scale(error_colours, f"error of {quantity}")]
    return pictures


def draw_spread(shown: Shown, label: str, spread: xr.DataArray) -> list[Picture]:
    """Maps of the size of the error of `label`, and of its spread, in one scale, and that scale."""
    view = View.of(shown.grid, MAP_PIXELS)
    error = abs(shown.errors()[label])
    colours = Colours("viridis", 0.0, float(np.quantile(error, 0.998)) or 1.0)
    pictures = [
        Picture(
            f"{what}, {label}: root mean square {_rms(field, shown.grid):.3g}{_unit(shown.unit)}",
            _map(view, field, colours),
            f"Map of the {what} of the {label} in {shown.name} at {shown.time}.",
        )
        for what, field in (("size of the error", error), ("spread", spread))
    ]
    return [*pictures, _scale(colours, f"error and spread of {shown.name} ({shown.unit})")]


def draw_region(shown: Shown, before: str, after: str) -> tuple[list[Picture], str]:
    """The region where most happens, by two methods and in truth, and where it lies."""
    lat, lon = busiest_box(shown.truth)
    view = View.box(shown.grid, lat, lon, MAP_PIXELS)
    colours = Colours.of(shown.truth.values)
    places = [f"{part.start:.3g} to {part.stop:.3g}" for part in (lat, lon)]
    if shown.grid.in_degrees:
        where = f"latitude {places[0]}°, longitude {places[1]}°"
    else:
        where = f"y {places[0]}{_unit(shown.grid.unit)}, x {places[1]}{_unit(shown.grid.unit)}"
    pictures = [
        Picture(
            label,
            _map(view, shown.fields[label], colours),
            f"Enlarged region ({where}) of {shown.name}: {label}.",
        )
        for label in (before, after, next(iter(shown.fields)))
    ]
    return pictures, where


@dataclass(frozen=True)
class Film:
    """Pictures that change together: a list per panel, the time of each step, the errors' scale."""

    panels: Mapping[str, list[str]]
    times: list[str]
    scale: Picture


def draw_film(frames: Sequence[Shown], label: str) -> Film:
    """Truth, a method and its error over time, in the scales of the first frame."""
    first = frames[0]
    view = View.of(first.grid, FILM_PIXELS)
    colours = Colours.of(first.truth.values)
    error_colours = Colours.of_errors(first.errors()[label].values)
    truth_label = next(iter(first.fields))
    panels: dict[str, list[str]] = {truth_label: [], label: [], f"error of {label}": []}
    for shown in frames:
        panels[truth_label].append(_map(view, shown.truth, colours))
        panels[label].append(_map(view, shown.fields[label], colours))
        panels[f"error of {label}"].append(_map(view, shown.errors()[label], error_colours))
    scale = _scale(error_colours, f"error of {first.name} ({first.unit})")
    return Film(panels, [shown.time for shown in frames], scale)


def _map(view: View, field: xr.DataArray, colours: Colours) -> str:
    picture = view.picture(field.values, field["lat"].values, field["lon"].values, colours)
    return as_uri(picture)


def _scale(colours: Colours, text: str) -> Picture:
    alt = f"Colours of {text} from {colours.low:.3g} to {colours.high:.3g}."
    return Picture(text, colour_bar(colours, text), alt)


def _rms(error: xr.DataArray, grid: Grid) -> float:
    border = (len(grid.lat) - error.sizes["lat"]) // 2
    weights = grid.weights[border : len(grid.lat) - border]
    return float(np.sqrt(area_mean(error.values.astype("float64") ** 2, weights)))


def _extent(field: xr.DataArray, unit: str) -> str:
    return f"from {float(field.min()):.3g} to {float(field.max()):.3g}{_unit(unit)}"


def _unit(unit: str) -> str:
    """As it follows a number."""
    return "" if unit == "1" else f" {unit}"
