"""Stores for writing: group of frames by group, resumed, and under their name only when whole."""

import errno
import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import xarray as xr
import zarr

from swsr.atomic import atomic_folder, atomic_path, write_text
from swsr.communication import Communicator
from swsr.provenance import COMMIT, packages
from swsr.schema import DIMS
from swsr.zarr_io.reading import (
    PREDICTORS,
    TOGETHER_BYTES,
    Layout,
    inventory,
    open_frames,
    stack_variables,
    store_digest,
    store_path,
)


def write_frames(
    frames: xr.Dataset,
    manifest: Path,
    layout: Layout,
    attributes: Mapping[str, Any],
    communicator: Communicator,
    origin: object = None,
    at_once: int = 1,
) -> None:
    """Compute lazy frames into a store, group by group; see `fill_store`.

    Parameters
    ----------
    frames
        Variables with dims (time, lat, lon), lazy.
    at_once
        Frames in a chunk of the source: to read fewer of them costs as much. Small groups are
        computed several at once, side by side in the threads of dask.
    """
    stacked = stack_variables(frames, tuple(map(str, frames.data_vars)))

    def compute(first: int, last: int) -> np.ndarray:
        return stacked.isel(time=slice(first, last)).values

    at_once = max(at_once, TOGETHER_BYTES * len(stacked) // stacked.nbytes)
    together = max(1, at_once // layout.group)
    fill_store(
        template_of(frames), manifest, layout, attributes, compute, communicator, origin, together
    )


def template_of(frames: xr.Dataset) -> xr.Dataset:
    """What a store that is like these frames looks like, without their values; see `fill_store`."""
    template = frames.map(lambda variable: xr.DataArray(0.0, attrs=variable.attrs))
    return template.assign_coords(frames.coords).assign_attrs(frames.attrs)


def fill_store(
    template: xr.Dataset,
    manifest: Path,
    layout: Layout,
    attributes: Mapping[str, Any],
    compute: Callable[[int, int], np.ndarray],
    communicator: Communicator,
    origin: object = None,
    together: int = 1,
) -> None:
    """Write a store; ranks share its groups of frames, and only missing ones are computed.

    Parameters
    ----------
    template
        Coordinates of the result and, for each variable, its attributes.
    manifest
        Path of the manifest; the store lies beside it.
    layout
        Its chunks and files.
    attributes
        Of the store: they say what decides its content, and so whether unfinished work fits.
    compute
        First and last frame, not included, of a group -> its frames (frames, variables, lat, lon).
    origin
        What else decides the content.
    together
        Groups that follow on each other and are computed in one call.
    """
    decides = {name: text for name, text in attributes.items() if name != COMMIT}
    writer = StoreWriter(manifest, _digest_of(decides, layout, repr([origin, packages()])))
    communicator.on_first(lambda: writer.prepare(template, layout, attributes))
    missing = communicator.on_first(lambda: writer.missing(together))
    variables = tuple(map(str, template.data_vars))
    with writer.removed_on_refusal():
        for index in communicator.share(len(missing)):
            first, last = missing[index]
            writer.write(first, compute(first, last), variables)
    communicator.barrier()
    communicator.on_first(writer.publish)


_NETCDF_TYPES = (str, int, float)
"""Of attributes that NetCDF can hold; it has no truth values."""


def write_netcdf(manifest: Path, output: Path) -> None:
    """Write the frames of a store to a NetCDF file, chunk by chunk."""
    frames = open_frames(manifest)
    kept = frames.attrs.items()  # without lists, which are for other stages
    frames.attrs = {name: value for name, value in kept if type(value) in _NETCDF_TYPES}
    with atomic_path(output) as temporary:
        frames.to_netcdf(temporary, engine="netcdf4", unlimited_dims=["time"])


class StoreWriter:
    """A store while it is being filled.

    Parameters
    ----------
    manifest
        Path of the manifest; the store lies beside it.
    key
        Name of unfinished work, the same for all who write the same content.
    """

    def __init__(self, manifest: Path, key: str) -> None:
        self.manifest = manifest
        self.store = store_path(manifest)
        self.partial = self.store.with_name(f".{self.store.name}.{key}.partial")

    def discard(self) -> None:
        """Remove what an earlier run published."""
        self.manifest.parent.mkdir(parents=True, exist_ok=True)
        self.manifest.unlink(missing_ok=True)
        shutil.rmtree(self.store, ignore_errors=True)

    @contextmanager
    def removed_on_refusal(self) -> Iterator[None]:
        """Remove the unfinished store when its content is refused; any other end leaves it."""
        try:
            yield
        except ValueError:
            shutil.rmtree(self.partial, ignore_errors=True)
            raise

    def prepare(self, template: xr.Dataset, layout: Layout, attributes: Mapping[str, Any]) -> None:
        """Write coordinates and metadata, without values, unless an earlier run has done so.

        Every variable gets the dims (time, lat, lon) and float32 values.
        """
        self.discard()
        if (self.partial / "zarr.json").is_file():
            return
        shutil.rmtree(self.partial, ignore_errors=True)  # what a late writer left, say
        shape = tuple(template.sizes[dim] for dim in DIMS)
        chunks = (layout.chunk_frames, *shape[1:])
        values = dask.array.zeros(shape, dtype="float32", chunks=(layout.group, *shape[1:]))
        empty = template.assign(
            {name: (DIMS, values, template[name].attrs) for name in template.data_vars}
        )
        encoding: dict[str, Any] = {"chunks": chunks}
        if layout.shard_frames:
            encoding["shards"] = (layout.shard_frames, *shape[1:])
        with atomic_folder(self.partial) as temporary, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Times can't be serialized faithfully")
            _with_attributes(empty, attributes).to_zarr(
                temporary, mode="w", zarr_format=3, consolidated=False, compute=False,
                encoding=dict.fromkeys(empty.data_vars, encoding),
            )  # fmt: skip

    def missing(self, together: int = 1) -> list[tuple[int, int]]:
        """First and last frame, not included, of what is not yet written.

        Groups that follow on each other are joined, so many at most.
        """
        arrays = list(self._arrays.values())
        num_frames, group = arrays[0].shape[0], (arrays[0].shards or arrays[0].chunks)[0]
        spans: list[tuple[int, int]] = []
        for number, first in enumerate(range(0, num_frames, group)):
            if all(_is_written(self.partial, array, number) for array in arrays):
                continue
            last = min(first + group, num_frames)
            if spans and spans[-1][1] == first and last - spans[-1][0] <= together * group:
                spans[-1] = (spans[-1][0], last)
            else:
                spans.append((first, last))
        return spans

    def write(self, first_frame: int, frames: np.ndarray, variables: tuple[str, ...]) -> None:
        """Write a group of frames (frames, variables, lat, lon) from `first_frame` on."""
        for channel, name in enumerate(variables):
            array = self._arrays[name]
            array[first_frame : first_frame + len(frames)] = frames[:, channel]

    def publish(self) -> None:
        """Give the finished store its name, then write its manifest.

        Raises
        ------
        ValueError
            When another writer was faster, and its store has the name.
        """
        for killed in self.partial.rglob("*.partial"):  # files of a writer that was killed
            killed.unlink()
        files, size = inventory(self.partial)
        content = {"files": files, "bytes": size, "digest": store_digest(self.partial)}
        try:
            self.partial.rename(self.store)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                raise
            raise ValueError(
                f"{self.store}: another job wrote it at the same time; see that none runs, "
                "then run again"
            ) from None
        write_text(self.manifest, json.dumps(content, indent=2) + "\n")
        # What older settings or code left unfinished is of no use any more.
        for unfinished in self.store.parent.glob(f".{self.store.name}.*.partial"):
            shutil.rmtree(unfinished, ignore_errors=True)

    @cached_property
    def _arrays(self) -> dict[str, zarr.Array[Any]]:
        """The variables of the unfinished store: opened once, which takes as long as to write."""
        group = zarr.open_group(self.partial, mode="r+")
        return {name: array for name, array in group.arrays() if array.ndim == len(DIMS)}


def _is_written(store: Path, array: zarr.Array[Any], number: int) -> bool:
    """Whether a group of frames has its file, which appears when it is whole."""
    file = store / array.path / array.metadata.encode_chunk_key((number, 0, 0))
    # A machine that stopped can leave the name without the content.
    return file.is_file() and file.stat().st_size > 0


def _digest_of(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=asdict).encode()).hexdigest()[:16]


def _with_attributes(dataset: xr.Dataset, attributes: Mapping[str, Any]) -> xr.Dataset:
    # Encodings of the file that the frames came from (chunks, packing, compression) end here;
    # those of time are kept so that its units stay the user's own.
    kept = {key: dataset["time"].encoding.get(key) for key in ("units", "calendar")}
    plain = dataset.drop_encoding()
    plain["time"].encoding = {key: value for key, value in kept.items() if value}
    if plain["time"].dtype.kind in "mMO":
        # Whole numbers, of a smaller unit if need be: what is a fraction of the user's unit would
        # drift with each store that is made of another.
        plain["time"].encoding["dtype"] = "int64"
    predictors = dataset.attrs.get(PREDICTORS, [])
    variables = [str(name) for name in dataset.data_vars if name not in predictors]
    return plain.assign_attrs(attributes, variables=variables)
