"""What a user would write instead of our loop: plain PyTorch, as FSRCNN is commonly trained.

A Dataset of whole frames, a DataLoader, eager layers of torch.nn in the default layout, Adam. It
gets the same samples in the same order, so that its losses can be compared with ours.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from statistics import fmean
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from swsr.networks.build import Network, build_network
from swsr.networks.convolutions import Convolution2d, Convolution3d
from swsr.networks.layers import Residual
from swsr.networks.residual import Block, SubPixel2d
from swsr.networks.study import Network2d
from swsr.networks.upsampling import Upsampling
from swsr.patches import Patch, Samples, draw_epoch
from swsr.settings import Train2d, Train3d, TrainJoint

Training: TypeAlias = Train2d | Train3d | TrainJoint

SEED = 0
TORCHS = {
    Upsampling: nn.ConvTranspose2d,
    Convolution2d: nn.Conv2d,
    Convolution3d: nn.Conv3d,
    Block: Residual,
}
"""Layers of ours, and what a user would write in their place, of torch's own."""


class FrameDataset(Dataset):
    """Pairs of whole frames, scaled to [0, 1]."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        (given,), (truth,) = self.samples.whole([number])
        return torch.from_numpy(given.copy()), torch.from_numpy(truth.copy())


class PatchDataset(FrameDataset):
    """The same of patches."""

    def __getitem__(self, patch: Patch) -> tuple[Tensor, Tensor]:
        given, truth = self.samples.batch([patch])
        return given[0], truth[0]


def choices(network: str, batch: int, precision: str = "float32") -> Training:
    """Settings of one epoch of whole frames, without a schedule."""
    common = {
        "network": network, "epochs": 1, "global_batch_size": batch, "learning_rate": 3e-4,
        "schedule": "constant", "loss": "mse", "precision": precision, "patch_points": None,
        "patches_per_frame": 1, "augmentation": "none",
    }  # fmt: skip
    if network.endswith("3d"):
        return Train3d(**common, start="random")
    if network.endswith("joint"):
        return TrainJoint(**common, start="random")
    return Train2d(**common, start="random", first_layer="random", first_layer_rate=1.0)


def fresh(name: str) -> Network:
    """A network with the weights that every loop starts from."""
    torch.manual_seed(SEED)
    return build_network(name, 1, 2)


def eager(network: Network) -> Network:
    """The same network of torch's own layers alone, as they come: their layout, new outputs."""
    if isinstance(network, Network2d | SubPixel2d):
        network.layers.register_forward_pre_hook(_in_default_layout)
    for layer in network.modules():
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
        if isinstance(layer, Network2d):  # whatever SWSR_FUSED says
            layer._compute = partial(layer.layers)  # noqa: SLF001
        layer.__class__ = TORCHS.get(type(layer), type(layer))
    return network


def _in_default_layout(_: nn.Module, given: tuple[Tensor]) -> Tensor:
    if given[0].is_cuda:  # where ours has that layout too
        return given[0]
    # `contiguous` would leave a single channel as it is.
    return given[0].clone(memory_format=torch.contiguous_format)


def order(samples: Samples, settings: Training) -> list[list[int]]:
    """The samples of each batch of our first epoch."""
    batches = draw_epoch(samples, 8, settings, SEED, epoch=1)
    return [[patch.sample for patch in batch] for batch in batches]


def plain_steps(
    network: nn.Module,
    data: Dataset,
    batches: Sequence[Sequence[object]],
    optimizer: torch.optim.Optimizer,
    device: torch.device | None = None,
) -> Iterator[float]:
    """Train on the samples of each batch in turn, and give its loss.

    On a GPU, samples come from processes of their own, by way of memory that it can copy from.
    """
    gpu = {"num_workers": 4, "pin_memory": True} if device else {}
    criterion = nn.MSELoss()
    for batch in DataLoader(data, batch_sampler=batches, **gpu):
        given, truth = (tensor.to(device, non_blocking=True) for tensor in batch)
        optimizer.zero_grad()
        loss = criterion(network(given), truth)
        loss.backward()
        optimizer.step()
        yield loss.item()


def train_plain(
    network: nn.Module, data: Dataset, batches: Sequence, learning_rate: float
) -> float:
    """Mean loss of `plain_steps` with Adam."""
    optimizer = torch.optim.Adam(network.parameters(), learning_rate)
    return fmean(plain_steps(network, data, batches, optimizer))


def frames_of(samples: Samples, numbers: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """All samples of some batches as two tensors, for loops that hold them whole."""
    given, truths = samples.whole(list(chain.from_iterable(numbers)))
    return torch.from_numpy(given.copy()), torch.from_numpy(truths.copy())
