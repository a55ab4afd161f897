"""How networks are trained: the sections `train_2d`, `pretrain_2d`, `train_3d`, `train_joint`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from swsr.settings.base import Strict
from swsr.settings.frames import PACK_FRAMES
from swsr.settings.source import refuse_url

FSRCNN_STARTS = ("study_2d", "skip_2d", "fsrcnn_2d")
"""Networks with the first layer of FSRCNN."""

LATITUDES_READ = {
    **dict.fromkeys(("skip_2d", "fsrcnn_2d"), (10, 8)),
    **dict.fromkeys(("subpixel_2d", "edsr_2d"), (8, 8)),
    "srcnn_2d": (6, 5),
    "skip_joint": (17, 12),
    "skip_3d_first_joint": (17, 15),
    "fusion_joint": (11, 11),
}
"""Low-resolution points that a network reads beyond a pole: at scale 1, and at others at most.
Networks that are not here read none."""

IMAGE_TILE_POINTS = 144
"""Side of the square pieces of pictures that `pretrain_2d` trains on, or the next multiple of the
scale below."""


class Train(Strict):
    """How one network is trained: what all trainings have.

    `precision` is that of layers in training: weights, skips, losses and inference are float32.
    `augmentation` is `mirror` to train on mirror images too, see `patches.draw_epoch`.
    """

    epochs: PositiveInt
    global_batch_size: PositiveInt
    learning_rate: PositiveFloat
    schedule: Literal["constant", "cosine"]
    loss: Literal["mse", "l1", "mse_gradient", "mse_spectral"]
    precision: Literal["float32", "bfloat16"]
    patch_points: PositiveInt | None
    patches_per_frame: PositiveInt
    augmentation: Literal["none", "mirror"]


class TrainFrom(Train):
    """How a network is trained that may go on from a trained one.

    `start` is `random`, or the path of a network of the same layers.
    """

    network: str
    start: str = Field(min_length=1)

    @property
    def start_file(self) -> Path | None:
        """The network that the training starts from; None where it is random."""
        return Path(self.start).expanduser() if self.start != "random" else None


class Train2d(TrainFrom):
    """How the 2D network is trained."""

    network: Literal["study_2d", "skip_2d", "subpixel_2d", "srcnn_2d", "fsrcnn_2d", "edsr_2d"]
    first_layer: str = Field(min_length=1)
    first_layer_rate: float = Field(ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _has_such_a_layer(self) -> Self:
        if self.network not in FSRCNN_STARTS:
            for key, plain in {"first_layer": "random", "first_layer_rate": 1.0}.items():
                if getattr(self, key) != plain:
                    raise ValueError(
                        f"train_2d.{key} is {getattr(self, key)}, but {self.network} has another "
                        f"first layer than FSRCNN: use {plain}, or {', '.join(FSRCNN_STARTS)}"
                    )
        refuse_url("train_2d.first_layer", self.first_layer)
        refuse_url("train_2d.start", self.start)
        if self.start_file and self.first_layer != "random":
            raise ValueError(
                f"train_2d.start is {self.start}, which has a first layer: leave first_layer random"
            )
        return self

    @property
    def first_layer_file(self) -> Path | None:
        """The file that the first layer starts from; None where it is random or `pretrained`."""
        named = self.first_layer not in ("random", "pretrained")
        return Path(self.first_layer).expanduser() if named else None


class Pretrain2d(Train):
    """How the 2D network is trained on natural images first."""

    patch_points: PositiveInt


class Train3d(TrainFrom):
    """How the 3D network is trained, once for each of its inputs."""

    network: Literal["study_3d", "skip_3d", "fusion_3d"]

    @model_validator(mode="after")
    def _patch_leaves_points(self) -> Self:
        refuse_url("train_3d.start", self.start)
        if self.patch_points is not None and self.patch_points < PACK_FRAMES:
            raise ValueError(
                f"train_3d.patch_points is {self.patch_points}, but the 3D network crops 2 points "
                f"on each side: use {PACK_FRAMES} or more"
            )
        return self


class TrainJoint(Train):
    """How one network is trained that upscales, and reads five consecutive frames."""

    network: Literal["study_joint", "skip_joint", "skip_3d_first_joint", "fusion_joint"]
    start: Literal["random", "trained"]

    @model_validator(mode="after")
    def _parts_fit_start(self) -> Self:
        if self.start == "trained" and self.network == "fusion_joint":
            raise ValueError(
                "train_joint.start is trained, but fusion_joint has no parts that train_2d and "
                "train_3d train: use random, or network: skip_joint"
            )
        if self.start == "trained" and "3d_first" in self.network:
            raise ValueError(
                "train_joint.start is trained, but train_2d and train_3d train the other order "
                f"than {self.network}: use random"
            )
        return self
