"""Coarse runs in place of copies: from the store of their frames to the networks' results."""

import json
from itertools import chain

import numpy as np
import pytest
import xarray as xr
from tiny import make_stores, run_swsr, stage_settings, tiny_frames, train

from swsr.__main__ import main
from swsr.api import load
from swsr.run import Run
from swsr.stages.downscale import downscale as downscale_stage
from swsr.stages.infer_2d import infer_2d
from swsr.stages.train_2d import train_2d
from swsr.zarr_io import open_frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fine frames, a coarse run, and a 2D network that was trained on both."""
    folder = tmp_path_factory.mktemp("coarse_runs")
    _, high = make_stores(folder, tiny_frames())
    tiny_frames(40, 12, 24).to_netcdf(folder / "coarse.nc")
    done = downscale(folder, "coarse.nc")
    assert done.returncode == 0, done.stderr
    assert f"12 x 24 points of {folder}/coarse.nc, a coarse run" in done.stderr
    done = train((folder / "run" / "seed_0.json", high), folder / "train_2d", epochs=1)
    assert done.returncode == 0, done.stderr
    return folder


def downscale(folder, name, output="run", high="high/seed_0.json"):
    """The stage, with frames of a run of this name."""
    settings = folder / "coarse"
    settings.mkdir(exist_ok=True)
    coarse = {"train": ["coarse.nc"], "test": ["coarse.nc"]}
    return run_swsr(
        "downscale", "--settings", stage_settings(settings, "downscale", source={"coarse": coarse}),
        "--high", folder / high, "--files", folder / name, "--threads", 1,
        "--output", folder / output / "seed_0.json",
    )  # fmt: skip


@pytest.fixture(scope="module")
def inferred(folder):
    """What the network makes of the stored frames of the coarse run."""
    done = run_swsr(
        "infer_2d", "--network", folder / "train_2d" / "network.safetensors", "--threads", 1,
        "--low", folder / "run" / "seed_0.json", "--like", folder / "high" / "seed_0.json",
        "--output", folder / "infer_2d.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return open_frames(folder / "infer_2d.json")


def test_frames_of_the_run_lie_where_copies_do(folder):
    low, copies = (open_frames(folder / each / "seed_0.json") for each in ("run", "low"))
    assert low.sizes == copies.sizes
    for dim in ("time", "lat", "lon"):
        assert low[dim].equals(copies[dim])
    assert json.loads(low.attrs["swsr_coarse_run"]) == {"file": "coarse.nc", "steps": [15, 15]}
    difference = np.abs(low["vorticity"] - copies["vorticity"]).max()
    assert 0 < difference < 0.1 * np.abs(copies["vorticity"]).max()


def test_apply_and_the_api_put_the_run_where_the_training_did(folder, inferred):
    """On the points of the fine frames, and not about those of the run."""
    network, coarse = folder / "train_2d" / "network.safetensors", folder / "coarse.nc"
    done = run_swsr("apply", network, coarse, folder / "fine.nc", "--threads", 1)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    with xr.open_dataset(folder / "fine.nc") as applied, xr.open_dataset(coarse) as run:
        for found in (applied, load(network)(run)):
            ours = found.isel(time=slice(inferred.sizes["time"]))
            for dim in ("lat", "lon"):
                np.testing.assert_allclose(ours[dim], inferred[dim], atol=1e-9)
            scale = float(np.abs(inferred["vorticity"]).max())
            np.testing.assert_allclose(
                ours["vorticity"] / scale, inferred["vorticity"] / scale, atol=1e-5
            )


def test_the_api_gives_values_in_memory_for_such_and_says_what_is_unlike(folder):
    network = load(folder / "train_2d" / "network.safetensors")
    with xr.open_dataset(folder / "coarse.nc") as run:
        frames = run.load()
    with pytest.warns(UserWarning, match="of the values lie outside"):
        found = network(frames.map(lambda values: values * 100, keep_attrs=True))
    assert found["vorticity"].chunks is None
    lazy = network(frames.chunk({"time": 8}))
    assert lazy["vorticity"].chunks[0] == (8,) * 5


def with_predictors(*size):
    """Frames with a wind, and heights of the ground, which have no time."""
    frames = tiny_frames(*size, variables=("vorticity", "u"))
    lat, lon = np.radians(frames["lat"]), np.radians(frames["lon"])
    heights = 1000 * (np.cos(lat) * np.cos(2 * lon) + np.sin(lat)).astype("float32")
    return frames.assign(ground=heights.assign_attrs(units="m"))


def test_predictors_are_those_of_the_run(tmp_path):
    """On the points of copies too: for the training, for apply and in Python."""
    names = ("u", "ground")
    copies, high = make_stores(tmp_path, with_predictors(), predictors=names)
    with_predictors(40, 12, 24).to_netcdf(tmp_path / "coarse.nc")
    coarse = {"train": ["coarse.nc"], "test": ["coarse.nc"]}
    settings = stage_settings(
        tmp_path, "downscale", source={"predictors": list(names), "coarse": coarse}
    )
    low, run = tmp_path / "run" / "seed_0.json", tmp_path / "coarse.nc"
    downscale_stage(settings, high, low, Run(), [run])
    found, near = (open_frames(path, predictors=True).load() for path in (low, copies))
    assert list(found.data_vars) == ["vorticity", *names]
    for name in names:
        assert found[name].attrs == near[name].attrs
        assert 0 < abs(found[name] - near[name]).max() < 0.2 * abs(near[name]).max()
    values = {"epochs": 1, "patch_points": 8}
    network = tmp_path / "train_2d" / "network.safetensors"
    settings = stage_settings(tmp_path, "train_2d", train_2d=values)
    train_2d(settings, [low], [high], None, network.parent, Run())
    infer_2d(network, low, high, tmp_path / "infer_2d.json", Run())
    wanted = open_frames(tmp_path / "infer_2d.json")["vorticity"]
    room = 1e-5 * float(abs(wanted).max())
    assert main(["apply", str(network), str(run), str(tmp_path / "fine.nc")]) == 0
    with xr.open_dataset(tmp_path / "fine.nc") as applied, xr.open_dataset(run) as frames:
        for fine in (applied, load(network)(frames)):
            ours = fine["vorticity"].isel(time=slice(30))
            np.testing.assert_allclose(ours, wanted, rtol=0, atol=room)


def test_a_region_is_cut_from_a_globe_and_keeps_its_edges(folder):
    """As in the training, where the run covered more than the fine region too."""
    part = folder / "part"
    _, high = make_stores(part, tiny_frames().isel(lat=slice(4, 20), lon=slice(8, 32)))
    done = downscale(folder, "coarse.nc", part / "run", high)
    assert done.returncode == 0, done.stderr
    low, network = part / "run" / "seed_0.json", part / "train_2d" / "network.safetensors"
    done = train((low, high), part / "train_2d", epochs=1, patch_points=8)
    assert done.returncode == 0, done.stderr
    frames = {"--low": low, "--like": high, "--output": part / "infer_2d.json"}
    done = run_swsr("infer_2d", "--network", network, *chain.from_iterable(frames.items()))
    assert done.returncode == 0, done.stderr
    done = run_swsr("apply", network, folder / "coarse.nc", part / "fine.nc", "--threads", 1)
    assert done.returncode == 0, done.stderr
    expected = open_frames(part / "infer_2d.json")["vorticity"]
    with xr.open_dataset(part / "fine.nc") as found:
        ours = found["vorticity"].isel(time=slice(30)).values
        np.testing.assert_allclose(found["lon"], expected["lon"], atol=1e-9)
    assert np.abs(ours - expected.values).max() < 1e-5 * np.abs(expected.values).max()


def test_a_part_of_the_region_is_refused(folder):
    with xr.open_dataset(folder / "coarse.nc") as run:
        run.isel(lat=slice(4, None)).to_netcdf(folder / "part.nc")
    network = folder / "train_2d" / "network.safetensors"
    done = run_swsr("apply", network, folder / "part.nc", folder / "part_fine.nc")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{folder}/part.nc: lat from -22.5 to 82.5 does not reach from -82.5 to 82.5" in line
    assert not (folder / "part_fine.nc").exists()


def test_results_are_not_made_consistent_with_a_run(folder):
    network = folder / "train_2d" / "network.safetensors"
    done = run_swsr(
        "apply", network, folder / "coarse.nc", folder / "same.nc", "--consistent", "--threads", 1
    )
    assert done.returncode == 1
    assert "was trained to correct coarse runs: its frames are not to be consistent" in done.stderr


def test_the_card_says_what_the_network_reads(folder):
    card = (folder / "train_2d" / "README.md").read_text()
    assert "a coarse run beside the truth" in card
    assert "bicubic" not in card


def test_a_run_and_copies_are_no_training_together(folder):
    both = [folder / each / "seed_0.json" for each in ("run", "low")]
    done = run_swsr(
        "train_2d", "--settings", stage_settings(folder, "train_2d"), "--low", *both,
        "--high", *[folder / "high" / "seed_0.json"] * 2, "--output", folder / "mixed",
    )  # fmt: skip
    assert done.returncode == 1
    assert "its coarse run's steps None are not those of" in done.stderr


def test_gaps_of_a_run_are_refused_by_name(folder):
    gaps = tiny_frames(40, 12, 24)
    gaps["vorticity"][7, 3, 3] = np.nan
    gaps.to_netcdf(folder / "gaps.nc")
    done = downscale(folder, "gaps.nc", "refused")
    assert done.returncode == 1
    assert f"{folder}/gaps.nc: vorticity is not finite at 1 points of frame 7" in done.stderr
    assert not list((folder / "refused").glob("*"))
