from dataclasses import astuple, replace
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from torch import nn

from swsr.communication import Communicator
from swsr.geometry import Geometry
from swsr.inference import apply_network, packs
from swsr.networks.build import build_network
from swsr.networks.layers import Reach
from swsr.patches import Samples, draw_epoch
from swsr.scaling import Scaling
from swsr.settings import Train2d

CPU = torch.device("cpu")
BASELINES = ["srcnn_2d", "fsrcnn_2d", "edsr_2d"]
OURS = ["skip_2d", "skip_3d", "subpixel_2d", "fusion_3d", "fusion_joint"]
ALL = ["study_2d", "study_3d", *OURS, *BASELINES]
GLOBE = Geometry("pole", "periodic")
SCALARS = ((1, 1),)
"""Signs in mirrors of one variable."""
BOX = Geometry("edge", "edge")
AS_IS = Scaling(np.zeros(1), np.ones(1))


def network_of(name, predictors=0):
    torch.manual_seed(0)
    network = build_network(name, 1, 2, predictors).eval()
    for parameter in network.parameters():  # no zeros: every layer must show in the result
        nn.init.normal_(parameter, std=0.1)
    return network


@pytest.fixture
def network(request):
    return network_of(request.param)


def infer(network, frames, geometry, window_points=512):
    """Whole frames through a network, as the stage of inference does it."""
    extended = geometry.extend(frames, network.reach.margin, network.reach.margin)
    samples = packs(extended, network.reach.num_frames)
    return apply_network(network, samples, window_points, CPU, consecutive=True)


@pytest.mark.parametrize("network", ALL, indirect=True)
@pytest.mark.parametrize("window_points", [7, 16, 33])
def test_result_does_not_depend_on_the_window(network, window_points):
    frames = np.random.default_rng(0).random((6, 1, 24, 40), dtype="float32")
    whole = infer(network, frames, GLOBE)
    parts = infer(network, frames, GLOBE, window_points)
    assert whole.std() > 1e-3
    np.testing.assert_allclose(parts, whole, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize(
    "name",
    ["study_2d", "skip_2d", "subpixel_2d", *BASELINES, "study_joint", "skip_joint", "fusion_joint"],
)
def test_windows_of_frames_with_predictors_give_what_whole_frames_give(name):
    network = network_of(name, predictors=2)
    winds = replace(GLOBE, vectors=(False, True, False))
    frames = np.random.default_rng(0).random((6, 3, 24, 40), dtype="float32")
    whole, parts = (infer(network, frames, winds, points) for points in (512, 9))
    assert whole.shape[1] == 1
    assert whole.std() > 1e-3
    np.testing.assert_allclose(parts, whole, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("network", ["skip_joint", "skip_3d_first_joint"], indirect=True)
def test_joint_network_reads_frames_that_packs_share_once(network):
    """4 packs of 8 frames, in one batch: 20 frames one by one, 8 together."""
    frames = np.random.default_rng(0).random((8, 1, 16, 16), dtype="float32")
    margin = network.reach.margin
    samples = packs(GLOBE.extend(frames, margin, margin), 5)
    given = []
    network.network_2d.register_forward_hook(lambda _, low, __: given.append(len(low[0])))
    found = [
        apply_network(network, samples, 512, CPU, consecutive=together)
        for together in (False, True)
    ]
    np.testing.assert_allclose(*found, atol=1e-5 * np.abs(found[0]).max())
    assert given == ([4, 4] if network.first_3d else [20, 8])


@pytest.mark.parametrize("network", ["fusion_3d"], indirect=True)
@pytest.mark.parametrize("window_points", [7, 16])
def test_half_a_block_at_the_end_is_completed(network, window_points):
    frames = np.random.default_rng(0).random((6, 1, 25, 41), dtype="float32")
    whole = infer(network, frames, GLOBE)
    assert whole.shape == (2, 1, 25, 41)
    even = infer(network, frames[..., :24, :40], BOX)
    # Farther from the edges than the network reaches, they see the same points.
    seen = (..., slice(None, 24 - 11), slice(11, 40 - 11))
    parts = infer(network, frames, BOX, window_points)
    np.testing.assert_allclose(parts[seen], even[seen], atol=1e-5 * np.abs(even).max())


@pytest.mark.parametrize("network", [*OURS, *BASELINES], indirect=True)
def test_rolled_longitude_rolls_the_result(network):
    """To rounding: there is no seam at longitude 0."""
    frames = np.random.default_rng(0).random((5, 1, 24, 40), dtype="float32")
    whole = infer(network, frames, GLOBE)
    points = 7 * network.reach.block
    rolled = infer(network, np.roll(frames, points, axis=-1), GLOBE)
    expected = np.roll(whole, points * network.reach.scale, axis=-1)
    np.testing.assert_allclose(rolled, expected, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("network", OURS, indirect=True)
def test_a_pole_is_like_the_interior(network):
    """The result at both poles is that of frames in which the meridians really go on."""
    frames = np.random.default_rng(0).random((5, 1, 24, 40), dtype="float32")
    opposite = np.roll(frames[..., ::-1, :], 20, axis=-1)
    torus = np.concatenate([opposite, frames, opposite], axis=-2)
    around = infer(network, torus, Geometry("edge", "periodic"))
    size = 24 * network.reach.scale
    expected = around[..., size : 2 * size, :]
    np.testing.assert_allclose(
        infer(network, frames, GLOBE), expected, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.parametrize("network", ["study_2d", "study_3d"], indirect=True)
def test_the_studys_networks_pad_with_zeros_and_have_a_seam(network):
    frames = np.random.default_rng(0).random((5, 1, 24, 40), dtype="float32")
    whole = infer(network, frames, GLOBE)
    rolled = infer(network, np.roll(frames, 20, axis=-1), GLOBE)
    difference = np.abs(rolled - np.roll(whole, 20 * network.reach.scale, axis=-1))
    assert difference.max() > 0.01 * np.abs(whole).max()


def test_packs_are_consecutive_frames():
    frames = np.arange(7, dtype="float32")[:, None, None, None] * np.ones((1, 2, 3, 4), "float32")
    assert packs(frames, 5).shape == (3, 2, 5, 3, 4)
    np.testing.assert_array_equal(packs(frames, 5)[1, 0, :, 0, 0], [1, 2, 3, 4, 5])


def series(num_frames, scale, start):
    """Frames whose values tell frame and place: frame + lat / 100 + lon / 10000 (fine points)."""
    frame = start + np.arange(num_frames)[:, None, None, None]
    lat, lon = np.indices((12 * scale, 16 * scale)) / scale
    return (frame + lat / 100 + lon / 10000).astype("float32")


def settings(**values):
    """Of a training, as far as drawing samples asks for them."""
    known = {
        "global_batch_size": 4, "patch_points": None, "patches_per_frame": 1,
        "augmentation": "none",
    }  # fmt: skip
    return Train2d.model_construct(**(known | values))


@pytest.mark.parametrize("geometry", [GLOBE, BOX])
@pytest.mark.parametrize("name", ALL)
def test_truth_of_a_patch_lies_where_the_networks_output_lies(name, geometry):
    reach = build_network(name, 1, 2).reach
    scale, trim = reach.scale, reach.trim
    samples = Samples(
        (series(7, 1, 0), series(6, 1, 100)), (series(7, scale, 0), series(6, scale, 100)),
        reach, AS_IS, geometry, SCALARS,
    )  # fmt: skip
    assert len(samples) == (13 if reach.num_frames == 1 else 3 + 2)
    batches = draw_epoch(samples, 4, settings(patch_points=8, patches_per_frame=3), 0, 1)
    patches = [patch for batch in batches for patch in batch]
    assert len(patches) == 3 * len(samples)
    for patch in patches:
        given, truth = samples.batch([patch])
        centre = given[0, 0] if reach.num_frames == 1 else given[0, 0, 2]
        inner = centre[trim : len(centre) - trim, trim : len(centre) - trim]
        np.testing.assert_array_equal(truth[0, 0, ::scale, ::scale], inner)
    beyond = [patch.left + patch.lon > 16 for patch in patches]
    assert any(beyond) == (geometry is GLOBE and reach.extends)


@pytest.mark.parametrize("lat", ["periodic", "edge"])
def test_patches_go_around_a_plane_that_is_periodic_in_lat(lat):
    frames = series(9, 1, 0)
    reach = build_network("skip_3d", 1, 1).reach
    samples = Samples((frames,), (frames,), reach, AS_IS, Geometry(lat, "periodic"), SCALARS)
    batches = draw_epoch(samples, 4, settings(patch_points=8, patches_per_frame=20), 0, 1)
    patches = [patch for batch in batches for patch in batch]
    assert any(patch.top + patch.lat > frames.shape[-2] for patch in patches) == (lat != "edge")
    for patch in patches:
        given, truth = samples.batch([patch])
        trim = reach.trim
        np.testing.assert_array_equal(truth[0, 0], given[0, 0, 2, trim:-trim, trim:-trim])


@pytest.mark.parametrize("name", ["skip_2d", "skip_3d"])
def test_each_variable_is_scaled_by_its_own_limits(name):
    frames = np.concatenate([series(9, 1, 0), -100 - 10 * series(9, 1, 0)], axis=1)
    reach = build_network(name, 2, 1).reach
    scaling = Scaling(np.array([0.0, -200.0]), np.array([10.0, -100.0]))
    samples = Samples(
        (frames,), (frames,), Reach(1, *astuple(reach)[1:]), scaling, GLOBE, SCALARS * 2
    )
    given, truth = samples.whole([1])
    for values in (given[0], truth[0]):
        np.testing.assert_allclose(values[1], 1 - values[0], atol=1e-5)
    assert truth[0, 0].min() > 0.05
    assert truth[0, 0].max() < 0.5


def two_series():
    reach = build_network("skip_2d", 1, 2).reach
    return Samples(
        (series(21, 1, 0), series(10, 1, 100)), (series(21, 2, 0), series(10, 2, 100)),
        reach, AS_IS, GLOBE, SCALARS,
    )  # fmt: skip


def test_an_epoch_takes_every_sample_as_often_as_asked_and_another_order_next_time():
    one, again, other = (
        draw_epoch(two_series(), 4, settings(patches_per_frame=2), 0, epoch) for epoch in (1, 1, 2)
    )
    assert one == again
    assert one != other
    assert [len(batch) for batch in one] == [4] * 15 + [2]
    patches = [patch for batch in one for patch in batch]
    assert sorted(patch.sample for patch in patches) == sorted([*range(31), *range(31)])
    assert {(patch.lat, patch.lon) for patch in patches} == {(12, 16)}


def test_a_rank_comes_back_to_no_chunk_that_it_has_left():
    """Each place in the batches runs through chunks of 4 frames one after the other."""
    batches = draw_epoch(two_series(), 4, settings(), 0, 1)
    full = [batch for batch in batches if len(batch) == 4]
    chunks = {
        sample: (sample // 4 if sample < 21 else 6 + (sample - 21) // 4) for sample in range(31)
    }
    reads = 0
    for lane in zip(*full, strict=True):
        visited = [chunks[patch.sample] for patch in lane]
        changes = [b for a, b in pairwise(visited) if a != b]
        assert len(changes) == len(set(changes) - {visited[0]})
        reads += len(changes) + 1
    # Nine chunks, and of each but the first place one may have begun in the place before.
    assert reads <= 9 + 3


def test_frames_of_another_grid_are_refused():
    reach = build_network("skip_2d", 1, 2).reach
    with pytest.raises(ValueError, match="do not fit truth"):
        Samples((series(9, 1, 0),), (series(9, 3, 0),), reach, AS_IS, GLOBE, SCALARS)


def test_truth_lacks_predictors_and_those_that_are_components_change_sign_across_a_pole():
    """Each channel is scaled by its own limits."""
    reach = build_network("skip_2d", 1, 2, 2).reach
    random = np.random.default_rng(0)
    low, high = (
        random.random((3, channels, 12 * scale, 16 * scale), dtype="float32")
        for channels, scale in ((3, 1), (1, 2))
    )
    scaling = Scaling(np.array([-1.0, -2.0, -3.0]), np.array([2.0, 2.0, 1.0]))
    geometry = replace(GLOBE, vectors=(False, True, False))
    signs = ((-1, -1), (1, -1), (1, 1))  # vorticity, u, depth
    given, truth = Samples((low,), (high,), reach, scaling, geometry, signs).whole([1])
    np.testing.assert_allclose(truth, (high[1:2] + 1) / 3, atol=1e-6)
    margin = reach.margin
    beyond = given[0, :, margin - 1, margin:-margin]
    for channel, (sign, low_limit, span) in enumerate(((1, -1, 3), (-1, -2, 4), (1, -3, 4))):
        opposite = np.roll(low[1, channel, 0], 8)
        np.testing.assert_allclose(beyond[channel], (sign * opposite - low_limit) / span, atol=1e-6)
    with pytest.raises(ValueError, match="do not fit truth"):
        Samples((low,), (np.repeat(high, 3, axis=1),), reach, scaling, geometry, signs)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_shares_cover_everything_and_differ_by_one_at_most(size):
    shares = []
    for rank in range(size):
        communicator = Communicator()
        communicator.rank, communicator.size = rank, size
        shares.append(communicator.share(10))
    assert [index for share in shares for index in share] == list(range(10))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("geometry", [GLOBE, BOX, Geometry("periodic", "periodic")])
@pytest.mark.parametrize(
    ("name", "scale", "predictors"),
    [("study_2d", 2, 0), ("skip_2d", 3, 0), ("study_3d", 1, 0), ("fusion_3d", 1, 0),
     ("skip_joint", 2, 0), ("skip_3d_first_joint", 3, 0), ("skip_2d", 3, 2), ("skip_joint", 2, 1),
     ("fusion_joint", 2, 0), ("fusion_joint", 3, 1)],
)  # fmt: skip
def test_mirrored_patches_are_patches_of_mirrored_frames(name, scale, predictors, geometry):
    geometry = replace(geometry, vectors=(False, True, True))
    signs = ((-1, -1), (1, -1), (-1, 1))  # vorticity, u, v
    reach = build_network(name, 3 - predictors, scale, predictors).reach
    scaling = Scaling(np.array([-4.0, -5.0, -4.5]), np.array([5.0, 4.0, 5.0]))
    random = np.random.default_rng(0)
    low, high = (
        random.normal(size=(6, channels, 16 * scale, 20 * scale)).astype("float32")
        for channels, scale in ((3, 1), (3 - predictors, reach.scale))
    )
    samples = Samples((low,), (high,), reach, scaling, geometry, signs)
    drawn = settings(patch_points=8, patches_per_frame=20, augmentation="mirror")
    patches = [patch for batch in draw_epoch(samples, 4, drawn, 0, 1) for patch in batch]
    assert {patch.mirrored for patch in patches} == set(product([False, True], repeat=2))
    for patch in patches:
        axes = [axis for axis, mirrored in zip((-2, -1), patch.mirrored, strict=True) if mirrored]
        changed = np.array(signs)[:, axes].prod(axis=1)[:, None, None].astype("float32")
        worlds = ((np.flip(frames, axes) * changed[: frames.shape[1]],) for frames in (low, high))
        size = {"top": 16, "left": 20}
        there = {
            side: size[side] - getattr(patch, side) - 8
            for side, mirrored in zip(size, patch.mirrored, strict=True) if mirrored
        }  # fmt: skip
        plain = replace(patch, mirrored=(False, False), **there)
        wanted = Samples(*worlds, reach, scaling, geometry, signs).batch([plain])
        for ours, theirs in zip(samples.batch([patch]), wanted, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_no_patch_is_mirrored_where_that_is_not_asked_for():
    places = [
        [(patch.sample, patch.top, patch.left) for batch in batches for patch in batch]
        for batches in (
            draw_epoch(two_series(), 4, settings(patch_points=8, augmentation=kind), 0, 1)
            for kind in ("none", "mirror")
        )
    ]
    assert places[0] == places[1]
    batches = draw_epoch(two_series(), 4, settings(), 0, 1)
    assert not any(any(patch.mirrored) for batch in batches for patch in batch)


def test_no_images_along_a_dim_where_a_variable_has_a_preferred_sign():
    """Winds from the west, as strong as those from the south and the north."""
    frames = np.zeros((9, 3, 12, 16), "float32")
    scaling = Scaling(np.array([-10.0, -40.0, 9000.0]), np.array([90.0, 50.0, 11000.0]))
    signs = ((1, -1), (-1, 1), (1, 1))  # u, v, depth
    reach = build_network("skip_2d", 3, 2).reach
    fine = np.zeros((9, 3, 24, 32), "float32")
    samples = Samples((frames,), (fine,), reach, scaling, GLOBE, signs)
    assert samples.mirrors == (True, False)
    assert samples.leaving.tolist() == [[False, True], [False, False], [False, False]]
    drawn = settings(patches_per_frame=9, augmentation="mirror")
    batches = draw_epoch(samples, 4, drawn, 0, 1)
    assert {patch.mirrored for batch in batches for patch in batch} == {
        (False, False),
        (True, False),
    }
