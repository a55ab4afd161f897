"""The mean of the results of networks that started from different seeds, and their spread."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from swsr.components import units_of
from swsr.ensembles import mean_and_spread, with_spread
from swsr.geometry import Frames
from swsr.provenance import attributes
from swsr.run import Run
from swsr.zarr_io import (
    Layout,
    fill_store,
    open_frames,
    read_manifest,
    stack_variables,
    template_of,
)


def ensemble(members: list[Path], output: Path, run: Run) -> None:
    """Write the mean of the series `members`, and of each variable the spread, NAME_spread.

    Parameters
    ----------
    members
        The same frames by two networks or more.
    output
        Manifest of the result: float32, in the units of the members.

    Raises
    ------
    ValueError
        When there is one member, or they are not of the same frames, points, variables and units.
    """
    if len(members) < 2:
        raise ValueError(f"{members[0]}: is the only member, which has no spread: name two or more")
    results = [open_frames(member) for member in members]
    first = results[0]
    for member, result in zip(members, results, strict=True):
        alike = list(units_of(result).items()) == list(units_of(first).items())
        if not alike or not result.coords.to_dataset().equals(first.coords.to_dataset()):
            raise ValueError(
                f"{member}: has not the frames, points, variables and units of {members[0]}: name "
                "results of networks that were trained alike"
            )
    names = tuple(map(str, first.data_vars))
    stacked = [stack_variables(result, names) for result in results]
    layout = Layout.of(first)

    def compute(start: int, stop: int) -> Frames:
        # Sums are double, and would be too much for a shard.
        ends = [*range(start, stop, layout.chunk_frames), stop]
        return np.concatenate(
            [
                mean_and_spread(each.isel(time=slice(*part)).values for each in stacked)
                for part in pairwise(ends)
            ]
        )

    template = with_spread(template_of(first), len(members))
    # Members are named alike, each in the folder of its study: numbers tell them apart.
    inputs = {
        f"member_{number}": read_manifest(member)["digest"] for number, member in enumerate(members)
    }
    notes = attributes("ensemble", None, inputs)
    fill_store(template, output, layout, notes, compute, run.communicator)
    run.say(f"mean and spread of {len(members)} networks for {first.sizes['time']} frames")
