"""The first layer of a published FSRCNN, from the file that it was published as.

| file | first layer | its biases |
| --- | --- | --- |
| MATLAB, of the authors | cell `weights_conv`, (channels, 25, 56), by columns | `biases_conv` |
| MATLAB, of MatConvNet | cell `weight`: (rows, columns, channels, 56) | `bias` |
| Caffe, PyTorch, safetensors | (56, channels, rows, columns) | second blob; `*.bias` |
| Keras, frozen graph of TensorFlow | (rows, columns, channels, 56) | same group; what is added |

All of them correlate, as torch does: no filter has to be turned. Filters that read R, G and B are
summed over these: a grey picture has the same value in all three, so that the sum answers to it as
they did. (Weights of luminance are for pictures, not for filters.)
"""

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import torch
from google.protobuf.message import DecodeError
from safetensors import safe_open
from safetensors.torch import load_file

from swsr.checkpoint import load_network
from swsr.settings import FSRCNN_STARTS
from swsr.training.caffe import read_blobs
from swsr.training.transfer import FILTERS, WIDTH, FirstLayer, first_layer

_CHANNELS = (1, 3)
"""Of the pictures that published networks read: luminance, or R, G and B."""


@dataclass(frozen=True)
class _Layer:
    """A convolution: weights (out, in, rows, columns) and biases (out,), if it has any."""

    name: str
    weight: np.ndarray
    bias: np.ndarray | None


def read_first_layer(path: Path) -> FirstLayer:
    """The first layer of an FSRCNN, told from the file's content; or of a network of ours.

    Raises
    ------
    ValueError
        When the file is missing, damaged, of no known kind, or holds no layer of 56 filters of
        5 x 5 points for one channel or three, or several of them.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file: give the path of weights as train_2d.first_layer")
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(b"MATLAB 7.3"):
        raise ValueError(f"{path}: MATLAB 7.3: save it by `save -v7` in MATLAB")
    if head[8:9] == b"{" and _is_ours(path):
        return _of_ours(path)
    try:
        layers = list(_layers(path, head))
    except Exception as error:  # readers of damaged files raise all kinds
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: damaged, or no file of weights ({reason})") from None
    layer = _only(path, layers)
    weight = torch.tensor(layer.weight.sum(axis=1, keepdims=True), dtype=torch.float32)
    bias = None if layer.bias is None else torch.tensor(layer.bias, dtype=torch.float32)
    if not all(part is None or bool(part.isfinite().all()) for part in (weight, bias)):
        raise ValueError(f"{path}: {layer.name} has weights that are not finite: use another file")
    return FirstLayer(weight, bias)


def _is_ours(path: Path) -> bool:
    try:
        with safe_open(path, framework="pt") as file:
            return "swsr" in (file.metadata() or {})
    except Exception:  # damaged: its reader will say so
        return False


def _of_ours(path: Path) -> FirstLayer:
    network, card = load_network(path, "2d")
    if len(card.reads) > 1 or card.network not in FSRCNN_STARTS:
        raise ValueError(
            f"{path}: holds {card.network} of {', '.join(card.reads)}: the first layer is "
            f"taken from {', '.join(FSRCNN_STARTS)} of one variable, without predictors"
        )
    layer = first_layer(network)
    return FirstLayer(layer.weight.detach(), None if layer.bias is None else layer.bias.detach())


def _only(path: Path, layers: list[_Layer]) -> _Layer:
    """The only layer of the wanted shape."""
    fits = [
        layer
        for layer in layers
        if layer.weight.shape[::2] == (FILTERS, WIDTH) and layer.weight.shape[3] == WIDTH
    ]
    fits = [layer for layer in fits if layer.weight.shape[1] in _CHANNELS]
    if len(fits) == 1:
        return fits[0]
    wanted = f"{FILTERS} filters of {WIDTH} x {WIDTH} points for one channel or three"
    if fits:
        names = ", ".join(layer.name for layer in fits)
        raise ValueError(f"{path}: several layers of {wanted}: {names}: leave one in the file")
    shapes = ", ".join(f"{layer.name} {layer.weight.shape}" for layer in layers[:4])
    raise ValueError(
        f"{path}: no layer of {wanted} in it, but {shapes or 'no convolution'}: give the weights "
        "of an FSRCNN(56, ...)"
    )


def _layers(path: Path, head: bytes) -> Iterator[_Layer]:
    if head.startswith(b"MATLAB 5"):
        return _of_matlab(scipy.io.loadmat(path))
    if head.startswith(b"\x89HDF"):
        return _of_keras(path.read_bytes())
    if head.startswith(b"PK"):
        with zipfile.ZipFile(path) as archive:
            inside = [name for name in archive.namelist() if name.endswith(".weights.h5")]
            if inside:
                return _of_keras(archive.read(inside[0]))
    if head.startswith((b"PK", b"\x80")):
        # Never a pickle that may run code.
        return _of_torch(torch.load(path, weights_only=True, map_location="cpu"))
    if head[8:9] == b"{":
        return _of_torch(load_file(path))
    return iter(_of_protobuf(path.read_bytes()))


def _of_matlab(content: Mapping[str, Any]) -> Iterator[_Layer]:
    cells = {
        name: [np.asarray(entry) for entry in value.flat]
        for name, value in content.items()
        if isinstance(value, np.ndarray) and value.dtype == object
    }
    biases = next((cell for name, cell in cells.items() if name.startswith("bias")), [])
    for name, cell in cells.items():
        for number, weight in enumerate(cell):
            bias = biases[number].ravel() if number < len(biases) else None
            side = round(weight.shape[1] ** 0.5) if weight.ndim == 3 else 0
            if weight.ndim == 4:
                yield _Layer(f"{name}{{{number + 1}}}", weight.transpose(3, 2, 0, 1), bias)
            elif side > 1 and side**2 == weight.shape[1]:
                channels, _, filters = weight.shape
                square = weight.reshape(channels, side, side, filters, order="F")
                yield _Layer(f"{name}{{{number + 1}}}", square.transpose(3, 0, 1, 2), bias)


def _of_torch(content: Any, prefix: str = "") -> Iterator[_Layer]:
    """Of a state dict, however deep in others; an optimizer's tensors have the same shapes."""
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if isinstance(value, torch.Tensor) and value.ndim == 4:
            bias = content.get(f"{str(key).removesuffix('weight')}bias")
            yield _Layer(f"{prefix}{key}", value.numpy(), None if bias is None else bias.numpy())
        elif not str(key).startswith("optim"):
            yield from _of_torch(value, f"{prefix}{key}.")


def _of_keras(content: bytes) -> Iterator[_Layer]:
    found: dict[str, dict[str, np.ndarray]] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optim"):
            group, _, own = name.rpartition("/")
            found.setdefault(group, {})[own] = item[()]

    with h5py.File(io.BytesIO(content)) as file:
        file.visititems(visit)
    for group, arrays in found.items():
        biases = [array for array in arrays.values() if array.ndim == 1]
        for name, array in arrays.items():
            if array.ndim == 4:
                bias = biases[0] if len(biases) == 1 else None
                yield _Layer(f"{group}/{name}", array.transpose(3, 2, 0, 1), bias)


def _of_protobuf(content: bytes) -> list[_Layer]:
    """Of a Caffe model or a TensorFlow graph, whose bytes do not say which."""
    for read in (_of_caffe, _of_tensorflow):
        try:
            layers = list(read(content))
        except DecodeError:
            continue
        if layers:
            return layers
    raise ValueError(
        "it is not MATLAB, PyTorch, safetensors, Keras, Caffe or a frozen TensorFlow graph"
    )


def _of_caffe(content: bytes) -> Iterator[_Layer]:
    for name, blobs in read_blobs(content).items():
        if blobs[0].ndim == 4:
            yield _Layer(name, blobs[0], blobs[1].ravel() if len(blobs) > 1 else None)


def _of_tensorflow(content: bytes) -> Iterator[_Layer]:
    # The messages of TensorFlow that TensorBoard has; TensorFlow itself is not needed.
    from tensorboard.compat.proto.graph_pb2 import GraphDef
    from tensorboard.util.tensor_util import make_ndarray

    graph = GraphDef()
    graph.ParseFromString(content)
    nodes = {node.name: node for node in graph.node}

    def constant(name: str) -> np.ndarray | None:
        node = nodes.get(name.removesuffix(":0"))
        while node is not None and node.op == "Identity":
            node = nodes.get(node.input[0])
        return make_ndarray(node.attr["value"].tensor) if node and node.op == "Const" else None

    for node in graph.node:
        weight = constant(node.input[1]) if node.op == "Conv2D" else None
        if weight is None:
            continue
        added = [
            constant(other)
            for sum_ in graph.node
            if sum_.op in ("Add", "AddV2", "BiasAdd") and node.name in sum_.input
            for other in sum_.input
            if other != node.name
        ]
        bias = added[0] if len(added) == 1 else None
        yield _Layer(node.name, weight.transpose(3, 2, 0, 1), bias)
