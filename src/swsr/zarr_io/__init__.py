"""The only place that opens or writes Zarr.

A store of frames `NAME.zarr` is built as `.NAME.zarr.KEY.partial`, renamed when it is complete, and
then described by a small manifest `NAME.json`: number of files, bytes, digest of the content. The
manifest is what the workflow tracks, and what readers open: a store that is not as its manifest
says is refused. Equal content gives an equal manifest.

KEY is a digest of all that decides the content. A run that was interrupted thus finds what it had
written, group of frames by group, and goes on from there; two jobs that make the same store, which
a job that outlived its workflow can cause, write the same files.
"""

from swsr.zarr_io.reading import (
    PREDICTORS,
    Layout,
    chunk_frames,
    frames_at_once,
    input_digests,
    is_manifest,
    is_netcdf_of_swsr,
    is_store_of_swsr,
    mark_predictors,
    open_archive,
    open_frames,
    read_manifest,
    stack_variables,
    store_path,
)
from swsr.zarr_io.stored_frames import Cache, StoredFrames
from swsr.zarr_io.writing import StoreWriter, fill_store, template_of, write_frames, write_netcdf

__all__ = [
    "PREDICTORS",
    "Cache",
    "Layout",
    "StoreWriter",
    "StoredFrames",
    "chunk_frames",
    "fill_store",
    "frames_at_once",
    "input_digests",
    "is_manifest",
    "is_netcdf_of_swsr",
    "is_store_of_swsr",
    "mark_predictors",
    "open_archive",
    "open_frames",
    "read_manifest",
    "stack_variables",
    "store_path",
    "template_of",
    "write_frames",
    "write_netcdf",
]
