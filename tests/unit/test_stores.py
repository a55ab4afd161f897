import json
import shutil

import dask.array
import numpy as np
import pytest
import xarray as xr
from tiny import make_raw, make_stores, tiny_frames

from swsr.communication import Communicator
from swsr.provenance import attributes, code, version
from swsr.zarr_io import (
    Cache,
    Layout,
    StoredFrames,
    StoreWriter,
    fill_store,
    frames_at_once,
    input_digests,
    open_frames,
    read_manifest,
    stack_variables,
    store_path,
    write_frames,
)


@pytest.fixture
def manifest(stores, tmp_path):
    """A copy of the high-resolution store, to be damaged."""
    _, high = stores
    shutil.copytree(high.parent, tmp_path / "high")
    return tmp_path / "high" / high.name


def a_chunk(manifest):
    return next(path for path in store_path(manifest).rglob("c/*/*/*") if path.is_file())


def test_frames_come_back_with_units_and_coordinates(stores):
    frames = tiny_frames()
    stored = open_frames(stores[1])
    np.testing.assert_array_equal(stored["vorticity"].values, frames["vorticity"].values)
    assert stored["vorticity"].attrs["units"] == "s-1"
    xr.testing.assert_equal(stored["time"], frames["time"])
    assert stored["lat"].attrs["standard_name"] == "latitude"


def test_two_inputs_of_one_name_are_refused(stores, tmp_path):
    """Whether unfinished work fits is told by the digests: none may hide another."""
    low, high = stores
    for number, manifest in enumerate((high, high, low)):
        shutil.copytree(manifest.parent, tmp_path / str(number) / "frames")
    first, same, other = (tmp_path / str(number) / "frames" / high.name for number in range(3))
    assert len(input_digests([first, same])) == 1
    with pytest.raises(ValueError, match=r"2/frames/seed_0\.json: another .* frames/seed_0 too"):
        input_digests([first, other])


@pytest.mark.parametrize("calendar", ["standard", "360_day"])
@pytest.mark.parametrize(("unit", "step"), [("days", "10min"), ("hours", "100s"), ("hours", "6h")])
def test_times_do_not_drift_from_store_to_store(tmp_path, unit, step, calendar):
    """Ten minutes are no whole number of days, nor a float64."""
    frames = tiny_frames(120)
    times = xr.date_range("2000-01-01", periods=120, freq=step, calendar=calendar)
    frames = frames.assign_coords(time=times)
    frames["time"].encoding["units"] = f"{unit} since 2000-01-01"
    low, high = make_stores(tmp_path, frames)
    given, truth, result = map(open_frames, (low, high, make_raw(low, high)))
    with xr.open_dataset(tmp_path / "frames.nc") as read:
        for store in (given, truth, result):
            np.testing.assert_array_equal(store["time"].values, read["time"].values)


def test_equal_content_has_an_equal_manifest(stores, tmp_path):
    again, _ = make_stores(tmp_path, tiny_frames())
    assert read_manifest(again) == read_manifest(stores[0])


@pytest.mark.parametrize("damage", ["removed", "truncated", "store"])
def test_store_that_is_not_as_its_manifest_says_is_refused(manifest, damage):
    if damage == "removed":
        a_chunk(manifest).unlink()
    elif damage == "truncated":
        a_chunk(manifest).write_bytes(b"")
    else:
        shutil.rmtree(store_path(manifest))
    with pytest.raises(ValueError, match=r"remove .*json and run again"):
        open_frames(manifest)


def test_manifest_of_something_else_is_refused(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"study": "default"}))
    with pytest.raises(ValueError, match="not a manifest"):
        read_manifest(tmp_path / "a.json")


def test_store_is_visible_only_when_published(tmp_path):
    frames = tiny_frames()
    writer = StoreWriter(tmp_path / "a.json", "key")
    writer.prepare(frames.isel(time=slice(0, 8)), Layout(4), {"swsr": "{}"})
    values = frames["vorticity"].values[:, None]
    writer.write(4, values[4:8], ("vorticity",))
    assert not store_path(tmp_path / "a.json").exists()
    writer.write(0, values[:4], ("vorticity",))
    writer.publish()
    np.testing.assert_array_equal(open_frames(tmp_path / "a.json")["vorticity"], values[:8, 0])


class Counting:
    """Frames of a store as they are computed, and which were; fails at one if asked to."""

    def __init__(self, frames, fails_at=None, error=KeyboardInterrupt):
        self.frames, self.fails_at, self.error, self.computed = frames, fails_at, error, []

    def __call__(self, first, last):
        if first == self.fails_at:
            raise self.error(first)
        self.computed.append((first, last))
        return self.frames["vorticity"].values[first:last, None]


def fill(manifest, compute, layout, notes="{}"):
    fill_store(compute.frames, manifest, layout, {"swsr": notes}, compute, Communicator())


@pytest.mark.parametrize("layout", [Layout(4), Layout(4, 12)])
def test_interrupted_store_is_resumed_and_ends_the_same(tmp_path, layout):
    frames, manifest = tiny_frames(30), tmp_path / "a.json"
    whole = Counting(frames)
    fill(tmp_path / "whole.json", whole, layout)
    stopped = Counting(frames, fails_at=whole.computed[2][0])
    with pytest.raises(KeyboardInterrupt):
        fill(manifest, stopped, layout)
    assert not store_path(manifest).exists()
    resumed = Counting(frames)
    fill(manifest, resumed, layout)
    assert resumed.computed == whole.computed[2:]
    assert read_manifest(manifest) == read_manifest(tmp_path / "whole.json")
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_groups_are_computed_together_but_resumed_one_by_one(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "a.json", Counting(tiny_frames(30), fails_at=8), Layout(4))
    resumed = Counting(tiny_frames(30))
    notes = {"swsr": "{}"}
    fill_store(
        resumed.frames, tmp_path / "a.json", Layout(4), notes, resumed, Communicator(), together=3
    )
    assert resumed.computed == [(8, 20), (20, 30)]
    np.testing.assert_array_equal(
        open_frames(tmp_path / "a.json")["vorticity"], tiny_frames(30)["vorticity"]
    )


def test_full_disk_keeps_what_was_written(tmp_path):
    stopped = Counting(tiny_frames(30), fails_at=8, error=OSError)
    with pytest.raises(OSError, match="8"):
        fill(tmp_path / "a.json", stopped, Layout(4))
    resumed = Counting(tiny_frames(30))
    fill(tmp_path / "a.json", resumed, Layout(4))
    assert resumed.computed[0] == (8, 12)


def test_refused_content_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="8"):
        fill(tmp_path / "a.json", Counting(tiny_frames(30), 8, ValueError), Layout(4))
    assert list(tmp_path.iterdir()) == []


def test_work_of_other_settings_is_not_resumed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "a.json", Counting(tiny_frames(30), 8), Layout(4), notes="older")
    other = Counting(tiny_frames(30))
    fill(tmp_path / "a.json", other, Layout(4), notes="newer")
    assert other.computed[0] == (0, 4)
    assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.parametrize(("changed", "goes_on"), [("commit", True), ("code", False)])
def test_work_of_another_commit_is_resumed_but_not_of_other_code(
    tmp_path, monkeypatch, changed, goes_on
):
    """A page of documentation is a commit too."""

    def fill_noted(compute):
        notes = attributes("extract", None, {})
        fill_store(compute.frames, tmp_path / "a.json", Layout(4), notes, compute, Communicator())

    with pytest.raises(KeyboardInterrupt):
        fill_noted(Counting(tiny_frames(30), 8))
    ours, now = code(), version() | {changed: "another"}
    monkeypatch.setattr("swsr.provenance.version", lambda: now)
    monkeypatch.setattr("swsr.provenance.code", lambda: {key: now[key] for key in ours})
    resumed = Counting(tiny_frames(30))
    fill_noted(resumed)
    assert resumed.computed[0] == ((8, 12) if goes_on else (0, 4))


def test_file_of_a_killed_writer_and_an_empty_one_are_written_again(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "a.json", Counting(tiny_frames(30), 12), Layout(4))
    [unfinished] = tmp_path.glob(".*.partial")
    first, second, _ = sorted(path for path in unfinished.glob("vorticity/c/*/0/0"))
    first.write_bytes(b"")
    second.rename(second.with_suffix(".1234.partial"))
    resumed = Counting(tiny_frames(30))
    fill(tmp_path / "a.json", resumed, Layout(4))
    assert resumed.computed[:2] == [(0, 4), (4, 8)]
    np.testing.assert_array_equal(
        open_frames(tmp_path / "a.json")["vorticity"], tiny_frames(30)["vorticity"]
    )


def test_shards_hold_several_chunks(tmp_path):
    fill(tmp_path / "a.json", Counting(tiny_frames(30)), Layout(4, 12))
    stored = open_frames(tmp_path / "a.json")
    assert Layout.of(stored) == Layout(4, 12)
    files = list(store_path(tmp_path / "a.json").glob("vorticity/c/*/*/*"))
    assert len(files) == 3
    np.testing.assert_array_equal(stored["vorticity"], tiny_frames(30)["vorticity"])


@pytest.mark.parametrize("limit", [0, 10**9])
def test_frames_are_read_chunk_by_chunk_and_kept_while_there_is_room(stores, monkeypatch, limit):
    dataset = open_frames(stores[1])
    frames = StoredFrames(dataset, ("vorticity",), slice(3, 23), Cache(limit))
    expected = dataset["vorticity"].values[3:23, None]
    reads = []
    read = StoredFrames._read
    monkeypatch.setattr(
        StoredFrames, "_read", lambda self, number: reads.append(number) or read(self, number)
    )
    assert frames.shape == expected.shape
    for _ in range(2):
        for first in range(16):
            np.testing.assert_array_equal(frames[first : first + 5], expected[first : first + 5])
    assert set(reads) == set(range(6))
    assert len(reads) == 6 or limit == 0


def test_variables_keep_their_order_at_every_opening(tmp_path):
    names = ("vorticity", "depth", "u", "a")
    low, _ = make_stores(tmp_path, tiny_frames(num_frames=8, variables=names))
    for _ in range(50):
        assert tuple(open_frames(low).data_vars) == names


def test_predictors_follow_the_variables_only_where_they_are_asked_for(tmp_path):
    """In the order of the settings, whatever that of the file is."""
    frames = tiny_frames(num_frames=8, variables=("q", "b", "a", "p"))
    low, high = make_stores(tmp_path, frames, predictors=("q", "p"))
    for manifest in (low, high):
        for _ in range(20):
            plain = open_frames(manifest)
            assert list(plain.data_vars) == ["b", "a"]
            assert "predictors" not in plain.attrs
            whole = open_frames(manifest, predictors=True)
            assert list(whole.data_vars) == ["b", "a", "q", "p"]
            assert whole.attrs["predictors"] == ["q", "p"]
    np.testing.assert_array_equal(whole["p"], frames["p"])


def test_results_of_frames_with_predictors_have_none(tmp_path):
    low, high = make_stores(tmp_path, tiny_frames(8, variables=("a", "p")), predictors=("p",))
    raw = make_raw(low, high)
    assert list(open_frames(raw, predictors=True).data_vars) == ["a"]
    with xr.open_zarr(store_path(raw), consolidated=False) as whole:
        assert list(whole.data_vars) == ["a"]
        assert "predictors" not in whole.attrs


def test_channels_are_in_the_order_asked_for(tmp_path):
    _, high = make_stores(tmp_path, tiny_frames(num_frames=8, variables=("a", "b")))
    dataset = open_frames(high)
    stacked = stack_variables(dataset, ("b", "a"))
    np.testing.assert_array_equal(stacked[:, 0], dataset["b"])
    np.testing.assert_array_equal(stacked[:, 1], dataset["a"])


def test_frames_that_are_read_together_are_whole_chunks_of_some_megabytes(tmp_path):
    _, high = make_stores(tmp_path, tiny_frames(30), chunk_frames=4)
    part = open_frames(high).isel(time=slice(2, 30))
    assert part.chunksizes["time"][0] == 2
    assert frames_at_once(part) % 4 == 0
    assert 3 * 2**20 < frames_at_once(part) * part.nbytes / part.sizes["time"] <= 4 * 2**20
    large = dask.array.zeros((9, 2000, 1000), chunks=(3, -1, -1))
    assert frames_at_once(xr.Dataset({"x": (("time", "lat", "lon"), large)})) == 3


def test_a_series_shorter_than_a_chunk_keeps_the_layout(tmp_path):
    written, again = tmp_path / "a.json", tmp_path / "b.json"
    layout = Layout(32, 256)
    fill(written, Counting(tiny_frames(30)), layout)
    stored = open_frames(written)
    assert Layout.of(stored) == layout
    write_frames(stored, again, Layout.of(stored), {}, Communicator())
    assert open_frames(again).equals(stored)
