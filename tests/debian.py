"""Debian packages that tests need."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_LOCK = Path(tempfile.gettempdir()) / "swsr-apt-get.lock"


def can_install() -> bool:
    """Whether packages can be installed: by root, where there is apt-get."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: str) -> None:
    """Install packages, named with blanks between.

    Raises
    ------
    RuntimeError
        When apt-get fails, with the end of what it said.
    """
    print(f"installing {packages}", file=sys.stderr)
    # Test processes beside this one install too, and apt-get itself waits for one of its locks only.
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run_quietly("apt-get", "update", "-qq")
        patient = ("-o", "DPkg::Lock::Timeout=600")  # the machine may be installing updates
        install = ("install", "-y", "-qq", "--no-install-recommends")
        run_quietly("apt-get", *patient, *install, *packages.split())


def run_quietly(*command: str) -> None:
    """Run a command that says something only when it fails: then a RuntimeError with the end of it."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout[-500:]}{done.stderr[-500:]}")
