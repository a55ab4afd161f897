"""What clusters do to jobs, done for real; each time the same network in the end, bit for bit."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from slurm_cluster import PATIENCE, wait_until
from tiny import read_json
from workplace import NETWORK_2D, Workplace

pytestmark = pytest.mark.cluster

EPOCHS = 50
INTERRUPTED = 8
"""Epoch after which faults are injected."""

RECOMPUTED = "nothing; up to 30 s of work are done again"
"""What a job that could not save costs: trainings save every epoch, and every 30 seconds."""

STORE = "results/tiny/extract/seed_0.json"


@pytest.fixture(scope="module")
def prepared(make_workplace):
    """All that train_2d reads, made on this machine."""
    place = make_workplace("prepared")
    (place.folder / "long.yaml").write_text(yaml.safe_dump({"train_2d": {"epochs": EPOCHS}}))
    place.configs.append("long.yaml")
    place.look_often()
    store = "results/tiny/downscale/seed_0.json"
    assert place.run(store, "--cores", "2", profile=None) == 0, place.said()[-3000:]
    return place


@pytest.fixture
def place(prepared, make_workplace):
    """A folder of its own, and an idle cluster."""
    wait_until(lambda: len(prepared.cluster.idle_nodes()) == 6, PATIENCE, "idle cluster")
    place = make_workplace("place", like=prepared)
    yield place
    place.abandon()


@pytest.fixture(scope="module")
def uninterrupted(prepared, make_workplace):
    """A training that nothing happened to, while a second Snakemake tried the same."""
    place = make_workplace("uninterrupted", like=prepared)
    process = place.start(NETWORK_2D)
    # Said after it is saved: a training that is held in between has told of no epoch.
    wait_until(lambda: f"epoch 1/{EPOCHS}" in place.log("train_2d"), PATIENCE, "first epoch")
    with _held(place):
        [job], status = place.jobs(), place.status()
        exit_code = place.run(NETWORK_2D)
    assert process.wait(PATIENCE) == 0, place.said()[-3000:]
    return place, exit_code, (job, status)


@pytest.fixture(scope="module")
def network(uninterrupted):
    """The bytes that every interrupted training must end with."""
    return uninterrupted[0].bytes()


def test_second_snakemake_is_refused(uninterrupted, fault_table):
    place, exit_code, _ = uninterrupted
    assert exit_code != 0
    assert "Directory cannot be locked" in place.said()
    assert f"epoch {EPOCHS}/{EPOCHS}" in place.log("train_2d")
    fault = fault_table(
        "two Snakemakes on the same results", "a second one started in mid-training"
    )
    fault.inject()
    fault.recovered("the second ends at once, the first goes on", "nothing", "nothing")


def test_status_of_a_training_that_runs(uninterrupted):
    _, _, (job, status) = uninterrupted
    assert "Snakemake runs" in status
    assert re.search(rf"{job} +RUNNING .* gpu\[.*\] +rule_train_2d", status)
    training = status.partition("train_2d  ")[2].splitlines()
    assert training[0].strip() == "1 running"
    assert re.search(rf"epoch \d+/{EPOCHS} .* left", training[1])
    assert re.search(rf"ranks 4, .*, job {job};", training[2])


def test_scancel(place, network, fault_table):
    fault = fault_table("job cancelled", "`scancel` in mid-training")
    process = _train_to(place)
    fault.inject()
    place.cluster.run("scancel", *place.jobs())
    _wait_until_resumed(place)
    fault.recovered(
        "the trainer saved in mid-epoch; submitted again by Snakemake", "nothing", "nothing"
    )
    assert "_batch_" in place.log("train_2d")
    _ends_with(place, process, network)


def test_time_is_up(place, network, fault_table):
    fault = fault_table("walltime reached", "a limit of 1 minute, `--signal=USR1@5`")
    # On a slow machine the first minutes may be over before there is anything to go on from.
    place.change_profile({"training_minutes": 1, "seconds_to_save": 5}, retries=6)
    process = _train_to(place, epoch=1)
    # However fast the machine is, the minute is over before the training. SLURM's signal comes with
    # one to go on.
    for rank in _ranks(place):
        os.kill(rank, signal.SIGSTOP)
    wait_until(lambda: "asked to stop" in place.log("train_2d"), PATIENCE, "end of the time")
    fault.inject()
    _wait_until_resumed(place)
    fault.recovered(
        "the trainer saved in mid-epoch; submitted again with twice the time", "nothing", "nothing"
    )
    assert "_batch_" in place.log("train_2d")
    _ends_with(place, process, network)


def test_rank_is_killed(place, network, fault_table):
    fault = fault_table("one rank dies", "`kill -9` of one of four ranks")
    process = _train_to(place)
    fault.inject()
    os.kill(_ranks(place)[-1], signal.SIGKILL)
    _wait_until_resumed(place)
    fault.recovered("srun ends the others; submitted again by Snakemake", RECOMPUTED, "nothing")
    _ends_with(place, process, network)


def test_node_goes_down(place, network, fault_table):
    fault = fault_table("node down", "its slurmd and all its processes killed in mid-training")
    process = _train_to(place)
    [job] = place.jobs()
    node = place.cluster.nodes_of(job)[-1]
    fault.inject()
    place.cluster.crash_node(node)
    try:
        _wait_until_resumed(place)
        fault.recovered("submitted again by Snakemake, on other nodes", RECOMPUTED, "nothing")
        [job] = place.jobs()
        assert node not in place.cluster.nodes_of(job)
        _ends_with(place, process, network)
    finally:
        place.cluster.start_node(node)


def test_memory_runs_out(place, network, fault_table):
    fault = fault_table("memory limit exceeded", "300 MB on a node for a job that takes more")
    place.change_profile(training={"mem_mb": "300 * 8 ** (attempt - 1)"})
    process = place.start(NETWORK_2D)
    wait_until(place.failed_jobs, PATIENCE, "out of memory")
    fault.inject()
    place.wait_for_epoch(1)
    fault.recovered("killed by the limit; submitted again with more", RECOMPUTED, "nothing")
    assert re.search(r"exceeded memory limit .* being killed", _slurm_logs(place))
    _ends_with(place, process, network)


def test_snakemake_is_killed(place, network, fault_table):
    fault = fault_table("submitting Snakemake dies", "`kill -9` of Snakemake; its job runs on")
    process = _train_to(place)
    fault.inject()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with _held(place):  # or the orphan might end before its successor starts
        assert len(place.jobs()) == 1
        assert place.run(NETWORK_2D) != 0
        assert "--unlock" in place.said()
        assert place.run("--unlock") == 0
        again = place.start(NETWORK_2D)
        wait_until(lambda: len(place.jobs()) == 2, PATIENCE, "both jobs")
    _wait_until_resumed(place)
    fault.recovered(
        "two jobs train the same network side by side, and neither harms the other",
        "nothing",
        "`snakemake --unlock`, then the same command",
    )
    _ends_with(place, again, network)
    wait_until(lambda: not place.jobs(), PATIENCE, "end of the orphan")
    assert place.bytes() == network


def test_disk_is_full_while_a_store_is_written(place, fault_table):
    fault = fault_table("disk full while writing a store", "a full tmpfs below results/")
    manifest, store = place.folder / STORE, (place.folder / STORE).with_suffix(".zarr")
    before = read_json(manifest)
    place.change_profile(retries=0)
    with _on_small_disk(place) as (fill, empty):
        shutil.rmtree(store)
        manifest.unlink()
        fill(leave_kb=24)
        assert place.run(STORE) != 0
        assert "No space left on device" in _slurm_logs(place)
        assert not manifest.exists()
        assert not store.exists()
        empty()
        fault.inject()
        assert place.run(STORE) == 0, place.said()[-3000:]
        fault.recovered(
            "the job fails in one line; no manifest, no store under its name",
            "nothing; the store is made again, from its last whole group of frames on",
            "make room, then the same command",
        )
        assert read_json(manifest) == before


def test_disk_is_full_while_a_checkpoint_is_written(place, network, fault_table):
    fault = fault_table("disk full while writing a checkpoint", "a full tmpfs below results/")
    place.change_profile(retries=0)
    with _on_small_disk(place) as (fill, empty):
        process = _train_to(place)
        # Again and again: the training makes room itself where it drops an old checkpoint.
        wait_until(lambda: fill(leave_kb=0) or process.poll() is not None, PATIENCE, "full disk")
        assert process.wait() != 0
        assert re.search("cannot be written|No space left on device", _slurm_logs(place))
        assert place.checkpoints()
        empty()
        fault.inject()
        again = place.start(NETWORK_2D)
        _wait_until_resumed(place)
        fault.recovered(
            "the job fails in one line; the checkpoint before stays",
            RECOMPUTED,
            "make room, then the same command",
        )
        _ends_with(place, again, network)


def test_checkpoint_is_truncated(place, network, fault_table):
    fault = fault_table("checkpoint truncated on disk", "the newest cut to half its length")
    place.change_profile(retries=0)
    process = _train_to(place)
    place.cluster.run("scancel", *place.jobs())
    assert process.wait(PATIENCE) != 0
    assert re.search(r"train_2d +1 failed\n(.*\n)*.*run again to go on from there", place.status())
    newest = place.checkpoints()[-1]
    os.truncate(newest, newest.stat().st_size // 2)
    fault.inject()
    again = place.start(NETWORK_2D)
    _wait_until_resumed(place)
    fault.recovered(
        "passed over, said in the log",
        "nothing; the work since the one before is done again",
        "the same command",
    )
    assert f"{newest.name}: truncated" in place.log("train_2d")
    _ends_with(place, again, network)


def _train_to(place: Workplace, epoch: int = INTERRUPTED) -> subprocess.Popen:
    process = place.start(NETWORK_2D)
    place.wait_for_epoch(epoch)
    return process


def _wait_until_resumed(place: Workplace) -> None:
    wait_until(
        lambda: "resuming after epoch" in place.log("train_2d"), PATIENCE, "resumed training"
    )


def _ends_with(place: Workplace, process: subprocess.Popen, network: bytes) -> None:
    assert process.wait(PATIENCE) == 0, place.said()[-3000:]
    assert place.bytes() == network


@contextmanager
def _held(place: Workplace):
    """The training stands still: however fast the machine is, it does not end meanwhile."""
    ranks = _ranks(place)
    for rank in ranks:
        os.kill(rank, signal.SIGSTOP)
    try:
        yield
    finally:
        for rank in ranks:
            os.kill(rank, signal.SIGCONT)


def _slurm_logs(place: Workplace) -> str:
    """What failed and running jobs said."""
    paths = (place.folder / "logs" / "slurm").rglob("*.log")
    return "".join(path.read_text(errors="replace") for path in paths)


def _ranks(place: Workplace) -> list[int]:
    """Processes of the training below a folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            ours = (folder / "cwd").readlink() == place.folder
        except OSError:
            continue
        if ours and words[1:4] == [b"-m", b"swsr", b"train_2d"]:
            found.append(int(folder.name))
    assert len(found) == 4
    return found


@contextmanager
def _on_small_disk(place: Workplace):
    """Results on a disk of 8 MB; functions that fill it but for some kB, and that free it again."""
    results, filler = place.folder / "results", place.folder / "results" / "filler"
    kept = results.rename(place.folder / "kept")
    results.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "swsr", results], check=True)

    def fill(leave_kb: int) -> None:
        filler.write_bytes(bytes(leave_kb * 1024))
        with (results / "filler_2").open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        filler.unlink()

    try:
        shutil.copytree(kept, results, dirs_exist_ok=True)
        yield fill, (results / "filler_2").unlink
    finally:
        subprocess.run(["umount", "--lazy", results], check=True)
