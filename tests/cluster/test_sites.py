"""What the profiles of other sites would submit, against the schedulers' options."""

import shlex
import subprocess

import pytest
import yaml
from tiny import REPOSITORY
from workplace import NETWORK_2D

pytestmark = pytest.mark.cluster

INPUTS = [f"{stage}/seed_0.json" for stage in ("extract", "downscale")]
REFUSE = "printf '%s\\n' \"$*\" >>{record}; echo not here >&2; exit 1"


@pytest.fixture
def submit(make_workplace, cluster):
    """Submits a stage with a profile to a stand-in that refuses it; the words it was given."""

    def submit(profile: str, command: str, target: str = NETWORK_2D) -> list[str]:
        place = make_workplace("site")
        variables = yaml.safe_load((place.folder / profile / "config.yaml").read_text())
        if command == "sbatch":
            cluster.add_account(variables["__variables__"]["account"])
        batches = {stage: {"global_batch_size": 24} for stage in ("train_2d", "train_3d")}
        (place.folder / "large.yaml").write_text(yaml.safe_dump(batches))
        place.configs.append("large.yaml")  # as many ranks as a node has GPUs divide it
        for name in INPUTS:
            path = place.folder / "results/tiny" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
            path.with_suffix(".zarr").mkdir()
        record = place.folder / "record"
        # Clusters whose users name no partition have no default one.
        for name, script in {command: REFUSE.format(record=record), "sinfo": "echo P"}.items():
            place.stand_in(name, script)
        rules = ["--allowed-rules", "train_2d", "upscale", "settings", "--retries", "0"]
        assert place.run(target, *rules, profile=profile) != 0
        assert record.exists(), place.said()[-3000:]
        return shlex.split(record.read_text().partition(" --wrap")[0])

    return submit


def test_frontier(submit, cluster):
    words = submit("slurm/sites/frontier", "sbatch")
    assert {"--nodes=1", "--ntasks=8", "--ntasks-per-node=8", "--gpus-per-node=8"} <= set(words)
    assert {"--cpus-per-task=7", "--signal=USR1@300", "--no-requeue"} <= set(words)
    assert words[words.index("-p") + 1] == "batch"
    assert words[words.index("-t") + 1] == "100"
    assert "--mem" not in words  # nodes are given whole
    assert "invalid partition" in _parsed(cluster, words)


def test_perlmutter(submit, cluster):
    words = submit("slurm/sites/perlmutter", "sbatch")
    assert {"--nodes=1", "--ntasks=4", "--ntasks-per-node=4", "--gpus-per-node=4"} <= set(words)
    assert words[words.index("-C") + 1] == "gpu"
    assert "--qos=regular" in words
    assert "-p" not in words
    assert "Invalid feature" in _parsed(cluster, words)


def test_summit(submit):
    words = submit("lsf", "bsub")
    options = dict(zip(words[:10:2], words[1:10:2], strict=True))
    assert options["-nnodes"] == "1"
    assert options["-W"] == "100"
    assert options["-q"] == "batch"
    assert options["-J"] == "train_2d"
    assert words[10:-1] == ["-o", "logs/lsf/train_2d.%J.log", "env"]  # its jsrun comes later


def test_stages_without_ranks_leave_the_launch_node_of_summit(submit):
    words = submit("lsf", "bsub", "results/tiny/upscale/seed_0.json")
    assert words[words.index("-J") + 1] == "upscale"
    started = words[words.index("jsrun") : -1]
    assert started == ["jsrun", "-n", "1", "-a", "1", "-c", "ALL_CPUS", "-g", "0", "-b", "none"]


def test_sites_differ_from_the_main_profile_only_where_sites_differ():
    main = yaml.safe_load((REPOSITORY / "slurm/config.yaml").read_text())
    for site in ("frontier", "perlmutter"):
        profile = yaml.safe_load((REPOSITORY / f"slurm/sites/{site}/config.yaml").read_text())
        assert profile.keys() == main.keys()
        same = main.keys() - {"__variables__", "default-resources", "set-resources", "jobs"}
        assert {key: profile[key] for key in same} == {key: main[key] for key in same}
        for rule, resources in main["set-resources"].items():
            ours = profile["set-resources"][rule]
            assert {key: ours[key] for key in ("mpi", "tasks", "slurm_extra")} == {
                key: resources[key] for key in ("mpi", "tasks", "slurm_extra")
            }


def test_every_rule_that_slurm_knows_has_its_resources_on_summit():
    slurm, lsf = (
        yaml.safe_load((REPOSITORY / profile / "config.yaml").read_text())
        for profile in ("slurm", "lsf")
    )
    assert lsf["set-resources"].keys() == slurm["set-resources"].keys()
    assert lsf["set-threads"].keys() == slurm["set-threads"].keys()


def _parsed(cluster, words: list[str]) -> str:
    """What a real sbatch says of these options: of the cluster's lack of something, not of them."""
    done = subprocess.run(
        [f"{cluster.root}/bin/sbatch", "--test-only", *words, "--wrap", "true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    return done.stderr
