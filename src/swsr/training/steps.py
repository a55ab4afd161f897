"""One step of training after another: gradients, their sum over ranks, the optimiser.

Each rank computes its part of every global batch; gradients are summed over ranks, with the loss
divided by the points of the whole batch. One, two or four ranks thus take the same steps to
rounding, whatever the number of samples. The networks are small (50 to 250 kB), so that all
gradients travel in one message: there is nothing to overlap, only latency to pay once.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.optim import Optimizer

from swsr.communication import Communicator
from swsr.networks.build import Network
from swsr.patches import Patch, Samples
from swsr.settings import Train
from swsr.training.gpu import Replayed, ResidentSamples, read_later
from swsr.training.losses import summed_loss

Part: TypeAlias = tuple[Tensor, ...] | None
"""What this rank has of a global batch: inputs and truths, or the places of both; or nothing."""

Figures: TypeAlias = tuple[float, list[bool]]
"""Of a step: the mean loss over the points of its batch, and which flags any rank has set."""


def adam(groups: list[dict[str, Any]], learning_rate: float, device: torch.device) -> Optimizer:
    """Adam for these groups of parameters, whose steps can be replayed as a graph on a GPU.

    There it is one kernel, where each is started at the price of a small layer.
    """
    gpu = device.type == "cuda"
    if gpu:
        groups = [group | {"lr": torch.tensor(learning_rate, device=device)} for group in groups]
    return torch.optim.Adam(groups, learning_rate, fused=gpu, capturable=gpu)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Of the next steps: each group has its `share` of it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):  # where a graph reads it
            group["lr"].fill_(group["share"] * rate)
        else:
            group["lr"] = group["share"] * rate


class Steps:
    """Steps on batches of samples, of one network and one optimiser.

    Parameters
    ----------
    network
        On the device.
    samples
        Of the training set.
    settings
        `loss`, `precision` and `patch_points`.
    communicator, device
        The other ranks, and where to compute.
    optimizer
        Gets gradients, and takes a step, once per call of `take`; on a GPU as `adam` makes it.
    resident_bytes
        On a GPU, frames lie there if they take no more, nor half of the memory that is free.

    Attributes
    ----------
    behind
        How many steps are started before the figures of the first of them are read.
    """

    def __init__(
        self,
        network: Network,
        samples: Samples,
        settings: Train,
        communicator: Communicator,
        device: torch.device,
        optimizer: Optimizer,
        resident_bytes: int,
    ) -> None:
        self._network, self._samples, self._settings = network, samples, settings
        self._communicator, self._device, self._optimizer = communicator, device, optimizer
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.behind = 1 if device.type == "cuda" else 0
        self._waiting: deque[Callable[[], list[float]]] = deque()
        self._sizes = [parameter.numel() for parameter in self._parameters]
        self._resident: ResidentSamples | None = None
        self._compute: Callable[..., Tensor] = self._message
        self._update: Callable[..., Tensor] = self._step
        if device.type == "cuda":
            self._compute = Replayed(self._message, device)
            self._update = Replayed(self._step, device, changes=True)
            lat, lon = (settings.patch_points or points for points in samples.size)
            free, _ = torch.cuda.mem_get_info(device)
            # The layers need room too.
            mirror = settings.augmentation == "mirror"
            needed = ResidentSamples.bytes(samples, lat, lon, mirror=mirror)
            if needed <= min(resident_bytes, free // 2):
                self._resident = ResidentSamples(samples, lat, lon, device, mirror=mirror)

    def load(self, batch: list[Patch]) -> Part:
        """The part of this rank of a global batch, which may be nothing."""
        patches = [batch[index] for index in self._communicator.share(len(batch))]
        if not patches:
            return None
        if self._resident is not None:
            return (self._resident.places(patches),)
        return self._samples.batch(patches)

    def take(self, part: Part, size: int, flags: list[bool]) -> list[Figures]:
        """A step on a global batch of `size` patches, of which `part` is this rank's.

        `flags` say whether this rank has been asked to stop, and whether an unfinished epoch is due
        to be saved. They are summed over ranks with the gradients, in one message, so that every
        rank stops or saves after the same step.

        Returns
        -------
        Figures of steps that are over: on a GPU, which computes this one meanwhile, of the one
        before.
        """
        noted = torch.tensor(flags, dtype=torch.float32)
        if part is None:
            none = torch.zeros(sum(self._sizes) + 1, device=self._device)
            message = torch.cat([none, noted.to(self._device)])
        else:
            message = self._compute(*map(self._ready, (*part, noted)), number=size)
        message = self._communicator.sum(message)
        self._waiting.append(read_later(self._update(message)))
        return self._read(self.behind)

    def rest(self) -> list[Figures]:
        """Figures of all other steps, when they are over."""
        return self._read(0)

    def close(self) -> None:
        """Give the GPU's memory back."""
        self._compute, self._update, self._resident = self._message, self._step, None

    def _read(self, at_most: int) -> list[Figures]:
        """Figures of the first steps, until at most so many wait."""
        found = []
        while len(self._waiting) > at_most:
            loss, *wished = self._waiting.popleft()()
            found.append((loss, [wish > 0 for wish in wished]))
        return found

    def _ready(self, tensor: Tensor) -> Tensor:
        """In memory from which a GPU copies while the program goes on."""
        return tensor.pin_memory() if self._device.type == "cuda" else tensor

    def _message(self, *part: Tensor, number: int) -> Tensor:
        """Gradients of this rank's part, its share of the loss, and its flags.

        The loss is over the points of a batch of `number` patches.
        """
        *tensors, flags = part
        if self._resident is not None:
            tensors = list(self._resident.batch(*tensors))
        inputs, truths = tensors
        loss = summed_loss(self._settings.loss, self._forward(inputs), truths)
        loss = loss / (truths[0].numel() * number)
        gradients = torch.autograd.grad(loss, self._parameters)
        return torch.cat([*(g.reshape(-1) for g in gradients), loss.detach()[None], flags])

    def _step(self, message: Tensor) -> Tensor:
        """Have the optimiser take a step by the gradients of a message; what follows on them."""
        after = len(message) - sum(self._sizes)
        *gradients, notes = message.split([*self._sizes, after])
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient.view_as(parameter)
        self._optimizer.step()
        return notes

    def _forward(self, inputs: Tensor) -> Tensor:
        """What the network makes of them, in float32 whatever its layers compute in."""
        lower = self._settings.precision == "bfloat16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=lower):
            return self._network(inputs).float()
