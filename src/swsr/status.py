"""How far a study is, read from its logs and its provenance alone: at any time, beside any run.

`logs/plan.json`, which Snakemake writes when it starts, names the results that are wanted and their
logs; everything else is what the stages themselves left.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeAlias

from swsr.job import job_id
from swsr.provenance import provenance_path

State: TypeAlias = Literal["done", "running", "failed", "killed", "waiting"]

_STARTED = re.compile(r"started: ranks (\d+), host (\S+), process (\d+), job (\S+)$", re.MULTILINE)
_ERROR = re.compile(r"^\S+ \S+ ERROR ", re.MULTILINE)
_FINISHED = re.compile(r"^\S+ \S+ INFO finished in ", re.MULTILINE)
_EPOCH = re.compile(r"(epoch (\d+)/(\d+) .* ([\d.]+) s)$", re.MULTILINE)
_LAST_LINES = 3
_RECENT_EPOCHS = 5
"""How many epochs the time of the next ones is estimated from."""


def started_line(ranks: int) -> str:
    """First line of a log: where and in which job the stage runs."""
    where = f"host {platform.node()}, process {os.getpid()}, job {job_id() or 'none'}"
    return f"started: ranks {ranks}, {where}"


def finished_line(seconds: float) -> str:
    """Last line of the log of a stage that made its result."""
    return f"finished in {seconds:.1f} s"


@dataclass(frozen=True)
class Job:
    """A job of SLURM; `where` is its nodes, or why it waits."""

    number: str
    state: str
    where: str
    elapsed: str
    comment: str

    def line(self) -> str:
        """A row of the table of jobs."""
        state = f"{self.state:11} {self.elapsed:>10}"
        return f"  {self.number:8} {state}  {self.where:14} {self.comment}"


@dataclass(frozen=True)
class Result:
    """A wanted result: its path as the stage's `--output` has it, its log and that log's text.

    `anew_since` is when a run began that makes it, whether or not it is there; None for no run.
    """

    path: Path
    log: Path
    text: str
    anew_since: float | None

    @property
    def group(self) -> Path:
        """What it is shown with: the series of a stage are one group, a training is its own."""
        return self.path.parent if self.path.suffix else self.path

    def state(self, jobs: list[Job] | None) -> State:
        """Where it stands; `jobs` are those that SLURM has now, None where there is no SLURM."""
        started = _STARTED.search(self.text)
        if _is_complete(self.path, self.anew_since or 0):
            return "done"
        # A log that ends well, and no result: it was deleted, or is to be made anew.
        if not started or _FINISHED.search(self.text):
            return "waiting"
        if _ERROR.search(self.text):
            return "failed"
        return "running" if _is_alive(started, jobs) else "killed"

    def seconds_left(self) -> float | None:
        """Estimated seconds until a training ends; None without a finished epoch."""
        epochs = _EPOCH.findall(self.text)
        if not epochs:
            return None
        _, epoch, last, _ = epochs[-1]
        seconds = [float(row[3]) for row in epochs[-_RECENT_EPOCHS:]]
        return (int(last) - int(epoch)) * median(seconds)

    def details(self, state: State, folder: Path) -> list[str]:
        """Lines for the user on a result that is being made, or that could not be."""
        lines = self.text.splitlines()
        if state == "running":
            return self._progress()
        if state in ("failed", "killed"):
            job = _STARTED.findall(self.text)[-1][3]
            of_job = {*folder.glob(f"logs/**/{job}.log"), *folder.glob(f"logs/**/*.{job}.log")}
            logs = [self.log, *sorted(of_job)]
            return [*lines[-_LAST_LINES:], *(f"log: {os.path.relpath(log)}" for log in logs)]
        return []

    def _progress(self) -> list[str]:
        ranks, host, _, job = _STARTED.findall(self.text)[-1]
        epochs, left = _EPOCH.findall(self.text), self.seconds_left()
        silent = time.time() - self.log.stat().st_mtime
        where = f"ranks {ranks}, host {host}" + (f", job {job}" if job != "none" else "")
        far = [f"{epochs[-1][0]}; about {_duration(left)} left"] if left is not None else []
        return [*far, f"{where}; last line of the log {_duration(silent)} ago"]


def describe(study: Path) -> str:
    """The state of a study for a person: a line per stage, and more where there is more to say.

    Parameters
    ----------
    study
        Its folder, `results/STUDY`.

    Raises
    ------
    ValueError
        When no run was ever started there.
    """
    plan, began = _read_plan(study)
    # A run that ended has made what it wanted, or none of it: the next one knows better.
    anew = set(plan.get("anew", ())) if _may_run(plan) else set()
    folder = Path(plan["folder"])
    wanted = [
        (study / path, study / log, began if path in anew else None)
        for path, log in plan["results"].items()
    ]
    jobs = _slurm_jobs(folder)
    results = [_look(*each, jobs) for each in wanted]
    if any(state == "killed" for _, state in results):
        # Or it began after the look at the jobs, or came to its end after that at its log.
        jobs = _slurm_jobs(folder)
        results = [
            _look(*each, jobs) if pair[1] == "killed" else pair
            for each, pair in zip(wanted, results, strict=True)
        ]
    lines = [str(study), *(f"  {line}" for line in _snakemake(plan)), ""]
    for group, members in groupby(results, key=lambda pair: pair[0].group):
        lines += _group_lines(str(group.relative_to(study)), list(members), folder)
    if jobs:
        lines += ["", "jobs of SLURM"]
        lines += [job.line() for job in jobs]
    counts = Counter(state for _, state in results)
    return "\n".join([*lines, "", f"{len(results)} results: {_count(counts)}"])


def _look(
    path: Path, log: Path, anew_since: float | None, jobs: list[Job] | None
) -> tuple[Result, State]:
    """A result and where it stands, by what is there now."""
    result = Result(path, log, _read(log), anew_since)
    return result, result.state(jobs)


def _group_lines(name: str, members: list[tuple[Result, State]], folder: Path) -> list[str]:
    lines = [f"  {name:34} {_count(Counter(state for _, state in members))}"]
    for result, state in members:
        details = result.details(state, folder)
        if details and len(members) > 1:
            lines.append(f"    {result.path.stem} {state}")
        lines += [f"      {line}" for line in details]
    return lines


def _count(counts: Counter[State]) -> str:
    order: tuple[State, ...] = ("done", "running", "failed", "killed", "waiting")
    return ", ".join(f"{counts[state]} {state}" for state in order if counts[state])


def _read_plan(study: Path) -> tuple[dict[str, Any], float]:
    """What Snakemake began to do, and when."""
    path = study / "logs" / "plan.json"
    try:
        plan, began = json.loads(path.read_text()), path.stat().st_mtime
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(
            f"{study}: no run of Snakemake was started here (there is no {path}): "
            "name the folder of a study, results/STUDY"
        ) from None
    except ValueError as error:
        raise ValueError(
            f"{path}: damaged ({error}): start Snakemake again, which writes it anew"
        ) from None
    assert isinstance(plan, dict)
    return plan, began


def _read(log: Path) -> str:
    try:
        return log.read_text(errors="replace")
    except OSError:
        return ""


def _snakemake(plan: dict[str, Any]) -> list[str]:
    host, process = plan["host"], plan["process"]
    who = f"started {plan['started']} as process {process} of {host}"
    log = f"its log: {plan['log']}"
    if host != platform.node():
        return [f"Snakemake was {who}: only there can be seen whether it runs", log]
    if _process_lives(process, b"snakemake"):
        return [f"Snakemake runs, {who}", log]
    return [f"Snakemake does not run; the last one was {who}", log]


def _may_run(plan: dict[str, Any]) -> bool:
    """Whether Snakemake runs, or is on another host, where that cannot be seen."""
    return plan["host"] != platform.node() or _process_lives(plan["process"], b"snakemake")


def _is_complete(result: Path, since: float) -> bool:
    try:
        files = json.loads(provenance_path(result).read_text())["files"]
        if provenance_path(result).stat().st_mtime < since:
            return False
    except (OSError, ValueError, KeyError):
        return False
    # A file is whole when it is there; of a folder some files are made before others.
    wanted = [result] if result.suffix else [result / name for name in files]
    return all(path.exists() for path in wanted)


def _is_alive(started: re.Match[str], jobs: list[Job] | None) -> bool:
    _, host, process, job = started.groups()
    if job != "none" and jobs is not None:
        return any(each.number == job for each in jobs)
    # Of a process on another host nothing is known: the age of its last line is shown.
    return host != platform.node() or _process_lives(int(process), b"swsr")


def _process_lives(process: int, word: bytes) -> bool:
    # Numbers of processes are given again: a word of the command tells ours.
    try:
        return word in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def _slurm_jobs(folder: Path) -> list[Job] | None:
    """The user's jobs that were submitted from a folder; None where SLURM does not answer."""
    if shutil.which("squeue") is None:
        return None
    command = ["squeue", "--me", "--noheader", "--format=%i|%T|%R|%M|%k|%Z"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (subprocess.SubprocessError, OSError):
        return None
    rows = [line.split("|", 5) for line in done.stdout.splitlines()]
    return [Job(*row[:5]) for row in rows if row[5] == str(folder)]


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
