"""Stores for reading: what a manifest describes, lazily, and how its frames lie in files."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import xarray as xr
import zarr

PREDICTORS = "predictors"
"""Attribute of frames: names of the last variables, that networks read and nothing gives back."""

TOGETHER_BYTES = 4 * 2**20
"""Of frames that are computed in one call: less, and the call takes longer than its work."""


def store_path(manifest: Path) -> Path:
    """Where the store that a manifest describes lies."""
    return manifest.with_suffix(".zarr")


def open_frames(manifest: Path, *, predictors: bool = False) -> xr.Dataset:
    """Open the frames that a manifest describes, lazily, with the chunks of the store.

    Variables are in the order in which they were written. With `predictors` those of the store, if
    it has some, follow on them, named by the attribute `predictors`.

    Raises
    ------
    ValueError
        When manifest or store is missing, or the store is not as the manifest says.
    """
    expected = read_manifest(manifest)
    store = store_path(manifest)
    if not store.is_dir():
        raise ValueError(f"{store}: the store is gone: remove {manifest} and run again")
    files, size = inventory(store)
    if (files, size) != (expected["files"], expected["bytes"]):
        raise ValueError(
            f"{store}: {files} files of {size} bytes, but {manifest.name} says "
            f"{expected['files']} files of {expected['bytes']}: remove {manifest} and run again"
        )
    dataset = xr.open_zarr(store, consolidated=False, chunks={})
    further = dataset.attrs.get(PREDICTORS, []) if predictors else []
    # A Zarr group lists its arrays in any order, another one at every opening; channels have one.
    return mark_predictors(dataset[dataset.attrs["variables"] + further], further)


def mark_predictors(frames: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """The same frames, with a note of which variables are predictors, or of none."""
    marked = frames.copy(deep=False)
    marked.attrs.pop(PREDICTORS, None)
    return marked.assign_attrs({PREDICTORS: list(names)}) if names else marked


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


def is_manifest(path: Path) -> bool:
    """Whether a file is the manifest of a store."""
    try:
        read_manifest(path)
    except ValueError:
        return False
    return True


def is_store_of_swsr(path: Path) -> bool:
    """Whether a stage wrote a store, whose manifest Snakemake may have removed to make it again."""
    try:
        return "swsr" in json.loads((path / "zarr.json").read_text())["attributes"]
    except (OSError, ValueError, KeyError):
        return False


def is_netcdf_of_swsr(path: Path) -> bool:
    """Whether a stage wrote a NetCDF file."""
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_cf=False) as dataset:
            return "swsr" in dataset.attrs
    except (OSError, ValueError):
        return False


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
        """The layout of an open store, also of one with fewer frames than a chunk has."""
        encoding = next(iter(dataset.data_vars.values())).encoding
        shards = encoding["shards"]
        return cls(encoding["chunks"][0], shards[0] if shards else None)


def chunk_frames(dataset: xr.Dataset) -> int:
    """Frames per chunk of an open store."""
    return int(dataset.chunksizes["time"][0])


def frames_at_once(dataset: xr.Dataset) -> int:
    """Frames to read in one call: a chunk, or several where chunks are small."""
    chunk = max(dataset.chunksizes["time"])  # the first of a part of a store may be cut
    chunk_bytes = dataset.nbytes // dataset.sizes["time"] * chunk
    return chunk * max(1, TOGETHER_BYTES // chunk_bytes)


def input_digests(manifests: list[Path]) -> dict[str, str]:
    """Stage and series of each manifest -> digest of its store.

    Raises
    ------
    ValueError
        When two stores have the same stage and series, and another content.
    """
    digests: dict[str, str] = {}
    for manifest in manifests:
        name = f"{manifest.parent.name}/{manifest.stem}"
        digest = read_manifest(manifest)["digest"]
        if digests.setdefault(name, digest) != digest:
            raise ValueError(
                f"{manifest}: another store of other frames is named {name} too: rename one of the "
                "two, or its folder"
            )
    return digests


def stack_variables(dataset: xr.Dataset, variables: tuple[str, ...]) -> xr.DataArray:
    """Variables as channels, in the order given: dims (time, variable, lat, lon)."""
    chosen = dataset[list(variables)].to_dataarray("variable")
    return chosen.transpose("time", "variable", "lat", "lon")


def _files(store: Path) -> list[Path]:
    # Not what a second writer has just begun to write.
    return sorted(path for path in store.rglob("*") if path.is_file() and path.suffix != ".partial")


def inventory(store: Path) -> tuple[int, int]:
    """Number of files of a store, and their bytes."""
    sizes = [path.stat().st_size for path in _files(store)]
    return len(sizes), sum(sizes)


def store_digest(store: Path) -> str:
    """Of the names and the content of all files of a store."""
    digest = hashlib.sha256()
    for path in _files(store):
        digest.update(path.relative_to(store).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
