"""Weights of Caffe models: the few fields of `caffe.proto` that hold them.

Caffe is no longer kept, and OpenCV 5 dropped its reader. Numbers and types of the fields are those
of BVLC's caffe/src/caffe/proto/caffe.proto; protobuf itself skips all others.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_KINDS = descriptor_pb2.FieldDescriptorProto

_MESSAGES: dict[str, dict[str, tuple[int, Any, bool]]] = {
    "BlobShape": {"dim": (1, _KINDS.TYPE_INT64, True)},
    "BlobProto": {
        "num": (1, _KINDS.TYPE_INT32, False),
        "channels": (2, _KINDS.TYPE_INT32, False),
        "height": (3, _KINDS.TYPE_INT32, False),
        "width": (4, _KINDS.TYPE_INT32, False),
        "data": (5, _KINDS.TYPE_FLOAT, True),
        "shape": (7, "BlobShape", False),
    },
    "V1LayerParameter": {"name": (4, _KINDS.TYPE_STRING, False), "blobs": (6, "BlobProto", True)},
    "LayerParameter": {"name": (1, _KINDS.TYPE_STRING, False), "blobs": (7, "BlobProto", True)},
    "NetParameter": {
        "layers": (2, "V1LayerParameter", True),
        "layer": (100, "LayerParameter", True),
    },
}
"""Message -> field -> number, type or message, and whether it is repeated."""


def read_blobs(content: bytes) -> dict[str, list[np.ndarray]]:
    """Layer -> its blobs, in order: of a convolution its weights (out, in, rows, columns), biases.

    Raises
    ------
    google.protobuf.message.DecodeError
        When the bytes are no protobuf message.
    ValueError
        When a blob has fewer values than its shape says.
    """
    network = _network_class()()
    network.ParseFromString(content)
    return {
        layer.name: [_array(blob) for blob in layer.blobs]
        for layer in [*network.layers, *network.layer]
        if layer.blobs
    }


@cache
def _network_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            label = _KINDS.LABEL_REPEATED if repeated else _KINDS.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = _KINDS.TYPE_MESSAGE, f".caffe.{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))


def _array(blob: Any) -> np.ndarray:
    """Values of a blob, whose shape older files give by four numbers."""
    shape = tuple(blob.shape.dim) or (blob.num, blob.channels, blob.height, blob.width)
    values = np.array(blob.data, "float32")
    if values.size != prod(shape):
        raise ValueError(f"a blob of shape {shape} has {values.size} values")
    return values.reshape(shape)
