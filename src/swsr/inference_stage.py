"""What the stages of inference, and `apply`, share: frames through networks into a store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import xarray as xr

from swsr.checkpoint import Card, file_digest, load_network
from swsr.components import units_of
from swsr.ensembles import mean_and_spread, with_spread
from swsr.geometry import Frames, Geometry
from swsr.inference import apply_network, packs
from swsr.networks.build import Network
from swsr.provenance import attributes
from swsr.resampling.coarsening import Coarsening
from swsr.resampling.constraint import Constraint
from swsr.run import Run
from swsr.zarr_io import (
    Layout,
    fill_store,
    input_digests,
    mark_predictors,
    open_frames,
    stack_variables,
)


@dataclass(frozen=True)
class Trained:
    """A network of a file, and what the file says of it."""

    path: Path
    network: Network
    card: Card

    @classmethod
    def load(cls, path: Path, *kinds: str) -> "Trained":
        """The network of a file; see `checkpoint.load_network`."""
        return cls(path, *load_network(path, *kinds))

    @property
    def margin(self) -> int:
        """Frames at each end of a series for which there is no result."""
        return self.network.reach.num_frames // 2

    def apply(self, frames: Frames, geometry: Geometry, run: Run) -> Frames:
        """Frames (n, variables, lat, lon) -> n - 2 margin frames, both in physical units.

        Frames have `card.reads` as their variables, the result has `card.variables`.
        """
        reach, card = self.network.reach, self.card
        within = geometry.first(len(card.reads))
        extended = within.extend(frames, reach.margin, reach.margin)
        samples = packs(card.scaling_read.to_unit(extended), reach.num_frames)
        result = apply_network(
            self.network, samples, run.window_points, run.device, consecutive=True
        )
        return card.scaling.to_physical(result)


@dataclass(frozen=True)
class Chain:
    """Networks, in the order in which frames go through them.

    With `consistent` the nearest frames whose low-resolution copies are what the first one reads
    are the result.
    """

    networks: tuple[Trained, ...]
    consistent: bool = False

    @property
    def first(self) -> Trained:
        """The network that reads the frames; its card is that of the chain."""
        return self.networks[0]

    @property
    def margin(self) -> int:
        """As of a network."""
        return sum(network.margin for network in self.networks)

    @property
    def scale(self) -> int:
        """Points of the result for each point of the frames, along lat and along lon."""
        return prod(network.network.reach.scale for network in self.networks)

    @property
    def trim(self) -> int:
        """Points that the result lacks at each edge of the fine grid."""
        lost = 0
        for network in self.networks:
            reach = network.network.reach
            lost = (lost + reach.trim - reach.margin) * reach.scale
        return lost


def infer(
    dimension: str,
    network: Path,
    frames: Path,
    grid: Mapping[str, np.ndarray],
    output: Path,
    run: Run,
) -> None:
    """Apply a trained network to a store of the workflow; see `super_resolve`.

    Parameters
    ----------
    dimension
        `2d`, `3d` or `joint`: which network is expected.
    network
        A trained network.
    frames
        Manifest of what it reads.
    grid
        Coordinates lat and lon of the fine grid.
    output
        Manifest of the result: float32 in physical units.

    Raises
    ------
    ValueError
        When the network is not usable, or was trained on other variables.
    """
    trained = Trained.load(network, dimension)
    source = open_frames(frames, predictors=bool(trained.card.predictors))
    check_variables(source, trained, str(frames))
    inputs = input_digests([frames]) | {f"{network.parent.name}/network": file_digest(network)}
    notes = attributes(f"infer_{dimension}", None, inputs)
    super_resolve(source, [Chain((trained,))], grid, output, Layout.of(source), notes, run)


def super_resolve(
    source: xr.Dataset,
    chains: Sequence[Chain],
    grid: Mapping[str, np.ndarray],
    output: Path,
    layout: Layout,
    notes: Mapping[str, str],
    run: Run,
    origin: object = None,
) -> None:
    """Frames through chains of networks; each rank writes its own groups of frames.

    Parameters
    ----------
    source
        Canonical frames that carry their geometry.
    chains
        One, or several that take and give the same frames, whose mean and spread are the result.
    grid
        Coordinates lat and lon of the fine grid.
    output
        Manifest of the result: float32 in physical units.
    layout, notes
        Of the result's store.
    origin
        What else decides its content.

    Raises
    ------
    ValueError
        When the networks do not make the fine grid of the source's, or what they make cannot be
        consistent with it.
    """
    template, apply = prepare(source, chains, grid, run)
    chain = chains[0]
    stacked, margin = stack_variables(source, chain.first.card.reads), chain.margin
    networks = ", then ".join(trained.card.network for trained in chain.networks)
    of = f"the mean of {len(chains)} of " if len(chains) > 1 else ""

    def compute(first: int, last: int) -> Frames:
        return apply(stacked.isel(time=slice(first, last + 2 * margin)).values)

    fill_store(template, output, layout, notes, compute, run.communicator, origin)
    run.say(
        f"{template.sizes['time']} frames of {template.sizes['lat']} x {template.sizes['lon']} "
        f"points by {of}{networks} on {run.communicator.size} ranks"
    )


def prepare(
    source: xr.Dataset, chains: Sequence[Chain], grid: Mapping[str, np.ndarray], run: Run
) -> tuple[xr.Dataset, Callable[[Frames], Frames]]:
    """What the result of chains looks like, and what makes its frames; see `super_resolve`.

    Returns
    -------
    Coordinates and attributes of the result, and of each variable; a function of consecutive frames
    (n + 2 margin, what the first network reads, lat, lon) that gives n frames of the result, both
    in physical units. Of several chains the variables are followed by the spread of each.
    """
    prepared = [_prepare_chain(source, chain, grid, run) for chain in chains]
    template, apply = prepared[0]
    if len(chains) == 1:
        return template, apply
    return with_spread(template, len(chains)), lambda given: mean_and_spread(
        of_chain(given) for _, of_chain in prepared
    )


def _prepare_chain(
    source: xr.Dataset, chain: Chain, grid: Mapping[str, np.ndarray], run: Run
) -> tuple[xr.Dataset, Callable[[Frames], Frames]]:
    card, margin = chain.first.card, chain.margin
    geometry = Geometry.of(source[list(card.reads)])
    template = _template(source, _grid_of_result(source, grid, chain), margin, card.variables)
    constraints = _constraints(template, source, chain) if chain.consistent else []

    def apply(given: Frames) -> Frames:
        frames = given
        for trained in chain.networks:
            frames = trained.apply(frames, geometry, run)
        for variable, constraint in enumerate(constraints):
            low = given[margin : len(given) - margin, variable]
            frames[:, variable] = constraint(frames[:, variable], low)
        return frames

    return template, apply


def _constraints(fine: xr.Dataset, source: xr.Dataset, chain: Chain) -> list[Constraint]:
    """Of each variable, where networks keep all points of frames that no codec has changed."""
    card = chain.first.card
    if card.compression is not None:
        raise ValueError(
            f"{chain.first.path}: was trained to undo compression ({card.compression['codec']}): "
            "its frames are not to be consistent with compressed ones"
        )
    if card.coarse_run is not None:
        raise ValueError(
            f"{chain.first.path}: was trained to correct coarse runs: its frames are not to be "
            "consistent with them"
        )
    if fine.sizes["lat"] != source.sizes["lat"] * card.scale:
        raise ValueError(
            f"{chain.networks[-1].path}: takes points off the edges, so that its frames cannot be "
            "made consistent with their input: use a network that keeps all, as skip_3d does"
        )
    coarsening = Coarsening.of(fine, card.filter, card.scale)
    return [Constraint.of(fine, name, coarsening) for name in card.variables]


def check_variables(source: xr.Dataset, trained: Trained, origin: str) -> None:
    """Check that frames hold what a network was trained to read.

    Raises
    ------
    ValueError
        With the variables or the units that differ.
    """
    card, given = trained.card, units_of(source)
    if set(given) != set(card.reads):
        raise ValueError(
            f"{origin}: holds {list(given)}, but {trained.path} was trained on {list(card.reads)}"
        )
    for name, unit in zip(card.reads, card.units, strict=True):
        if given[name] != unit:
            raise ValueError(
                f"{origin}: {name} is in {given[name]!r}, but {trained.path} was trained on it in "
                f"{unit!r}"
            )


def _grid_of_result(
    source: xr.Dataset, grid: Mapping[str, np.ndarray], chain: Chain
) -> dict[str, np.ndarray]:
    """The fine grid without the points that networks lose at the edges."""
    scale, lost = chain.scale, chain.trim
    for dim, values in grid.items():
        if source.sizes[dim] * scale != len(values):
            raise ValueError(
                f"{chain.first.path}: makes {source.sizes[dim] * scale} points of {dim}, not the "
                f"{len(values)} of the fine grid: it was trained for another scale"
            )
    return {dim: values[lost : len(values) - lost] for dim, values in grid.items()}


def _template(
    source: xr.Dataset,
    grid: Mapping[str, np.ndarray],
    margin: int,
    variables: tuple[str, ...],
) -> xr.Dataset:
    """Coordinates of the result and, for each variable, its attributes."""
    times = source["time"].isel(time=slice(margin, source.sizes["time"] - margin))
    template = xr.Dataset(coords={"time": times}, attrs=source.attrs)
    template = template.assign_coords(
        {dim: (dim, values, source[dim].attrs) for dim, values in grid.items()}
    )
    # Of attributes of the source, that of predictors is not true of the result.
    whole = template.assign({name: ((), 0.0, source[name].attrs) for name in variables})
    return mark_predictors(whole, ())
