"""Which code and commit a result says that it was made by, and in which state its files were."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import swsr
from swsr.provenance import code, file_states, provenance_path, state_to_read


def git(folder, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def copy_package(folder):
    shutil.copytree(
        Path(swsr.__file__).parent, folder / "swsr", ignore=shutil.ignore_patterns("__pycache__")
    )


def commit_of(folder):
    """What a package that lies in a folder takes for its commit."""
    code = "from swsr.provenance import version; print(version()['commit'])"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], env={"PYTHONPATH": str(folder)},
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_package_in_its_repository_is_of_its_commit(tmp_path):
    copy_package(tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "swsr")
    git(tmp_path, "commit", "--quiet", "--message", "ours")
    head = git(tmp_path, "rev-parse", "--short=12", "HEAD")
    assert commit_of(tmp_path) == head
    (tmp_path / "swsr" / "page.py").write_text("")
    assert commit_of(tmp_path) == f"{head}+changes"


def test_package_in_an_environment_is_not_of_the_repository_around_it(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text(".venv\n")
    git(tmp_path, "add", ".gitignore")
    git(tmp_path, "commit", "--quiet", "--message", "mine")
    (tmp_path / ".venv").mkdir()
    copy_package(tmp_path / ".venv")
    assert commit_of(tmp_path / ".venv") == "unknown (not a git checkout)"


def test_code_is_another_when_a_module_changes_or_its_name_does(tmp_path, monkeypatch):
    """But not when a page does."""
    monkeypatch.setattr("swsr.provenance.__file__", str(tmp_path / "provenance.py"))

    def digest():
        return code.__wrapped__()["code"]  # which is found once in a process

    module, page = tmp_path / "networks" / "a.py", tmp_path / "page.html"
    module.parent.mkdir()
    module.write_text("scale = 2")
    first = digest()
    page.write_text("<p>")
    assert digest() == first
    module.write_text("scale = 3")
    second = digest()
    module.rename(module.with_name("b.py"))
    assert len({first, second, digest()}) == 3


def test_state_to_read_changes_only_with_need(tmp_path):
    """Newer files are for Snakemake to see; others, and files within folders, are not."""
    file, result = tmp_path / "run.nc", tmp_path / "train_0.json"
    file.write_text("a")
    os.utime(file, (100, 100))
    first = state_to_read([file], result)
    result.write_text("")
    os.utime(result, (200, 200))

    def read(path):
        record = {"read": file_states([path]), "state": first}
        provenance_path(result).write_text(json.dumps(record))

    read(file)
    assert state_to_read([file], result) == first
    os.utime(file, (300, 300))
    assert state_to_read([file], result) == first
    read(file)  # as Snakemake saw to
    assert state_to_read([file], result) == first
    os.utime(file, (50, 50))
    assert state_to_read([file], result) != first
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "0.png").write_text("a")
    read(folder)
    assert state_to_read([folder], result) == first
    os.utime(folder / "0.png", (300, 300))
    assert state_to_read([folder], result) != first
