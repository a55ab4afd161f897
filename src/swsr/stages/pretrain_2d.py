"""Train the 2D network on natural images: what its first layer may start from."""

from pathlib import Path

import numpy as np
import torch

from swsr.checkpoint import Card
from swsr.networks.build import build_network
from swsr.patches import Samples
from swsr.provenance import version
from swsr.run import Run
from swsr.scaling import Scaling
from swsr.settings import PretrainStage, read_stage_settings
from swsr.training import natural_images
from swsr.training.result import check_ranks, fit_and_write, report_to
from swsr.training.trainer import Trainer

_UNIT = Scaling(np.zeros(1), np.ones(1))
"""Luminance lies between 0 and 1 as it is."""


def pretrain_2d(settings: Path, output: Path, run: Run) -> None:
    """Train the network of `train_2d`, of one channel, on pictures of installed packages.

    Parameters
    ----------
    settings
        File of a `PretrainStage`.
    output
        Gets what `training.result.fit_and_write` writes.

    Raises
    ------
    ValueError
        When the ranks do not divide the batch, or the loss is not finite.
    """
    choices = read_stage_settings(settings, PretrainStage)
    check_ranks(choices.train, run)
    pictures = natural_images.training_images(), natural_images.validation_images()
    torch.manual_seed(choices.seed)
    network = build_network(choices.network, 1, choices.scale)
    train, validation = (
        Samples((low,), (high,), network.reach, _UNIT, natural_images.PLANE, ((1, 1),))
        for low, high in (natural_images.tiles(images, choices.scale) for images in pictures)
    )
    trainer = Trainer(
        network=network,
        train=train,
        validation=validation,
        chunk=len(train),  # in memory: any order will do
        settings=choices.train,
        seed=choices.seed,
        communicator=run.communicator,
        device=run.device,
        report=report_to(output, choices.train.epochs, run),
        window_points=run.window_points,
        resident_bytes=run.cache_mb * 2**20,
    )
    fit_and_write(trainer, _card(choices, pictures), output, run)


def _card(choices: PretrainStage, pictures: tuple[natural_images.Images, ...]) -> Card:
    return Card(
        network=choices.network,
        variables=("luminance",),
        units=("1",),
        scale=choices.scale,
        scaling_minimum=(0.0,),
        scaling_maximum=(1.0,),
        spacing={},
        settings=choices.model_dump(mode="json"),
        version=version(),
        inputs={
            key: each for images in pictures for key, each in natural_images.digests(images).items()
        },
    )
