"""What runs on GPUs alone: the same as on a CPU. Where there is none, what can be told without one."""

import dataclasses

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from tiny import make_stores, stage_settings, tiny_frames

from swsr.__main__ import main
from swsr.checkpoint import load_network
from swsr.evaluation import metrics
from swsr.geometry import Geometry
from swsr.networks.build import build_network
from swsr.patches import Samples, draw_epoch
from swsr.run import Run
from swsr.scaling import Scaling
from swsr.settings import Train2d
from swsr.training.gpu import Replayed, ResidentSamples
from swsr.training.result import _check_gpus
from swsr.training.stage import train
from swsr.training.steps import Steps, adam, set_learning_rate
from swsr.training.transfer import parameter_groups

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
GEOMETRIES = [
    Geometry("pole", "periodic", (False, True)),
    Geometry("periodic", "periodic", (False, False)),
    Geometry("edge", "edge", (False, False)),
]


def random_series(num_frames, scale, seed):
    size = (num_frames, 2, 16 * scale, 20 * scale)
    return np.random.default_rng(seed).normal(size=size).astype("float32")


@pytest.mark.parametrize("augmentation", ["none", "mirror"])
@pytest.mark.parametrize("patch_points", [None, 8])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda geometry: geometry.lat)
@pytest.mark.parametrize(
    ("name", "predictors"),
    [("study_2d", 0), ("skip_2d", 0), ("study_3d", 0), ("fusion_3d", 0), ("skip_joint", 0),
     ("fusion_joint", 0), ("skip_2d", 1), ("skip_joint", 1), ("fusion_joint", 1)],
)  # fmt: skip
def test_batches_cut_from_resident_frames_are_those_cut_one_by_one(
    name, predictors, geometry, patch_points, augmentation
):
    kept = slice(2 - predictors)
    network = build_network(name, kept.stop, 2, predictors)
    scale = network.reach.scale
    samples = Samples(
        (random_series(7, 1, 0), random_series(6, 1, 1)),
        (random_series(7, scale, 2)[:, kept], random_series(6, scale, 3)[:, kept]),
        network.reach, Scaling(np.array([-3.0, -4.0]), np.array([3.0, 5.0])), geometry,
        ((-1, -1), (-1, 1)),
    )  # fmt: skip
    size = [patch_points or points for points in samples.size]
    mirror = augmentation == "mirror"
    resident = ResidentSamples(samples, *size, torch.device("cpu"), mirror=mirror)
    known = {
        "global_batch_size": 4, "patches_per_frame": 5, "patch_points": patch_points,
        "augmentation": augmentation,
    }  # fmt: skip
    for batch in draw_epoch(samples, 4, Train2d.model_construct(**known), 0, 1):
        given, truths = resident.batch(resident.places(batch))
        wanted = samples.batch(batch)
        torch.testing.assert_close(given, wanted[0], rtol=0, atol=0)
        torch.testing.assert_close(truths, wanted[1], rtol=0, atol=0)


def test_ssim_by_torch_is_that_of_scikit_image():
    random = np.random.default_rng(0)
    truth = random.random((2, 2, 24, 31))
    frames = truth + random.normal(scale=0.1, size=truth.shape)
    wanted = [
        structural_similarity(
            ours, theirs, channel_axis=0, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, data_range=1.0, full=True,
        )[1]
        for ours, theirs in zip(frames, truth, strict=True)
    ]  # fmt: skip
    ours = metrics._ssim_map(torch.from_numpy(frames), torch.from_numpy(truth))
    np.testing.assert_allclose(ours, np.stack(wanted), rtol=0, atol=1e-12)


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("loss", ["l1", "mse", "mse_gradient", "mse_spectral"])
@pytest.mark.parametrize(
    "name",
    ["study_2d", "skip_2d", "subpixel_2d", "srcnn_2d", "fsrcnn_2d", "edsr_2d", "study_3d",
     "skip_3d", "fusion_3d", "study_joint", "skip_joint", "skip_3d_first_joint", "fusion_joint"],
)  # fmt: skip
def test_replayed_gradients_are_those_computed_at_once(name, loss, precision, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    gpu = torch.device("cuda")
    torch.manual_seed(0)
    network = build_network(name, 2, 2).to(gpu)
    scale = network.reach.scale
    low, high = random_series(9, 1, 0), random_series(9, scale, 1)
    samples = Samples(
        (low,),
        (high,),
        network.reach,
        Scaling(np.full(2, -4.0), np.full(2, 4.0)),
        GEOMETRIES[0],
        ((-1, -1), (-1, 1)),
    )
    settings = Train2d.model_construct(
        loss=loss,
        precision=precision,
        patch_points=None,
        global_batch_size=3,
        patches_per_frame=1,
        augmentation="mirror",
    )
    with torch.no_grad():  # no last layers of zeros, before which no gradient is left
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    whole = {"params": list(network.parameters()), "share": 1.0}
    optimizer = adam([whole], 1e-3, gpu)
    resident, loaded = (
        Steps(network, samples, settings, Run().communicator, gpu, optimizer, size)
        for size in (2**30, 0)
    )
    drawn = [batch for epoch in range(1, 6) for batch in draw_epoch(samples, 4, settings, 0, epoch)]
    for steps in (resident, loaded):
        for number, batch in enumerate(drawn):
            wishes = [number % 2 == 0, number % 3 == 0]
            plain = loaded._message(
                *(t.to(gpu) for t in samples.batch(batch)), torch.zeros(2, device=gpu),
                number=len(batch),
            )  # fmt: skip
            assert torch.isfinite(plain).all() and plain[:-3].count_nonzero() > len(plain) / 4
            figures = steps.take(steps.load(batch), len(batch), wishes) + steps.rest()
            ((found, wished),) = figures
            assert found == pytest.approx(float(plain[-3]), rel=1e-4) and wished == wishes
            gradients = torch.cat([p.grad.flatten() for p in network.parameters()])
            assert (gradients - plain[:-3]).norm() < 1e-3 * plain[:-3].norm()


def weights_after_ten_steps(optimizer_of, first_layer_rate, replay):
    torch.manual_seed(0)
    network = build_network("skip_2d", 1, 2).to("cuda")
    optimizer = optimizer_of(parameter_groups(network, first_layer_rate))
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    sizes = [parameter.numel() for parameter in trained]

    def step(gradients):
        for parameter, part in zip(trained, gradients.split(sizes), strict=True):
            parameter.grad = part.view_as(parameter)
        optimizer.step()
        return gradients

    take = Replayed(step, torch.device("cuda"), changes=True) if replay else step
    for number in range(10):
        set_learning_rate(optimizer, 1e-3 / (1 + number))
        take(torch.randn(sum(sizes), device="cuda"))
    return torch.cat([p.detach().flatten() for p in network.parameters()])


@needs_gpu
@pytest.mark.parametrize("first_layer_rate", [1.0, 0.1, 0.0])
def test_replayed_steps_of_adam_are_those_of_adam(first_layer_rate):
    def ours(groups):
        return adam(groups, 1e-3, torch.device("cuda"))

    replayed = weights_after_ten_steps(ours, first_layer_rate, replay=True)
    plain = weights_after_ten_steps(torch.optim.Adam, first_layer_rate, replay=False)
    torch.testing.assert_close(replayed, plain, atol=1e-6, rtol=1e-5)


@needs_gpu
def test_a_graph_is_captured_for_each_shape_and_gives_new_results():
    double = Replayed(lambda given, number: given * number, torch.device("cuda"))
    for given in (torch.ones(3), torch.arange(4.0), torch.full((3,), 7.0)):
        for number in (2, 3):
            for times in range(5):
                wanted = (given + times) * number
                torch.testing.assert_close(double(given + times, number=number).cpu(), wanted)
    assert len(double._graphs) == 4


@needs_gpu
@pytest.mark.parametrize("stage", ["train_2d", "train_3d"])
def test_training_on_a_gpu_repeats_resumes_and_ends_as_on_a_cpu(stage, tmp_path, monkeypatch):
    low, high = make_stores(tmp_path / "stores", tiny_frames(30))
    if stage == "train_3d":
        low = high
    values = {"epochs": 3, "global_batch_size": 4, "patch_points": None}
    settings = stage_settings(tmp_path, stage, **{stage: values})

    def weights(name, **run):
        train(settings, [low], [high], tmp_path / name, Run(**run))
        return (tmp_path / name / "network.safetensors").read_bytes()

    first = weights("first", device_name="cuda")
    assert weights("again", device_name="cuda") == first
    assert weights("loaded", device_name="cuda", cache_mb=0) == first
    take, taken = Steps.take, []

    def stop_once(self, part, size, wishes):
        taken.append(1)
        return take(self, part, size, [wishes[0] or len(taken) == 8, wishes[1]])

    monkeypatch.setattr(Steps, "take", stop_once)
    with pytest.raises(InterruptedError):
        weights("stopped", device_name="cuda")
    assert weights("stopped", device_name="cuda") == first
    monkeypatch.setattr(Steps, "take", take)
    weights("cpu")
    ours, theirs = (
        load_network(tmp_path / name / "network.safetensors")[0].state_dict()
        for name in ("first", "cpu")
    )
    for key, value in ours.items():
        torch.testing.assert_close(value, theirs[key], atol=3e-3, rtol=0.05)


@pytest.mark.parametrize(
    ("gpus", "problem"),
    [
        ([3, 4, 5], None),
        ([0, 0, 0], None),
        ([3, 5, 5], "3 ranks have 2 GPUs, but need one each"),
        ([5, 5, 5], "3 ranks have 1 GPUs, but need one each"),
        ([0, 4, 5], "1 of 3 ranks find no GPU"),
    ],
)
def test_ranks_that_share_a_gpu_are_told(gpus, problem):
    if problem is None:
        _check_gpus(gpus)
    else:
        with pytest.raises(ValueError, match=problem):
            _check_gpus(gpus)


def test_run_finds_the_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Run(device_name="auto").device.type == "cpu"
    with pytest.raises(ValueError, match="finds no GPU"):
        _ = dataclasses.replace(Run(), device_name="cuda").device


def test_a_full_gpu_is_no_fault_of_the_program(tmp_path, monkeypatch, capsys):
    def full(**_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("swsr.stages.upscale.upscale", full)
    (tmp_path / "low.json").write_text("{}")
    flags = [f"--{name}={tmp_path / name}.json" for name in ("settings", "low", "like", "output")]
    assert main(["upscale", *flags]) == 1
    said = capsys.readouterr().err
    assert "the GPU has too little memory free: train on fewer or smaller patches" in said
    assert "Traceback" not in said and "fault of swsr" not in said
