"""Several studies in one config: variants of one study, each with what differs from it.

`experiments` of the config names them, and `repeats` trains all of them again from further seeds.
They share what they have in common: a result is made once, by the first study that wants it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from swsr.settings import GRIDS, MEMBERS, Method, Settings

BASE = "base"
"""What a study without its experiments is called among them."""

STAGE_OF: dict[Method, str] = {
    "network_2d": "infer_2d",
    "network_3d_raw": "infer_3d/raw_on_raw",
    "network_3d_processed": "infer_3d/processed_on_processed",
    "combined_raw": "infer_3d/raw_on_processed",
    "joint": "infer_joint",
    "spectral": "upscale_spectral",
    "constrained_2d": "constrain/2d",
    "constrained_3d": "constrain/3d",
    "constrained_joint": "constrain/joint",
    "ensemble_2d": "ensemble/2d",
    "ensemble_3d": "ensemble/3d",
    "ensemble_joint": "ensemble/joint",
}
"""The stage that makes the frames of each method."""

_UPSTREAM = {
    "simulate": (),
    "extract": ("simulate",),
    "downscale": ("extract",),
    "upscale": ("downscale",),
    "upscale_spectral": ("downscale",),
    "pretrain_2d": (),
    "train_2d": ("downscale", "extract"),
    "infer_2d": ("train_2d", "downscale"),
    "train_3d/raw": ("upscale", "extract"),
    "train_3d/processed": ("infer_2d", "extract"),
    "infer_3d/raw_on_raw": ("train_3d/raw", "upscale"),
    "infer_3d/processed_on_processed": ("train_3d/processed", "infer_2d"),
    "infer_3d/raw_on_processed": ("train_3d/raw", "infer_2d"),
    "train_joint": ("downscale", "extract"),
    "infer_joint": ("train_joint", "downscale"),
    "constrain/2d": ("infer_2d", "downscale"),
    "constrain/3d": ("infer_3d/processed_on_processed", "downscale"),
    "constrain/joint": ("infer_joint", "downscale"),
    "ensemble/2d": ("infer_2d",),
    "ensemble/3d": ("infer_3d/processed_on_processed",),
    "ensemble/joint": ("infer_joint",),
}
"""Stages, as their folders are named, and whose results they read: an ensemble, of all seeds."""

TRAININGS = tuple(stage for stage in _UPSTREAM if stage.startswith(("train_", "pretrain_")))
"""Stages that have one result for all series: a network."""

STARTS = ("train_2d", "train_3d/processed")
"""Trainings from which a joint network may go on."""


def expand(config: Mapping[str, Any]) -> dict[str, Settings]:
    """All studies of a config: its own first, then its experiments, then both with further seeds.

    Parameters
    ----------
    config
        Nested mappings, as YAML gives them, with all keys.

    Returns
    -------
    Folder of each study below the results, such as `mine/experiments/wide.seed_1`, and its
    settings.

    Raises
    ------
    ValueError
        One line for each thing that is wrong, with its key.
    """
    base = _settings(config, "config")
    studies = {base.study: base}
    for name, changes in base.experiments.items():
        # The networks of the study itself are applied, not those of its experiments.
        merged = _merged(config, {**changes, "apply": {"files": []}})
        studies[f"{base.study}/experiments/{name}"] = _settings(merged, f"experiments.{name}")
    first_seeds = list(studies.items())
    for repeat in range(1, max(settings.repeats for settings in studies.values())):
        for folder, settings in first_seeds:
            if repeat >= settings.repeats:
                continue
            seed = settings.seed + repeat
            again = folder if folder != base.study else f"{folder}/experiments/{BASE}"
            methods = _of_one_seed(settings.methods)
            update = {"seed": seed, "methods": methods}
            studies[f"{again}.seed_{seed}"] = settings.model_copy(update=update)
    return studies


def _of_one_seed(methods: tuple[Method, ...]) -> tuple[Method, ...]:
    """What a further seed gives to an ensemble, in place of the ensemble."""
    return tuple(dict.fromkeys(MEMBERS.get(method, method) for method in methods))


def members(studies: Mapping[str, Settings], study: str) -> list[str]:
    """A study and all that differ from it by their seed alone, in order."""
    return [other for other in studies if name_of(other) == name_of(study)]


def _settings(config: Mapping[str, Any], origin: str) -> Settings:
    """Settings whose trainings fit the frames of the simulation; `check` sees to those of files."""
    settings = Settings.from_mapping(config, origin)
    if settings.source.kind == "simulation":
        try:
            _check_simulation(settings)
        except ValueError as error:
            raise ValueError(f"{origin}: {error}") from None
    return settings


def _check_simulation(settings: Settings) -> None:
    trained, grid = trained_sections(settings), settings.simulate.grid
    num_lat, _ = GRIDS[grid]
    settings.check_patches(trained, num_lat, f"simulate.grid {grid}")
    if not settings.cuts_the_globe:
        settings.check_latitudes(trained, num_lat, f"simulate.grid {grid}")


def name_of(study: str) -> str:
    """What a study is called among the experiments, whatever its seed."""
    _, _, experiment = study.partition("/experiments/")
    return experiment.partition(".")[0] or BASE


def trainings(method: Method, settings: Settings) -> list[str]:
    """The stages that train what a method uses, in order."""
    return _trainings(STAGE_OF[method], settings)


def trained_sections(settings: Settings) -> list[str]:
    """Sections of all trainings that the methods of a study, or `snakemake apply`, need."""
    stages = [STAGE_OF[method] for method in settings.methods]
    if settings.apply.files:
        stages.append(STAGE_OF[settings.apply.method])
    needed = [each for stage in stages for each in _trainings(stage, settings)]
    return list(dict.fromkeys(each.partition("/")[0] for each in needed))


def trained_by(method: Method) -> str:
    """The training of the last network that the frames of a method with networks go through."""
    stage = STAGE_OF[method]
    while not stage.startswith("train_"):
        stage = _UPSTREAM[stage][0]
    return stage


def upstream(stage: str, settings: Settings) -> tuple[str, ...]:
    """The stages whose results `stage` reads."""
    if stage == "train_joint" and settings.train_joint.start == "trained":
        return (*_UPSTREAM[stage], *STARTS)
    if stage == "train_2d" and settings.train_2d.first_layer == "pretrained":
        return (*_UPSTREAM[stage], "pretrain_2d")
    return _UPSTREAM[stage]


def pretrains(settings: Settings) -> bool:
    """Whether a training that methods, or `snakemake apply`, need starts from natural images."""
    methods = [*settings.methods, *([settings.apply.method] if settings.apply.files else [])]
    needed = {stage for method in methods for stage in trainings(method, settings)}
    return any("pretrain_2d" in upstream(stage, settings) for stage in needed)


def _trainings(stage: str, settings: Settings) -> list[str]:
    found = [each for read in upstream(stage, settings) for each in _trainings(read, settings)]
    return [*dict.fromkeys(found), *([stage] if stage.startswith("train_") else [])]


class Homes:
    """Which study makes which result: of all that would make the same, the first."""

    def __init__(self, studies: Mapping[str, Settings]) -> None:
        self._studies = studies
        self._recipes: dict[tuple[str, str, str | None], str] = {}
        self._first: dict[str, str] = {}
        for study, settings in studies.items():
            names = [*settings.series("train"), *settings.series("test")]
            for stage in _UPSTREAM:
                for series in [None] if stage in TRAININGS else names:
                    self._first.setdefault(self._recipe(study, stage, series), study)

    def of(self, study: str, stage: str, series: str | None = None) -> str:
        """The study in whose folder `study` finds, or makes, a result of `stage`.

        `series` is None for trainings, which are one for all series.
        """
        return self._first[self._recipes[study, stage, series]]

    def _recipe(self, study: str, stage: str, series: str | None) -> str:
        """Digest of all settings that decide a result."""
        key = study, stage, series
        if key not in self._recipes:
            text = json.dumps([stage, *self._ingredients(study, stage, series)])
            self._recipes[key] = hashlib.sha256(text.encode()).hexdigest()
        return self._recipes[key]

    def _ingredients(self, study: str, stage: str, series: str | None) -> Iterator[object]:
        settings = self._studies[study]
        ensemble = stage.startswith("ensemble/")
        if not stage.startswith("infer_") and not ensemble:
            yield settings.for_stage(stage.partition("/")[0]).to_json()
        if not _UPSTREAM[stage] and series is not None:
            yield from (series, settings.entry(series))
        if stage == "downscale" and series is not None:
            yield settings.coarse_run(series)
        for read in upstream(stage, settings):
            one_for_all = read in TRAININGS
            for name in [None] if one_for_all else [series] if series else settings.series("train"):
                for member in members(self._studies, study) if ensemble else [study]:
                    yield self._recipe(member, read, name)


def _merged(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(config)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(old, value)
        else:
            merged[key] = value
    return merged
