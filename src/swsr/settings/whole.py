"""The whole of `config.yaml`, and what must fit between its sections."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, PositiveInt, ValidationError, model_validator

from swsr.settings.base import Strict, sentences
from swsr.settings.frames import (
    GRIDS,
    PACK_FRAMES,
    SIMULATED,
    Downscale,
    Extract,
    Simulate,
    Split,
)
from swsr.settings.source import RANGES, Apply, Reading, Role, Source, split_entry
from swsr.settings.stages import (
    ApplyStage,
    DownscaleStage,
    EvaluateStage,
    ExtractStage,
    PretrainStage,
    TrainStage,
)
from swsr.settings.training import (
    IMAGE_TILE_POINTS,
    LATITUDES_READ,
    Pretrain2d,
    Train2d,
    Train3d,
    TrainJoint,
)

Method: TypeAlias = Literal[
    "network_2d", "network_3d_raw", "network_3d_processed", "combined_raw", "joint", "spectral",
    "constrained_2d", "constrained_3d", "constrained_joint",
    "ensemble_2d", "ensemble_3d", "ensemble_joint",
]  # fmt: skip
"""How frames are restored, beside interpolation: by the 2D network; by 3D networks on interpolated
frames or on 2D results; by the 3D network that was trained on interpolated frames on 2D results;
by one network that reads five low-resolution frames; by spectral interpolation;
by the 2D network, or it and then the 3D one, or the joint one, made consistent with the
low-resolution frames; by the mean of the results of such networks of all repeats."""

CONSTRAINED: dict[Method, Method] = {
    "constrained_2d": "network_2d",
    "constrained_3d": "network_3d_processed",
    "constrained_joint": "joint",
}
"""Methods that make frames consistent, and whose."""

MEMBERS: dict[Method, Method] = {
    "ensemble_2d": "network_2d",
    "ensemble_3d": "network_3d_processed",
    "ensemble_joint": "joint",
}
"""Methods that are means over repeats, and of what."""

_WHOLE = {
    "network_3d_processed": ("train_3d", "study_3d", "skip_3d or fusion_3d"),
    "joint": ("train_joint", "study_joint", "skip_joint or fusion_joint"),
}
"""Methods whose network may take points off: its section, which network does so, which do not."""

SPREAD = "_spread"
"""What ends the name of a variable that is the spread of another, over an ensemble."""

INTERPOLATIONS = ("bicubic", "spectral")
"""What frames are restored by without any network, the first of them always."""


class Settings(Strict):
    """The whole of `config.yaml`."""

    study: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    seed: int = Field(ge=0)
    source: Source
    simulate: Simulate
    extract: Extract
    downscale: Downscale
    split: Split
    train_2d: Train2d
    pretrain_2d: Pretrain2d
    train_3d: Train3d
    train_joint: TrainJoint
    methods: tuple[Method, ...] = Field(min_length=1)
    experiments: dict[str, dict[str, Any]]
    repeats: PositiveInt
    apply: Apply

    @model_validator(mode="after")
    def _experiments_have_names(self) -> Self:
        for name, changes in self.experiments.items():
            if not re.fullmatch("[a-z][a-z0-9_]*", name) or name == "base":
                raise ValueError(
                    f"experiments.{name}: name it by small letters, digits and _, and not base"
                )
            alien = set(changes) & {"study", "experiments", "apply"}
            if alien:
                raise ValueError(f"experiments.{name}.{min(alien)}: not for one experiment alone")
        return self

    @model_validator(mode="after")
    def _names_of_applied(self) -> Self:
        self.apply.series()
        return self

    @model_validator(mode="after")
    def _simulation_has_it(self) -> Self:
        if self.source.kind != "simulation":
            return self
        for key in ("variables", "predictors"):
            names = getattr(self.source, key)
            unknown = set(names) - set(SIMULATED)
            if unknown:
                raise ValueError(
                    f"source.{key}: the simulation has no {min(unknown)!r}, but {SIMULATED}"
                )
            if "divergence" in names and self.simulate.time_step_minutes > 5:
                raise ValueError(
                    f"source.{key} name divergence, which needs simulate.time_step_minutes of 5 or "
                    f"less, not {self.simulate.time_step_minutes:g}"
                )
        lat, lon = GRIDS[self.simulate.grid]
        scale = self.downscale.scale
        if lat % scale or lon % scale:
            raise ValueError(
                f"downscale.scale {scale} does not divide the {lat} x {lon} points of "
                f"simulate.grid {self.simulate.grid}"
            )
        return self

    @model_validator(mode="after")
    def _networks_are_compared(self) -> Self:
        if not set(self.methods).difference(INTERPOLATIONS):
            raise ValueError(
                "methods name no network, but figures are of values scaled as for one: add one"
            )
        return self

    @model_validator(mode="after")
    def _consistent_frames_are_whole_and_true(self) -> Self:
        for wish, method in self._consistent():
            section, cropping, whole = _WHOLE.get(method, ("train_2d", None, ""))
            instead = ", or apply.method: network_2d" if wish == "apply.consistent" else ""
            if getattr(self, section).network == cropping:
                raise ValueError(
                    f"{wish} needs whole frames, but {section}.network {cropping} takes points "
                    f"off: use {whole}{instead}"
                )
            if self.downscale.codec is not None:
                raise ValueError(
                    f"{wish} would bring back the errors of downscale.codec "
                    f"{self.downscale.codec}: leave out one of them"
                )
            if self.source.coarse is not None:
                raise ValueError(
                    f"{wish} would bring back the errors of the runs of source.coarse: leave out "
                    "one of them"
                )
        return self

    @model_validator(mode="after")
    def _ensembles_have_members(self) -> Self:
        wishes = [f"methods: {method}" for method in self.methods if method in MEMBERS]
        wishes += ["apply.ensemble"] if self.apply.files and self.apply.ensemble else []
        if wishes and self.repeats < 2:
            raise ValueError(
                f"{wishes[0]} is the mean of the networks of all repeats, but repeats is 1: use 2 "
                "or more"
            )
        for name in self.source.variables if wishes else ():
            if name + SPREAD in self.source.variables:
                raise ValueError(
                    f"source.variables name {name + SPREAD}, which is what {wishes[0]} calls the "
                    f"spread of {name}: leave out one of them"
                )
        return self

    @model_validator(mode="after")
    def _codecs_compress_copies(self) -> Self:
        if self.source.coarse is not None and self.downscale.codec is not None:
            raise ValueError(
                f"downscale.codec is {self.downscale.codec}, but the runs of source.coarse take "
                "the place of frames to compress: leave out one of them"
            )
        return self

    def _consistent(self) -> Iterator[tuple[str, Method]]:
        """What makes results consistent with their input, and the method whose results."""
        if self.apply.files and self.apply.consistent:
            yield "apply.consistent", self.apply.method
        for method in self.methods:
            if method in CONSTRAINED:
                yield f"methods: {method}", CONSTRAINED[method]

    @property
    def _trains_joint(self) -> bool:
        applied = self.apply.files and self.apply.method == "joint"
        return bool(applied) or any(method.endswith("joint") for method in self.methods)

    @model_validator(mode="after")
    def _patches_fit_images(self) -> Self:
        if self.train_2d.first_layer != "pretrained":
            return self
        if self.downscale.scale == 1:
            raise ValueError(
                "train_2d.first_layer is pretrained, but pretrain_2d learns to upscale, which "
                "downscale.scale 1 does not ask for: use random, or the path of a file"
            )
        points, least = self.pretrain_2d.patch_points, IMAGE_TILE_POINTS // self.downscale.scale
        if points > least:
            raise ValueError(
                f"pretrain_2d.patch_points is {points}, but at downscale.scale "
                f"{self.downscale.scale} images have only {least} points: use fewer"
            )
        return self

    @model_validator(mode="after")
    def _joint_keeps_points(self) -> Self:
        if not self._trains_joint or self.train_joint.network != "study_joint":
            return self
        evaluated = any(method.endswith("joint") for method in self.methods)
        if evaluated and self.downscale.scale > 2:
            raise ValueError(
                "train_joint.network study_joint loses more than the 2 border points that the "
                f"evaluation leaves out at downscale.scale {self.downscale.scale}: use skip_joint "
                "or fusion_joint"
            )
        points = self.train_joint.patch_points
        if points is not None and points * self.downscale.scale < PACK_FRAMES:
            raise ValueError(
                f"train_joint.patch_points is {points}, but study_joint crops 2 high-resolution "
                f"points on each side: use {-(-PACK_FRAMES // self.downscale.scale)} or more"
            )
        return self

    @model_validator(mode="after")
    def _waves_need_the_whole_globe(self) -> Self:
        simulated = self.source.kind == "simulation"
        if "spectral" in self.methods and simulated and self.cuts_the_globe:
            raise ValueError(
                "methods name spectral, which needs the whole globe of the simulation: leave out "
                "either it, or source.select of lat and lon and a source.periodic without lon"
            )
        return self

    @model_validator(mode="after")
    def _predictors_are_read(self) -> Self:
        first_3d = self.train_joint.network.endswith("_3d_first_joint")
        if self.source.predictors and self._trains_joint and first_3d:
            raise ValueError(
                f"train_joint.network {self.train_joint.network} begins with a 3D network, which "
                "reads no source.predictors: use skip_joint or fusion_joint"
            )
        kept = self.train_2d.first_layer != "random" and not self.train_2d.first_layer_rate
        if self.source.predictors and kept:
            raise ValueError(
                "train_2d.first_layer_rate is 0, which leaves the filters of source.predictors as "
                "random as they start: give a rate, say 0.1"
            )
        return self

    @model_validator(mode="after")
    def _joint_starts_from_its_parts(self) -> Self:
        if not self._trains_joint or self.train_joint.start != "trained":
            return self
        kind, _, _ = self.train_joint.network.partition("_")
        for stage, part in (("train_2d", f"{kind}_2d"), ("train_3d", f"{kind}_3d")):
            network = getattr(self, stage).network
            if network != part:
                raise ValueError(
                    f"train_joint.start is trained, but {stage}.network {network} is no part of "
                    f"{self.train_joint.network}: use {part}, or start: random"
                )
        return self

    @model_validator(mode="after")
    def _enough_frames(self) -> Self:
        if not self.source.test and not self.split.test_fraction:
            raise ValueError("no test frames: source.test is empty and split.test_fraction is 0")
        if self.source.kind == "simulation":
            self.effective_split.ranges(-(-self.simulate.num_frames // self.source.every))
        return self

    @property
    def cuts_the_globe(self) -> bool:
        """Whether frames of the simulation end before the poles, or do not go around."""
        periodic = self.source.periodic
        bounded = periodic is not None and "lon" not in periodic
        return bounded or bool({"lat", "lon"} & self.source.select.keys())

    def check_patches(self, trained: Iterable[str], num_points: int, origin: str) -> None:
        """Check that patches of these trainings fit into frames of so many points on a side.

        `trained` are sections, as `experiments.trained_sections` gives them.

        Raises
        ------
        ValueError
            With the key that is too large.
        """
        for stage in trained:
            least = num_points if stage == "train_3d" else num_points // self.downscale.scale
            points = getattr(self, stage).patch_points
            if points is not None and points > least:
                raise ValueError(
                    f"{stage}.patch_points is {points}, but frames of {origin} have only {least} "
                    "points there: use fewer, or null for whole frames"
                )

    def check_latitudes(self, trained: Iterable[str], num_lat: int, origin: str) -> None:
        """Check that globes of so many latitudes have what these networks read beyond a pole.

        `trained` are sections, as `experiments.trained_sections` gives them.

        Raises
        ------
        ValueError
            With the network that reads more.
        """
        scale = self.downscale.scale
        for stage in trained:
            network = getattr(self, stage).network
            needed = LATITUDES_READ.get(network, (0, 0))[scale > 1]
            if num_lat // scale < needed:
                raise ValueError(
                    f"downscale.scale {scale} leaves {num_lat // scale} of the {num_lat} latitudes "
                    f"of {origin}, but {stage}.network {network} reads {needed} beyond a pole: use "
                    "a smaller scale, a finer grid, or methods and apply.method without it"
                )

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any], origin: str = "config") -> Self:
        """Settings from nested mappings, as YAML gives them.

        Raises
        ------
        ValueError
            One line for each thing that is wrong, with its key.
        """
        try:
            return cls.model_validate(config)
        except ValidationError as error:
            raise ValueError("; ".join(sentences(error, origin))) from None

    @property
    def effective_split(self) -> Split:
        """The split, with no frames held back for a test where source.test names series."""
        unused = {"test_fraction": 0.0} if self.source.test else {}
        return self.split.model_copy(update=unused)

    def series(self, role: Role) -> dict[str, int | str]:
        """Names of the series of one role and the seed or path that each comes from."""
        return self.source.series(role)

    def sample(self, series: str) -> int | None:
        """Number of the trajectory that a series is in its files, or None."""
        return split_entry(str(self.entry(series)))[1]

    def entry(self, series: str) -> int | str:
        """The seed or path that a series comes from."""
        return (self.series("train") | self.series("test"))[series]

    def coarse_run(self, series: str) -> str | None:
        """Path of the run at low resolution beside a series; None where copies are made."""
        runs = self.source.coarse_runs("train") | self.source.coarse_runs("test")
        return runs.get(series)

    def for_stage(self, stage: str) -> Strict:
        """Exactly what `stage` reads: when this is unchanged, the stage need not run again.

        Raises
        ------
        KeyError
            When no stage of that name reads settings.
        """
        models: dict[str, Strict] = {
            "simulate": self.simulate,
            "extract": ExtractStage(**self._read_as_source(), **self.extract.model_dump()),
            "downscale": self._downscaling(),
            "upscale": self.downscale,
            "upscale_spectral": self.downscale,
            "constrain": self.downscale,
            "train_2d": self._training(self.train_2d, self.downscale.scale),
            "pretrain_2d": PretrainStage(
                seed=self.seed,
                scale=self.downscale.scale,
                network=self.train_2d.network,
                train=self.pretrain_2d,
            ),
            "train_3d": self._training(self.train_3d, 1),
            "train_joint": self._training(self.train_joint, self.downscale.scale),
            "evaluate": EvaluateStage(split=self.effective_split),
            "apply": ApplyStage(**self._read_whole(), **self.extract.model_dump()),
        }
        return models[stage]

    def _downscaling(self) -> Downscale:
        if self.source.coarse is None:
            return self.downscale
        reading = Reading(**self._read_whole())
        return DownscaleStage(**self.downscale.model_dump(), coarse=reading)

    def _read_whole(self) -> dict[str, Any]:
        """How coarse runs are read: as the source, the same level, but all frames and points."""
        levels = {dim: at for dim, at in self.source.select.items() if dim not in RANGES}
        return self._read_as_source() | {"format": None, "select": levels, "every": 1}

    def _training(self, train: Train2d | Train3d | TrainJoint, scale: int) -> TrainStage:
        return TrainStage(seed=self.seed, scale=scale, split=self.effective_split, train=train)

    def _read_as_source(self) -> dict[str, Any]:
        return {name: getattr(self.source, name) for name in Reading.model_fields}
