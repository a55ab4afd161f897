"""What does a first layer that was trained elsewhere save?

Epochs until the validation frames of a small simulation reach the PSNR at which a training from
random weights ends, and the PSNR at which each ends: the same frames, seeds and settings, first
layers random, from a training on natural images (`pretrain_2d`), and from files of FSRCNN's
weights; fine-tuned like the others, or frozen.

    python benchmarks/transfer.py [--epochs 30] [--repeats 2] [FILE ...]
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import yaml
from measure import publish, table
from memory import REPOSITORY
from quality import STUDIES, history, simulated

from swsr.run import Run
from swsr.settings import FSRCNN_STARTS, Settings
from swsr.stages.pretrain_2d import pretrain_2d
from swsr.training.pretrained import read_first_layer
from swsr.training.transfer import FirstLayer

RATES = {"fine-tuned": 1.0, "frozen": 0.0}


def pretrained(network: str, epochs: int | None) -> FirstLayer:
    """Of a training on natural images with the settings of the default study, or other epochs."""
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    config["train_2d"]["network"] = network
    if epochs is not None:
        config["pretrain_2d"]["epochs"] = epochs
    settings = Settings.from_mapping(config).for_stage("pretrain_2d")
    with tempfile.TemporaryDirectory() as name:
        path, output = Path(name, "pretrain_2d.json"), Path(name, "pretrain_2d")
        path.write_text(settings.to_json())
        pretrain_2d(path, output, Run())
        return read_first_layer(output / "network.safetensors")


def epochs_until(rows: list[dict[str, float]], psnr: float) -> float | None:
    """The first epoch whose validation reaches a PSNR; None if none does."""
    return next((row["epoch"] for row in rows if row["validation_psnr"] >= psnr), None)


def described(
    histories: list[list[dict[str, float]]], random: list[list[dict[str, float]]]
) -> list[str]:
    """Of each seed: epochs to the end of its random start, and PSNR at the end; the mean gain."""
    ends = [rows[-1]["validation_psnr"] for rows in random]
    epochs = [epochs_until(rows, end) for rows, end in zip(histories, ends, strict=True)]
    own = [rows[-1]["validation_psnr"] for rows in histories]
    gain = statistics.mean(own) - statistics.mean(ends)
    reached = ", ".join("never" if each is None else f"{each:.0f}" for each in epochs)
    return [reached, ", ".join(f"{each:.2f}" for each in own), f"{gain:+.2f}"]


def main() -> None:
    """Measure, print the table, write transfer.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--grid", default="T42")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--pretrain-epochs", type=int, help="default: the default study's")
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE")
    given = parser.parse_args()
    high = simulated(given.grid, given.frames)
    rows, found = [], dict[str, Any]()
    for network in (name for name in STUDIES if name in FSRCNN_STARTS):
        starts = {"random": None, "natural images": pretrained(network, given.pretrain_epochs)}
        starts |= {path.name: read_first_layer(path) for path in given.files}
        for name, start in starts.items():
            for how, rate in RATES.items():
                found[f"{network}/{name}/{how}"] = histories = [
                    history(network, given.epochs, high, seed, start, rate)
                    for seed in range(given.repeats)
                ]
                random = found[f"{network}/random/fine-tuned"]
                rows.append([f"`{network}`, {name}, {how}", *described(histories, random)])
    header = ["first layer", "epochs to the random end", "PSNR at the end (dB)", "mean gain (dB)"]
    page = table(header, rows)
    page += f"\n{given.epochs} epochs; {given.repeats} seeds, a figure each.\n"
    publish("transfer", page, found)


if __name__ == "__main__":
    main()
