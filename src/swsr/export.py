"""Trained networks in an open exchange format, for programs without torch: ONNX.

    python -m swsr export results/STUDY/train_2d/network.safetensors network.onnx

The exported network maps physical values to physical values: scaling is inside. Needs the packages
onnx and onnxscript.
"""

import json
import logging
import warnings
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from swsr.atomic import atomic_path
from swsr.checkpoint import Card, load_network
from swsr.networks.build import Network

OPSET = 18
"""The first version of ONNX's operators whose resizing can be antialiased."""


class PhysicalNetwork(nn.Module):
    """A network with its scaling before and after it: values in the units of the variables.

    Reads and gives what `networks.build` says, frames with `reach.margin` more points on each side.
    """

    def __init__(self, network: Network, card: Card) -> None:
        super().__init__()
        self.network, self.num_variables = network, len(card.variables)
        self.minimum: Tensor
        self.maximum: Tensor
        self.register_buffer("minimum", torch.tensor(card.scaling_minimum, dtype=torch.float32))
        self.register_buffer("maximum", torch.tensor(card.scaling_maximum, dtype=torch.float32))

    def forward(self, frames: Tensor) -> Tensor:
        """(n, variables + predictors, [5,] lat, lon) -> (n, variables, lat, lon)."""
        ones = (1,) * (frames.dim() - 2)
        low = self.minimum.reshape(-1, *ones)
        span = self.maximum.reshape(-1, *ones) - low
        result: Tensor = self.network((frames - low) / span)
        given = slice(self.num_variables)
        return result * span[given].reshape(-1, 1, 1) + low[given].reshape(-1, 1, 1)


def example(network: Network, card: Card, points: int = 40) -> Tensor:
    """Frames such as the network reads, of random values in its range: n = 2, points x points."""
    frames = (network.reach.num_frames,) if network.reach.num_frames > 1 else ()
    unit = torch.rand(2, len(card.reads), *frames, points, points)
    ones = (1,) * (unit.dim() - 2)
    low, high = (
        torch.tensor(limits, dtype=torch.float32).reshape(-1, *ones)
        for limits in (card.scaling_minimum, card.scaling_maximum)
    )
    return low + unit * (high - low)


def export(network: Path, output: Path) -> str:
    """Write a trained network as ONNX, and say what it reads and gives.

    Its metadata hold the card, and `margin`: how many points beyond their edges the frames must
    have on each side: of another meridian; from across a pole, where components of vectors change
    their sign; or the outermost points repeated.

    Raises
    ------
    ValueError
        When the file holds no network, or one of the packages is missing.
    """
    for package in ("onnx", "onnxscript"):
        if find_spec(package) is None:
            raise ValueError(f"{package} is not installed: pip install onnx onnxscript")
    trained, card = load_network(network)
    frames = example(trained, card)
    # Sizes and number of frames are the caller's; variables and frames of a pack are fixed.
    free = {0: "n", frames.dim() - 2: "lat", frames.dim() - 1: "lon"}
    with warnings.catch_warnings(), atomic_path(output) as temporary:
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            PhysicalNetwork(trained, card).eval(), (frames,), dynamo=True, verbose=False,
            opset_version=OPSET, input_names=["frames"], output_names=["result"],
            dynamic_shapes={"frames": free},
        )  # fmt: skip
        assert program is not None
        program.model.metadata_props.update(_metadata(trained, card))
        program.save(temporary)
    shape = ", ".join(str(free.get(axis, size)) for axis, size in enumerate(frames.shape))
    return (
        f"{output}: {card.network} of {', '.join(card.reads)} in {', '.join(card.units)}; "
        f"reads frames ({shape}) with {trained.reach.margin} points more on each side; "
        f"scale {card.scale}"
    )


def _metadata(network: Network, card: Card) -> dict[str, str]:
    return {"swsr": json.dumps(asdict(card)), "margin": str(network.reach.margin)}
