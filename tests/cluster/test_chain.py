"""The whole chain on the cluster, as a user runs it, against the same chain on this machine."""

import numpy as np
import pytest
import xarray as xr
from tiny import mpirun, read_json, run_swsr, weights

from swsr.zarr_io import open_frames

pytestmark = pytest.mark.cluster

# Difference of all weights, over themselves, between 4 ranks on 2 nodes and 2 ranks here. Rounding is
# 1e-7, but where gradients vanish, as in networks that start as skips, Adam makes steps of it; and one
# network reads what another made, which differs already. The training itself moves them
# by a twentieth or more.
NETWORKS = {
    "train_2d": 1e-3,
    "train_3d/raw": 1e-3,
    "train_3d/processed": 1e-2,
    "train_joint": 1e-2,
}


@pytest.fixture(scope="module")
def on_cluster(make_workplace):
    """The chain by `snakemake --profile slurm`."""
    place = make_workplace("on_cluster")
    place.look_often()
    assert place.run() == 0, place.said()[-3000:]
    return place


def test_profile_as_shipped_is_accepted(make_workplace):
    place = make_workplace("dry")
    assert place.run("--dry-run") == 0, place.said()
    assert "slurm_partition=gpu" in place.said()


def test_training_ran_on_two_nodes_by_mpi(on_cluster):
    for stage in NETWORKS:
        assert "4 ranks by Horovod (MPI)" in on_cluster.log(stage)
    jobs = on_cluster.cluster.run(
        "sacct", "-nXP", "--format=Comment,NNodes,NTasks,AllocTRES,State", "-S", "now-1hour"
    )
    trained = [line.split("|") for line in jobs.splitlines() if line.startswith("rule_train_")]
    assert len(trained) == len(NETWORKS), jobs
    for _, nodes, _, allocated, state in trained:
        assert nodes == "2"
        assert "gres/gpu=4" in allocated
        assert state == "COMPLETED"


def all_weights(place, stage):
    found = weights(place.folder / "results/tiny" / stage / "network.safetensors")
    return np.concatenate([found[key].ravel() for key in sorted(found)])


@pytest.mark.parametrize("stage", NETWORKS)
def test_networks_are_those_of_a_run_here(on_cluster, chain, stage):
    ours, theirs = (all_weights(place, stage) for place in (on_cluster, chain))
    assert np.linalg.norm(ours - theirs) < NETWORKS[stage] * np.linalg.norm(theirs)
    ours, theirs = (
        read_json(place.folder / "results/tiny" / stage / "metrics.json")
        for place in (on_cluster, chain)
    )
    before, after = (theirs[when]["validation"]["psnr"] for when in ("before", "after"))
    # After a good 2D network, two epochs may bring a 3D network nothing.
    assert after > before + 0.1 or stage == "train_3d/processed"
    decibels = max(0.05 * (after - before), 0.01)
    assert ours["after"]["validation"]["psnr"] == pytest.approx(after, abs=decibels)


def test_other_frames_make_another_network_by_more_than_ranks_do(on_cluster):
    raw, processed = (all_weights(on_cluster, f"train_3d/{name}") for name in ("raw", "processed"))
    apart = np.linalg.norm(raw - processed) / np.linalg.norm(processed)
    assert apart > 3 * max(NETWORKS["train_3d/raw"], NETWORKS["train_3d/processed"])


def test_stores_before_the_networks_are_bit_identical_to_those_of_a_run_here(on_cluster, chain):
    manifests = sorted((chain.folder / "results/tiny").glob("*scale/seed_*.json"))
    manifests = [path for path in manifests if "provenance" not in path.name]
    assert len(manifests) == 4
    for path in manifests:
        ours = open_frames(on_cluster.folder / path.relative_to(chain.folder))
        # A copy without its repository knows no commit.
        xr.testing.assert_identical(
            ours.drop_attrs(deep=False), open_frames(path).drop_attrs(deep=False)
        )


def test_2d_network_is_bit_identical_to_that_of_four_ranks_here(on_cluster, tmp_path):
    results = on_cluster.folder / "results/tiny"
    stores = [
        word
        for option, stage in (("--low", "downscale"), ("--high", "extract"))
        for word in (option, results / stage / "seed_0.json")
    ]
    done = run_swsr(
        "train_2d", "--communication", "horovod", "--ranks", 4, "--threads", 1,
        "--settings", results / "settings" / "train_2d.json", *stores, "--output", tmp_path,
        launcher=mpirun(4), env={"PYTHONPATH": str(on_cluster.folder / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "network.safetensors").read_bytes() == on_cluster.bytes()


def test_every_result_has_its_provenance(on_cluster):
    results = on_cluster.folder / "results/tiny"
    for path in [results / "train_2d/provenance.json", results / "extract/seed_0.provenance.json"]:
        record = read_json(path)
        assert int(record["job_id"]) > 0
        assert record["seconds"] > 0
        assert record["packages"]["torch"]
    assert read_json(results / "train_2d/provenance.json")["ranks"] == 4


def test_nothing_runs_again(on_cluster):
    assert on_cluster.run() == 0
    assert "Nothing to be done" in on_cluster.said()


def test_report(on_cluster):
    assert on_cluster.run("--report", "report.html", profile=None) == 0, on_cluster.said()[-2000:]
    assert "train_2d" in (on_cluster.folder / "report.html").read_text()
