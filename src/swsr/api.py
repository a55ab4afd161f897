"""Trained networks in a notebook or a script: frames of xarray in, finer frames of xarray out.

`load("network.safetensors")(xr.open_dataset("coarse.nc"))`; more in docs/python.md.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dask.array
import numpy as np
import xarray as xr
from dask.utils import SerializableLock

from swsr.application import as_trained, fine_grid, load_chains, range_warnings
from swsr.checkpoint import Card
from swsr.frame_checks import check_finite_frames
from swsr.geometry import Frames
from swsr.inference_stage import Chain, prepare
from swsr.run import Device, Run
from swsr.schema import DIMS, IN_SCRIPT, standardise, with_time
from swsr.zarr_io import stack_variables

_ORIGIN = "frames"
_CHUNK_FRAMES = 8
"""Of frames in memory that go through the networks at once."""

_ONE_BLOCK = SerializableLock("swsr.api")
"""Networks have all cores already: blocks take turns."""


def load(
    network: str | Path | Sequence[str | Path],
    then: str | Path | Sequence[str | Path] | None = None,
    *,
    consistent: bool = False,
    device: Device = "auto",
) -> "SuperResolver":
    """Trained networks, ready for frames.

    Parameters
    ----------
    network
        `network.safetensors` of a 2D or a joint network; or of several, from other seeds, for the
        mean of their results and its spread.
    then
        Of a 3D network that was trained on results of that 2D network, to sharpen them; of several,
        one for each in their order.
    consistent
        Whether to change results as little as possible so that their low-resolution copies, by the
        filter of the training, are the coarse frames.
    device
        Where to compute; `auto` takes a GPU where there is one.

    Raises
    ------
    ValueError
        When a file is missing, damaged, or holds a network of another kind, several are not of the
        same frames, or there is no such device.
    """
    chains = load_chains(_paths(network), _paths(then or ()), consistent=consistent)
    return SuperResolver(tuple(chains), Run(device_name=device))


def _paths(given: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(each) for each in ([given] if isinstance(given, str | Path) else given)]


@dataclass(frozen=True)
class SuperResolver:
    """Trained networks, to be called with coarse frames."""

    chains: tuple[Chain, ...]
    run: Run

    @property
    def card(self) -> Card:
        """What the first network was trained on: `reads`, units, scale, limits and settings."""
        return self.chains[0].first.card

    @property
    def margin(self) -> int:
        """Frames at each end of a series that get no result, as five make one."""
        return self.chains[0].margin

    def __call__(
        self,
        coarse: xr.Dataset,
        *,
        dims: Mapping[str, str] | None = None,
        periodic: Sequence[str] | None = None,
    ) -> xr.Dataset:
        """The same frames with `card.scale` times as many points along lat and lon.

        Parameters
        ----------
        coarse
            With the variables and predictors of the training; others are left out. Dims of time,
            latitude and longitude, or the axes of a plane, in any order, latitude up or down.
            Values in memory give a result in memory; dask arrays are read when the result is.
            Predictors that are the same in every frame need no time.
        dims
            Names of time, lat and lon where attributes and names don't tell: `{"lat": "yc"}`.
        periodic
            Dims that go around, or None: as coordinates tell, in a plane as in the training.

        Returns
        -------
        Dims (time, lat, lon), ascending; float32, in the units of the training; chunks of dask
        arrays are those of the input along time. Without the first and last `margin` frames.
        Of several networks the means, and NAME_spread, their standard deviation.

        Raises
        ------
        ValueError
            When names in `dims` or `periodic` are none of theirs; variables or the units of the
            grid are others than in the training, or units cannot be converted to its; frames are
            too few, or unevenly spaced where a network packs them; values are not finite (of dask
            arrays: when they are read).

        Warns
        -----
        UserWarning
            When spacing is unlike that of the training, or values in memory are, and of units that
            are converted.
        """
        names, dims = self.card.reads, dims or {}
        _check_call(coarse, dims, periodic)
        held = all(name in coarse for name in names)
        frames = standardise(
            with_time(coarse[list(names)] if held else coarse, dims),
            names, dims, _ORIGIN, lon_order="counted on", advice=IN_SCRIPT,
            constant=self.card.predictors,
        )  # fmt: skip
        if "time" not in frames.coords:
            frames = frames.assign_coords(time=np.arange(frames.sizes["time"]))
        unlike: list[str] = []
        lazy = any(coarse[name].chunks for name in names)
        frames = as_trained(frames.unify_chunks(), self.chains, periodic, _ORIGIN, unlike.append)
        if not lazy:
            frames = frames.compute()
            unlike += [f"{_ORIGIN}: {each}" for each in range_warnings(frames, self.card)]
        for sentence in unlike:
            warnings.warn(sentence, stacklevel=2)  # from here, so that it names the caller's line
        chunk_frames = max(frames.chunksizes["time"]) if lazy else _CHUNK_FRAMES
        checked = check_finite_frames(frames, _ORIGIN, chunk_frames)
        grid = fine_grid(frames, self.card.scale, _ORIGIN)
        template, apply = prepare(checked, self.chains, grid, self.run)
        values = _over_time(stack_variables(checked, names), template, apply, self.margin)
        fine = template.assign(
            {
                name: (DIMS, values[:, number], template[name].attrs)
                for number, name in enumerate(template.data_vars)
            }
        )
        fine.attrs = dict(coarse.attrs)
        return fine if lazy else fine.compute()


def _check_call(
    coarse: xr.Dataset, dims: Mapping[str, str], periodic: Sequence[str] | None
) -> None:
    if not isinstance(coarse, xr.Dataset):
        raise ValueError(f"{type(coarse).__name__}: give a Dataset, as by to_dataset(name=...)")
    for what, given, known in (("dims", dims, DIMS), ("periodic", periodic or (), DIMS[1:])):
        strange = sorted(set(given) - set(known))
        if strange:
            raise ValueError(f"{what} names {strange[0]!r}, which is not one of {', '.join(known)}")


def _over_time(
    frames: xr.DataArray, template: xr.Dataset, apply: Callable[[Frames], Frames], margin: int
) -> dask.array.Array:
    """Blocks of frames through networks that also read the `margin` frames before and after them.

    `frames` are (time, variable, lat, lon).

    Returns
    -------
    Lazy values (time, variables of the template, lat, lon)
    """
    num_variables = len(template.data_vars)
    size = template.sizes["lat"], template.sizes["lon"]

    def apply_block(block: Frames) -> Frames:
        if len(block) <= 2 * margin:  # of a chunk at an end, all of whose frames get no result
            return np.empty((0, num_variables, *size), "float32")
        with _ONE_BLOCK:
            return apply(block)

    stacked = frames.data.rechunk({1: -1})
    blocks = dask.array.overlap.overlap(stacked, depth={0: margin}, boundary={0: "none"})
    lengths = tuple(max(0, length - 2 * margin) for length in blocks.chunks[0])
    return blocks.map_blocks(
        apply_block, chunks=(lengths, (num_variables,), *((points,) for points in size)),
        dtype="float32", meta=np.empty((0, 0, 0, 0), "float32"),
    )  # fmt: skip
