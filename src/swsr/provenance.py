"""Who made a result: version and commit, packages, host, job, seconds."""

import hashlib
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from swsr import __version__
from swsr.atomic import write_text
from swsr.job import job_id, num_nodes
from swsr.settings import Filter, Strict

_PACKAGES = (
    "numpy",
    "torch",
    "xarray",
    "zarr",
    "dask",
    "dinosaur",
    "av",
    "horovod",
    "mpi4py",
    "scikit-image",
    "scikit-learn",
    "snakemake",
)


COMMIT = "swsr_commit"
"""Attribute of stores that decides nothing of their content."""

COMPRESSION = "swsr_compression"
"""Attribute of stores whose frames went through a codec, or were made of such, as JSON."""

FILTER = "swsr_filter"
"""Attribute of low-resolution stores, and of what is made of them: how they were made coarser."""

COARSE_RUN = "swsr_coarse_run"
"""Attribute of stores whose frames are those of a coarse run, or were made of such, as JSON: its
file, and the steps of its own grid along lat and lon."""


@cache
def code() -> dict[str, str]:
    """Version and digest of this package: what of it decides a result."""
    folder = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return {"version": __version__, "code": digest.hexdigest()[:12]}


@cache
def version() -> dict[str, str]:
    """`code`, and the git commit, which changes with every page of documentation too."""
    folder = Path(__file__).resolve().parent
    try:
        # Installed into an environment inside another repository, the package is not of its commit.
        _git("ls-files", "--error-unmatch", "__init__.py", folder=folder)
        commit = _git("rev-parse", "--short=12", "HEAD", folder=folder)
        changed = _git("status", "--porcelain", "--", str(folder), folder=folder)
        commit += "+changes" if changed else ""
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown (not a git checkout)"
    return code() | {"commit": commit}


def attributes(stage: str, settings: Strict | None, inputs: dict[str, str]) -> dict[str, str]:
    """Attributes of a store: what decides its content, and the commit that it was made at."""
    recipe = {
        "stage": stage,
        "settings": settings.model_dump(mode="json") if settings else {},
        "inputs": inputs,
        **code(),
    }
    return {
        "Conventions": "CF-1.10",
        "swsr": json.dumps(recipe, sort_keys=True),
        COMMIT: version()["commit"],
    }


def compression_of(attributes: Mapping[str, Any]) -> dict[str, Any] | None:
    """How the frames of a store with these attributes were compressed; None if they were not."""
    return json.loads(attributes[COMPRESSION]) if COMPRESSION in attributes else None


def filter_of(attributes: Mapping[str, Any]) -> Filter:
    """How the frames of a store with these attributes were made coarser."""
    found: Filter = attributes.get(FILTER, "bicubic")  # the only one when older stores were made
    return found


def coarse_run_of(attributes: Mapping[str, Any]) -> dict[str, Any] | None:
    """Which coarse run the frames of a store with these attributes are of; None if of none."""
    return json.loads(attributes[COARSE_RUN]) if COARSE_RUN in attributes else None


def are_copies(attributes: Mapping[str, Any]) -> bool:
    """Whether low-resolution frames with these attributes are what a filter makes of the truth."""
    return COMPRESSION not in attributes and COARSE_RUN not in attributes


def file_states(paths: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Name, size and time (ns) of each file, and of all files in each folder.

    Stands for the content of what may be too large to be read twice: it is another after a change.
    """
    found = []
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            state = file.stat()
            name = file.relative_to(path.parent).as_posix()
            found.append((name, state.st_size, state.st_mtime_ns))
    return found


def files_identity(paths: Iterable[Path], sample: int | None) -> list[object]:
    """What unfinished work on files must have been made of: these files, in that state, and sample.

    `sample` is the number of the trajectory where the files hold several.
    """
    files = list(paths)
    return [[str(path.resolve()) for path in files], file_states(files), sample]


def state_to_read(files: Iterable[Path], result: Path) -> str:
    """A name of the state in which files are to be read for a result, which changes only with need.

    It stays that of the last time, which its provenance holds, where files are as they were, or
    newer than the result, which Snakemake sees for itself. Else it is new, as of what was moved
    here with an older time, and of what changed within a folder.
    """
    paths = list(files)
    now = file_states(path for path in paths if path.exists())
    try:
        record = json.loads(provenance_path(result).read_text())
        read, known = {tuple(state) for state in record["read"]}, str(record["state"])
        made = result.stat().st_mtime_ns
    except (OSError, ValueError, KeyError, TypeError):
        read, known, made = set(), "", 2**63  # not made yet, or by an earlier version
    folders = any(path.is_dir() for path in paths)
    unseen = [state for state in now if state not in read and (folders or state[2] <= made)]
    if not unseen and len(now) >= len(read):
        return known
    return hashlib.sha256(json.dumps(now).encode()).hexdigest()[:12]


def _git(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def provenance_path(output: Path) -> Path:
    """Where the provenance of a result lies: in its folder, or beside its file."""
    beside = output.with_suffix(".provenance.json")
    return beside if output.suffix else output / "provenance.json"


def write_provenance(
    path: Path,
    times: tuple[float, float],
    settings: Any,
    ranks: int,
    origin: Mapping[str, Any],
) -> None:
    """Record beside a result how, where and in what time it was made.

    `times` are of `time.time()`: when the stage started, and when its imports were done and its
    ranks had met; `origin`, see `sharing`, holds its recipe, its files, the result that it was
    taken over from, and of the user's files what `state_to_read` goes by.
    """
    started, working = times
    record = {
        **version(),
        **origin,
        "settings": settings,
        "command": sys.argv,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 2),
        "startup_seconds": round(working - started, 2),
        "ranks": ranks,
        "nodes": num_nodes(ranks),
        "host": platform.node(),
        "job_id": job_id(),
        "gpu": _gpu(),
        "python": platform.python_version(),
        "packages": packages(),
    }
    write_text(path, json.dumps(record, indent=2) + "\n")


@cache
def packages() -> dict[str, str | None]:
    """Versions of the packages that results depend on; None for what is not installed."""
    return {name: _installed(name) for name in _PACKAGES}


def _gpu() -> str | None:
    """The GPU that this process computed on; None if it used none."""
    torch = sys.modules.get("torch")  # not imported for this alone
    if torch is None or not torch.cuda.is_initialized():
        return None
    return str(torch.cuda.get_device_name())


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
