"""Networks as ONNX give what they give in torch; their card says what they are."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from swsr.checkpoint import Card, save_network
from swsr.export import PhysicalNetwork, example, export
from swsr.model_card import model_card
from swsr.networks.build import build_network, count_parameters


def card(name, scale=2, variables=("vorticity", "depth")):
    return Card(
        network=name, variables=variables, units=("s-1", "m"), scale=scale,
        scaling_minimum=(-1e-4, 9000.0), scaling_maximum=(3e-4, 11000.0),
        spacing={"lat": 2.8, "lon": 2.8125, "units": "degrees", "seconds": 3600.0},
        settings={
            "seed": 7, "split": {"validation_fraction": 0.2},
            "train": {"global_batch_size": 4, "learning_rate": 0.003, "schedule": "cosine",
                      "loss": "mse", "precision": "float32", "augmentation": "mirror"},
        },
        version={"version": "1.2.3", "commit": "abc"}, inputs={"extract/seed_0": "d1gest"},
    )  # fmt: skip


def reading_more(card):
    """Of a network that reads the wind, and heights in km, too."""
    return replace(
        card, predictors=("u", "ground"), units=(*card.units, "m s-1", "km"),
        scaling_minimum=(*card.scaling_minimum, -30.0, 0.0),
        scaling_maximum=(*card.scaling_maximum, 50.0, 4.0),
    )  # fmt: skip


def trained(name, scale, predictors=0):
    """A network whose every layer has something to say."""
    torch.manual_seed(0)
    network = build_network(name, 2, scale, predictors)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return network.eval()


@pytest.mark.parametrize(
    ("name", "scale", "predictors"),
    [("study_2d", 2, 0), ("skip_2d", 2, 0), ("skip_2d", 3, 0), ("study_3d", 1, 0),
     ("skip_3d", 1, 0), ("srcnn_2d", 2, 0), ("fsrcnn_2d", 2, 0), ("edsr_2d", 3, 0),
     ("skip_joint", 2, 0), ("subpixel_2d", 2, 0), ("subpixel_2d", 3, 0), ("fusion_3d", 1, 0),
     ("skip_2d", 2, 2), ("skip_joint", 2, 2),
     ("fusion_joint", 1, 0), ("fusion_joint", 3, 2)],
)  # fmt: skip
def test_onnx_runtime_agrees_with_torch(name, scale, predictors, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    network, of_network = trained(name, scale, predictors), card(name, scale)
    of_network = reading_more(of_network) if predictors else of_network
    save_network(tmp_path / "network.safetensors", network, of_network)
    said = export(tmp_path / "network.safetensors", tmp_path / "network.onnx")
    assert f"{network.reach.margin} points more" in said
    assert f"of {', '.join(of_network.reads)} in {', '.join(of_network.units)};" in said
    session = runtime.InferenceSession(tmp_path / "network.onnx")
    # Other sizes than it was exported with.
    frames = example(network, of_network, points=33)[:1, ..., :29]
    with torch.no_grad():
        expected = PhysicalNetwork(network, of_network)(frames).numpy()
    (found,) = session.run(None, {"frames": frames.numpy()})
    assert found.shape == expected.shape
    for channel, span in enumerate((4e-4, 2000)):
        difference = np.abs(found[:, channel] - expected[:, channel]).max()
        assert difference < 2e-5 * span
        assert expected[:, channel].std() > 1e-3 * span
    metadata = session.get_modelmeta().custom_metadata_map
    told = json.loads(metadata["swsr"])
    assert told["variables"] == ["vorticity", "depth"]
    assert told["predictors"] == list(of_network.predictors)
    assert int(metadata["margin"]) == network.reach.margin


def test_physical_network_scales_before_and_after():
    network, of_network = trained("study_2d", 2), card("study_2d")
    frames = example(network, of_network)
    with torch.no_grad():
        found = PhysicalNetwork(network, of_network)(frames).numpy()
        unit = torch.from_numpy(of_network.scaling.to_unit(frames.numpy()))
        expected = of_network.scaling.to_physical(network(unit).numpy())
    for channel, span in enumerate((4e-4, 2000)):
        assert np.abs(found[:, channel] - expected[:, channel]).max() < 1e-5 * span


def test_physical_network_scales_what_it_reads_and_what_it_gives_by_their_own_limits():
    network, of_network = trained("skip_2d", 2, 2), reading_more(card("skip_2d"))
    frames = example(network, of_network)
    assert frames.shape[1] == 4
    low = np.array([-1e-4, 9000, -30, 0]).reshape(4, 1, 1)
    span = np.array([4e-4, 2000, 80, 4]).reshape(4, 1, 1)
    with torch.no_grad():
        found = PhysicalNetwork(network, of_network)(frames).numpy()
        unit = torch.from_numpy(((frames.numpy() - low) / span).astype("float32"))
        expected = network(unit).numpy() * span[:2] + low[:2]
    assert 0 <= unit.min() < 0.01 < 0.99 < unit.max() <= 1
    assert (np.abs(found - expected).max(axis=(0, 2, 3)) < 1e-5 * span[:2, 0, 0]).all()


def test_card_says_what_it_was_trained_on_and_what_it_is_worth():
    scores = {"mse": 1e-4, "psnr": 40.0, "ssim": 0.99}
    before = scores | {"psnr": 30.0}
    network = build_network("skip_3d", 2, 1)
    metrics = {
        "epochs": 12,
        "parameters": count_parameters(network),
        "before": {"train": before, "validation": before},
        "after": {"train": scores, "validation": scores},
    }
    page = model_card(card("skip_3d", 1), metrics)
    for words in (
        "# skip_3d, ", "extract/seed_0: `d1gest`", "| vorticity | s-1 | -0.0001 | 0.0003 |",
        "| depth | m | 9000 | 1.1e+04 |", "| validation, after training | 40.00 |",
        "| validation, before training | 30.00 |", "12 epochs, batch 4", "five consecutive frames",
        "on mirror images too, seed 7; swsr 1.2.3, commit abc", "every 2.8 degrees along lat", "every 3600 seconds",
    ):  # fmt: skip
        assert words in page


PIXELS = {"lat": 2.0, "lon": 2.0, "units": "1", "seconds": 0.04}
CODEC = {"codec": "h264", "quality": 20, "scale": 1}


@pytest.mark.parametrize(
    ("network", "more", "train", "words", "others"),
    [
        ("skip_2d", {"scale": 2}, {}, "made from the truth by bicubic interpolation (", "Codec"),
        ("skip_2d", {"scale": 1, "compression": CODEC}, {}, "truth (and", "bicubic"),
        ("skip_joint", {"scale": 1, "compression": CODEC}, {}, "at the same resolution", "finer"),
        ("skip_joint", {"scale": 2}, {"start": "trained"}, "networks of `train_2d` and", "None"),
        ("skip_2d", {"scale": 2, "spacing": PIXELS}, {}, "every 2 along lat", "2 1 along"),
        ("skip_2d", {"scale": 2, "spacing": PIXELS}, {}, "every 0.04 seconds", "0 seconds"),
    ],
)
def test_card_says_what_its_input_was(network, more, train, words, others):
    scores = {"mse": 1e-4, "psnr": 40.0, "ssim": 0.99}
    parts = {"train": scores, "validation": scores}
    metrics = {"epochs": 12, "parameters": 9, "before": parts, "after": parts}
    described = card(network, more["scale"])
    settings = described.settings | {"train": described.settings["train"] | train}
    page = model_card(replace(described, settings=settings, **more), metrics)
    assert words in page
    assert others not in page


def test_card_names_predictors_and_their_ranges():
    scores = {"mse": 1e-4, "psnr": 40.0, "ssim": 0.99}
    parts = {"train": scores, "validation": scores}
    metrics = {"epochs": 12, "parameters": 9, "before": parts, "after": parts}
    plain, more = (
        model_card(each, metrics) for each in (card("skip_2d"), reading_more(card("skip_2d")))
    )
    told = "It reads u, ground beside the variables that it gives"
    for words in (told, "| u | m s-1 | -30 | 50 |", "| ground | km | 0 | 4 |"):
        assert words in more
    assert "It reads" not in plain


def test_missing_package_is_one_line_and_leaves_no_file(tmp_path, monkeypatch):
    save_network(tmp_path / "network.safetensors", trained("study_2d", 2), card("study_2d"))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ValueError, match="onnxscript is not installed: pip install"):
        export(tmp_path / "network.safetensors", tmp_path / "network.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["network.safetensors"]
