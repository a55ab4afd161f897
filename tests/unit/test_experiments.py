"""Several studies of one config, and which of them makes what."""

from typing import get_args

import pytest
import tiny
import yaml
from tiny import REPOSITORY

from swsr.experiments import (
    Homes,
    expand,
    members,
    name_of,
    pretrains,
    trained_by,
    trained_sections,
    trainings,
)
from swsr.settings import Train2d


def config(**changes):
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text()) | changes


def test_without_experiments_a_config_is_one_study():
    studies = expand(config())
    assert list(studies) == ["default"]
    homes = Homes(studies)
    assert homes.of("default", "train_2d") == homes.of("default", "extract", "seed_10") == "default"


def test_experiments_with_other_coarse_runs_share_the_fine_frames_alone():
    def coarse(*train):
        return {"train": list(train), "test": ["coarse_test.nc"]}

    fine = {"kind": "files", "train": ["a.nc", "b.nc"], "test": ["c.nc"]}
    source = tiny.config()["source"] | fine | {"coarse": coarse("d.nc", "e.nc#0")}
    others = {
        "copies": {"source": {"coarse": None}},
        "sample": {"source": {"coarse": coarse("d.nc", "e.nc#1")}},
        "swapped": {"source": {"coarse": coarse("e.nc#0", "d.nc")}},
    }
    homes = Homes(expand(config(source=source, experiments=others)))
    for name in others:
        study = f"default/experiments/{name}"
        assert homes.of(study, "extract", "train_1") == "default"
        assert homes.of(study, "downscale", "train_1") == study
        assert homes.of(study, "train_2d") == study
    assert homes.of("default/experiments/sample", "downscale", "train_0") == "default"


def test_experiments_are_the_study_with_changes():
    studies = expand(config(experiments={"plain": {"train_2d": {"network": "study_2d"}}}))
    assert list(studies) == ["default", "default/experiments/plain"]
    base, plain = studies.values()
    assert plain.train_2d.network == "study_2d"
    assert plain.train_2d.epochs == base.train_2d.epochs
    assert plain.train_3d == base.train_3d


def test_coarse_runs_are_of_the_study_alone():
    """An experiment, which none of its networks is applied of, may differ from what `apply` needs."""
    asked = tiny.config(
        apply=APPLIED["apply"] | {"consistent": True},
        experiments={"old": {"train_3d": {"network": "study_3d"}}},
    )
    base, old = expand(asked).values()
    assert base.apply.files == ("a.nc",)
    assert old.apply.files == ()
    assert old.apply.consistent
    asked["train_3d"]["network"] = "study_3d"
    with pytest.raises(ValueError, match=r"config: apply.consistent needs whole frames"):
        expand(asked)


def test_repeats_are_everything_from_further_seeds():
    studies = expand(config(seed=4, repeats=3, experiments={"mse": {"train_2d": {"loss": "mse"}}}))
    assert {folder: settings.seed for folder, settings in studies.items()} == {
        "default": 4,
        "default/experiments/mse": 4,
        "default/experiments/base.seed_5": 5,
        "default/experiments/mse.seed_5": 5,
        "default/experiments/base.seed_6": 6,
        "default/experiments/mse.seed_6": 6,
    }
    assert [name_of(folder) for folder in studies] == ["base", "mse"] * 3


def test_an_experiment_may_have_fewer_seeds_than_the_study():
    changes = {"once": {"repeats": 1}, "as_the_study": {}}
    studies = expand(config(repeats=2, experiments=changes))
    names = [name_of(folder) for folder in studies]
    assert names == ["base", "once", "as_the_study", "base", "as_the_study"]


def test_further_seeds_give_members_in_place_of_ensembles():
    asked = {"methods": ["ensemble_2d", "ensemble_3d"], "repeats": 3}
    studies = expand(config(**asked, experiments={"mse": {"train_2d": {"loss": "mse"}}}))
    for folder in ("default", "default/experiments/mse"):
        first, *others = members(studies, folder)
        assert first == folder
        assert [name_of(other) for other in others] == [name_of(folder)] * 2
        assert [studies[other].seed for other in others] == [1, 2]
        assert studies[first].methods == ("ensemble_2d", "ensemble_3d")
        for other in others:
            assert studies[other].methods == ("network_2d", "network_3d_processed")


def test_ensembles_are_shared_where_all_of_their_members_are():
    changes = {
        "other_3d": {"train_3d": {"epochs": 1}},
        "one_more": {"repeats": 3},
    }
    asked = {"methods": ["ensemble_2d", "ensemble_3d"], "repeats": 2}
    homes = Homes(expand(config(**asked, experiments=changes)))

    def home(study, stage):
        return name_of(homes.of(f"default/experiments/{study}", stage, "seed_10"))

    assert home("other_3d", "ensemble/2d") == "base"
    assert home("other_3d", "ensemble/3d") == "other_3d"
    assert home("one_more", "infer_2d") == "base"
    assert home("one_more", "ensemble/2d") == "one_more"


def test_a_result_is_made_by_the_first_study_that_wants_it():
    changes = {
        "other_3d": {"train_3d": {"epochs": 1}},
        "coarser": {"downscale": {"scale": 4}},
        "also_other_3d": {"train_3d": {"epochs": 1}},
        "other_test": {"source": {"test": [11]}},
    }
    homes = Homes(expand(config(experiments=changes)))

    def home(study, *result):
        found = homes.of(f"default/experiments/{study}", *result)
        return found.removeprefix("default/experiments/")

    assert home("other_3d", "infer_2d", "seed_0") == "default"
    assert home("other_3d", "train_3d/raw") == "other_3d"
    assert home("also_other_3d", "infer_3d/raw_on_raw", "seed_10") == "other_3d"
    assert home("coarser", "extract", "seed_0") == "default"
    assert home("coarser", "downscale", "seed_0") == home("coarser", "train_2d") == "coarser"
    assert home("other_test", "train_3d/processed") == "default"
    assert home("other_test", "infer_2d", "seed_0") == "default"
    assert home("other_test", "simulate", "seed_11") == "other_test"
    assert home("other_test", "infer_2d", "seed_11") == "other_test"


def test_a_network_trained_on_more_series_is_another():
    """Also where the first ones are the same."""
    more = {"more": {"source": {"train": [0, 5]}}}
    homes = Homes(expand(config(experiments=more)))
    for stage in ("train_2d", "train_3d/raw"):
        assert homes.of("default/experiments/more", stage).endswith("more")
    assert homes.of("default/experiments/more", "downscale", "seed_0") == "default"


def test_files_of_one_place_in_the_list_are_not_the_same_frames():
    files = config()["source"] | {"kind": "files", "train": ["a.nc"], "test": ["b.nc"]}
    swapped = {"swapped": {"source": {"train": ["b.nc"], "test": ["a.nc"]}}}
    homes = Homes(expand(config(source=files, experiments=swapped)))
    assert homes.of("default/experiments/swapped", "extract", "train_0").endswith("swapped")


def test_trainings_that_a_method_needs():
    [settings] = expand(config()).values()
    assert trainings("network_2d", settings) == ["train_2d"]
    assert trainings("network_3d_raw", settings) == ["train_3d/raw"]
    assert trainings("network_3d_processed", settings) == ["train_2d", "train_3d/processed"]
    assert trainings("combined_raw", settings) == ["train_3d/raw", "train_2d"]
    assert trainings("joint", settings) == ["train_joint"]
    for method in ("constrained_3d", "ensemble_3d"):
        assert trainings(method, settings) == ["train_2d", "train_3d/processed"]
    assert trainings("spectral", settings) == []
    joint = config()["train_joint"] | {"network": "skip_joint", "start": "trained"}
    [settings] = expand(config(train_joint=joint)).values()
    assert trainings("joint", settings) == ["train_2d", "train_3d/processed", "train_joint"]


PARTS = {"network": "skip_joint", "start": "trained"}
"""A joint network that goes on from trained ones."""


@pytest.mark.parametrize(
    ("sections", "trained"),
    [
        ({"methods": ["network_3d_raw"]}, ["train_3d"]),
        ({"methods": ["joint"]}, ["train_joint"]),
        (
            {"methods": ["joint"], "train_joint": PARTS},
            ["train_2d", "train_3d", "train_joint"],
        ),
        ({"methods": ["constrained_joint"]}, ["train_joint"]),
        ({"methods": ["ensemble_joint"], "repeats": 2}, ["train_joint"]),
        (
            {
                "methods": ["network_2d"],
                "apply": {"files": ["a.nc"], "method": "network_3d_processed"},
            },
            ["train_2d", "train_3d"],
        ),
        ({"methods": ["spectral", "network_2d"]}, ["train_2d"]),
        ({"methods": ["network_2d"], "apply": {"files": ["a.nc"]}}, ["train_2d", "train_joint"]),
        (
            {"methods": ["network_3d_raw"], "apply": {"files": ["a.nc"], "method": "network_2d"}},
            ["train_3d", "train_2d"],
        ),
    ],
)
def test_sections_that_are_trained_are_those_of_methods_and_apply(sections, trained):
    settings, *_ = expand(tiny.config(**sections)).values()
    assert trained_sections(settings) == trained


APPLIED = {"apply": {"files": ["a.nc"], "method": "network_3d_processed"}}
POLES_2D = {"downscale": {"scale": 8}, "simulate": {"grid": "T31"}}
"""Leaves too few latitudes for the 2D network, and enough for a 3D one."""


@pytest.mark.parametrize(
    ("sections", "needed_by", "words"),
    [
        (
            {"train_2d": {"patch_points": 33}, "methods": ["network_3d_raw"]},
            [{"methods": ["network_3d_raw", "network_2d"]}, APPLIED],
            "config: train_2d.patch_points is 33, but frames of simulate.grid T42 have only 32",
        ),
        (
            {"train_3d": {"patch_points": 65}, "methods": ["joint"]},
            [{"methods": ["network_3d_processed"]}, {"train_joint": PARTS}, APPLIED],
            "config: train_3d.patch_points is 65, but frames of simulate.grid T42 have only 64",
        ),
        (
            POLES_2D | {"methods": ["network_3d_raw"]},
            [{"methods": ["constrained_2d"]}, APPLIED],
            "leaves 6 of the 48 latitudes of simulate.grid T31, but train_2d.network skip_2d reads 8",
        ),
        (
            {"downscale": {"scale": 8}, "methods": ["network_2d"]},
            [{"methods": ["joint"]}, {"apply": APPLIED["apply"] | {"method": "joint"}}],
            "config: downscale.scale 8 leaves 8 of the 64 latitudes of simulate.grid T42, but "
            "train_joint.network fusion_joint reads 11 beyond a pole",
        ),
    ],
)
def test_frames_must_fit_the_networks_that_are_trained_and_no_others(sections, needed_by, words):
    expand(tiny.config(**sections))
    for more in needed_by:
        with pytest.raises(ValueError, match=words):
            expand(tiny.config(**sections | more))


def test_experiments_share_one_training_on_natural_images():
    start = {"first_layer": "pretrained"}
    changes = {
        "transfer": {"train_2d": start},
        "frozen": {"train_2d": start | {"first_layer_rate": 0}},
        "study": {"train_2d": start | {"network": "study_2d"}},
        "other_frames": {"train_2d": start, "source": {"train": [3]}},
        "coarser": {"train_2d": start, "downscale": {"scale": 4}},
        "from_file": {"train_2d": {"first_layer": "weights.mat"}},
        "in_3d": {"train_2d": start, "methods": ["network_3d_processed"]},
        "without_2d": {"train_2d": start, "methods": ["network_3d_raw"]},
    }
    studies = expand(config(methods=["network_2d"], experiments=changes))
    homes, found = Homes(studies), {}
    for folder, settings in studies.items():
        if pretrains(settings):
            found[name_of(folder)] = name_of(homes.of(folder, "pretrain_2d"))
        home = name_of(homes.of(folder, "train_2d"))
        shared = {"in_3d": "transfer", "without_2d": "transfer"}
        assert home == shared.get(name_of(folder), name_of(folder))
    # The study itself would make the same, as it would of methods that it does not name.
    assert found == {
        "transfer": "base",
        "frozen": "base",
        "study": "study",
        "other_frames": "base",
        "coarser": "coarser",
        "in_3d": "base",
    }


def test_another_training_on_natural_images_is_another_2d_network():
    start = {"train_2d": {"first_layer": "pretrained"}}
    longer = start | {"pretrain_2d": {"epochs": 99}}
    homes = Homes(expand(config(experiments={"short": start, "longer": longer})))
    for stage in ("pretrain_2d", "train_2d"):
        assert homes.of("default/experiments/longer", stage).endswith("longer")
    assert homes.of("default/experiments/longer", "downscale", "seed_0") == "default"


def test_training_that_a_method_ends_with():
    assert trained_by("combined_raw") == "train_3d/raw"
    assert trained_by("network_3d_processed") == "train_3d/processed"
    assert trained_by("joint") == "train_joint"
    assert trained_by("constrained_2d") == trained_by("ensemble_2d") == "train_2d"
    assert trained_by("constrained_3d") == "train_3d/processed"
    assert trained_by("constrained_joint") == trained_by("ensemble_joint") == "train_joint"


@pytest.mark.parametrize("name", ["half", "paper"])
def test_tables_of_the_study_train_every_network_and_loss(name):
    changed = yaml.safe_load((REPOSITORY / "studies" / f"{name}.yaml").read_text())
    sections = {
        key: config()[key] | value if isinstance(value, dict) and key != "experiments" else value
        for key, value in changed.items()
    }
    studies = expand(config(**sections))
    in_2d = [each.train_2d for each in studies.values() if "network_2d" in each.methods]
    asked = {each.network for each in in_2d}, {each.loss for each in in_2d}
    fields = Train2d.model_fields
    assert asked == tuple(set(get_args(fields[key].annotation)) for key in ("network", "loss"))
    joint = [each.train_joint for each in studies.values() if "joint" in each.methods]
    assert {(each.network, each.start) for each in joint} == {
        ("skip_joint", "random"),
        ("skip_joint", "trained"),
        ("skip_3d_first_joint", "random"),
        ("fusion_joint", "random"),
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"train_2d": "study_2d"},
            "train_2d.network study_2d is no part of skip_joint: use skip_2d",
        ),
        ({"train_2d": "subpixel_2d"}, "subpixel_2d is no part of skip_joint: use skip_2d"),
        ({"train_3d": "fusion_3d"}, "fusion_3d is no part of skip_joint: use skip_3d"),
        ({"train_joint": "study_joint"}, "skip_2d is no part of study_joint: use study_2d"),
        ({"train_joint": "fusion_joint"}, "fusion_joint has no parts that train_2d and train_3d"),
    ],
)
def test_joint_network_starts_only_from_networks_of_its_kind(changes, words):
    def settings(start):
        asked = config(methods=["network_2d", "joint"])
        asked["train_joint"] = asked["train_joint"] | {"network": "skip_joint", "start": start}
        for section, network in changes.items():
            asked[section] = asked[section] | {"network": network}
        return expand(asked)

    with pytest.raises(ValueError, match=words):
        settings("trained")
    settings("random")


@pytest.mark.parametrize(
    ("experiments", "words"),
    [
        ({"base": {}}, "experiments.base: name it"),
        ({"A b": {}}, "experiments.A b: name it"),
        ({"x": {"study": "y"}}, "experiments.x.study: not for one experiment"),
        ({"x": {"train_2d": {"epoch": 3}}}, "experiments.x: unknown key train_2d.epoch"),
        ({"x": {"train_2d": {"epochs": "many"}}}, "experiments.x: train_2d.epochs is 'many'"),
        ({"x": {"methods": []}}, "experiments.x: methods is"),
        ({"x": {"train_2d": {"patch_points": 33}}}, "experiments.x: train_2d.patch_points is 33"),
    ],
)
def test_what_is_wrong_is_said_with_the_name_of_the_experiment(experiments, words):
    with pytest.raises(ValueError, match=words):
        expand(config(experiments=experiments))
