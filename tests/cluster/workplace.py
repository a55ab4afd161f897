"""Folders in which the workflow runs on the cluster, and what a user does in them."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from slurm_cluster import PATIENCE, SlurmCluster, wait_until

NETWORK_2D = "results/tiny/train_2d/network.safetensors"


@dataclass
class Workplace:
    """A folder with a copy of the workflow, and what a user does in it."""

    folder: Path
    cluster: SlurmCluster
    configs: list[str] = field(default_factory=lambda: ["studies/tiny.yaml"])
    snakemake: list[str] = field(default_factory=lambda: ["snakemake"])
    started: list[subprocess.Popen] = field(default_factory=list)

    def change_profile(self, variables=None, training=None, **options) -> None:
        """Other values in slurm/config.yaml: variables, resources of trainings, any options."""
        path = self.folder / "slurm" / "config.yaml"
        content = yaml.safe_load(path.read_text()) | options
        content["__variables__"] |= variables or {}
        content["set-resources"]["train_2d"] |= training or {}
        path.write_text(yaml.safe_dump(content))

    def look_often(self) -> None:
        """Look after jobs sooner than one would ask a scheduler that others use too."""
        self.snakemake = [sys.executable, str(Path(__file__).with_name("impatient_snakemake.py"))]
        self.change_profile(**{"max-status-checks-per-second": 1})

    def start(self, *arguments: str, profile: str | None = "slurm") -> subprocess.Popen:
        """Start Snakemake; what it says goes to `snakemake.log`."""
        where = ["--profile", profile] if profile else []
        command = [*self.snakemake, *arguments, *where, "--configfile", *self.configs]
        with (self.folder / "snakemake.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.env(), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        return process

    def abandon(self) -> None:
        """End what a failed test left."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()  # it submits no more
        self.cluster.run("scancel", *self.jobs("running,pending"), check=False)

    def run(self, *arguments: str, profile: str | None = "slurm") -> int:
        """Run Snakemake to its end and give its exit code."""
        process = self.start(*arguments, profile=profile)
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"Snakemake did not end in {PATIENCE} s:\n{self.said()[-3000:]}")

    def env(self) -> dict[str, str]:
        """The environment of a user who activated the virtual environment."""
        ours = self.cluster.env()
        stand_ins = self.folder / "stand-ins"
        ours["PATH"] = f"{stand_ins}:{Path(sys.executable).parent}:{ours['PATH']}"
        return {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | ours

    def stand_in(self, command: str, script: str) -> None:
        """Put a shell script in the place of a command."""
        path = self.folder / "stand-ins" / command
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def status(self) -> str:
        """What `swsr status` shows."""
        command = [sys.executable, "-m", "swsr", "status", "results/tiny"]
        env = self.env() | {"PYTHONPATH": str(self.folder / "src")}
        done = subprocess.run(
            command, cwd=self.folder, env=env, text=True, capture_output=True, check=True
        )
        return done.stdout

    def said(self) -> str:
        """What Snakemake said so far."""
        return (self.folder / "snakemake.log").read_text(errors="replace")

    def log(self, stage: str) -> str:
        """The log of a stage so far."""
        path = self.folder / "results" / "tiny" / "logs" / f"{stage}.log"
        return path.read_text() if path.exists() else ""

    def bytes(self, path: str = NETWORK_2D) -> bytes:
        return (self.folder / path).read_bytes()

    def checkpoints(self) -> list[Path]:
        """Checkpoints of train_2d, oldest first."""
        return sorted((self.folder / "results/tiny/train_2d/checkpoints").glob("*/epoch_*"))

    def wait_for_epoch(self, epoch: int) -> None:
        """Wait until train_2d has saved an epoch or a later one."""
        first = f"epoch_{epoch:05d}"
        wait_until(lambda: any(path.name >= first for path in self.checkpoints()), PATIENCE, first)

    def jobs(self, state: str = "running") -> list[str]:
        """Numbers of the jobs of this folder in a state."""
        jobs = self.cluster.run("squeue", "-h", "-t", state, "-o", "%i %Z").splitlines()
        return [line.split()[0] for line in jobs if line.split()[1] == str(self.folder)]

    def failed_jobs(self) -> list[str]:
        return self.jobs("failed,out_of_memory")


@dataclass
class Fault:
    """A row of the table of faults, and a stopwatch."""

    name: str
    how: str
    rows: list[str]
    injected: float = 0.0

    def inject(self) -> None:
        self.injected = time.monotonic()

    def recovered(self, happened: str, lost: str, user: str, at: float | None = None) -> None:
        """Note what happened; `at` is when work went on, now by default."""
        seconds = (at or time.monotonic()) - self.injected
        self.rows.append(
            f"| {self.name} | {self.how} | {happened} | {lost} | {seconds:.0f} | {user} |"
        )
