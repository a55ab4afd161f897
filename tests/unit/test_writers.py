"""Two writers of one store: never half a store, nor a mixed one, under its name."""

import pytest
from tiny import tiny_frames

from swsr.zarr_io import Layout, StoreWriter, open_frames, read_manifest


def filled(manifest, writer, seed=0):
    """A writer whose store is complete but not published."""
    frames = tiny_frames(8, seed=seed)
    writer = StoreWriter(manifest, writer)
    writer.prepare(frames, Layout(4), {})
    writer.write(0, frames["vorticity"].values[:, None], ("vorticity",))
    return writer


def test_first_of_two_writers_wins_and_the_other_is_told(tmp_path):
    manifest = tmp_path / "a.json"
    slow, fast = filled(manifest, "slow", seed=1), filled(manifest, "fast")
    fast.publish()
    published = read_manifest(manifest)
    with pytest.raises(ValueError, match="another job wrote it"):
        slow.publish()
    assert read_manifest(manifest) == published
    assert open_frames(manifest).sizes["time"] == 8
    assert not list(tmp_path.glob(".*.partial"))


def test_writer_that_publishes_late_is_refused(tmp_path):
    manifest = tmp_path / "a.json"
    filled(manifest, "fast").publish()
    late = StoreWriter(manifest, "late")
    late.partial.mkdir()
    (late.partial / "zarr.json").write_text("{}")
    with pytest.raises(ValueError, match="another job wrote it"):
        late.publish()
