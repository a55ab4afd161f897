"""The only module that opens or writes Zarr.

A store of frames `NAME.zarr` is built as `.NAME.zarr.KEY.partial`, renamed when it is complete, and
then described by a small manifest `NAME.json`: number of files, bytes, digest of the content. The
manifest is what the workflow tracks, and what readers open: a store that is not as its manifest
says is refused. Equal content gives an equal manifest.

KEY is a digest of all that decides the content. A run that was interrupted thus finds what it had
written, group of frames by group, and goes on from there; two jobs that make the same store, which
a job that outlived its workflow can cause, write the same files.
"""

import errno
import hashlib
import json
import shutil
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import dask.array
import numpy as np
import xarray as xr
import zarr

from swsr.atomic import atomic_folder, atomic_path, write_text
from swsr.communication import Communicator
from swsr.provenance import COMMIT
from swsr.schema import DIMS

_TOGETHER_BYTES = 4 * 2**20
"""Of frames that are computed in one call: less, and the call takes longer than its work."""


def store_path(manifest: Path) -> Path:
    """Where the store that a manifest describes lies."""
    return manifest.with_suffix(".zarr")


def open_frames(manifest: Path) -> xr.Dataset:
    """Open the frames that a manifest describes, lazily, with the chunks of the store.

    Variables are in the order in which they were written.

    Raises
    ------
    ValueError
        When manifest or store is missing, or the store is not as the manifest says.
    """
    expected = read_manifest(manifest)
    store = store_path(manifest)
    if not store.is_dir():
        raise ValueError(f"{store}: the store is gone: remove {manifest} and run again")
    files, size = _inventory(store)
    if (files, size) != (expected["files"], expected["bytes"]):
        raise ValueError(
            f"{store}: {files} files of {size} bytes, but {manifest.name} says "
            f"{expected['files']} files of {expected['bytes']}: remove {manifest} and run again"
        )
    dataset = xr.open_zarr(store, consolidated=False, chunks={})
    # A Zarr group lists its arrays in any order, another one at every opening; channels have one.
    return dataset[dataset.attrs["variables"]]


def open_archive(path: Path) -> Any:
    """A Zarr store in a zip, for reading."""
    return zarr.storage.ZipStore(path, mode="r")


def read_manifest(manifest: Path) -> dict[str, Any]:
    """The content of a manifest.

    Raises
    ------
    ValueError
        When it is missing or is no manifest.
    """
    try:
        content = json.loads(manifest.read_text())
        return {key: content[key] for key in ("files", "bytes", "digest")}
    except FileNotFoundError:
        raise ValueError(f"{manifest}: no such manifest of a store") from None
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{manifest}: not a manifest of a store: remove it and run again"
        ) from None


@dataclass(frozen=True)
class Layout:
    """How frames lie in the files of a store.

    Attributes
    ----------
    chunk_frames
        Whole frames in a chunk, the least that is read.
    shard_frames
        Whole frames in a file, a multiple of `chunk_frames`; None: a file per chunk.
    """

    chunk_frames: int
    shard_frames: int | None = None

    @property
    def group(self) -> int:
        """Frames that are written together."""
        return self.shard_frames or self.chunk_frames

    @classmethod
    def of(cls, dataset: xr.Dataset) -> Self:
        """The layout of an open store."""
        shards = next(iter(dataset.data_vars.values())).encoding.get("shards")
        return cls(chunk_frames(dataset), shards[0] if shards else None)


def chunk_frames(dataset: xr.Dataset) -> int:
    """Frames per chunk of an open store."""
    return int(dataset.chunksizes["time"][0])


def frames_at_once(dataset: xr.Dataset) -> int:
    """Frames to read in one call: a chunk, or several where chunks are small."""
    chunk = max(dataset.chunksizes["time"])  # the first of a part of a store may be cut
    chunk_bytes = dataset.nbytes // dataset.sizes["time"] * chunk
    return chunk * max(1, _TOGETHER_BYTES // chunk_bytes)


def input_digests(manifests: list[Path]) -> dict[str, str]:
    """Stage and series of each manifest -> digest of its store."""
    return {
        f"{manifest.parent.name}/{manifest.stem}": read_manifest(manifest)["digest"]
        for manifest in manifests
    }


def stack_variables(dataset: xr.Dataset, variables: tuple[str, ...]) -> xr.DataArray:
    """Variables as channels, in the order given: dims (time, variable, lat, lon)."""
    chosen = dataset[list(variables)].to_dataarray("variable")
    return chosen.transpose("time", "variable", "lat", "lon")


class Cache:
    """Blocks of frames in memory, the last used ones, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._blocks: OrderedDict[Hashable, np.ndarray] = OrderedDict()

    def get(self, key: Hashable, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The block of a key, read when it is not here; what was not used for longest goes."""
        block = self._blocks.pop(key, None)
        if block is None:
            block = read()
            size = block.nbytes + sum(kept.nbytes for kept in self._blocks.values())
            while self._blocks and size > self._limit:
                size -= self._blocks.popitem(last=False)[1].nbytes
        self._blocks[key] = block
        return block


class StoredFrames:
    """Some frames of a store as if they were an array (frames, variables, lat, lon), float32.

    Parameters
    ----------
    dataset
        As `open_frames` gives it.
    variables
        Channels, in order.
    frames
        Which frames of the store these are.
    cache
        Where chunks that were read stay for a while; it may be shared.
    """

    def __init__(
        self, dataset: xr.Dataset, variables: tuple[str, ...], frames: slice, cache: Cache
    ) -> None:
        self._stacked = stack_variables(dataset, variables)
        self._chunk = chunk_frames(dataset)
        self._frames = range(dataset.sizes["time"])[frames]
        self._cache = cache

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the four dims."""
        return (len(self._frames), *self._stacked.shape[1:])

    def __getitem__(self, frames: slice) -> np.ndarray:
        """Consecutive frames, read chunk by chunk."""
        wanted = self._frames[frames]
        numbers = range(wanted.start // self._chunk, (wanted.stop - 1) // self._chunk + 1)
        first = numbers.start * self._chunk
        blocks = [
            self._cache.get((id(self), number), partial(self._read, number)) for number in numbers
        ]
        block = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        return block[wanted.start - first : wanted.stop - first]

    def _read(self, number: int) -> np.ndarray:
        first = number * self._chunk
        return self._stacked.isel(time=slice(first, first + self._chunk)).values


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

    `at_once` is the number of frames below which reading costs as much as reading all of them.
    Small groups are computed several at once, side by side in the threads of dask.
    """
    template = frames.map(lambda variable: xr.DataArray(0.0, attrs=variable.attrs))
    template = template.assign_coords(frames.coords).assign_attrs(frames.attrs)
    stacked = stack_variables(frames, tuple(map(str, frames.data_vars)))

    def compute(first: int, last: int) -> np.ndarray:
        return stacked.isel(time=slice(first, last)).values

    at_once = max(at_once, _TOGETHER_BYTES * len(stacked) // stacked.nbytes)
    together = max(1, at_once // layout.group)
    fill_store(template, manifest, layout, attributes, compute, communicator, origin, together)


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
    writer = StoreWriter(manifest, _digest_of(decides, layout, repr(origin)))
    communicator.on_first(lambda: writer.prepare(template, layout, attributes))
    missing = communicator.on_first(lambda: writer.missing(together))
    variables = tuple(map(str, template.data_vars))
    with writer.removed_on_refusal():
        for index in communicator.share(len(missing)):
            first, last = missing[index]
            writer.write(first, compute(first, last), variables)
    communicator.barrier()
    communicator.on_first(writer.publish)


def write_netcdf(manifest: Path, output: Path) -> None:
    """Write the frames of a store to a NetCDF file, chunk by chunk."""
    frames = open_frames(manifest)
    frames.attrs = {name: text for name, text in frames.attrs.items() if isinstance(text, str)}
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
        with atomic_folder(self.partial) as temporary:
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
        files, size = _inventory(self.partial)
        content = {"files": files, "bytes": size, "digest": _digest(self.partial)}
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
    return plain.assign_attrs(attributes, variables=list(map(str, dataset.data_vars)))


def _files(store: Path) -> list[Path]:
    # Not what a second writer has just begun to write.
    return sorted(path for path in store.rglob("*") if path.is_file() and path.suffix != ".partial")


def _inventory(store: Path) -> tuple[int, int]:
    sizes = [path.stat().st_size for path in _files(store)]
    return len(sizes), sum(sizes)


def _digest(store: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(store):
        digest.update(path.relative_to(store).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
