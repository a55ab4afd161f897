"""What trainings on frames share: frames -> samples -> trained network, figures, history."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from swsr.checkpoint import Card, file_digest, load_network
from swsr.networks.build import Network, build_network
from swsr.networks.joint import NetworkJoint
from swsr.patches import Samples
from swsr.provenance import version
from swsr.run import Run
from swsr.scaling import Scaling
from swsr.settings import Train2d, TrainFrom, TrainStage, read_stage_settings
from swsr.training.pretrained import read_first_layer
from swsr.training.result import check_ranks, fit_and_write, report_to
from swsr.training.series import Series, fit_scaling, open_series
from swsr.training.trainer import Trainer
from swsr.training.transfer import start_first_layer
from swsr.zarr_io import Cache, input_digests


def train(
    settings: Path,
    inputs: Sequence[Path],
    truths: Sequence[Path],
    output: Path,
    run: Run,
    start: Sequence[Path] = (),
) -> None:
    """Train a network and write it to the folder `output`.

    Parameters
    ----------
    settings
        File of a `TrainStage`.
    inputs, truths
        Manifests of the training series, in the same order: what the network reads, and the
        frames that it should give.
    output
        Gets what `result.fit_and_write` writes.
    start
        Trained networks that the parts of a joint network start from, a trained network that all
        of a network starts from, or the file that the first layer of a 2D network starts from;
        else they are random.

    Raises
    ------
    ValueError
        When the ranks do not divide the batch, frames or networks to start from do not fit the
        settings, or the loss is not finite.
    """
    choices = read_stage_settings(settings, TrainStage)
    check_ranks(choices.train, run)
    cache = Cache(run.cache_mb * 2**20)
    reads_all = not choices.train.network.endswith("3d")
    low = open_series(inputs, choices.split, cache, predictors=reads_all)
    high = open_series(truths, choices.split, cache)
    if low.variables != high.variables:
        raise ValueError(f"{inputs[0]}: variables {low.variables}, but truth has {high.variables}")
    _check_patch(choices, low)
    scaling = fit_scaling(low, high, run)
    trainer = _trainer(choices, low, high, scaling, output, run)
    for path in start:
        _start_from(path, trainer.network, choices, low, run)
    if choices.train.augmentation == "mirror":
        run.say(_mirror_images(trainer.train, low.variables + low.predictors))
    digests = input_digests([*inputs, *truths])
    digests |= {f"{path.parent.name}/{path.stem}": file_digest(path) for path in start}
    fit_and_write(trainer, _card(choices, low, scaling, digests), output, run)


def _mirror_images(samples: Samples, variables: tuple[str, ...]) -> str:
    """Along which dims there are some, and whose signs they change."""
    found = []
    changed, leaving = np.array(samples.mirror_signs) < 0, samples.leaving
    for number, dim in enumerate(("lat", "lon")):
        allowed = samples.mirrors[number]
        chosen = (changed if allowed else leaving)[:, number]
        names = ", ".join(np.array(variables)[chosen])
        if allowed:
            found.append(f"along {dim} with {f'signs of {names}' if names else 'no sign'} changed")
        else:
            found.append(f"none along {dim}, where {names} would leave the range of the frames")
    return "mirror images: " + ", ".join(found)


def _start_from(path: Path, network: Network, choices: TrainStage, low: Series, run: Run) -> None:
    """Give a joint network a trained part, another one all weights, or a trained first layer."""
    if isinstance(network, NetworkJoint):
        _start_part(path, network)
        return
    if isinstance(choices.train, TrainFrom) and choices.train.start_file:
        counts = len(low.variables), len(low.predictors)
        earlier, card = read_start(path, choices.train, choices.scale, *counts)
        network.load_state_dict(earlier.state_dict())
        run.say(f"starts from {path}, trained on {', '.join(card.variables)}")
        return
    if not isinstance(choices.train, Train2d):
        raise ValueError(
            f"{path}: {choices.train.network} has no parts to start from: leave out --start"
        )
    trained = read_first_layer(path)
    start_first_layer(network, trained)
    without = "" if trained.bias is not None else ", which has no biases: they start from zero"
    run.say(f"the first layer starts from {path}{without}")


def read_start(
    path: Path, train: TrainFrom, scale: int, num_variables: int, num_predictors: int
) -> tuple[Network, Card]:
    """The trained network that a training starts from, and its card.

    Raises
    ------
    ValueError
        When the file holds none, or one of other layers, scale or number of variables or, where
        the network reads some, of predictors.
    """
    wanted = str(train.network)
    network, card = load_network(path, wanted[-2:])
    given = {"network": card.network, "variables": len(card.variables)}
    asked = {"network": wanted, "variables": num_variables}
    if wanted.endswith("2d"):
        given |= {"scale": card.scale, "predictors": len(card.predictors)}
        asked |= {"scale": scale, "predictors": num_predictors}
    for what, ours in asked.items():
        if given[what] != ours:
            raise ValueError(
                f"{path}: its {what} is {given[what]}, not {ours}: train from random weights, or "
                "from a network of the same kind"
            )
    return network, card


def _start_part(path: Path, network: NetworkJoint) -> None:
    """Give the part that is of a trained network's kind its weights."""
    trained, card = load_network(path)
    part = network.get_submodule(f"network_{card.network[-2:]}")
    try:
        part.load_state_dict(trained.state_dict())
    except RuntimeError:
        raise ValueError(
            f"{path}: holds {card.network}, which is not a part of this joint network: train_2d, "
            "train_3d and train_joint need networks of one kind"
        ) from None


def _check_patch(choices: TrainStage, low: Series) -> None:
    *_, lat, lon = low.sets["train"][0].shape
    points = choices.train.patch_points
    if points is not None and points > min(lat, lon):
        raise ValueError(
            f"patch_points {points} is more than the network's input has, {lat} x {lon} points: "
            "use fewer, or null for whole frames"
        )


def _trainer(
    choices: TrainStage, low: Series, high: Series, scaling: Scaling, output: Path, run: Run
) -> Trainer:
    """An untrained network, the same on every rank, with its samples."""
    torch.manual_seed(choices.seed)
    network = build_network(
        choices.train.network, len(high.variables), choices.scale, len(low.predictors)
    )
    train, validation = (
        Samples(
            low.sets[name], high.sets[name], network.reach, scaling, low.geometry, low.mirror_signs
        )
        for name in ("train", "validation")
    )
    return Trainer(
        network=network,
        train=train,
        validation=validation,
        chunk=low.chunk,
        settings=choices.train,
        seed=choices.seed,
        communicator=run.communicator,
        device=run.device,
        report=report_to(output, choices.train.epochs, run),
        window_points=run.window_points,
        first_layer_rate=(
            choices.train.first_layer_rate if isinstance(choices.train, Train2d) else 1.0
        ),
        resident_bytes=run.cache_mb * 2**20,
    )


def _card(choices: TrainStage, low: Series, scaling: Scaling, digests: dict[str, str]) -> Card:
    return Card(
        network=choices.train.network,
        variables=low.variables,
        predictors=low.predictors,
        units=low.units,
        scale=choices.scale,
        scaling_minimum=tuple(scaling.minimum.tolist()),
        scaling_maximum=tuple(scaling.maximum.tolist()),
        spacing=asdict(low.spacing),
        settings=choices.model_dump(mode="json"),
        version=version(),
        inputs=digests,
        compression=low.compression,
        edges=(low.geometry.lat, low.geometry.lon),
        vectors=low.geometry.vectors,
        filter=low.filter,
        coarse_run=low.coarse_run,
    )
