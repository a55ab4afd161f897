"""Fields as pictures for web pages: the globe in Mollweide's projection, a plane as it is."""

import base64
import io
from dataclasses import dataclass
from typing import Self

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.projections.geo import MollweideAxes
from PIL import Image

from swsr.grids import Grid

_GRATICULE_DEGREES = 30
_HIGHEST = 4
"""Heights of a picture are at most so many times the width that was asked for."""

_OUTSIDE = (255, 255, 255)
_UNKNOWN = (190, 190, 190)


@dataclass(frozen=True)
class Colours:
    """One scale for several pictures.

    Attributes
    ----------
    name
        A colour map of matplotlib that colour-blind readers can read.
    low, high
        Values at its ends.
    """

    name: str
    low: float
    high: float

    @classmethod
    def of(cls, field: np.ndarray) -> Self:
        """Even about zero where the field has both signs; ends at the outermost thousandths."""
        low, high = (float(value) for value in np.quantile(field, (0.001, 0.999)))
        if low < 0 < high:
            limit = max(-low, high)
            return cls("RdBu_r", -limit, limit)
        return cls("viridis", low, high if high > low else low + 1)

    @classmethod
    def of_errors(cls, errors: np.ndarray) -> Self:
        """Even about zero."""
        limit = float(np.quantile(np.abs(errors), 0.998)) or 1.0
        return cls("PuOr_r", -limit, limit)

    def paint(self, values: np.ndarray) -> np.ndarray:
        """Colours of values (...): (..., 3), bytes."""
        colours = mpl.colormaps[self.name](Normalize(self.low, self.high)(values))
        return np.rint(colours[..., :3] * 255).astype("uint8")


@dataclass(frozen=True)
class View:
    """What each pixel of a picture shows.

    Attributes
    ----------
    lat, lon
        Coordinates of each pixel, nan beside the globe: (height, width), north up.
    lines
        Where a parallel or a meridian is drawn, (height, width).
    around
        Whether longitudes go on beyond 360 degrees.
    """

    lat: np.ndarray
    lon: np.ndarray
    lines: np.ndarray
    around: bool

    @classmethod
    def of(cls, grid: Grid, width: int) -> Self:
        """Of a whole frame, `width` pixels wide: Mollweide where it spans the globe."""
        if spans_globe(grid):
            return cls._globe(width)
        return cls.box(
            grid, slice(grid.lat[0], grid.lat[-1]), slice(grid.lon[0], grid.lon[-1]), width
        )

    @classmethod
    def box(cls, grid: Grid, lat: slice, lon: slice, width: int) -> Self:
        """Of a region, as it is on the grid; narrower where it would be far higher than wide."""
        shape = (lat.stop - lat.start) / (lon.stop - lon.start)
        width = max(1, round(width * min(1, _HIGHEST / shape)))
        height = max(1, round(width * shape))
        rows, columns = (
            np.linspace(lat.stop, lat.start, height),
            np.linspace(lon.start, lon.stop, width),
        )
        mesh = np.meshgrid(rows, columns, indexing="ij")
        around = grid.in_degrees and grid.geometry.lon == "periodic"
        return cls(mesh[0], mesh[1], np.zeros(mesh[0].shape, bool), around)

    @classmethod
    def _globe(cls, width: int) -> Self:
        # The map is an ellipse of half-axes 2 sqrt(2) and sqrt(2).
        x = np.linspace(-1, 1, width) * 2 * np.sqrt(2)
        y = np.linspace(1, -1, width // 2) * np.sqrt(2)
        across, up = np.meshgrid(x, y)
        inverse = MollweideAxes.MollweideTransform(1).inverted()
        with np.errstate(invalid="ignore"):
            turned = inverse.transform(np.column_stack([across.ravel(), up.ravel()]))
        lon, lat = (part.reshape(across.shape) for part in np.degrees(turned).T)
        beside = (across**2 / 8 + up**2 / 2 > 1) | ~(np.abs(lon) <= 180)
        lat, lon = np.where(beside, np.nan, lat), np.where(beside, np.nan, lon + 180)
        return cls(lat, lon, _crossings(lat, 1) | _crossings(lon, 2), around=True)

    def picture(
        self, field: np.ndarray, lat: np.ndarray, lon: np.ndarray, colours: Colours
    ) -> Image.Image:
        """A field (lat, lon) on ascending coordinates, each pixel the nearest point.

        Beyond the field's own border pixels are grey.
        """
        row, column, known = *self._nearest(lat, lon), self._known(lat, lon)
        painted = colours.paint(field[row, column])
        painted[self.lines] = painted[self.lines] * 0.75
        painted[~known] = _UNKNOWN
        painted[np.isnan(self.lat)] = _OUTSIDE
        return Image.fromarray(painted)

    def _nearest(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        row = np.searchsorted((lat[1:] + lat[:-1]) / 2, np.nan_to_num(self.lat))
        if not self.around:
            return row, np.searchsorted((lon[1:] + lon[:-1]) / 2, np.nan_to_num(self.lon))
        step = (lon[-1] - lon[0]) / (len(lon) - 1)
        column = np.rint((np.nan_to_num(self.lon) - lon[0]) / step).astype(int)
        return row, np.clip(column % round(360 / step), 0, len(lon) - 1)

    def _known(self, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        """Pixels that lie on the field, half a step around its outermost points included."""
        known = np.ones(self.lat.shape, bool)
        for pixels, points, turn in ((self.lat, lat, False), (self.lon, lon, self.around)):
            half = 0.51 * (points[1] - points[0])
            from_first = pixels - points[0] + half
            known &= (from_first % 360 if turn else from_first) <= points[-1] - points[0] + 2 * half
            known &= turn | (from_first >= 0)
        if self.around and len(lon) * (lon[1] - lon[0]) > 359.9:
            half = 0.51 * (lat[1] - lat[0])
            known = (self.lat >= min(lat[0] - half, -85)) & (self.lat <= max(lat[-1] + half, 85))
        return known


def spans_globe(grid: Grid) -> bool:
    """Whether whole frames are shown as a globe."""
    around = grid.in_degrees and grid.geometry.lon == "periodic"
    return bool(around and np.ptp(grid.lat) > 120)


def _crossings(values: np.ndarray, every: int) -> np.ndarray:
    """Pixels at which values pass a multiple of so many graticule steps."""
    bands = np.floor(values / (_GRATICULE_DEGREES * every))
    passed = np.zeros(values.shape, bool)
    passed[1:] |= np.diff(bands, axis=0) != 0
    passed[:, 1:] |= np.diff(bands, axis=1) != 0
    return passed & ~np.isnan(values)


def as_uri(picture: Image.Image, *, exact: bool = False) -> str:
    """A picture as text that a page can hold, WebP; `exact` keeps every pixel."""
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=82, method=4, lossless=exact)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()
