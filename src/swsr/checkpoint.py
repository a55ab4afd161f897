"""Networks and the state of a training on disk: safetensors, atomic, checked, never unpickled.

The metadata of a file hold what is needed to use it, as JSON, and a digest of its tensors, so that
a truncated or altered file is told from a whole one.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from swsr.atomic import atomic_path, write_text
from swsr.geometry import LatEdge, LonEdge
from swsr.networks.build import Network, build_network
from swsr.scaling import Scaling
from swsr.settings import Filter
from swsr.sharing import LATEST

_KEPT = 2
"""Checkpoints kept, so that a damaged newest one loses an epoch and not the training."""


@dataclass(frozen=True)
class Card:
    """What a trained network is, beside its weights.

    The network reads `variables` and then `predictors`, and gives `variables`. `units`, the limits
    `scaling_minimum` and `scaling_maximum`, and `vectors` are of all that it reads. `spacing` is
    the `schema.Spacing` of the frames that the network reads, and `edges` are those of lat and lon
    of their `geometry.Geometry`, `vectors` whether each is a component of a vector;
    `compression` is the codec, quality and scale of the contraction that they went through before,
    `filter` what made them coarser. `coarse_run` is None where the network reads such copies; else
    it has lat and lon of the points to which frames of a coarse run are interpolated before, and
    the steps of that run's own grid.
    """

    network: str
    variables: tuple[str, ...]
    units: tuple[str, ...]
    scale: int
    scaling_minimum: tuple[float, ...]
    scaling_maximum: tuple[float, ...]
    spacing: dict[str, Any]
    settings: dict[str, Any]
    version: dict[str, str]
    inputs: dict[str, str]
    compression: dict[str, Any] | None = None
    edges: tuple[LatEdge, LonEdge] | None = None
    vectors: tuple[bool, ...] | None = None
    filter: Filter = "bicubic"
    coarse_run: dict[str, list[float]] | None = None
    predictors: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Variables, then predictors."""
        return self.variables + self.predictors

    @property
    def scaling_read(self) -> Scaling:
        """The scaling that the network was trained with, of all that it reads."""
        return Scaling(np.array(self.scaling_minimum), np.array(self.scaling_maximum))

    @property
    def scaling(self) -> Scaling:
        """Likewise, of what it gives."""
        return self.scaling_read.first(len(self.variables))


def save_network(path: Path, network: Network, card: Card) -> None:
    """Write weights and card to one safetensors file."""
    weights = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    _save(path, weights, asdict(card))


def load_network(path: Path, *kinds: str) -> tuple[Network, Card]:
    """The network of a file, ready for inference, and its card.

    Parameters
    ----------
    path
        Written by `save_network`.
    kinds
        `2d`, `3d` or `joint`: what the caller can use; any will do when none is given.

    Raises
    ------
    ValueError
        When the file is missing, damaged, holds no network, or one of another kind.
    """
    weights, content = _load(path)
    try:
        card = Card(**{key: _tuples(value) for key, value in content.items()})
    except TypeError:
        raise ValueError(f"{path}: not a trained network (no card in its metadata)") from None
    if kinds and not card.network.endswith(kinds):
        raise ValueError(
            f"{path}: holds {card.network}, but a {' or '.join(kinds)} network is needed"
        )
    network = build_network(card.network, len(card.variables), card.scale, len(card.predictors))
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        raise ValueError(f"{path}: its weights do not fit {card.network}") from None
    return network.eval(), card


def file_digest(path: Path) -> str:
    """SHA-256 of a file of weights: equal trainings give equal digests."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Progress:
    """How far a training has come: finished epochs, and a row of figures for each.

    Of the epoch in progress: `losses` are those of the batches behind it, `seconds` what they took.
    """

    epoch: int
    history: list[dict[str, float]]
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


class Checkpoints:
    """Checkpoints of one training, in a folder of their own.

    Parameters
    ----------
    folder
        Where they lie; made when needed.
    identity
        Digest of all that decides the result of the training. A checkpoint with another one is
        never resumed.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        # A folder for each training: one of other settings may have come further.
        self.folder, self.identity = folder / identity[:16], identity
        self._latest = folder / LATEST

    def claim(self) -> None:
        """Note that this training is the latest that began here: others of before are to end."""
        write_text(self._latest, self.identity)

    def check_latest(self) -> None:
        """Check that no other training has begun here since, as when this one's Snakemake died.

        Raises
        ------
        ValueError
            When one of other settings, data or code has.
        """
        if self._latest.is_file() and self._latest.read_text() != self.identity:
            raise ValueError(
                f"{self._latest.parent.parent}: another training, of other settings, data or code, "
                "has begun here: this one ends, and leaves the result to it"
            )

    def save(self, network: Network, optimizer: Optimizer, progress: Progress) -> None:
        """Write the state, after an epoch or inside one, and drop the oldest ones.

        Raises
        ------
        ValueError
            As `check_latest`.
        """
        self.check_latest()
        tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{key}": value for key, value in state.items()}
        tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        name = f"epoch_{progress.epoch:05d}"
        if progress.losses:  # sorts after the epoch before
            name += f"_batch_{len(progress.losses):07d}"
        path = self.folder / f"{name}.safetensors"
        _save(path, tensors, asdict(progress) | {"identity": self.identity})
        for old in self._paths()[_KEPT:]:
            old.unlink(missing_ok=True)

    def find(self) -> tuple[Path | None, list[str]]:
        """The newest whole checkpoint of this training, and a sentence on each one passed over."""
        passed_over = []
        for path in self._paths():
            try:
                _, content = _load(path)
            except ValueError as error:
                passed_over.append(f"{error}: passed over")
                continue
            if content.get("identity") == self.identity:
                return path, passed_over
        others = {path.parent for path in self.folder.parent.glob("*/epoch_*.safetensors")}
        passed_over += [
            f"{folder}: checkpoints of other settings, data or code: passed over"
            for folder in sorted(others - {self.folder})
        ]
        return None, passed_over

    def load(self, path: Path, network: Network, optimizer: Optimizer) -> Progress:
        """Put the state of a checkpoint into `network` and `optimizer`."""
        tensors, content = _load(path)
        network.load_state_dict(_below("network.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below("optimizer.", tensors).items():
            index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        return Progress(**{key: content[key] for key in asdict(Progress(0, []))})

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("epoch_*.safetensors"), reverse=True)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _save(path: Path, tensors: dict[str, Tensor], content: dict[str, Any]) -> None:
    # One key only: safetensors writes several in any order, and equal files would differ.
    metadata = {"swsr": json.dumps(content | {"digest": _digest(tensors)})}
    try:
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata)
    except SafetensorError as error:  # how a full disk is told
        raise OSError(f"{path}: cannot be written: {error}") from None


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: truncated or not safetensors ({error})") from None
    if "swsr" not in metadata:
        raise ValueError(f"{path}: not written by swsr (no metadata)")
    content = json.loads(metadata["swsr"])
    assert isinstance(content, dict)
    if content.pop("digest", None) != _digest(tensors):
        raise ValueError(f"{path}: damaged (its digest differs)")
    return tensors, content


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
