"""`swsr status` on what real stages leave: running, killed, failed, done."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import make_stores, stage_settings, tiny_frames

from swsr.__main__ import main
from swsr.status import Job, describe

RESULTS = {
    "extract/seed_0.json": "logs/extract/seed_0.log",
    "extract/seed_1.json": "logs/extract/seed_1.log",
    "train_2d": "logs/train_2d.log",
    "evaluate": "logs/evaluate.log",
}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study whose Snakemake has ended, with frames to extract."""
    for job in ("SLURM_JOB_ID", "LSB_JOBID"):  # the tests may run in one
        monkeypatch.delenv(job, raising=False)
    study = tmp_path / "results" / "tiny"
    plan = {
        "host": os.uname().nodename, "process": 0, "started": "2000-01-01 00:00",
        "folder": str(tmp_path), "log": "snakemake.log", "results": RESULTS,
    }  # fmt: skip
    (study / "logs").mkdir(parents=True)
    (study / "logs" / "plan.json").write_text(json.dumps(plan))
    tiny_frames().to_netcdf(tmp_path / "frames.nc")
    return study


@pytest.fixture
def training(study):
    """Starts a training of very many epochs as a user would, and waits for the first."""
    low, high = make_stores(study.parent / "stores", tiny_frames())
    settings = stage_settings(study, "train_2d", train_2d={"epochs": 1000, "patch_points": 12})
    log = study / "logs" / "train_2d.log"
    command = [
        sys.executable, "-m", "swsr", "train_2d", "--settings", settings, "--low", low,
        "--high", high, "--output", study / "train_2d", "--log", log, "--threads", "1",
    ]  # fmt: skip
    processes = []

    def start(**env):
        # Nobody reads what it says: a pipe would fill, and stop it.
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | env)
        processes.append(process)
        while process.poll() is None:
            if log.exists() and "epoch 3/1000" in log.read_text():
                return process
            time.sleep(0.05)
        return pytest.fail(log.read_text())

    yield start
    for process in processes:
        process.kill()
        process.wait()


def extract(study, frames="frames.nc"):
    settings = stage_settings(study, "extract")
    output, log = study / "extract" / "seed_0.json", study / "logs" / "extract" / "seed_0.log"
    words = ["--settings", settings, "--files", study.parent.parent / frames, "--output", output]
    return main(["extract", *map(str, words), "--log", str(log)])


def row(text, name):
    """The line of a stage, and the indented ones below it."""
    lines = iter(text.splitlines())
    found = next(line for line in lines if line.split()[:1] == [name])
    below = []
    for line in lines:
        if not line.startswith("    "):
            break
        below.append(line.strip())
    return found.removeprefix(f"  {name}").strip(), below


def test_nothing_was_done_yet(study):
    text = describe(study)
    assert "Snakemake does not run" in text
    assert row(text, "extract") == ("2 waiting", [])
    assert text.endswith("4 results: 4 waiting")


def test_what_is_to_be_made_anew_waits(study):
    plan = study / "logs" / "plan.json"
    assert extract(study) == 0
    told = json.loads(plan.read_text()) | {"anew": ["extract/seed_0.json"]}
    plan.write_text(json.dumps(told | {"host": "another"}))  # where it may run
    began = (study / "extract" / "seed_0.json").stat().st_mtime + 10
    os.utime(plan, (began, began))
    assert row(describe(study), "extract") == ("2 waiting", [])
    os.utime(plan, (began - 60, began - 60))
    assert row(describe(study), "extract") == ("1 done, 1 waiting", [])
    plan.write_text(json.dumps(told))  # of a run that has ended
    os.utime(plan, (began, began))
    assert row(describe(study), "extract") == ("1 done, 1 waiting", [])


def test_done_failed_and_deleted(study):
    assert extract(study) == 0
    assert row(describe(study), "extract") == ("1 done, 1 waiting", [])
    (study / "extract" / "seed_0.json").unlink()
    assert row(describe(study), "extract") == ("2 waiting", [])
    assert extract(study, "missing.nc") == 1
    counts, [what, *_, error, log] = row(describe(study), "extract")
    assert counts == "1 failed, 1 waiting"
    assert what == "seed_0 failed"
    assert "missing.nc" in error
    assert log.endswith("logs/extract/seed_0.log")


def test_training_is_watched_and_then_killed(study, training):
    process = training()
    counts, [far, where] = row(describe(study), "train_2d")
    assert counts == "1 running"
    assert re.fullmatch(r"epoch \d+/1000  train loss .* dB  .* s; about [\d.]+ \w+ left", far)
    assert where.startswith("ranks 1, host ")
    process.kill()
    process.wait()
    counts, [*last, log] = row(describe(study), "train_2d")
    assert counts == "1 killed"
    assert "/1000  train loss" in last[-1]
    assert log.endswith("logs/train_2d.log")


def test_what_ends_while_it_is_looked_at_was_not_killed(study, monkeypatch):
    """After its log was read, and before its process is looked for."""
    assert extract(study) == 0
    log = study / "logs" / "extract" / "seed_0.log"
    record = study / "extract" / "seed_0.provenance.json"
    whole, content = log.read_text(), record.read_text()
    log.write_text(whole.splitlines(keepends=True)[0])
    record.unlink()

    def end(process, word):
        if word == b"swsr":
            log.write_text(whole)
            record.write_text(content)
        return False

    monkeypatch.setattr("swsr.status._process_lives", end)
    assert row(describe(study), "extract") == ("1 done, 1 waiting", [])


def test_a_job_that_begins_while_it_is_looked_for_was_not_killed(study, monkeypatch):
    """After SLURM told of its jobs, and before the log is read."""
    jobs = [[], [Job("17", "RUNNING", "gpu1", "0:01", "rule_extract")]]
    monkeypatch.setattr("swsr.status._slurm_jobs", lambda folder: jobs.pop(0))
    log = study / "logs" / "extract" / "seed_0.log"
    log.parent.mkdir()
    log.write_text("2000-01-01 00:00 INFO started: ranks 4, host gpu1, process 9, job 17\n")
    assert row(describe(study), "extract")[0] == "1 running, 1 waiting"


def test_asked_to_stop_is_said_with_what_to_do(study, training):
    process = training()
    process.terminate()
    process.wait()
    counts, lines = row(describe(study), "train_2d")
    assert counts == "1 failed"
    assert "run again to go on from there" in lines[-2]


def test_slurm_tells_whether_a_job_lives(study, training, monkeypatch):
    """Also on other nodes, whose processes cannot be seen from here."""
    folder = study.parent.parent
    squeue = folder / "bin" / "squeue"
    squeue.parent.mkdir()
    answer = f"17|RUNNING|gpu[1-2]|1:02|rule_train_2d|{folder}\n18|RUNNING|a|1|other|/elsewhere"
    squeue.write_text(f"#!/bin/sh\nprintf '%s\\n' '{answer}'\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(squeue.parent), prepend=":")
    training(SLURM_JOB_ID="17").kill()
    text = describe(study)
    counts, [_, where] = row(text, "train_2d")
    assert counts == "1 running"
    assert ", job 17;" in where
    assert "  17       RUNNING           1:02  gpu[1-2]       rule_train_2d" in text
    assert "elsewhere" not in text
    squeue.write_text("#!/bin/sh\n")
    (folder / "logs" / "slurm").mkdir(parents=True)
    (folder / "logs" / "slurm" / "17.log").write_text("oom")
    counts, lines = row(describe(study), "train_2d")
    assert counts == "1 killed"
    assert lines[-1].endswith("logs/slurm/17.log")


def test_a_job_of_lsf_is_named_and_its_log(study, training):
    folder = study.parent.parent
    (folder / "logs" / "lsf").mkdir(parents=True)
    for name in ("train_2d.17.log", "train_2d.117.log"):
        (folder / "logs" / "lsf" / name).write_text("TERM_MEMLIMIT")
    process = training(LSB_JOBID="17")
    process.kill()
    process.wait()
    counts, lines = row(describe(study), "train_2d")
    assert counts == "1 killed"
    assert [line.rpartition("/")[2] for line in lines if "logs/lsf" in line] == ["train_2d.17.log"]


def test_a_folder_without_a_run_is_refused_in_one_line(tmp_path, capsys):
    assert main(["status", str(tmp_path)]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "no run of Snakemake was started here" in line
    assert Path(line.split()[1].rstrip(":")) == tmp_path


def test_a_damaged_plan_is_named(tmp_path, capsys):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "plan.json").write_text("")
    assert main(["status", str(tmp_path)]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "plan.json: damaged" in line
