"""The commands of the README, run as they stand there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from tiny import REPOSITORY, tiny_frames

from swsr.zarr_io import open_frames

README = (REPOSITORY / "README.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.strip().splitlines()
]
APPLY = [
    "snakemake apply --cores 2 --configfile mine.yaml",
    "python -m swsr apply results/mine/train_joint/network.safetensors coarse.nc fine.nc",
]
ENVIRONMENT = Path(sys.executable).parent.parent


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A fresh clone of what is committed or not, with the environment that make has set up."""
    folder = tmp_path_factory.mktemp("clone") / "swsr"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)  # with its time, which make looks at
    (folder / ".venv").symlink_to(ENVIRONMENT)
    return folder


def sh(command, folder):
    script = f". .venv/bin/activate\n{command}"
    done = subprocess.run(
        ["sh", "-ec", script], cwd=folder, capture_output=True, text=True, timeout=5400, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_every_command_is_run_below():
    assert [
        "make run",
        "make test",
        ". .venv/bin/activate",
        "snakemake --cores 2 --configfile mine.yaml",
        "snakemake --dry-run --configfile mine.yaml",
        "python -m swsr status results/mine",
        *APPLY,
        "python -m swsr --help",
    ] == COMMANDS


@pytest.mark.chain
def test_make_run_ends_with_table_and_picture_and_then_has_nothing_to_do(clone):
    output = sh("make run", clone)
    assert "2 ranks by Horovod (MPI)" in output
    table = output[output.rindex("| test frames") :]
    gains = [float(row.split("|")[3]) for row in table.splitlines()[2:7]]
    bicubic, network_2d, _, _, chain = gains
    assert bicubic == 0
    assert network_2d > 1
    assert chain > network_2d - 1  # close to each other, and each processor rounds otherwise
    assert (clone / "results" / "default" / "evaluate" / "picture.png").stat().st_size > 20_000
    again = sh("make run", clone)
    assert "Nothing to be done" in again
    assert "install:" not in again


@pytest.mark.chain
def test_page_of_make_run_opens_without_errors_or_requests(clone, tmp_path, browse):
    sh("make run", clone)  # nothing to do after the test above
    page = clone / "results" / "default" / "report" / "report.html"
    assert page.stat().st_size < 10e6
    assert browse(page, tmp_path)[1] == []


def test_make_test_is_what_ci_runs():
    assert re.search(r"^make test$", (REPOSITORY / ".ci" / "run").read_text(), re.MULTILINE)


@pytest.mark.chain
def test_own_data(clone):
    config = "".join(re.findall(r"```yaml\n(.*?)```", README, re.DOTALL))
    (clone / "mine.yaml").write_text(config)
    tiny_frames(num_frames=12, lat=16, lon=32).to_netcdf(clone / "coarse.nc")
    tiny_frames(num_frames=60, lat=32, lon=64).to_netcdf(clone / "my_run.nc")
    announced = sh("snakemake --dry-run --configfile mine.yaml", clone)
    assert "train_2d" in announced
    sh("snakemake --cores 2 --configfile mine.yaml", clone)
    assert (clone / "results" / "mine" / "evaluate" / "metrics.json").exists()
    for command in APPLY:
        sh(command, clone)
    status = sh("python -m swsr status results/mine", clone)
    assert "Snakemake does not run" in status
    counted = re.search(r"(\d+) results: (\d+) done$", status, re.MULTILINE)
    assert counted
    assert counted[1] == counted[2]
    applied = open_frames(clone / "results" / "mine" / "apply" / "coarse.json")
    with xr.open_dataset(clone / "fine.nc") as by_hand:
        assert dict(by_hand.sizes) == dict(applied.sizes) == {"time": 8, "lat": 32, "lon": 64}
        # Equal to rounding: the rule takes one thread, the command by hand every core.
        span = np.ptp(applied["vorticity"].values)
        np.testing.assert_allclose(
            by_hand["vorticity"], applied["vorticity"], rtol=0, atol=1e-5 * span
        )


INLINE = re.findall(r"`(snakemake [^`]*)`", README)


@pytest.mark.parametrize("command", INLINE)
def test_commands_in_the_text_are_understood(clone, command):
    """As a dry run, which must exit with 0: some would take days on a large machine."""
    sh(f"{command} --dry-run", clone)


def test_help_lists_the_stages(clone):
    output = sh("python -m swsr --help", clone)
    for stage in ("extract", "train_2d", "evaluate"):
        assert stage in output
