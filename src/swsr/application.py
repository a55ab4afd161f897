"""Coarse frames without truth, before networks read them: what is refused, and warned of."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr

from swsr.checkpoint import Card
from swsr.components import units_of
from swsr.frame_checks import check_times
from swsr.geometry import Geometry, once_around
from swsr.inference_stage import Chain, Trained, check_variables
from swsr.resampling.regridding import refine_coordinate
from swsr.resampling.splines import onto_grid
from swsr.schema import Spacing
from swsr.sources.units import conversions, convert_like

_FAR = 1.1
"""Ratio of spacings beyond which frames are called unlike those of the training."""

_ROUNDING = 1e-3
"""Of a step of latitude, by which float32 may be off."""

_FEW = 1e-4
"""Share of values below which it is not told."""

_SMALL_SHARE = 0.05
"""Share of the trained range below which values hint at other units."""


def load_chains(
    networks: Sequence[Path], then: Sequence[Path] = (), *, consistent: bool = False
) -> list[Chain]:
    """Trained networks of one seed, or of several whose mean is wanted.

    Parameters
    ----------
    networks
        Of 2D or of joint networks.
    then
        Of a 3D network for each of them, or none.
    consistent
        As of a `Chain`.

    Raises
    ------
    ValueError
        When there is none, a file is missing, damaged, or holds a network of another kind, when
        there are 3D networks for some of the others only, when one is named twice, or when networks
        take or give other frames than the first.
    """
    if not networks:
        raise ValueError("no network: give one, or several for their mean")
    if then and len(then) != len(networks):
        raise ValueError(
            f"{len(then)} 3D networks for {len(networks)} networks before them: give one for each, "
            "in order"
        )
    sharpening = [[path] for path in then] or [[] for _ in networks]
    chains = [
        Chain(
            (Trained.load(path, "2d", "joint"), *(Trained.load(each, "3d") for each in later)),
            consistent,
        )
        for path, later in zip(networks, sharpening, strict=True)
    ]
    _check_distinct(chains)
    for chain in chains[1:]:
        _check_alike(chain, chains[0])
    return chains


def _check_distinct(chains: Sequence[Chain]) -> None:
    """Refuse a member that counts twice, as a pattern beside the name of a file may have it."""
    seen: set[tuple[Path, ...]] = set()
    for chain in chains:
        paths = tuple(trained.path.resolve() for trained in chain.networks)
        if paths in seen:
            raise ValueError(
                f"{chain.networks[-1].path}: is named twice, and would count twice in the mean: "
                "name it once"
            )
        seen.add(paths)


def _check_alike(chain: Chain, first: Chain) -> None:
    if chain.margin != first.margin:
        raise ValueError(
            f"{chain.first.path}: gives no result for {chain.margin} frames at each end, and "
            f"{first.first.path} for {first.margin}: they have no mean"
        )
    if chain.trim != first.trim:
        raise ValueError(
            f"{chain.networks[-1].path}: leaves {chain.trim} points off each edge, and "
            f"{first.networks[-1].path} {first.trim}: they have no mean"
        )
    ours, theirs = chain.first.card, first.first.card
    alike = ["variables", "predictors", "units", "scale", "edges", "vectors", "coarse_run"]
    # The mean of frames that are consistent by different filters is so by none.
    for what in [*alike, "filter"] if chain.consistent else alike:
        if getattr(ours, what) != getattr(theirs, what):
            raise ValueError(
                f"{chain.first.path}: was trained on frames with other {what.replace('_', ' ')} "
                f"than {first.first.path}: they have no mean"
            )


def as_trained(
    frames: xr.Dataset,
    chains: Sequence[Chain],
    periodic: Sequence[str] | None,
    origin: str,
    warn: Callable[[str], None],
) -> xr.Dataset:
    """Frames that chains of networks can read, in their units, with what lies beyond their edges.

    Parameters
    ----------
    frames
        Canonical; nothing of them is computed.
    chains
        The networks, as `load_chains` gives them.
    periodic
        Dims that go around, or None: as coordinates tell, in a plane as in the training.
    origin
        What to call the frames.
    warn
        Is told what is unlike the training, in a sentence each.

    Raises
    ------
    ValueError
        When variables or the units of the grid are others, units cannot be converted, frames are
        too few, times are not even and a network packs frames, or a network that was trained on
        coarse runs does not get frames of its whole region.
    """
    first = chains[0].first
    if first.card.coarse_run is not None:
        frames = once_around(frames)
    frames = _in_units(frames, first, origin, warn)
    for chain in chains:
        _check_frames(frames, chain, origin)
    frames = frames[list(first.card.reads)]  # settings may have another order than the training
    unlike: list[str] = []
    for chain in chains:
        _check_spacing(frames, chain, origin, unlike.append)
    for sentence in dict.fromkeys(unlike):
        warn(sentence)
    geometry = _geometry_as_trained(frames, periodic, first.card, origin, warn)
    marked = _on_trained_points(geometry.mark(frames), first.card, origin)
    for chain in chains:
        _check_latitudes(marked, Geometry.of(marked), chain, origin)
    return marked


def fine_grid(frames: xr.Dataset, scale: int, origin: str) -> dict[str, np.ndarray]:
    """Coordinates lat and lon of the result.

    Raises
    ------
    ValueError
        When frames have points on the poles.
    """
    grid = {dim: refine_coordinate(frames[dim].values, scale) for dim in ("lat", "lon")}
    if Spacing.of(frames).units != "degrees":
        return grid
    # Copies of grids with points on the poles get these back, but for rounding.
    room = _ROUNDING * float(np.diff(grid["lat"]).max())
    if np.abs(grid["lat"]).max() > 90 + room:
        raise ValueError(
            f"{origin}: has points on the poles, beyond which those of a finer grid would lie: cut "
            "these rows first, or interpolate to latitudes between them"
        )
    return grid | {"lat": grid["lat"].clip(-90, 90)}


def range_warnings(frames: xr.Dataset, card: Card) -> list[str]:
    """A sentence on each variable whose values leave the range that the network has seen."""
    warnings = []
    limits = zip(card.reads, card.scaling_minimum, card.scaling_maximum, strict=True)
    for name, low, high in limits:
        values = frames[name]
        outside = ((values < low) | (values > high)).mean()
        least, most, share = (
            float(each)
            for each in xr.Dataset({"a": values.min(), "b": values.max(), "c": outside})
            .compute()
            .values()
        )
        if share > 0:
            how_many = f"{share:.2%}" if share > _FEW else f"less than {_FEW:.2%}"
            warnings.append(
                f"{name} reaches from {least:.4g} to {most:.4g}, but the network was trained "
                f"from {low:.4g} to {high:.4g}: {how_many} of the values lie outside, where its "
                "result is a guess"
            )
        elif most - least < _SMALL_SHARE * (high - low):
            warnings.append(
                f"{name} reaches only from {least:.4g} to {most:.4g}, of {low:.4g} to {high:.4g} "
                "in the training: are the units the same?"
            )
    return warnings


def _in_units(
    frames: xr.Dataset, trained: Trained, origin: str, warn: Callable[[str], None]
) -> xr.Dataset:
    wanted = dict(zip(trained.card.reads, trained.card.units, strict=True))
    converted = convert_like(frames, wanted, origin, f"the training of {trained.path}")
    for name, given, unit in conversions(units_of(frames), units_of(converted)):
        warn(f"{origin}: {name} is converted from {given!r} to the {unit!r} of training")
    return converted


def _check_frames(frames: xr.Dataset, chain: Chain, origin: str) -> None:
    """Refuse other variables, and too few frames for a result."""
    first = chain.first
    for trained in chain.networks:
        # What follows on the first network reads what that gives.
        read = frames if trained is first else frames[list(first.card.variables)]
        check_variables(read, trained, origin)
        if trained.card.variables != first.card.variables:
            raise ValueError(
                f"{trained.path}: takes {list(trained.card.variables)} in this order, but "
                f"{first.path} gives {list(first.card.variables)}"
            )
    for dim in ("lat", "lon"):
        if frames.sizes[dim] < 2:
            raise ValueError(f"{origin}: one point of {dim}, which has no finer grid")
    least = 1 + 2 * chain.margin
    if frames.sizes["time"] < least:
        raise ValueError(
            f"{origin}: {frames.sizes['time']} frames, but {chain.networks[-1].path} makes one of "
            f"{least}: give more, or use a 2D network alone"
        )
    if chain.margin:
        check_times(frames, origin)


def _on_trained_points(marked: xr.Dataset, card: Card, origin: str) -> xr.Dataset:
    """Frames where those of the training were interpolated to, if these were of a coarse run."""
    if card.coarse_run is None or card.edges is None:
        return marked
    grid = {dim: np.array(card.coarse_run[dim]) for dim in ("lat", "lon")}
    lat, lon = card.edges
    trained = replace(Geometry.of(marked), lat=lat, lon=lon)
    return trained.mark(onto_grid(marked, grid, origin))


def _check_latitudes(frames: xr.Dataset, geometry: Geometry, chain: Chain, origin: str) -> None:
    """Refuse globes with fewer latitudes than a network reads beyond a pole."""
    num_lat = frames.sizes["lat"]
    for trained in chain.networks:
        needed = trained.network.reach.margin
        if geometry.lat == "pole" and num_lat < needed:
            raise ValueError(
                f"{origin}: {num_lat} latitudes are too few for {trained.path}, which reads "
                f"{needed} beyond a pole"
            )
        num_lat *= trained.card.scale


def _geometry_as_trained(
    frames: xr.Dataset,
    periodic: Sequence[str] | None,
    card: Card,
    origin: str,
    warn: Callable[[str], None],
) -> Geometry:
    """What lies beyond edges, and what changes its sign there: in doubt as in the training."""
    if periodic is None and card.edges is not None and card.spacing["units"] != "degrees":
        edges = zip(("lat", "lon"), card.edges, strict=True)
        periodic = [dim for dim, edge in edges if edge == "periodic"]
    found = Geometry.detect(frames, periodic)
    if card.vectors is None or found.vectors == card.vectors:
        return found
    trained = [name for name, one in zip(card.reads, card.vectors, strict=True) if one]
    warn(
        f"{origin}: its attributes name other components of vectors than those of the training, "
        f"which are taken: {', '.join(trained) or 'none'}"
    )
    return replace(found, vectors=card.vectors)


def _check_spacing(
    frames: xr.Dataset, chain: Chain, origin: str, warn: Callable[[str], None]
) -> None:
    """Refuse a grid in other units; warn of other distances of points and of frames."""
    given, first = Spacing.of(frames), chain.first
    trained = Spacing(**first.card.spacing)
    if first.card.coarse_run is not None:
        lat, lon = first.card.coarse_run["steps"]
        trained = replace(trained, lat=lat, lon=lon)
    if given.units != trained.units:
        raise ValueError(
            f"{origin}: its grid is in {given.units!r}, but {first.path} was trained on one "
            f"in {trained.units!r}"
        )
    unlike = _differences(given, trained, packs=chain.margin > 0)  # 2D alone knows no time
    if unlike:
        warn(f"{origin}: unlike the training: {unlike}: see how it does")
    for before, after in pairwise(chain.networks):
        made = Spacing(**before.card.spacing)
        scale = before.card.scale
        finer = replace(made, lat=made.lat / scale, lon=made.lon / scale)
        unlike = _differences(finer, Spacing(**after.card.spacing), packs=True)
        if unlike:
            warn(f"{after.path}: was not trained on what {before.path} makes: {unlike}")


def _differences(given: Spacing, trained: Spacing, *, packs: bool) -> str:
    """What of two spacings is unlike, in words."""
    unit = "" if given.units == "1" else f" {given.units}"
    return "; ".join(
        f"{name} {ours:.4g}{unit}, trained at {theirs:.4g}"
        for name, unit, ours, theirs in (
            ("lat every", unit, given.lat, trained.lat),
            ("lon every", unit, given.lon, trained.lon),
            ("frames every", " seconds", given.seconds, trained.seconds),
        )
        if ours and theirs and not 1 / _FAR < ours / theirs < _FAR
        if name != "frames every" or packs
    )
