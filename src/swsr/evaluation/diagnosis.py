"""What a result is worth as physics: a row of figures and spectra per frame.

Only whole frames on the truth's grid are diagnosed: of frames without their border neither spectra
nor global means, seam or poles are known.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from swsr.evaluation import physics
from swsr.evaluation.roles import find_roles
from swsr.evaluation.spectra import Modes
from swsr.geometry import Geometry
from swsr.grids import Grid, area_mean
from swsr.provenance import are_copies, filter_of
from swsr.resampling.coarsening import Coarsening
from swsr.zarr_io import frames_at_once

EDGE_POINTS = 2
"""Width of what counts as seam and as pole, in points on each side."""

RATIOS = {
    "consistency": ("coarse_error", "coarse_variance"),
    "flicker": ("change_error", "change"),
    "extremes": ("extremes_error", "variance"),
    "seam": ("seam_error", "beside_seam_error"),
    "poles": ("poles_error", "beside_poles_error"),
}
"""Figure -> mean squares, over all frames, of whose ratio it is the root."""

SPECTRA_FRAMES = 1000
"""Of a series, evenly spread, that have spectra at most: what is kept of them does not grow on."""

Fields = Mapping[str, np.ndarray]
"""Variable -> (n, lat, lon)."""


@dataclass(frozen=True)
class Diagnosis:
    """What is known of a result, frame by frame.

    Attributes
    ----------
    squares
        A row per frame (series, time); columns (variable, mean square) for `RATIOS`.
    means
        The same rows; columns (mass, energy or enstrophy; `result` or `truth`).
    spectra
        Variable, "kinetic energy" or "enstrophy" -> power of the result, of the truth, and what
        they share: (3, frames, k), of `SPECTRA_FRAMES` frames of a series at most.
    """

    squares: pd.DataFrame
    means: pd.DataFrame
    spectra: dict[str, np.ndarray]

    @classmethod
    def join(cls, parts: list["Diagnosis"]) -> "Diagnosis":
        """Diagnoses of consecutive frames, or of several series, as one: of what all have."""
        held = [part.spectra for part in parts if part.spectra]
        spectra = {
            name: np.concatenate([each[name] for each in held], axis=1)
            for name in (held[0] if held else ())
        }
        squares, means = (
            pd.concat([getattr(part, name) for part in parts], join="inner")
            for name in ("squares", "means")
        )
        return cls(squares, means, spectra)


def diagnose(
    series: str,
    result: xr.Dataset,
    truth: xr.Dataset,
    low: xr.Dataset,
    modes: Modes | None,
) -> Diagnosis:
    """Diagnose a series of whole frames, reading some chunks at a time.

    Parameters
    ----------
    series
        Its name.
    result, truth
        The same consecutive frames on the same grid.
    low
        The low-resolution frames that the result was made of.
    modes
        Of that grid, from `spectra.make_modes`.
    """
    size, parts = frames_at_once(truth), []
    num_frames = truth.sizes["time"]
    with_spectra = np.arange(num_frames) % -(-num_frames // SPECTRA_FRAMES) == 0
    for first in range(0, num_frames, size):
        # Each block comes with the last frame of the one before, for the change from it.
        block = slice(max(first - 1, 0), first + size)
        ours, theirs, coarse = (part.isel(time=block).load() for part in (result, truth, low))
        spectral = with_spectra[block].copy()
        spectral[: min(first, 1)] = False
        part = _diagnose_block(ours, theirs, coarse, modes, slice(min(first, 1), None), spectral)
        parts.append(part)
    diagnosis = Diagnosis.join(parts)
    rows = pd.MultiIndex.from_product([[series], truth["time"].values], names=["series", "time"])
    return Diagnosis(
        diagnosis.squares.set_axis(rows), diagnosis.means.set_axis(rows), diagnosis.spectra
    )


def _diagnose_block(
    result: xr.Dataset,
    truth: xr.Dataset,
    low: xr.Dataset,
    modes: Modes | None,
    fresh: slice,
    spectral: np.ndarray,
) -> Diagnosis:
    """Of `fresh` frames, spectra of `spectral` ones; others are there for the change from them."""
    grid, roles = Grid.of(truth), find_roles(truth)
    ours, theirs = (
        {str(name): part[name].values for name in part.data_vars} for part in (result, truth)
    )
    squares: dict[tuple[str, str], np.ndarray] = {}
    for name in ours:
        figures = dict(_mean_squares(ours[name], theirs[name], grid))
        if are_copies(low.attrs):  # else the truth itself is not as the input
            figures |= zip(RATIOS["consistency"], _coarse_errors(result, low, name), strict=True)
        squares |= {(name, key): values[fresh] for key, values in figures.items()}
    whole = _with_whole_depth(roles, theirs)
    means = {
        (key, label): values[fresh]
        for label, fields in (("result", ours), ("truth", theirs))
        for key, values in _global_means(fields, whole, grid.weights).items()
    }
    spectra = {}
    if modes is not None and spectral.any():
        ours, theirs = (
            {name: values[spectral] for name, values in fields.items()} for fields in (ours, theirs)
        )
        spectra = dict(_spectra(ours, theirs, grid, roles, modes))
    rows = range(result.sizes["time"])[fresh]
    return Diagnosis(pd.DataFrame(squares, rows), pd.DataFrame(means, rows), spectra)


def _mean_squares(
    ours: np.ndarray, truth: np.ndarray, grid: Grid
) -> Iterator[tuple[str, np.ndarray]]:
    weights, errors = grid.weights, ours - truth
    none_before = [[np.nan], [np.nan]]
    change = np.concatenate([none_before, physics.change_errors(errors, truth, weights)], axis=1)
    yield from zip(RATIOS["flicker"], change, strict=True)
    mean = area_mean(truth, weights)[:, None, None]
    quantiles = physics.quantiles(ours, weights) - physics.quantiles(truth, weights)
    yield "extremes_error", (quantiles**2).mean(axis=1)
    yield "variance", area_mean((truth - mean) ** 2, weights)
    _, num_lat, num_lon = errors.shape
    if grid.geometry.lon == "periodic":
        points = physics.seam_points(num_lat, num_lon, EDGE_POINTS)
        seam = physics.edge_errors(errors, points, weights)
        yield from zip(RATIOS["seam"], seam, strict=True)
    if grid.geometry.lat == "pole":
        points = physics.pole_points(num_lat, num_lon, EDGE_POINTS)
        poles = physics.edge_errors(errors, points, weights)
        yield from zip(RATIOS["poles"], poles, strict=True)


def _coarse_errors(result: xr.Dataset, low: xr.Dataset, name: str) -> np.ndarray:
    scale = result.sizes["lat"] // low.sizes["lat"]
    coarsening = Coarsening.of(result, filter_of(low.attrs), scale)
    geometry = Geometry.of(low[[name]])

    def downscale(fields: np.ndarray) -> np.ndarray:
        return coarsening(fields[:, None], geometry)[:, 0]

    return physics.coarse_errors(
        result[name].values, low[name].values, Grid.of(low).weights, downscale
    )


def _with_whole_depth(roles: Mapping[str, str], truth: Fields) -> dict[str, str]:
    """Roles without a depth that is an anomaly, whose mean is next to nothing."""
    return {
        role: name for role, name in roles.items() if role != "depth" or (truth[name] > 0).all()
    }


def _global_means(
    fields: Fields, roles: Mapping[str, str], weights: np.ndarray
) -> dict[str, np.ndarray]:
    known = {role: fields[name] for role, name in roles.items()}
    means = {}
    if "depth" in known:
        means["mass"] = physics.mass(known["depth"], weights)
    if known.keys() >= {"depth", "u", "v"}:
        means["energy"] = physics.energy(known["depth"], known["u"], known["v"], weights)
    if "vorticity" in known:
        means["enstrophy"] = physics.enstrophy(known["vorticity"], weights)
    return means


def _velocities_have_spectra(grid: Grid) -> bool:
    """Not with points on the poles; see `SphereModes.flow_energy`."""
    return grid.spacing != "equiangular_with_poles"


def _vorticity_gives_flow(grid: Grid) -> bool:
    """On the whole sphere and in a plane without edges, but for the part that only diverges."""
    edges = {grid.geometry.lat, grid.geometry.lon}
    return grid.spacing is not None or edges == {"periodic"}


def _spectra(
    ours: Fields,
    theirs: Fields,
    grid: Grid,
    roles: Mapping[str, str],
    modes: Modes,
) -> Iterator[tuple[str, np.ndarray]]:
    amplitudes = {name: (modes.of(ours[name]), modes.of(theirs[name])) for name in ours}
    for name, (a, b) in amplitudes.items():
        yield name, np.stack([modes.power(a, a), modes.power(b, b), modes.power(a, b)])
    unknown = np.full((1, len(next(iter(ours.values()))), len(modes.wavenumbers)), np.nan)
    pair: list[np.ndarray] = []
    if roles.keys() >= {"u", "v"} and _velocities_have_spectra(grid):
        pair = [modes.flow_energy(part[roles["u"]], part[roles["v"]]) for part in (ours, theirs)]
    elif "vorticity" in roles and _vorticity_gives_flow(grid):
        pair = [modes.energy_of_rotation(part) for part in amplitudes[roles["vorticity"]]]
    if pair:
        yield "kinetic energy", np.concatenate([np.stack(pair), unknown])
    if "vorticity" in roles and "enstrophy" not in ours:  # which a file may have, with its own
        rotation = amplitudes[roles["vorticity"]]
        halves = [modes.power(part, part) / 2 for part in rotation]
        yield "enstrophy", np.concatenate([np.stack(halves), unknown])


def outer_labels(table: pd.DataFrame) -> list[str]:
    """The upper labels of a table's columns, in order."""
    return list(table.columns.unique(0)) if len(table.columns) else []
