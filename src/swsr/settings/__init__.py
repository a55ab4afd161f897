"""The only schema of `config.yaml`: frozen pydantic models, and what each stage reads of them.

Unknown keys and wrong types are errors of one line. Nothing heavy is imported here, because
Snakemake parses the Snakefile, and with it this package, again in every job.
"""

from swsr.settings.base import Strict, read_stage_settings
from swsr.settings.frames import (
    GRIDS,
    PACK_FRAMES,
    Codec,
    Downscale,
    Filter,
    Set,
    Simulate,
    Split,
)
from swsr.settings.source import (
    Bound,
    Format,
    Reading,
    Role,
    by_numbers,
    matching_files,
    split_entry,
    without_password,
)
from swsr.settings.stages import (
    ApplyStage,
    DownscaleStage,
    EvaluateStage,
    ExtractStage,
    PretrainStage,
    TrainStage,
)
from swsr.settings.training import (
    FSRCNN_STARTS,
    IMAGE_TILE_POINTS,
    LATITUDES_READ,
    Pretrain2d,
    Train,
    Train2d,
    Train3d,
    TrainFrom,
    TrainJoint,
)
from swsr.settings.whole import INTERPOLATIONS, MEMBERS, SPREAD, Method, Settings

__all__ = [
    "FSRCNN_STARTS",
    "GRIDS",
    "IMAGE_TILE_POINTS",
    "INTERPOLATIONS",
    "LATITUDES_READ",
    "MEMBERS",
    "PACK_FRAMES",
    "SPREAD",
    "ApplyStage",
    "Bound",
    "Codec",
    "Downscale",
    "DownscaleStage",
    "EvaluateStage",
    "ExtractStage",
    "Filter",
    "Format",
    "Method",
    "Pretrain2d",
    "PretrainStage",
    "Reading",
    "Role",
    "Set",
    "Settings",
    "Simulate",
    "Split",
    "Strict",
    "Train",
    "Train2d",
    "Train3d",
    "TrainFrom",
    "TrainJoint",
    "TrainStage",
    "by_numbers",
    "matching_files",
    "read_stage_settings",
    "split_entry",
    "without_password",
]
