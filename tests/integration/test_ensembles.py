"""Networks from several seeds as one: by the stage, by apply, in Python, and judged."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from tiny import make_stores, run_swsr, tiny_frames

from swsr.__main__ import main
from swsr.api import load
from swsr.checkpoint import load_network, save_network
from swsr.communication import Communicator
from swsr.inference_stage import Trained
from swsr.networks.build import build_network
from swsr.run import Run
from swsr.stages.ensemble import ensemble
from swsr.zarr_io import Layout, open_frames, write_frames


@pytest.fixture(scope="module")
def others(networks, tmp_path_factory):
    """Networks as of another seed: the same with other weights."""
    folder, paths = tmp_path_factory.mktemp("others"), []
    torch.manual_seed(1)
    for path in networks:
        network, card = load_network(path)
        with torch.no_grad():
            for weights in network.parameters():
                weights.add_(0.02 * torch.randn_like(weights))
        paths.append(folder / path.parent.name / path.name)
        save_network(paths[-1], network, card)
    return paths


@pytest.fixture(scope="module")
def coarse(stores, tmp_path_factory):
    path = tmp_path_factory.mktemp("coarse") / "coarse.nc"
    open_frames(stores[0]).drop_encoding().drop_attrs(deep=False).to_netcdf(path)
    return path


def succeed(*arguments):
    done = run_swsr(*arguments, "--threads", 1)
    assert done.returncode == 0, done.stderr
    return done.stderr


def infer_2d(network, stores, output):
    low, high = stores
    succeed("infer_2d", "--network", network, "--low", low, "--like", high, "--output", output)
    return output


def test_stage_writes_the_mean_of_its_members_and_their_spread(
    networks, others, stores, tmp_path, fails
):
    members = [
        infer_2d(path, stores, tmp_path / f"{number}" / "seed_0.json")
        for number, path in enumerate((networks[0], others[0], networks[0]))
    ]
    succeed("ensemble", "--members", *members, "--output", tmp_path / "mean" / "seed_0.json")
    found = open_frames(tmp_path / "mean" / "seed_0.json").load()
    values = [open_frames(member)["vorticity"].values.astype(float) for member in members]
    scale = np.abs(values).max()
    assert found.sizes["time"] == 30
    assert list(found.data_vars) == ["vorticity", "vorticity_spread"]
    for name, wanted in (
        ("vorticity", np.mean(values, axis=0)), ("vorticity_spread", np.std(values, axis=0, ddof=1))
    ):  # fmt: skip
        np.testing.assert_allclose(found[name] / scale, wanted / scale, atol=1e-6)
    assert found["vorticity_spread"].max() > 1e-3 * scale
    low, _ = stores
    fails(
        "is the only member, which has no spread",
        "ensemble", "--members", members[0], "--output", tmp_path / "b.json",
    )  # fmt: skip
    fails(
        "has not the frames, points, variables and units of",
        "ensemble", "--members", members[0], low, "--output", tmp_path / "b.json",
    )  # fmt: skip
    assert not list(tmp_path.glob("*b*"))


def test_members_in_other_units_are_refused(stores, tmp_path):
    truth, members = open_frames(stores[1]), []
    for units in ("s-1", "h-1"):
        members.append(tmp_path / units / "seed_0.json")
        frames = truth.assign(vorticity=truth["vorticity"].assign_attrs(units=units))
        write_frames(frames, members[-1], Layout(4), {}, Communicator())
    with pytest.raises(ValueError, match="variables and units of"):
        ensemble(members, tmp_path / "mean.json", Run())


def test_files_of_many_chunks_are_averaged_too(stores, tmp_path):
    truth, members = open_frames(stores[1]), []
    for factor in (1, 3):
        members.append(tmp_path / f"{factor}" / "seed_0.json")
        frames = (factor * truth).assign_attrs(truth.attrs)
        write_frames(frames, members[-1], Layout(4, 12), {}, Communicator())
    ensemble(members, tmp_path / "mean.json", Run())
    found = open_frames(tmp_path / "mean.json")
    assert found["vorticity"].encoding["shards"] == (12, 24, 48)
    np.testing.assert_allclose(found["vorticity"], 2 * truth["vorticity"], rtol=1e-6)
    spread = np.sqrt(2) * np.abs(truth["vorticity"])
    np.testing.assert_allclose(found["vorticity_spread"], spread, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_apply_and_python_give_the_mean_of_their_networks(
    networks, others, coarse, tmp_path, dimensions
):
    """Consistent ones too, as a mean of consistent frames is."""
    flags, single = ["--consistent"], []
    for number, (first, *later) in enumerate((networks[:dimensions], others[:dimensions])):
        then = ["--then", *later] if later else []
        succeed("apply", first, coarse, tmp_path / f"{number}.nc", *then, *flags)
        single.append(xr.load_dataset(tmp_path / f"{number}.nc")["vorticity"])
    then = ["--then", networks[1], others[1]] if dimensions == 2 else []
    output = tmp_path / "mean.nc"
    said = succeed("apply", networks[0], coarse, output, "--others", others[0], *then, *flags)
    assert "the mean of 2 of skip_2d" in said
    found = xr.load_dataset(output)
    both = xr.concat(single, "member").astype(float)
    scale = float(abs(both).max())
    for name, wanted in (("vorticity", both.mean("member")),
                         ("vorticity_spread", both.std("member", ddof=1))):  # fmt: skip
        np.testing.assert_allclose(found[name] / scale, wanted / scale, atol=1e-6)
    assert found["vorticity"].attrs["ancillary_variables"] == "vorticity_spread"
    pairs = list(zip(networks, others, strict=True))[:dimensions]
    for chunks in (None, {"time": 7}):
        given = xr.open_dataset(coarse, chunks=chunks)
        ours = load(*pairs, consistent=True)(given)
        assert bool(ours.chunks) == (chunks is not None)
        for name in ("vorticity", "vorticity_spread"):
            np.testing.assert_allclose(ours[name] / scale, found[name] / scale, atol=1e-6)


def test_networks_that_have_no_mean_are_refused(networks, others, coarse, tmp_path, fails):
    output = tmp_path / "fine.nc"
    fails(
        "1 3D networks for 2 networks before them: give one for each, in order",
        "apply", networks[0], coarse, output, "--others", others[0], "--then", networks[1],
    )  # fmt: skip
    network, card = load_network(networks[0])
    for what, value in (("units", ("1",)), ("scale", 3), ("edges", ("edge", "edge"))):
        save_network(tmp_path / "alien.safetensors", network, replace(card, **{what: value}))
        fails(
            f"was trained on frames with other {what} than {networks[0]}: they have no mean",
            "apply", networks[0], coarse, output, "--others", tmp_path / "alien.safetensors",
        )  # fmt: skip
    with pytest.raises(ValueError, match="2 3D networks for 1 networks before"):
        load(networks[0], [networks[1], others[1]])
    with pytest.raises(ValueError, match="no network: give one, or several for their mean"):
        load([])


def test_networks_that_leave_other_points_off_are_refused(networks, others, tmp_path):
    _, card = load_network(networks[1])
    crops = tmp_path / "study_3d.safetensors"
    save_network(crops, build_network("study_3d", 1, 1), replace(card, network="study_3d"))
    with pytest.raises(
        ValueError, match=r"study_3d\.safetensors: leaves 2 points off each edge, and"
    ):
        load([networks[0], others[0]], [networks[1], crops])


def test_networks_that_are_consistent_by_other_filters_are_refused(networks, tmp_path):
    network, card = load_network(networks[0])
    save_network(tmp_path / "mean.safetensors", network, replace(card, filter="mean"))
    both = [networks[0], tmp_path / "mean.safetensors"]
    load(both)
    with pytest.raises(
        ValueError, match=r"mean\.safetensors: was trained on frames with other filt"
    ):
        load(both, consistent=True)


def test_a_network_is_no_member_twice(networks, others):
    again = networks[0].parent / ".." / networks[0].parent.name / networks[0].name
    with pytest.raises(ValueError, match="is named twice, and would count twice in the mean"):
        load([networks[0], others[0], again])
    # After one 2D network there may be several 3D ones.
    load([networks[0], networks[0]], [networks[1], others[1]])


def test_every_3d_network_of_other_frames_is_warned_of_once(networks, others, coarse, tmp_path):
    network, card = load_network(others[1])
    wide = replace(card, spacing=card.spacing | {"lat": card.spacing["lat"] / 2})
    save_network(tmp_path / "wide.safetensors", network, wide)
    given = xr.open_dataset(coarse)
    given["time"] = given["time"][0] + 2 * (given["time"] - given["time"][0])
    chains = [networks[0], others[0]], [networks[1], tmp_path / "wide.safetensors"]
    chained = load(*chains)
    with pytest.warns(UserWarning, match="unlike the training") as said:
        chained(given)
    sentences = [str(each.message) for each in said]
    assert sum("wide.safetensors: was not trained on what" in each for each in sentences) == 1
    assert sum("unlike the training: frames every" in each for each in sentences) == 1


def test_unfinished_work_of_networks_in_another_order_is_not_gone_on_with(
    networks, others, coarse, tmp_path, monkeypatch
):
    """Their inputs are the same, but another 3D network follows on each 2D network."""
    whole, calls = Trained.apply, []

    def on_a_full_disk(trained, *arguments):
        calls.append(1)
        if len(calls) > 4:
            raise OSError("No space left on device")
        return whole(trained, *arguments)

    arguments = ["apply", networks[0], coarse, tmp_path / "a.zarr", "--others", others[0]]
    then = ["--then", networks[1], others[1]]
    with monkeypatch.context() as patch:
        patch.setattr(Trained, "apply", on_a_full_disk)
        assert main([*map(str, [*arguments, *then]), "--threads", "1"]) == 1
    assert len(list(tmp_path.glob(".a.zarr.*.partial"))) == 1
    turned = ["--then", others[1], networks[1]]
    succeed(*arguments, *turned)
    arguments[3] = tmp_path / "b.zarr"
    succeed(*arguments, *turned)
    ours, fresh = (open_frames(tmp_path / f"{name}.json") for name in ("a", "b"))
    xr.testing.assert_equal(ours, fresh)


def test_a_spread_takes_no_name_of_a_variable(tmp_path):
    frames = tiny_frames(8, variables=("u", "u_spread"))
    low, _ = make_stores(tmp_path, frames)
    with pytest.raises(ValueError, match="u_spread is a variable"):
        ensemble([low, low], tmp_path / "mean.json", Run())
    assert not list(tmp_path.glob("*mean*"))
