"""Which stages run again when a key of the config changes: the table, checked by Snakemake itself.

python tests/workflow/test_reruns.py > docs/reruns.md
"""

import shutil
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parent.parent.parent

STAGES = (
    "simulate", "extract", "downscale", "upscale", "upscale_spectral", "pretrain_2d", "train_2d",
    "infer_2d", "train_3d", "infer_3d", "train_joint", "infer_joint", "constrain", "evaluate",
    "report", "compare",
)  # fmt: skip
CHAIN = tuple(stage for stage in STAGES if stage not in ("pretrain_2d", "compare"))
"""What runs for one study with all methods."""
FROM_EXTRACT = CHAIN[1:]
FROM_DOWNSCALE = CHAIN[2:]
COMPRESSED = tuple(stage for stage in FROM_DOWNSCALE if stage != "constrain")
"""Frames are not constrained to what a codec left."""
TRAININGS = CHAIN[5:]
JOINT = ("train_joint", "infer_joint", "evaluate", "report")
FROM_TRAIN_3D = ("train_3d", "infer_3d", "evaluate", "report")
FROM_TRAIN_2D = ("train_2d", "infer_2d", "constrain", *FROM_TRAIN_3D)

# key -> (another value, stages that run again)
RERUNS = {
    "study": ("other", CHAIN),
    "seed": (1, TRAININGS),
    "source.variables": (["depth"], FROM_EXTRACT),
    "source.predictors": (["u", "v"], FROM_EXTRACT),
    "source.train": ([0, 5], CHAIN),
    "source.test": (
        [11],
        (
            "simulate",
            "extract",
            "downscale",
            "upscale",
            "upscale_spectral",
            "infer_2d",
            "infer_3d",
            "infer_joint",
            "constrain",
            "evaluate",
            "report",
        ),
    ),
    "source.dims": ({"lat": "lat"}, FROM_EXTRACT),
    "source.format": ("netcdf", FROM_EXTRACT),
    "source.select": ({"time": ["2000-01-07", "2000-01-20"]}, FROM_EXTRACT),
    "source.every": (2, FROM_EXTRACT),
    "source.units": ({"vorticity": "s-1"}, FROM_EXTRACT),
    "source.periodic": (["lon"], FROM_EXTRACT),
    "simulate.grid": ("T31", CHAIN),
    "simulate.num_frames": (31, CHAIN),
    "simulate.interval_minutes": (120, CHAIN),
    "simulate.spinup_days": (2, CHAIN),
    "simulate.time_step_minutes": (30, CHAIN),
    "simulate.jet_speed_m_s": (70, CHAIN),
    "simulate.jet_spread_m_s": (20, CHAIN),
    "simulate.diffusion_hours": (2, CHAIN),
    "extract.chunk_frames": (4, FROM_EXTRACT),
    "extract.shard_frames": (16, FROM_EXTRACT),
    "downscale.scale": (4, FROM_DOWNSCALE),
    "downscale.filter": ("mean", FROM_DOWNSCALE),
    "downscale.codec": ("h264", COMPRESSED),
    "downscale.quality": (30, COMPRESSED),
    "split.validation_fraction": (0.3, TRAININGS),
    "split.test_fraction": (0.3, ()),
    "train_2d.network": ("study_2d", FROM_TRAIN_2D),
    "train_2d.epochs": (3, FROM_TRAIN_2D),
    "train_2d.global_batch_size": (2, FROM_TRAIN_2D),
    "train_2d.learning_rate": (0.001, FROM_TRAIN_2D),
    "train_2d.schedule": ("constant", FROM_TRAIN_2D),
    "train_2d.loss": ("mse", FROM_TRAIN_2D),
    "train_2d.precision": ("bfloat16", FROM_TRAIN_2D),
    "train_2d.patch_points": (12, FROM_TRAIN_2D),
    "train_2d.patches_per_frame": (2, FROM_TRAIN_2D),
    "train_2d.augmentation": ("none", FROM_TRAIN_2D),
    "train_2d.start": ("earlier_2d.safetensors", FROM_TRAIN_2D),
    "train_2d.first_layer": ("pretrained", ("pretrain_2d", *FROM_TRAIN_2D)),
    "train_2d.first_layer_rate": (0.1, FROM_TRAIN_2D),
    "pretrain_2d.epochs": (3, ()),
    "pretrain_2d.global_batch_size": (4, ()),
    "pretrain_2d.learning_rate": (0.01, ()),
    "pretrain_2d.schedule": ("constant", ()),
    "pretrain_2d.loss": ("l1", ()),
    "pretrain_2d.precision": ("bfloat16", ()),
    "pretrain_2d.patch_points": (12, ()),
    "pretrain_2d.patches_per_frame": (2, ()),
    "pretrain_2d.augmentation": ("mirror", ()),
    "train_3d.network": ("study_3d", FROM_TRAIN_3D),
    "train_3d.epochs": (3, FROM_TRAIN_3D),
    "train_3d.global_batch_size": (4, FROM_TRAIN_3D),
    "train_3d.learning_rate": (0.001, FROM_TRAIN_3D),
    "train_3d.schedule": ("constant", FROM_TRAIN_3D),
    "train_3d.loss": ("mse", FROM_TRAIN_3D),
    "train_3d.precision": ("bfloat16", FROM_TRAIN_3D),
    "train_3d.patch_points": (12, FROM_TRAIN_3D),
    "train_3d.patches_per_frame": (2, FROM_TRAIN_3D),
    "train_3d.augmentation": ("none", FROM_TRAIN_3D),
    "train_3d.start": ("earlier_3d.safetensors", FROM_TRAIN_3D),
    "train_joint.network": ("skip_3d_first_joint", JOINT),
    "train_joint.start": ("trained", JOINT),
    "train_joint.epochs": (3, JOINT),
    "train_joint.global_batch_size": (4, JOINT),
    "train_joint.learning_rate": (0.001, JOINT),
    "train_joint.schedule": ("constant", JOINT),
    "train_joint.loss": ("mse", JOINT),
    "train_joint.precision": ("bfloat16", JOINT),
    "train_joint.patch_points": (12, JOINT),
    "train_joint.patches_per_frame": (2, JOINT),
    "train_joint.augmentation": ("none", JOINT),
    "methods": (["network_2d"], ("evaluate", "report")),
    "experiments": (
        {"other": {"methods": ["network_3d_raw"], "train_3d": {"epochs": 1}}},
        ("train_3d", "infer_3d", "evaluate", "compare"),
    ),
    "repeats": (2, (*TRAININGS[:-1], "compare")),
    "apply.files": (["config.yaml"], ()),
    "apply.method": ("network_2d", ()),
    "apply.consistent": (True, ()),
    "apply.ensemble": (True, ()),
    "apply.format": ("netcdf", ()),
}
SEVERAL = ["spectral", "network_2d", "network_3d_raw", "network_3d_processed", "combined_raw"]
CODEC = {"downscale": {"codec": "h264", "quality": 30}, "methods": [*SEVERAL, "joint"]}
# What must change too, for a value to be right; it reruns less than the key itself.
WITH = {
    "source.every": {"split": {"validation_fraction": 0.4}},
    "downscale.scale": {"methods": [*SEVERAL, "constrained_2d", "constrained_3d"]},
    "downscale.codec": CODEC,
    "downscale.quality": CODEC,
    "train_joint.start": {"train_joint": {"network": "skip_joint", "start": "trained"}},
}
# Stages that the grid of this study is too coarse for then.
TOO_COARSE = {"downscale.scale": {"train_joint", "infer_joint"}}
# Keys that cannot change alone.
TOGETHER = {"source.kind", "source.coarse"}


def nested(key, value):
    """{"a": {"b": value}} for the key a.b."""
    section, _, name = key.partition(".")
    return {section: {name: value}} if name else {section: value}


def keys(config, prefix=""):
    """Every key of a config, with its section."""
    for name, value in config.items():
        if isinstance(value, dict) and value:
            yield from keys(value, f"{name}.")
        else:
            yield prefix + name


PAGE = """# Which stages run again

What `snakemake` runs again when one key of the config changes, with the embedded source and all `methods`.
`python -m swsr --help` and the [README](../README.md#stages) say what each stage does.

- **Nothing runs again** for another number of ranks, GPUs, memory or hours, which are not in the config; for another
  order of keys, a comment, or a settings file that was touched.
- **Files.** A file of `source` that changed since it was read is read again, with what follows; so is a folder in which
  something changed. Changed files of `apply` are super-resolved again. A training runs again when the file that its
  `first_layer` or `start` names is newer than its result.
- To free the disk of a study, remove `results/STUDY`: `--delete-all-output` knows no stores, only what describes them.
- **Optional stages** run where the config asks for them, as `pretrain_2d` where
  `train_2d.first_layer` is `pretrained` (then its keys run it, `train_2d` and what follows). The row of `methods`
  is of one that is removed; adding one also trains what it needs.
- `split.test_fraction` is used only where `source.test` names no series; then it acts as `split.validation_fraction` does.
- `ensemble`, of `methods` with `repeats`, runs again with the results of any of its networks.
- `constrain` is that of 2D results; that of 3D results runs again with `infer_3d`, that of joint ones with `infer_joint`.
- `experiments` and `repeats` run what their studies do not share with this one: here another `train_3d`, and a second seed.
- Keys of `apply` change results of `snakemake apply` alone.
- `source.kind` cannot change alone. With files in place of the embedded source everything but `simulate` runs.
- `source.coarse` needs files: another run there, or none, runs `downscale` and what follows.

`tests/workflow/test_reruns.py` makes this page, and checks every key against Snakemake's own dry run.
"""


def as_markdown():
    """The page: keys of a section that run the same stages share a row."""
    rows = {}
    for key, (_, again) in RERUNS.items():
        rows.setdefault((key.partition(".")[0], frozenset(again)), []).append(key)
    lines = ["| key | " + " | ".join(STAGES) + " |", "| --- |" + " :-: |" * len(STAGES)]
    for (section, again), names in rows.items():
        others = [
            f"`{key}`" for key in RERUNS if key.startswith(f"{section}.") and key not in names
        ]
        label = ", ".join(f"`{name}`" for name in names)
        if len(names) > max(1, 3 * len(others)):
            label = f"all of `{section}`" + (f" but {', '.join(others)}" if others else "")
        marks = ["x" if stage in again else "" for stage in STAGES]
        lines.append(f"| {label} | " + " | ".join(marks) + " |")
    return "\n".join([PAGE, *lines, ""])


def test_table_has_every_key():
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    assert set(keys(config)) == RERUNS.keys() | TOGETHER


def test_documentation_holds_the_table():
    made = (REPOSITORY / "docs" / "reruns.md").read_text()
    assert made == as_markdown(), "run: python tests/workflow/test_reruns.py > docs/reruns.md"


@pytest.mark.chain
@pytest.mark.parametrize("key", RERUNS)
def test_snakemake_agrees(chain, key):
    value, again = RERUNS[key]
    if key.endswith(".start") and str(value).startswith("earlier"):
        trained = {"2d": "train_2d", "3d": "train_3d/raw"}[key[6:8]]
        network = chain.folder / "results" / "tiny" / trained / "network.safetensors"
        shutil.copy(network, chain.folder / value)
    assert chain.would_run(nested(key, value) | WITH.get(key, {})).keys() == set(
        again
    ) - TOO_COARSE.get(key, set())


@pytest.mark.chain
def test_order_of_keys_and_touched_settings_rerun_nothing(chain):
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    tiny = yaml.safe_load((REPOSITORY / "studies" / "tiny.yaml").read_text())
    section = config["train_2d"] | tiny["train_2d"]
    (chain.folder / "results" / "tiny" / "settings" / "train_2d.json").touch()
    assert chain.would_run({"train_2d": dict(reversed(section.items()))}) == {}


@pytest.mark.chain
def test_ranks_and_memory_rerun_nothing(chain):
    changes = ("train_2d:tasks=4", "train_3d:communication=torch", "infer_2d:window_points=64")
    resources = ["--set-resources", *changes]
    done = chain.snakemake("--dry-run", *resources)
    assert "Nothing to be done" in done.stdout + done.stderr


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
