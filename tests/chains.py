"""Whole chains of tiny frames through Snakemake."""

import re
import subprocess
from pathlib import Path

import yaml
from tiny import REPOSITORY


class Chain:
    """Snakemake in a folder of its own, on this repository's workflow."""

    def __init__(self, folder: Path, configfile: Path) -> None:
        self.folder, self.configfile = folder, configfile

    def snakemake(self, *arguments, config=None) -> subprocess.CompletedProcess:
        files = [self.configfile]
        if config:
            files.append(self.folder / "changed.yaml")
            files[-1].write_text(yaml.safe_dump(config))
        return subprocess.run(
            ["snakemake", "--snakefile", REPOSITORY / "Snakefile", "--cores", "2",
             "--configfile", *files, *arguments],
            cwd=self.folder, capture_output=True, text=True, timeout=3600, check=False,
        )  # fmt: skip

    def would_run(self, config=None) -> dict[str, int]:
        """Stage -> number of jobs that Snakemake's own dry run announces."""
        done = self.snakemake("--dry-run", config=config)
        assert done.returncode == 0, done.stderr + done.stdout
        if "Job stats:" not in done.stdout + done.stderr:
            assert "Nothing to be done" in done.stdout + done.stderr
            return {}
        table = (done.stdout + done.stderr).split("Job stats:")[-1].split("\n\n")[0]
        jobs = dict(re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE))
        not_stages = ("all", "settings", "total")
        return {name: int(count) for name, count in jobs.items() if name not in not_stages}


def run_chain(folder: Path, configfile: Path) -> Chain:
    chain = Chain(folder, configfile)
    done = chain.snakemake()
    assert done.returncode == 0, done.stderr[-5000:] + done.stdout[-5000:]
    return chain
