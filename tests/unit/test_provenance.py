"""Which commit a result says that it was made by."""

import shutil
import subprocess
import sys
from pathlib import Path

import swsr


def commit_of(folder):
    """What a package that lies in a folder takes for its commit."""
    shutil.copytree(Path(swsr.__file__).parent, folder / "swsr")
    code = "from swsr.provenance import version; print(version()['commit'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(folder)},
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_package_in_an_environment_is_not_of_the_repository_around_it(tmp_path):
    def git(*arguments):
        user = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *user, *arguments], cwd=tmp_path, check=True)

    git("init", "--quiet")
    (tmp_path / ".gitignore").write_text(".venv\n")
    git("add", ".gitignore")
    git("commit", "--quiet", "--message", "mine")
    (tmp_path / ".venv").mkdir()
    assert commit_of(tmp_path / ".venv") == "unknown (not a git checkout)"
