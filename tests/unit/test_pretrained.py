"""First layers from files: each layout, by its usual writer, answers to a picture as it should."""

import io
import itertools
import math
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io
import torch
from safetensors.torch import save_file
from scipy.signal import correlate2d
from skimage import data
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.types_pb2 import DT_FLOAT
from tiny import REPOSITORY
from torch.nn.functional import conv2d, conv_transpose2d, pad, prelu

from swsr.checkpoint import Card, save_network
from swsr.networks.build import build_network
from swsr.resampling.bicubic import resize
from swsr.training.caffe import _network_class, read_blobs
from swsr.training.pretrained import read_first_layer
from swsr.training.transfer import FirstLayer, parameter_groups, start_first_layer

random = np.random.default_rng(0)
PICTURE = random.random((12, 17)).astype("float32")
"""Neither symmetric nor square: what is turned or mirrored answers otherwise."""
FILTERS = random.normal(size=(56, 5, 5)).astype("float32")
"""Filter, row, column."""
BIASES = random.normal(size=56).astype("float32")
OTHER = random.normal(size=(12, 56, 1, 1)).astype("float32")


def answers(filters=FILTERS, biases=BIASES):
    """What a first layer of these filters makes of the picture, by another implementation."""
    made = [correlate2d(PICTURE, each, mode="valid") for each in filters]
    return np.stack(made) + np.reshape(biases, (-1, 1, 1))


def answers_of_network(layer, variables=1):
    network = build_network("skip_2d", variables, 2)
    start_first_layer(network, layer)
    picture = torch.from_numpy(np.stack([PICTURE] * variables))[None]
    return network.layers[0](picture)[0].detach().numpy()


def cell(*arrays):
    made = np.empty((len(arrays), 1), object)
    made[:, 0] = arrays
    return made


def authors_matlab(path):
    """As the authors' MATLAB takes it back: reshape(weights_conv{1}, 1, 5, 5, 56), by columns."""
    columns = np.stack([each.T.ravel() for each in FILTERS], axis=1)
    weights = cell(columns[None], OTHER[:, :, 0].transpose(1, 2, 0))
    biases = cell(BIASES[:, None], np.zeros((12, 1)))
    scipy.io.savemat(path, {"weights_conv": weights, "biases_conv": biases, "prelu_conv": biases})


def matconvnet(path):
    weights = cell(FILTERS.transpose(1, 2, 0)[:, :, None], OTHER.transpose(2, 3, 1, 0))
    scipy.io.savemat(path, {"weight": weights.T, "bias": cell(BIASES[None], np.zeros((1, 12))).T})


def caffe(path, *, old=False):
    network = _network_class()()
    for name, weight, bias in (("conv1", FILTERS[:, None], BIASES), ("conv2", OTHER, BIASES[:12])):
        layer = (network.layers if old else network.layer).add(name=name)
        for values in (weight, bias):
            blob = layer.blobs.add(data=values.ravel().tolist())
            if old:
                sizes = (*(1,) * (4 - values.ndim), *values.shape)
                for key, size in zip(("num", "channels", "height", "width"), sizes, strict=True):
                    setattr(blob, key, size)
            else:
                blob.shape.dim.extend(values.shape)
    path.write_bytes(network.SerializeToString())


def old_caffe(path):
    caffe(path, old=True)


def state(channels=1):
    """Of which the sum over channels is what the filters are."""
    parts = random.normal(size=(56, channels, 5, 5)).astype("float32")
    parts[:, 0] += FILTERS - parts.sum(axis=1)
    arrays = {"first.weight": parts, "first.bias": BIASES, "shrink.weight": OTHER}
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


def pytorch(path):
    torch.save(state(), path)


def old_pytorch(path):
    torch.save(state(), path, _use_new_zipfile_serialization=False)


def checkpoint_of_colours(path):
    moments = {"state": {0: {"exp_avg": torch.zeros(56, 3, 5, 5)}}}
    torch.save({"epoch": 3, "model": state(3), "optimizer": moments}, path)


def safetensors(path):
    save_file(state(), path)


def keras(file, group, names):
    with h5py.File(file, "w") as content:
        for name, values in zip(
            names, (FILTERS.transpose(1, 2, 0)[:, :, None], BIASES), strict=True
        ):
            content[f"{group}/{name}"] = values
        content[f"optimizer_weights/{group}/{names[0]}"] = np.ones((5, 5, 1, 56))
        content["model_weights/p_re_lu/alpha:0"] = np.ones((1, 1, 56))


def keras_2(path):
    keras(path, "model_weights/conv2d/conv2d", ("kernel:0", "bias:0"))


def keras_3(path):
    inside = io.BytesIO()
    keras(inside, "layers/conv2d/vars", ("0", "1"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", inside.getvalue())


def tensorflow(path):
    graph = GraphDef()
    constants = {"f1": FILTERS.transpose(1, 2, 0)[:, :, None], "b1": BIASES}
    for name, values in constants.items():
        tensor = graph.node.add(name=name, op="Const").attr["value"].tensor
        tensor.dtype, tensor.tensor_content = DT_FLOAT, np.ascontiguousarray(values).tobytes()
        for size in values.shape:
            tensor.tensor_shape.dim.add(size=size)
        graph.node.add(name=f"{name}/read", op="Identity", input=[name])
    graph.node.add(name="picture", op="Placeholder")
    graph.node.add(name="conv1", op="Conv2D", input=["picture", "f1/read"])
    graph.node.add(name="sum", op="BiasAdd", input=["conv1", "b1/read"])
    path.write_bytes(graph.SerializeToString())


WRITERS = [
    authors_matlab, matconvnet, caffe, old_caffe, pytorch, old_pytorch, checkpoint_of_colours,
    safetensors, keras_2, keras_3, tensorflow,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("variables", [1, 2])
def test_filters_answer_to_a_picture_as_they_did(tmp_path, write, variables):
    write(tmp_path / "weights")
    found = answers_of_network(read_first_layer(tmp_path / "weights"), variables)
    np.testing.assert_allclose(found, answers(), atol=1e-4)


@pytest.mark.parametrize(
    "turned",
    [lambda f: f.transpose(0, 2, 1), lambda f: f[:, ::-1, ::-1], lambda f: f[:, ::-1],
     lambda f: f[:, :, ::-1]],
)  # fmt: skip
def test_filters_that_are_turned_or_mirrored_would_answer_otherwise(turned):
    assert np.abs(answers(turned(FILTERS)) - answers()).max() > 1


def test_network_of_ours_gives_its_first_layer(tmp_path):
    network = build_network("fsrcnn_2d", 1, 3)
    card = Card("fsrcnn_2d", ("a",), ("1",), 3, (0.0,), (1.0,), {}, {}, {}, {})
    save_network(tmp_path / "network.safetensors", network, card)
    layer = read_first_layer(tmp_path / "network.safetensors")
    assert torch.equal(layer.weight, network.layers[0].weight)
    assert torch.equal(layer.bias, network.layers[0].bias)


def test_predictors_keep_their_random_filters():
    """And variables get those of the file, as without predictors."""
    torch.manual_seed(0)
    network = build_network("skip_2d", 2, 2, 3)
    before = network.layers[0].weight.detach().clone()
    start_first_layer(network, FirstLayer(tensor(FILTERS)[:, None], tensor(BIASES)))
    weight, picture = network.layers[0].weight.detach(), tensor(PICTURE)
    assert torch.equal(weight[:, 2:], before[:, 2:])
    nothing = torch.zeros(3, *picture.shape)
    given = torch.cat([torch.stack([picture] * 2), nothing])[None]
    np.testing.assert_allclose(network.layers[0](given)[0].detach(), answers(), atol=1e-4)


def test_layer_without_biases_starts_from_none(tmp_path):
    torch.save({"first.weight": torch.from_numpy(FILTERS[:, None])}, tmp_path / "weights")
    layer = read_first_layer(tmp_path / "weights")
    assert layer.bias is None
    np.testing.assert_allclose(answers_of_network(layer), answers(biases=0 * BIASES), atol=1e-4)


def two_layers(path):
    torch.save(state() | {"ema.weight": torch.zeros(56, 1, 5, 5)}, path)


def not_finite(path):
    torch.save({"first.weight": torch.full((56, 1, 5, 5), torch.nan)}, path)


def of_two_variables(path):
    card = Card("skip_2d", ("u", "v"), ("1", "1"), 2, (0.0,) * 2, (1.0,) * 2, {}, {}, {}, {})
    save_network(path, build_network("skip_2d", 2, 2), card)


def with_a_predictor(path):
    limits = (0.0,) * 2, (1.0,) * 2
    card = Card(
        "skip_2d", ("u",), ("1", "m"), 2, *limits, {}, {}, {}, {}, predictors=("ground",)
    )  # fmt: skip
    save_network(path, build_network("skip_2d", 1, 2, 1), card)


def few_filters(path):
    torch.save({"first.weight": torch.zeros(32, 1, 5, 5)}, path)


class Command:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b""), "damaged, or no file of weights"),
        (lambda path: path.write_text("a picture of a network"), "damaged, or no file of weights"),
        (lambda path: path.write_bytes(b"MATLAB 7.3 MAT-file"), "save it by `save -v7`"),
        (lambda path: torch.save(Command(), path), "damaged, or no file of weights"),
        (few_filters, r"but first.weight \(32, 1, 5, 5\)"),
        (two_layers, "several layers of 56 filters .* first.weight, ema.weight: leave one"),
        (not_finite, "first.weight has weights that are not finite"),
        (of_two_variables, "holds skip_2d of u, v: .* of one variable"),
        (with_a_predictor, "holds skip_2d of u, ground: .* without predictors"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_clear_line(tmp_path, capsys, write, sentence):
    write(tmp_path / "weights")
    with pytest.raises(ValueError, match=sentence) as error:
        read_first_layer(tmp_path / "weights")
    assert str(error.value).startswith(str(tmp_path / "weights"))
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("write", WRITERS)
def test_truncated_file_is_refused(tmp_path, write):
    path = tmp_path / "weights"
    write(path)
    content = path.read_bytes()
    for share in (0.2, 0.5):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ValueError, match=str(path)):
            read_first_layer(path)


def test_groups_of_an_optimizer_keep_the_order_of_the_network():
    """Checkpoints number the state of an optimizer: by an order that does not depend on the rate."""
    network = build_network("skip_2d", 1, 2)
    for rate in (1.0, 0.5):
        groups = parameter_groups(network, rate)
        flat = [parameter for group in groups for parameter in group["params"]]
        assert [id(each) for each in flat] == [id(each) for each in network.parameters()]
    assert [group["share"] for group in groups] == [0.5, 1.0]


PUBLISHED = REPOSITORY.parent / "shared" / "data" / "fsrcnn_weights"


def whole_matlab(path):
    """All convolutions of the authors' network, slopes of its PReLUs, and its last layer."""
    content = scipy.io.loadmat(path)
    weights, biases = (content[key][:, 0] for key in ("weights_conv", "biases_conv"))
    layers = []
    for weight, bias in zip(weights, biases, strict=True):
        side = round(weight.shape[1] ** 0.5)
        square = weight.reshape(len(weight), side, side, -1, order="F")
        layers.append((square.transpose(3, 0, 1, 2), bias.ravel()))
    slopes = [each.ravel() for each in content["prelu_conv"][:-1, 0]]
    return layers[:-1], slopes, (layers[-1][0], layers[-1][1])


def whole_caffe(path):
    blobs = read_blobs(path.read_bytes())
    numbers = range(1, 8)
    layers = [tuple(blobs[f"conv{number}"]) for number in numbers]
    return layers, [blobs[f"prelu{number}"][0] for number in numbers], tuple(blobs["deconv"])


def tensor(values):
    return torch.as_tensor(values, dtype=torch.float32)


def upscaled(low, scale, layers, slopes, last):
    """A picture through a whole FSRCNN, its edges repeated."""
    found = low
    for (weight, bias), slope in zip(layers, slopes, strict=True):
        margin = (weight.shape[-1] // 2,) * 4
        found = pad(found, margin, mode="replicate")
        found = prelu(conv2d(found, tensor(weight), tensor(bias)), tensor(slope))
    weight, bias = map(tensor, last)
    return conv_transpose2d(
        found, weight, bias, stride=scale, padding=(10 - scale) // 2, output_padding=(9 - scale) % 2
    )


@pytest.mark.parametrize(
    ("name", "scale", "read"),
    [("FSRCNN_x2.mat", 2, whole_matlab), ("FSRCNN_x3.mat", 3, whole_matlab),
     ("snapshot_iter_2546000.caffemodel", 3, whole_caffe)],
)  # fmt: skip
def test_published_network_is_good_only_with_its_first_layer_as_it_is_read(name, scale, read):
    """The rest of the network, read here by itself, understands the first layer no other way.

    The published weights are not ours to pass on: this runs where they lie beside the repository."""
    if not (PUBLISHED / name).exists():
        pytest.skip("the published weights are not here")
    high = tensor(data.astronaut()[:504, :504].mean(axis=2) / 255)[None, None]
    low = resize(high, (504 // scale, 504 // scale))
    layers, slopes, last = read(PUBLISHED / name)
    first = read_first_layer(PUBLISHED / name)

    def psnr(found):
        """Wherever the last layer puts the picture: its centre depends on the framework."""
        shifts = itertools.product((-1, 0, 1), repeat=2)
        errors = [found.roll(shift, (2, 3)) - high for shift in shifts]
        return -10 * math.log10(min(each[..., 8:-8, 8:-8].square().mean() for each in errors))

    def psnr_with(weight):
        with_it = [(weight, first.bias), *layers[1:]]
        return psnr(upscaled(low, scale, with_it, slopes, last))

    right = psnr_with(first.weight)
    assert right > psnr(resize(low, (504, 504))) + 0.5
    wrong = [first.weight.mT, *(first.weight.flip(dims) for dims in [(2, 3), (2,), (3,)])]
    assert max(map(psnr_with, wrong)) < right - 1
