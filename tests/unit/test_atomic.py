"""Files that appear whole, or not at all, whatever stops their writer."""

import os
from pathlib import Path

import pytest

from swsr.atomic import write_text


def test_content_is_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    path, synced = tmp_path / "a.json", []

    def fsync(descriptor):
        synced.append((os.pread(descriptor, 100, 0), path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(path, "new")
    assert synced == [(b"new", False)]
    assert path.read_text() == "new"


def test_a_disk_that_fills_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("old")

    def write_half(self, text):
        self.write_bytes(text[: len(text) // 2].encode())
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
