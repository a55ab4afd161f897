"""Results that another study under the same folder already has are taken over, not made again.

What decides a result - stage, settings, content of the inputs, code, packages - is its recipe,
whose digest the provenance beside it holds. Stores are linked file by file, and so take no room;
all else is copied, because its time must be that of this study.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from swsr.atomic import atomic_folder, atomic_path, write_text
from swsr.provenance import code, file_states, packages, provenance_path
from swsr.zarr_io import StoreWriter, open_frames, read_manifest, store_path

LATEST = "latest"
"""Beside a training's checkpoints: the identity of that which began last, and is to have the
result."""

_LARGE = 2**26
"""Bytes above which a user's file is not read only to know whether it is the same."""


def recipe(stage: str, options: Mapping[str, Any]) -> str:
    """Digest of all that decides a result; `options` are the stage's, with the paths it reads."""
    parts = {name: _content(value) for name, value in options.items() if name != "output"}
    text = json.dumps([stage, parts, code(), packages()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def take_over(output: Path, wanted: str, studies: Path) -> Path | None:
    """Take a result of the recipe `wanted` from another study; where it was, or None.

    Parameters
    ----------
    output
        Path of the result, `studies`/STUDY/...
    studies
        Folder of the studies.
    """
    _, *inside = output.relative_to(studies).parts
    if inside[0] == "experiments":
        del inside[:2]
    twins = (studies.glob("/".join((folder, *inside))) for folder in ("*", "*/experiments/*"))
    for twin in sorted(chain.from_iterable(twins)):
        if twin == output or not _is_whole(twin, wanted):
            continue
        if output.suffix != ".json":
            latest = output / "checkpoints" / LATEST
            if latest.exists():  # a training that still runs here ends
                write_text(latest, "taken over")
            _copy(twin, output)
        elif not _link_store(twin, output):
            continue
        return twin
    return None


def files_of(result: Path) -> list[Path]:
    """The files of a result: itself, or all in its folder; without provenance."""
    files = [result] if result.is_file() else sorted(p for p in result.iterdir() if p.is_file())
    return [path for path in files if path != provenance_path(result) and path.name[0] != "."]


def _content(value: object) -> object:
    """What of an option decides the result: of a path its last names and its content.

    Size and time stand for the content of a user's folder or large file.
    """
    if isinstance(value, Mapping):
        return {name: _content(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_content(each) for each in value]
    if not isinstance(value, Path):
        return value
    ours = provenance_path(value).exists()
    if not ours and (value.is_dir() or value.stat().st_size > _LARGE):
        return [value.parent.name, value.name, file_states([value])]
    if value.is_dir():  # a result of ours
        paths = sorted(value.glob("*.json"))
        return [_content(path) for path in paths if not path.name.endswith("provenance.json")]
    with value.open("rb") as file:
        return [value.parent.name, value.name, hashlib.file_digest(file, "sha256").hexdigest()]


def _is_whole(twin: Path, wanted: str) -> bool:
    """Whether a result has this recipe and all of its files, which its study may be making anew."""
    try:
        record = json.loads(provenance_path(twin).read_text())
        if record["recipe"] != wanted or record["files"] != [p.name for p in files_of(twin)]:
            return False
        if twin.suffix == ".json":
            open_frames(twin).close()  # refuses a store that is not as its manifest says
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def _link_store(twin: Path, output: Path) -> bool:
    """Whether the store could be linked; False where its study made it anew meanwhile."""
    expected = read_manifest(twin)
    writer = StoreWriter(output, "link")
    writer.discard()
    shutil.rmtree(writer.partial, ignore_errors=True)
    with atomic_folder(writer.partial) as temporary:
        shutil.copytree(store_path(twin), temporary, copy_function=_link)
    writer.publish()
    if read_manifest(output) == expected:
        return True
    writer.discard()
    return False


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def _copy(twin: Path, output: Path) -> None:
    for file in files_of(twin):
        target = output if file == twin else output / file.name
        with atomic_path(target) as temporary:
            shutil.copyfile(file, temporary)
