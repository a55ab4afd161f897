from contextlib import nullcontext

import pytest
import yaml
from tiny import config

from swsr.settings import (
    DownscaleStage,
    ExtractStage,
    Settings,
    Split,
    TrainStage,
    read_stage_settings,
    without_password,
)
from swsr.settings.config_file import check_keys

CONSISTENT = {"files": ["a.nc"], "method": "network_3d_processed", "consistent": True}
SPREAD_AS_WELL = {"kind": "files", "train": ["a.nc"], "test": [], "variables": ["u", "u_spread"]}
FILES = {"kind": "files", "test": []}


def settings(**sections):
    return Settings.from_mapping(config(**sections))


def paired(train, test, reading=(), **sections):
    """Sections of a study of one fine run to train on and one to test on, and coarse ones."""
    coarse = {"train": train, "test": test}
    fine = {"kind": "files", "train": ["a.nc"], "test": ["b.nc"]} | dict(reading)
    return {"source": fine | {"coarse": coarse}} | sections


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"train_2d": {"epoch": 3}}, "unknown key train_2d.epoch"),
        ({"train_2d": {"epochs": True}}, "epochs is true, which YAML makes of yes"),
        ({"seed": False}, "seed is false"),
        ({"train_3d": {"learning_rate": float("inf")}}, "train_3d.learning_rate is inf"),
        ({"simulate": {"interval_minutes": float("nan")}}, "simulate.interval_minutes is nan"),
        ({"experiments": {1: {}}}, "experiments names 1, which is no text: quote it"),
        ({"trian_2d": {"epochs": 3}}, "unknown key trian_2d"),
        ({"train_2d": {"epochs": "ten"}}, "train_2d.epochs is 'ten'"),
        ({"train_2d": {"epochs": 0}}, "train_2d.epochs is 0"),
        ({"train_2d": {"network": "resnet"}}, "train_2d.network is 'resnet'"),
        ({"downscale": {"scale": 9}}, "downscale.scale is 9"),
        ({"split": {"validation_fraction": 1.5}}, "split.validation_fraction is 1.5"),
        ({"source": {"train": ["a.nc"]}}, "source.train must list seeds"),
        ({"source": {"kind": "files"}}, "source.train must list paths"),
        ({"source": {"test": [0]}}, "name 0 more than once"),
        ({"source": {"train": [0, 0]}}, "name 0 more than once"),
        ({"source": {"train": [-1]}}, "seeds are 0 or more"),
        ({"source": {"variables": ["vo"]}}, "the simulation has no 'vo'"),
        ({"downscale": {"scale": 3}}, "does not divide the 64 x 128 points"),
        ({"downscale": {"scale": 1}}, "downscale.scale is 1, which leaves frames as they are"),
        ({"downscale": {"codec": "vp9", "quality": 3}}, "downscale.codec is 'vp9'"),
        ({"downscale": {"codec": "h264"}}, "quality is null, but h264 has 0 (best) to 51"),
        ({"downscale": {"codec": "h264", "quality": 52}}, "quality is 52, but h264 has 0 (best)"),
        ({"downscale": {"codec": "mjpeg", "quality": 0}}, "quality is 0, but mjpeg has 1 (best)"),
        (
            {"downscale": {"codec": "h264", "quality": 9}, "methods": ["constrained_2d"]},
            "methods: constrained_2d would bring back the errors of downscale.codec h264",
        ),
        ({"downscale": {"quality": 20}}, "downscale.quality is 20, but no codec compresses"),
        ({"source": {"variables": ["vorticity", "vorticity"]}}, "names a variable twice"),
        ({"simulate": {"interval_minutes": 45}}, "not a whole number of simulate.time_step"),
        ({"simulate": {"num_frames": 10}}, "the validation set gets 2, fewer than the 5"),
        ({"train_3d": {"patch_points": 4}}, "crops 2 points"),
        ({"source": {"test": []}, "split": {"test_fraction": 0}}, "no test frames"),
        (
            {"source": FILES | {"train": ["https://me:x@host/a.nc"]}},
            "https://***@host/a.nc is a URL",
        ),
        ({"apply": {"files": ["runs/a.nc", "more/a.nc"]}}, "are both named a"),
        ({"apply": {"files": ["*.nc"]}}, "*.nc gives no name"),
        ({"apply": {"files": ["s3://me:x@bucket/a.nc"]}}, "s3://***@bucket/a.nc is a URL"),
        ({"source": FILES | {"train": ["a.h5#2:2"]}}, "names no sample"),
        ({"source": FILES | {"train": ["a.h5#0:3"], "test": ["a.h5#2"]}}, "a.h5#2 more than once"),
        ({"source": {"select": {"lat": 30}}}, "source.select.lat is 30"),
        ({"source": {"select": {"level": [500, 850]}}}, "source.select.level is [500"),
        ({"source": {"units": {"depth": "m"}}}, "source.units names 'depth'"),
        ({"source": {"every": 0}}, "source.every is 0"),
        ({"source": {"format": "excel"}}, "source.format is 'excel'"),
        ({"source": {"periodic": ["time"]}}, "source.periodic.0 is 'time'"),
        ({"source": {"variables": ["divergence"]}}, "divergence, which needs simulate.time_step"),
        ({"source": {"predictors": ["u", "u"]}}, "source.predictors names a variable twice"),
        (
            {"source": {"predictors": ["u", "vorticity"]}},
            "source.predictors names 'vorticity', which source.variables names too",
        ),
        ({"source": {"predictors": ["vo"]}}, "source.predictors: the simulation has no 'vo'"),
        (
            {"source": {"predictors": ["divergence"]}},
            "source.predictors name divergence, which needs simulate.time_step",
        ),
        (
            {"source": {"predictors": ["u"], "units": {"v": "m s-1"}}},
            "source.units names 'v'",
        ),
        (
            {
                "source": {"predictors": ["u"]},
                "methods": ["joint"],
                "train_joint": {"network": "skip_3d_first_joint"},
            },
            "train_joint.network skip_3d_first_joint begins with a 3D network, which reads no",
        ),
        (
            {
                "source": {"predictors": ["u"]},
                "train_2d": {"first_layer": "pretrained", "first_layer_rate": 0},
            },
            "train_2d.first_layer_rate is 0, which leaves the filters of source.predictors",
        ),
        ({"methods": ["spectral"]}, "methods name no network"),
        (
            {"methods": ["spectral", "network_2d"], "source": {"select": {"lat": [0, 90]}}},
            "methods name spectral, which needs the whole globe",
        ),
        (
            {
                "methods": ["joint"],
                "train_joint": {"network": "study_joint", "patch_points": 2},
            },
            "train_joint.patch_points is 2, but study_joint crops 2 high-resolution points",
        ),
        (
            {
                "methods": ["joint"],
                "train_joint": {"network": "study_joint"},
                "downscale": {"scale": 4},
            },
            "study_joint loses more than the 2 border points that the evaluation leaves out at "
            "downscale.scale 4: use skip_joint",
        ),
        (
            {"apply": CONSISTENT, "train_3d": {"network": "study_3d"}},
            "apply.consistent needs whole frames, but train_3d.network study_3d takes points off: "
            "use skip_3d or fusion_3d, or apply.method: network_2d",
        ),
        (
            {"apply": CONSISTENT, "downscale": {"codec": "h264", "quality": 20}},
            "apply.consistent would bring back the errors of downscale.codec h264",
        ),
        (
            {"methods": ["constrained_3d"], "train_3d": {"network": "study_3d"}},
            "methods: constrained_3d needs whole frames",
        ),
        (
            {"methods": ["constrained_joint"], "train_joint": {"network": "study_joint"}},
            "methods: constrained_joint needs whole frames, but train_joint.network study_joint takes "
            "points off: use skip_joint or fusion_joint",
        ),
        (
            {"apply": CONSISTENT | {"method": "joint"}, "train_joint": {"network": "study_joint"}},
            "apply.consistent needs whole frames, but train_joint.network study_joint",
        ),
        (
            {
                "methods": ["ensemble_joint"],
                "repeats": 2,
                "train_joint": {"network": "study_joint"},
                "downscale": {"scale": 4},
            },
            "study_joint loses more than the 2 border points",
        ),
        (
            {"methods": ["constrained_joint"], "downscale": {"codec": "h264", "quality": 20}},
            "methods: constrained_joint would bring back the errors of downscale.codec h264",
        ),
        ({"apply": {"network_3d": False}}, "apply.method: write method: network_2d"),
        ({"apply": {"network_3d": True}}, "apply.method: write method: network_3d_processed"),
        (
            {"train_2d": {"network": "edsr_2d", "first_layer": "pretrained"}},
            "train_2d.first_layer is pretrained, but edsr_2d has another first layer",
        ),
        (
            {"train_2d": {"network": "subpixel_2d", "first_layer_rate": 0}},
            "train_2d.first_layer_rate is 0.0, but subpixel_2d has another first layer",
        ),
        ({"train_2d": {"start": "s3://a/b.safetensors"}}, "s3://a/b.safetensors is a URL"),
        (
            {"train_2d": {"start": "a.safetensors", "first_layer": "pretrained"}},
            "train_2d.start is a.safetensors, which has a first layer",
        ),
        ({"train_2d": {"first_layer_rate": -1}}, "train_2d.first_layer_rate is -1"),
        ({"train_2d": {"first_layer": "http://a.b/c.mat"}}, "http://a.b/c.mat is a URL"),
        (
            {"train_2d": {"first_layer": "pretrained"}, "pretrain_2d": {"patch_points": 73}},
            "pretrain_2d.patch_points is 73, but at downscale.scale 2 images have only 72",
        ),
        (
            {
                "train_2d": {"first_layer": "pretrained"},
                "downscale": {"scale": 1, "codec": "h264", "quality": 30},
            },
            "pretrain_2d learns to upscale, which downscale.scale 1 does not ask for",
        ),
        ({"source": {"coarse": {"train": ["c.nc"], "test": []}}}, "but source.kind is simulation"),
        (paired(["c.nc"], []), "source.coarse.test names 0 runs, but source.test 1: give one for"),
        (paired(["c.nc#0:2"], ["d.nc"]), "source.coarse.train names 2 runs, but source.train 1"),
        (
            paired(["https://u:pw@a.b/c.nc"], ["d.nc"]),
            "source.coarse.train: https://***@a.b/c.nc is",
        ),
        (
            paired(["c.nc"], ["d.nc"], methods=["constrained_2d"]),
            "methods: constrained_2d would bring back the errors of the runs of source.coarse",
        ),
        (
            paired(["c.nc"], ["d.nc"], downscale={"codec": "h264", "quality": 30}),
            "downscale.codec is h264, but the runs of source.coarse take the place of frames",
        ),
        (
            {"methods": ["network_2d", "ensemble_2d"]},
            "methods: ensemble_2d is the mean of the networks of all repeats, but repeats is 1",
        ),
        ({"apply": {"files": ["a.nc"], "ensemble": True}}, "apply.ensemble is the mean of the"),
        (
            {"source": SPREAD_AS_WELL, "methods": ["ensemble_2d"], "repeats": 2},
            "source.variables name u_spread, which is what methods: ensemble_2d calls the spread",
        ),
        ({"pretrain_2d": {"patch_points": None}}, "pretrain_2d.patch_points is None"),
        ({"study": "../elsewhere"}, "study is '../elsewhere'"),
    ],
)
def test_wrong_settings_are_one_clear_line(sections, sentence):
    content = config()
    for name, values in sections.items():
        content[name] = content.get(name, {}) | values if isinstance(values, dict) else values
    with pytest.raises(ValueError, match="config: ") as error:
        Settings.from_mapping(content)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_network_that_takes_points_off_is_refused_only_where_it_is_evaluated():
    applied = {"files": ["a.nc"], "method": "joint"}
    asked = settings(
        methods=["network_2d"],
        apply=applied,
        train_joint={"network": "study_joint"},
        downscale={"scale": 4},
    )
    assert asked.train_joint.network == "study_joint"


@pytest.mark.parametrize("network", ["skip_3d", "fusion_3d"])
def test_networks_that_keep_all_points_may_be_made_consistent(network):
    """The refusal of `study_3d` names these."""
    asked = settings(train_3d={"network": network}, apply=CONSISTENT, methods=["constrained_3d"])
    assert asked.train_3d.network == network


@pytest.mark.parametrize(
    "sections",
    [
        {"source": {"predictors": ["u"], "units": {"u": "km h-1"}}},
        {"source": {"predictors": ["divergence"]}, "simulate": {"time_step_minutes": 5}},
        {
            "source": {"predictors": ["u"]},
            "methods": ["network_2d"],
            "train_joint": {"network": "skip_3d_first_joint"},
        },
        {"source": {"predictors": ["u"]}, "methods": ["joint"]},
        {"source": {"predictors": ["u"]}, "apply": CONSISTENT | {"method": "joint"}},
        {"source": FILES | {"train": ["a.nc"], "predictors": ["heights"]}},
    ],
)
def test_predictors_that_some_network_reads_are_accepted(sections):
    """A joint network that reads none is no matter where no method asks for it."""
    asked = settings(**sections)
    assert asked.source.names == ("vorticity", *sections["source"]["predictors"])
    assert asked.for_stage("extract").predictors == asked.source.predictors


def test_missing_key_is_named():
    content = config()
    del content["downscale"]["scale"]
    with pytest.raises(ValueError, match=r"key downscale\.scale is missing"):
        Settings.from_mapping(content)


def test_results_of_apply_are_named_after_files_or_their_folder():
    files = ["runs/*.nc", "data/coarse run.h5#3", "other/run_?.nc"]
    named = Settings.from_mapping(config() | {"apply": config()["apply"] | {"files": files}})
    assert named.apply.series() == dict(zip(["runs", "coarse_run", "run"], files, strict=True))
    named = Settings.from_mapping(config() | {"apply": config()["apply"] | {"files": ["a.h5#2:4"]}})
    assert named.apply.series() == {"a_2": "a.h5#2", "a_3": "a.h5#3"}


def test_order_of_keys_changes_nothing():
    content = config()
    turned = {name: content[name] for name in reversed(content)}
    turned["train_2d"] = dict(reversed(content["train_2d"].items()))
    stages = ("simulate", "extract", "downscale", "upscale", "train_2d", "train_3d", "evaluate")
    for stage in stages:
        one = Settings.from_mapping(content).for_stage(stage).to_json()
        assert Settings.from_mapping(turned).for_stage(stage).to_json() == one


def test_settings_without_predictors_are_those_of_results_that_knew_none():
    """So that results of earlier versions are not made again."""
    for stage in ("extract", "apply"):
        assert "predictors" not in settings().for_stage(stage).to_json()
        of_two = settings(source={"predictors": ["u", "v"]}).for_stage(stage).to_json()
        assert '"predictors": ["u", "v"]' in of_two


def test_coarse_runs_are_read_as_the_fine_ones_but_for_ranges():
    """Their times and region are those of the fine frames."""
    reading = {"dims": {"lat": "y"}, "select": {"time": [0, 9], "level": 850}, "every": 2}
    made = settings(**paired(["c.nc#3"], ["d.nc"], reading=reading))
    assert (made.coarse_run("train_0"), made.coarse_run("test_0")) == ("c.nc#3", "d.nc")
    choices = made.for_stage("downscale")
    assert isinstance(choices, DownscaleStage)
    assert choices.coarse.dims == {"lat": "y"}
    assert choices.coarse.select == {"level": 850}
    assert choices.coarse.every == 1
    assert made.for_stage("upscale") == made.downscale


@pytest.mark.parametrize("stage", ["train_2d", "train_3d"])
def test_stage_settings_come_back_from_their_file(tmp_path, stage):
    wanted = settings().for_stage(stage)
    (tmp_path / "stage.json").write_text(wanted.to_json())
    assert read_stage_settings(tmp_path / "stage.json", TrainStage) == wanted


@pytest.mark.parametrize("stage", ["train_2d", "train_3d", "train_joint", "evaluate"])
@pytest.mark.parametrize(("test", "held_back"), [([10], 0), ([], 0.2)])
def test_frames_are_held_back_only_where_no_series_tests(stage, test, held_back):
    chosen = settings(source={"test": test}, split={"test_fraction": 0.2})
    assert chosen.for_stage(stage).split.test_fraction == held_back


def test_sets_follow_each_other_in_time_and_cover_the_series():
    assert Split(validation_fraction=0.2, test_fraction=0).ranges(100) == {
        "train": slice(0, 80),
        "validation": slice(80, 100),
    }
    assert Split(validation_fraction=0.2, test_fraction=0.25).ranges(100) == {
        "train": slice(0, 60),
        "validation": slice(60, 75),
        "test": slice(75, 100),
    }


def test_series_are_named_by_seed_or_by_role():
    assert settings().series("train") == {"seed_0": 0, "seed_1": 1}
    files = {"kind": "files", "train": ["a.nc", "b*.nc"], "test": []}
    assert settings(source=files).series("train") == {"train_0": "a.nc", "train_1": "b*.nc"}


def test_samples_of_a_file_are_series_of_their_own():
    files = {"kind": "files", "train": ["a.h5#0:2", "b.nc"], "test": ["a.h5#7"]}
    made = settings(source=files)
    assert made.series("train") == {"train_0": "a.h5#0", "train_1": "a.h5#1", "train_2": "b.nc"}
    assert [made.sample(name) for name in ("train_1", "train_2", "test_0")] == [1, None, 7]


def test_dates_of_a_selection_come_back_from_the_file_of_a_stage(tmp_path):
    source = yaml.safe_load(
        "{select: {time: [2000-01-01, 2000-03-31T12:00], level: 850}, every: 4}"
    )
    wanted = settings(source=source).for_stage("extract")
    assert wanted.select == {"time": ("2000-01-01", "2000-03-31T12:00"), "level": 850}
    (tmp_path / "stage.json").write_text(wanted.to_json())
    assert read_stage_settings(tmp_path / "stage.json", ExtractStage) == wanted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@host/run.nc", "https://***@host/run.nc"),
        ("https:/me:secret@host/run.nc", "https:/***@host/run.nc"),
        ("s3://bucket/a.zarr?token=secret", "s3://bucket/a.zarr?***"),
        ("data/me@home/run.nc", "data/me@home/run.nc"),
        ("'ftp://secret@host/a' and more", "'ftp://***@host/a' and more"),
    ],
)
def test_passwords_are_left_out(text, shown):
    assert without_password(text) == shown


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("a: 1\nb: {c: 2, d: 3, c: 4}\n", "c stands twice in what begins in line 2"),
        ('{"a": 1, "b": {"c": 2, "c": 3}}', "c stands twice: write it once"),
        ('{\n\t"a": 1,\n\t"b": 2\n}', None),
        ("a: &A {x: 1}\ndeep: {inner: &B {<<: *A, x: 3}}\nc: {<<: *B, z: 1}\n", None),
        ("", None),
    ],
)
def test_keys_stand_once(tmp_path, text, twice):
    """Of YAML and JSON; what a mapping merges into another is not written there."""
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    expected = pytest.raises(ValueError, match=f"mine.yaml: {twice}") if twice else nullcontext()
    with expected:
        check_keys(file)
