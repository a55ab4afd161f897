import math

import numpy as np
import pytest
import torch
from numpy.polynomial.legendre import leggauss
from tiny import config
from torchmetrics.functional.image import structural_similarity_index_measure

from swsr.evaluation import metrics
from swsr.scaling import Scaling
from swsr.settings import Settings
from swsr.training.losses import summed_loss
from swsr.training.trainer import learning_rate


def test_mse_of_a_known_offset_and_its_psnr():
    truth = torch.rand(3, 2, 16, 16)
    errors = metrics.mse(truth + torch.tensor([0.0, 0.1, 0.2])[:, None, None, None], truth)
    torch.testing.assert_close(errors, torch.tensor([0.0, 0.01, 0.04]))
    assert metrics.psnr(0.01) == pytest.approx(20.0)
    # The study's own pair of figures (2D, epoch 150, training set).
    assert metrics.psnr(6.4832e-5) == pytest.approx(41.88, abs=0.005)
    assert metrics.psnr(0.0) == math.inf


def test_ssim_equals_torchmetrics():
    random = np.random.default_rng(0)
    truth, noisy = np.full((2, 3, 2, 48, 64), 0.5, "float32")
    # Constant near the edges, where each library has a rule of its own.
    truth[..., 12:-12, 12:-12] = random.random((3, 2, 24, 40))
    noise = random.normal(scale=[[[[0.05]]], [[[0.1]]], [[[0.2]]]], size=(3, 2, 24, 40))
    noisy[..., 12:-12, 12:-12] = truth[..., 12:-12, 12:-12] + noise
    frames, wanted = torch.tensor(noisy), torch.tensor(truth)
    theirs = structural_similarity_index_measure(
        frames.double(), wanted.double(), data_range=1.0, reduction="none"
    )
    ours = metrics.ssim(frames, wanted)
    assert ours[0] > ours[1] > ours[2]
    torch.testing.assert_close(ours.double(), theirs, atol=1e-5, rtol=0)


def test_figures_over_the_area_of_an_error_that_grows_towards_the_poles():
    sine, weights = leggauss(32)
    truth = torch.rand((2, 1, 32, 64), generator=torch.Generator().manual_seed(0))
    frames = truth + torch.tensor(sine, dtype=torch.float32)[:, None]
    np.testing.assert_allclose(metrics.mse_area(frames, truth, weights), 1 / 3, rtol=1e-5)
    alike = metrics.mse_area(frames, truth, np.ones(32))
    np.testing.assert_allclose(alike, metrics.mse(frames, truth), rtol=1e-5)


def test_ssim_over_the_area_sees_what_has_area():
    truth = torch.rand((2, 1, 32, 64), generator=torch.Generator().manual_seed(0))
    frames = truth.clone()
    frames[:, :, :8] = 0
    similarity = metrics.ssim_map(frames, truth)
    alike = metrics.ssim_area(similarity, np.ones(32))
    np.testing.assert_allclose(alike, metrics.ssim(frames, truth), rtol=1e-5)
    there, elsewhere = (np.arange(32) < 8).astype(float), (np.arange(32) >= 13).astype(float)
    assert (metrics.ssim_area(similarity, there) < 0.2).all()
    np.testing.assert_allclose(metrics.ssim_area(similarity, elsewhere), 1, rtol=1e-6)


def test_ssim_of_a_frame_with_itself_is_one_for_each_frame():
    frames = torch.rand(3, 1, 16, 16)
    torch.testing.assert_close(metrics.ssim(frames, frames), torch.ones(3))


def test_losses_are_sums_of_their_formulas():
    output, truth = torch.tensor([1.0, 2.0, -1.0]), torch.tensor([0.0, 4.0, -1.0])
    assert float(summed_loss("mse", output, truth)) == 5.0
    assert float(summed_loss("l1", output, truth)) == 3.0


def wave(number, phase=0.0, amplitude=1.0, dim=-1):
    """Waves along a dim of frames of 32 x 32 points, whose squares sum to amplitude^2 * 512."""
    along = torch.arange(32, dtype=torch.float64) * 2 * math.pi / 32 * number + phase
    frame = amplitude * torch.cos(along).expand(32, 32)
    return (frame if dim == -1 else frame.T)[None, None]


@pytest.mark.parametrize("dim", [-1, -2])
def test_gradient_loss_counts_a_step_once_for_each_line_that_it_crosses(dim):
    truth = torch.zeros(2, 1, 5, 7)
    output = truth.clone()
    output.narrow(dim, 3, output.shape[dim] - 3).fill_(2.0)
    across = 35 // output.shape[dim]
    squares = 4 * 2 * across * (output.shape[dim] - 3)
    assert float(summed_loss("mse_gradient", output, truth)) == squares + 4 * 2 * across


def test_gradient_loss_of_a_constant_error_is_its_mse():
    truth = torch.rand(1, 1, 8, 8)
    found = summed_loss("mse_gradient", truth + 0.5, truth)
    torch.testing.assert_close(found, torch.tensor(16.0))


def test_gradient_loss_of_the_shortest_wave_is_five_times_its_mse():
    """4 sin^2(pi / 2) more, but for the one difference that a frame has less than points."""
    error = wave(16)
    found = float(summed_loss("mse_gradient", error, torch.zeros_like(error)))
    assert found == pytest.approx(32 * (32 + 4 * 31))


def test_spectral_loss_sees_amplitude_but_no_phase():
    truth = wave(3)
    shifted = float(summed_loss("mse_spectral", wave(3, phase=1.0), truth))
    assert shifted == pytest.approx(float(summed_loss("mse", wave(3, phase=1.0), truth)))
    weaker = float(summed_loss("mse_spectral", wave(3, amplitude=0.5), truth))
    assert weaker == pytest.approx(2 * 0.25 * 512)
    # Waves of other wavenumbers: each has lost, or gained, all of its amplitude.
    assert float(summed_loss("mse_spectral", wave(5), truth)) == pytest.approx(2 * 2 * 512)


@pytest.mark.parametrize("name", ["mse", "l1", "mse_gradient", "mse_spectral"])
def test_losses_of_parts_of_a_batch_add_up_and_fall_along_their_gradients(name):
    torch.manual_seed(0)
    output, truth = torch.rand(2, 4, 1, 6, 8, dtype=torch.float64)
    output[:, :, 0] = truth[:, :, 0] = 0.0  # no amplitude: gradients must stay finite there
    output.requires_grad_()
    whole = summed_loss(name, output, truth)
    parts = sum(summed_loss(name, output[part], truth[part]) for part in (slice(1), slice(1, 4)))
    torch.testing.assert_close(parts, whole)
    [gradient] = torch.autograd.grad(whole, output)
    assert gradient.isfinite().all()
    assert summed_loss(name, output - 1e-3 * gradient, truth) < whole


def test_scaling_maps_limits_to_zero_and_one_and_back():
    scaling = Scaling(np.array([-2.0, 0.0]), np.array([2.0, 10.0]))
    values = np.array([[-2.0, 0.0, 2.0], [0.0, 5.0, 20.0]], "float32")[:, None, :]
    unit = scaling.to_unit(values)
    np.testing.assert_allclose(unit[:, 0], [[0, 0.5, 1], [0, 0.5, 2]])
    np.testing.assert_allclose(scaling.to_physical(unit), values)


def test_constant_variable_cannot_be_scaled():
    with pytest.raises(ValueError, match="constant"):
        Scaling(np.array([1.0]), np.array([1.0]))


def test_cosine_schedule_warms_up_and_falls_to_a_hundredth():
    changed = {"learning_rate": 1.0, "schedule": "cosine"}
    settings = Settings.from_mapping(config(train_2d=changed)).train_2d
    rates = [learning_rate(settings, done) for done in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert rates == pytest.approx([0.1, 0.55, 1.0, 0.505, 0.01])
