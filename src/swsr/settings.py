"""The only schema of `config.yaml`: frozen pydantic models, and what each stage reads of them.

Unknown keys and wrong types are errors of one line. Nothing heavy is imported here, because
Snakemake parses the Snakefile, and with it this module, again in every job.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from glob import glob
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

PACK_FRAMES = 5
"""Consecutive frames that the 3D network reads to sharpen the centre one."""

Role: TypeAlias = Literal["train", "test"]
Set: TypeAlias = Literal["train", "validation", "test"]
Method: TypeAlias = Literal[
    "network_2d", "network_3d_raw", "network_3d_processed", "combined_raw", "joint", "spectral",
    "constrained_2d", "constrained_3d",
]  # fmt: skip
"""How frames are restored, beside interpolation: by the 2D network; by 3D networks on interpolated
frames or on 2D results; by the 3D network that was trained on interpolated frames on 2D results;
by a 2D and a 3D network that were trained as one; by spectral interpolation;
by the 2D network, or it and then the 3D one, made consistent with the low-resolution frames."""

INTERPOLATIONS = ("bicubic", "spectral")
"""What frames are restored by without any network, the first of them always."""

SIMULATED = ("vorticity", "divergence", "depth", "u", "v")
"""Variables of the embedded simulation."""

Codec: TypeAlias = Literal["h264", "mjpeg"]
"""Video codecs that compress low-resolution frames."""

_QUALITIES: dict[Codec, tuple[int, int]] = {"h264": (0, 51), "mjpeg": (1, 31)}
"""Best and worst quality, each on the scale of its codec."""

_RANGES = ("time", "lat", "lon")
"""Dims that `source.select` takes a range of, and one entry of any other."""

FSRCNN_STARTS = ("study_2d", "skip_2d", "fsrcnn_2d")
"""Networks with the first layer of FSRCNN."""

IMAGE_TILE_POINTS = 144
"""Side of the square pieces of pictures that `pretrain_2d` trains on: a multiple of every scale."""

_GRIDS = {
    "T21": (32, 64),
    "T31": (48, 96),
    "T42": (64, 128),
    "T85": (128, 256),
    "T106": (160, 320),
    "T119": (180, 360),
    "T170": (256, 512),
    "T213": (320, 640),
    "T340": (512, 1024),
    "T425": (640, 1280),
}
"""Points of lat and lon of the Gaussian grid of each spectral truncation."""


class Strict(BaseModel):
    """A section of the settings: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> str:
        """Canonical JSON: equal settings give equal bytes, whatever their order was."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


Format: TypeAlias = Literal[
    "netcdf", "zarr", "grib", "the_well", "pdebench", "dedalus", "video", "images"
]
Bound: TypeAlias = Annotated[
    float | str, BeforeValidator(lambda v: v.isoformat() if isinstance(v, date) else v)
]
"""One end of what is selected: a number in the unit of the dim, or a date, which YAML reads so."""


class Reading(Strict):
    """How frames are read, whichever files they come from."""

    variables: tuple[str, ...] = Field(min_length=1)
    format: Format | None
    dims: dict[Literal["time", "lat", "lon", "sample"], str]
    select: dict[str, tuple[Bound, Bound] | Bound]
    every: PositiveInt
    units: dict[str, str]
    periodic: tuple[Literal["lat", "lon"], ...] | None

    @classmethod
    def plain(cls, variables: tuple[str, ...], **others: Any) -> Self:
        """All of some variables, as the files have them."""
        known: dict[str, Any] = {"format": None, "dims": {}, "select": {}, "every": 1, "units": {}}
        return cls(variables=variables, periodic=None, **(known | others))

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if len(set(self.variables)) < len(self.variables):
            raise ValueError(f"source.variables names a variable twice: {list(self.variables)}")
        strange = sorted(set(self.units) - set(self.variables))
        if strange:
            raise ValueError(f"source.units names {strange[0]!r}, which source.variables does not")
        for dim, chosen in self.select.items():
            if isinstance(chosen, tuple) != (dim in _RANGES):
                wanted = "[first, last]" if dim in _RANGES else "one value"
                raise ValueError(f"source.select.{dim} is {_shown(chosen)}: give {wanted}")
        return self


class Source(Reading):
    """Where frames come from."""

    kind: Literal["simulation", "files"]
    train: tuple[int | str, ...] = Field(min_length=1)
    test: tuple[int | str, ...]

    @model_validator(mode="after")
    def _entries_fit_kind(self) -> Self:
        wanted = int if self.kind == "simulation" else str
        noun = "seeds (whole numbers)" if wanted is int else "paths of files"
        for role in ("train", "test"):
            for entry in getattr(self, role):
                if not isinstance(entry, wanted):
                    raise ValueError(
                        f"source.{role} must list {noun} when source.kind is {self.kind}, "
                        f"not {without_password(repr(entry))} (write `{role}: []` for none)"
                    )
                _refuse_url(f"source.{role}", entry)
        entries = [entry for role in ("train", "test") for entry in self._expanded(role)]
        twice = sorted({str(entry) for entry in entries if entries.count(entry) > 1})
        if twice:
            raise ValueError(f"source.train and source.test name {twice[0]} more than once")
        if any(isinstance(entry, int) and entry < 0 for entry in entries):
            raise ValueError("source.train and source.test: seeds are 0 or more")
        return self

    def series(self, role: Role) -> dict[str, int | str]:
        """Names of the series of one role, in order, and the seed or path that each comes from.

        An entry such as `file.h5#0:3` stands for three: `file.h5#0`, `file.h5#1` and `file.h5#2`.
        """
        entries = self._expanded(role)
        if self.kind == "simulation":
            return {f"seed_{entry}": entry for entry in entries}
        return {f"{role}_{index}": entry for index, entry in enumerate(entries)}

    def _expanded(self, role: str) -> list[int | str]:
        return [one for entry in getattr(self, role) for one in _samples(entry)]


def split_entry(entry: str) -> tuple[str, int | None]:
    """Path and number of the sample of an entry such as `file.h5#3`; None where it names none."""
    path, _, sample = entry.rpartition("#")
    return (path, int(sample)) if path and sample.isdecimal() else (entry, None)


def matching_files(entry: str) -> list[str]:
    """Files that a path, or a pattern of paths, stands for, in order; none where there are none."""
    path = Path(split_entry(entry)[0]).expanduser()
    return [str(path)] if path.exists() else sorted(glob(str(path)))  # noqa: PTH207


def without_password(text: str) -> str:
    """The same without what follows the scheme of a URL up to @, and without its query."""
    hidden = re.sub(r"(\w+:/{1,2})[^\s/]*@", r"\1***@", text)
    return re.sub(r"(\w+:/{1,2}[^\s?]*)\?[^\s']*", r"\1?***", hidden)


def _refuse_url(key: str, entry: int | str) -> None:
    if "://" in str(entry):
        raise ValueError(
            f"{key}: {without_password(str(entry))} is a URL: download it and give the path of "
            "the file"
        )


def _samples(entry: int | str) -> Iterator[int | str]:
    found = re.fullmatch(r"(.+)#(\d+):(\d+)", str(entry))
    if not found:
        yield entry
        return
    first, last = int(found[2]), int(found[3])
    if first >= last:
        raise ValueError(f"source: {entry} names no sample: write #first:end, as in #0:3")
    for sample in range(first, last):
        yield f"{found[1]}#{sample}"


def _shown(chosen: object) -> str:
    ends = chosen if isinstance(chosen, tuple) else (chosen,)
    text = ", ".join(map(str, ends))
    return f"[{text}]" if isinstance(chosen, tuple) else text


class Simulate(Strict):
    """The embedded spherical shallow-water simulation."""

    grid: Literal["T21", "T31", "T42", "T85", "T106", "T119", "T170", "T213", "T340", "T425"]
    num_frames: PositiveInt
    interval_minutes: PositiveFloat
    spinup_days: float = Field(ge=0)
    time_step_minutes: PositiveFloat
    jet_speed_m_s: PositiveFloat
    jet_spread_m_s: float = Field(ge=0)
    diffusion_hours: PositiveFloat

    @model_validator(mode="after")
    def _jets_blow_east(self) -> Self:
        if self.jet_spread_m_s >= self.jet_speed_m_s:
            raise ValueError(
                f"simulate.jet_spread_m_s {self.jet_spread_m_s:g} is not less than "
                f"simulate.jet_speed_m_s {self.jet_speed_m_s:g}"
            )
        return self

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        for key, minutes in {
            "interval_minutes": self.interval_minutes,
            "spinup_days": self.spinup_days * 24 * 60,
        }.items():
            steps = minutes / self.time_step_minutes
            if abs(steps - round(steps)) > 1e-6:
                raise ValueError(
                    f"simulate.{key} is not a whole number of simulate.time_step_minutes "
                    f"({minutes:g} / {self.time_step_minutes:g} minutes)"
                )
        return self


class Extract(Strict):
    """How frames are stored."""

    chunk_frames: PositiveInt
    shard_frames: PositiveInt | None

    @model_validator(mode="after")
    def _whole_chunks(self) -> Self:
        if self.shard_frames is not None and self.shard_frames % self.chunk_frames:
            raise ValueError(
                f"extract.shard_frames {self.shard_frames} is not a multiple of "
                f"extract.chunk_frames {self.chunk_frames}"
            )
        return self


class Downscale(Strict):
    """How low-resolution frames are made: contracted, then compressed; scale 1 only compresses."""

    scale: Literal[1, 2, 3, 4]
    codec: Codec | None
    quality: int | None

    @model_validator(mode="after")
    def _codec_and_quality_fit(self) -> Self:
        if self.codec is None:
            if self.quality is not None:
                raise ValueError(
                    f"downscale.quality is {self.quality}, but no codec compresses: name "
                    "downscale.codec, or use null"
                )
            if self.scale == 1:
                raise ValueError(
                    "downscale.scale is 1, which leaves frames as they are: use 2, 3 or 4, or name "
                    "downscale.codec"
                )
            return self
        best, worst = _QUALITIES[self.codec]
        if self.quality is None or not best <= self.quality <= worst:
            given = "null" if self.quality is None else self.quality
            raise ValueError(
                f"downscale.quality is {given}, but {self.codec} has {best} (best) to {worst}"
            )
        return self


class Split(Strict):
    """Which frames of a training series train, validate and test, in order of time."""

    validation_fraction: float = Field(gt=0, lt=1)
    test_fraction: float = Field(ge=0, lt=1)

    def ranges(self, num_frames: int) -> dict[Set, slice]:
        """Frames of each set in a training series of `num_frames` frames.

        The last `test_fraction` tests, unless that is 0: then the test set lies in other series.
        Of what remains, the last `validation_fraction` validates.

        Raises
        ------
        ValueError
            When a set has fewer frames than a pack of the 3D network.
        """
        first_test = num_frames - round(num_frames * self.test_fraction)
        first_validation = first_test - round(first_test * self.validation_fraction)
        ranges: dict[Set, slice] = {
            "train": slice(0, first_validation),
            "validation": slice(first_validation, first_test),
        }
        if self.test_fraction:
            ranges["test"] = slice(first_test, num_frames)
        for name, frames in ranges.items():
            count = frames.stop - frames.start
            if count < PACK_FRAMES:
                raise ValueError(
                    f"split: of {num_frames} frames the {name} set gets {count}, fewer than the "
                    f"{PACK_FRAMES} that the 3D network packs: give more frames or other fractions"
                )
        return ranges


class Train(Strict):
    """How one network is trained; both dimensions share it."""

    epochs: PositiveInt
    global_batch_size: PositiveInt
    learning_rate: PositiveFloat
    schedule: Literal["constant", "cosine"]
    loss: Literal["mse", "l1", "mse_gradient", "mse_spectral"]
    patch_points: PositiveInt | None
    patches_per_frame: PositiveInt


class Train2d(Train):
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
        _refuse_url("train_2d.first_layer", self.first_layer)
        return self

    @property
    def first_layer_file(self) -> Path | None:
        """The file that the first layer starts from; None where it is random or `pretrained`."""
        named = self.first_layer not in ("random", "pretrained")
        return Path(self.first_layer).expanduser() if named else None


class Pretrain2d(Train):
    """How the 2D network is trained on natural images first."""

    patch_points: PositiveInt


class Train3d(Train):
    """How the 3D network is trained, once for each of its inputs."""

    network: Literal["study_3d", "skip_3d", "fusion_3d"]

    @model_validator(mode="after")
    def _patch_leaves_points(self) -> Self:
        if self.patch_points is not None and self.patch_points < PACK_FRAMES:
            raise ValueError(
                f"train_3d.patch_points is {self.patch_points}, but the 3D network crops 2 points "
                f"on each side: use {PACK_FRAMES} or more"
            )
        return self


class TrainJoint(Train):
    """How a 2D and a 3D network are trained as one."""

    network: Literal["study_joint", "skip_joint", "skip_3d_first_joint"]
    start: Literal["random", "trained"]

    @model_validator(mode="after")
    def _order_fits_start(self) -> Self:
        if self.start == "trained" and "3d_first" in self.network:
            raise ValueError(
                "train_joint.start is trained, but train_2d and train_3d train the other order "
                f"than {self.network}: use random"
            )
        return self


class ExtractStage(Reading):
    """What `extract` reads."""

    chunk_frames: int
    shard_frames: int | None


class ApplyStage(ExtractStage):
    """What `apply` reads: as `extract`, the same level, but all of the frames and points."""


class Apply(Strict):
    """Coarse runs without truth, for `snakemake apply`."""

    files: tuple[str, ...]
    network_3d: bool
    format: Literal["zarr", "netcdf"]

    @model_validator(mode="after")
    def _files_are_no_urls(self) -> Self:
        for entry in self.files:
            _refuse_url("apply.files", entry)
        return self

    def series(self) -> dict[str, str]:
        """Name of each result, after its file, and the path or pattern that it comes from.

        Raises
        ------
        ValueError
            When two have the same name.
        """
        named: dict[str, str] = {}
        for entry in self.files:
            path = Path(split_entry(entry)[0])
            names = (
                re.sub(r"[^A-Za-z0-9_-]+", "_", part).strip("_")
                for part in (path.stem, path.parent.name)
            )
            name = next(filter(None, names), None)
            if not name:
                raise ValueError(f"apply.files: {entry} gives no name to its result: rename it")
            if name in named:
                raise ValueError(f"apply.files: {named[name]} and {entry} are both named {name}")
            named[name] = entry
        return named


class TrainStage(Strict):
    """What `train_2d` and `train_3d` read.

    `scale` is that of the network, 1 for 3D. `split.test_fraction` is 0 when the test set lies in
    series of its own.
    """

    seed: int
    scale: int
    split: Split
    train: Train2d | Train3d | TrainJoint = Field(union_mode="left_to_right")


class PretrainStage(Strict):
    """What `pretrain_2d` reads; `network` is that of `train_2d`."""

    seed: int
    scale: int
    network: str
    train: Pretrain2d


class EvaluateStage(Strict):
    """What `evaluate` reads; `split` as in `TrainStage`."""

    split: Split


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
        unknown = set(self.source.variables) - set(SIMULATED)
        if unknown:
            raise ValueError(
                f"source.variables: the simulation has no {min(unknown)!r}, but {SIMULATED}"
            )
        lat, lon = _GRIDS[self.simulate.grid]
        scale = self.downscale.scale
        if lat % scale or lon % scale:
            raise ValueError(
                f"downscale.scale {scale} does not divide the {lat} x {lon} points of "
                f"simulate.grid {self.simulate.grid}"
            )
        self.check_patches(lat, f"simulate.grid {self.simulate.grid}")
        return self

    @model_validator(mode="after")
    def _networks_are_compared(self) -> Self:
        if not set(self.methods).difference(INTERPOLATIONS):
            raise ValueError(
                "methods name no network, but figures are of values scaled as for one: add one"
            )
        return self

    @model_validator(mode="after")
    def _constrained_frames_are_whole(self) -> Self:
        if "constrained_3d" in self.methods and self.train_3d.network == "study_3d":
            raise ValueError(
                "methods name constrained_3d, which needs whole frames, but train_3d.network "
                "study_3d takes points off: use skip_3d"
            )
        return self

    @model_validator(mode="after")
    def _constrained_to_what_is_true(self) -> Self:
        constrained = sorted({"constrained_2d", "constrained_3d"} & set(self.methods))
        if constrained and self.downscale.codec is not None:
            raise ValueError(
                f"methods name {constrained[0]}, which would bring back the errors of "
                f"downscale.codec {self.downscale.codec}: leave out one of them"
            )
        return self

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
        wide = self.downscale.scale > 2
        if "joint" in self.methods and self.train_joint.network == "study_joint" and wide:
            raise ValueError(
                "train_joint.network study_joint takes more points off each side at scale "
                f"{self.downscale.scale} than methods are compared without: use skip_joint"
            )
        return self

    @model_validator(mode="after")
    def _joint_starts_from_its_parts(self) -> Self:
        if "joint" not in self.methods or self.train_joint.start != "trained":
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

    def check_patches(self, num_points: int, origin: str) -> None:
        """Check that patches of the trainings fit into frames of so many points on a side.

        Raises
        ------
        ValueError
            With the key that is too large.
        """
        methods, scale = set(self.methods), self.downscale.scale
        from_trained = "joint" in methods and self.train_joint.start == "trained"
        sides = {"train_2d": num_points // scale}
        if from_trained or methods - {"network_2d", "constrained_2d", "joint", *INTERPOLATIONS}:
            sides["train_3d"] = num_points
        if "joint" in methods:
            sides["train_joint"] = num_points // scale
        for stage, least in sides.items():
            points = getattr(self, stage).patch_points
            if points is not None and points > least:
                raise ValueError(
                    f"{stage}.patch_points is {points}, but frames of {origin} have only {least} "
                    "points there: use fewer, or null for whole frames"
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
            raise ValueError("; ".join(_sentences(error, origin))) from None

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

    def for_stage(self, stage: str) -> Strict:
        """Exactly what `stage` reads: when this is unchanged, the stage need not run again.

        Raises
        ------
        KeyError
            When no stage of that name reads settings.
        """
        split = self.effective_split
        levels = {dim: at for dim, at in self.source.select.items() if dim not in _RANGES}
        models: dict[str, Strict] = {
            "simulate": self.simulate,
            "extract": ExtractStage(**self._read_as_source(), **self.extract.model_dump()),
            "downscale": self.downscale,
            "upscale": self.downscale,
            "upscale_spectral": self.downscale,
            "constrain": self.downscale,
            "train_2d": TrainStage(
                seed=self.seed,
                scale=self.downscale.scale,
                split=split,
                train=self.train_2d,
            ),
            "pretrain_2d": PretrainStage(
                seed=self.seed,
                scale=self.downscale.scale,
                network=self.train_2d.network,
                train=self.pretrain_2d,
            ),
            "train_3d": TrainStage(
                seed=self.seed,
                scale=1,
                split=split,
                train=self.train_3d,
            ),
            "train_joint": TrainStage(
                seed=self.seed,
                scale=self.downscale.scale,
                split=split,
                train=self.train_joint,
            ),
            "evaluate": EvaluateStage(split=split),
            "apply": ApplyStage(
                **self._read_as_source() | {"format": None, "select": levels, "every": 1},
                **self.extract.model_dump(),
            ),
        }
        return models[stage]

    def _read_as_source(self) -> dict[str, Any]:
        return {name: getattr(self.source, name) for name in Reading.model_fields}


Model = TypeVar("Model", bound=Strict)


def read_stage_settings(path: Path, model: type[Model]) -> Model:
    """Settings of one stage from the file that the workflow wrote for it.

    Raises
    ------
    ValueError
        When the file is missing, not JSON, or does not hold these settings.
    """
    try:
        return model.model_validate_json(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"{path}: no such settings file") from None
    except ValidationError as error:
        raise ValueError("; ".join(_sentences(error, str(path)))) from None


def _sentences(error: ValidationError, origin: str) -> list[str]:
    sentences = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            sentences.append(f"{origin}: unknown key {key}: remove it or mend its spelling")
        elif problem["type"] == "missing":
            sentences.append(f"{origin}: key {key} is missing")
        elif problem["type"] == "value_error":
            sentences.append(f"{origin}: {problem['ctx']['error']}")
        else:
            sentences.append(f"{origin}: {key} is {problem['input']!r}: {problem['msg']}")
    return sentences
