"""What a stage reads of the settings, where that is not one section as it stands."""

from pydantic import Field

from swsr.settings.base import Strict
from swsr.settings.frames import Downscale, Split
from swsr.settings.source import Reading
from swsr.settings.training import Pretrain2d, Train2d, Train3d, TrainJoint


class ExtractStage(Reading):
    """What `extract` reads."""

    chunk_frames: int
    shard_frames: int | None


class ApplyStage(ExtractStage):
    """What `apply` reads: as `extract`, the same level, but all of the frames and points."""


class DownscaleStage(Downscale):
    """What `downscale` reads: how coarse runs are read where they take the place of copies."""

    coarse: Reading | None = None


class TrainStage(Strict):
    """What `train_2d`, `train_3d` and `train_joint` read.

    `scale` is that of the network, 1 for 3D. `split.test_fraction` is 0 when the test set lies in
    series of its own.
    """

    seed: int
    scale: int
    split: Split
    train: Train2d | Train3d | TrainJoint = Field(discriminator="network")


class PretrainStage(Strict):
    """What `pretrain_2d` reads; `network` is that of `train_2d`."""

    seed: int
    scale: int
    network: str
    train: Pretrain2d


class EvaluateStage(Strict):
    """What `evaluate` reads; `split` as in `TrainStage`."""

    split: Split
