"""Rules of the house that can be read off the files."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter

import pytest
import yaml
from tiny import REPOSITORY

from swsr.commands import STAGES

SOURCE = REPOSITORY / "src" / "swsr"
# Lowest first: a module imports from lower layers and from its own, where nothing goes in a circle.
LAYERS = [
    ["__init__", "atomic", "chain_record", "components", "job", "local_ranks", "page", "scaling"],
    ["settings.*", "commands", "communication"],
    [
        "ensembles",
        "experiments",
        "frame_checks",
        "geometry",
        "harmonics",
        "provenance",
        "run",
        "schema",
    ],
    ["compression", "grids", "status", "zarr_io.*"],
    ["clips", "coarse_runs", "resampling.*", "sharing", "sources.*"],
    ["check", "inspect", "networks.*"],
    ["checkpoint", "evaluation.*", "inference"],
    ["drawing.*", "export", "inference_stage", "model_card", "patches", "verify"],
    ["application", "training.*"],
    ["api", "stages.*"],
    ["__main__"],
]
ONLY_IN = {
    "horovod": {"communication"},
    "mpi4py": {"communication"},
    "torch.distributed": {"communication"},
    "zarr": {"zarr_io.reading", "zarr_io.writing"},
    "dinosaur": {"sources.simulation"},
    "jax": {"sources.simulation"},
    "snakemake": set(),
}


MODULES = [
    (".".join(path.relative_to(SOURCE).with_suffix("").parts), path)
    for path in sorted(SOURCE.rglob("*.py"))
]


def imports(path):
    """Every module that a file imports, also by importlib."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", None) == "import_module"
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node.args[0].value


def layer(name):
    for number, names in enumerate(LAYERS):
        if name in names or f"{name.split('.')[0]}.*" in names:
            return number
    return None


def imported_modules(path):
    """Names of modules of this package that a file imports."""
    for imported in imports(path):
        if imported.startswith("swsr."):
            name = imported.removeprefix("swsr.")
            parent = name.rpartition(".")[0]  # of what is no module
            packages = f"{name}.__init__", f"{parent}.__init__".removeprefix(".")
            yield next(one for one in (name, parent, *packages) if one in dict(MODULES))


@pytest.mark.parametrize(("name", "path"), MODULES)
def test_imports_run_downward(name, path):
    own = layer(name)
    assert own is not None, f"{name} has no layer"
    for imported in imported_modules(path):
        assert layer(imported) <= own, f"{name} imports {imported}"


def test_no_imports_in_a_circle():
    TopologicalSorter({name: set(imported_modules(path)) for name, path in MODULES}).prepare()


@pytest.mark.parametrize(("name", "path"), MODULES)
def test_each_library_has_its_module(name, path):
    for imported in imports(path):
        for library, homes in ONLY_IN.items():
            if imported == library or imported.startswith(f"{library}."):
                assert name in homes, f"{name} imports {imported}"


def test_settings_import_nothing_heavy():
    heavy = {"numpy", "torch", "xarray", "dask", "pandas"}
    for path in (SOURCE / "settings").glob("*.py"):
        assert not heavy & {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize(
    ("stage", "unused"),
    {
        "simulate": {"torch", "matplotlib"},
        "extract": {"torch", "jax", "dinosaur", "sklearn", "pint"},
        "downscale": {"jax", "dinosaur", "sklearn", "pint", "matplotlib"},
        "train_2d": {"jax", "dinosaur", "sklearn", "pint", "matplotlib"},
        "infer_3d": {"jax", "dinosaur", "sklearn", "pint", "matplotlib"},
        "evaluate": {"jax", "dinosaur", "sklearn", "pint"},
        "report": {"torch", "jax", "dinosaur", "sklearn", "pint"},
    }.items(),
)
def test_stages_start_without_what_they_do_not_use(stage, unused):
    """Every rank of a training would wait seconds for JAX."""
    code = f"import sys, swsr.run, swsr.stages.{stage}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not unused & set(done.stdout.split())


def test_networks_in_a_notebook_need_no_more_than_is_installed_for_them():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    modules = {"pillow": "PIL", "scikit-image": "skimage", "scikit-learn": "sklearn"}
    unused = {modules.get(name, name) for name in project["optional-dependencies"]["workflow"]}
    # Of these, torch and xarray bring two themselves.
    unused -= {"jinja2", "pandas"}
    code = "import sys, swsr.api; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {*unused, "jax"} & set(done.stdout.split())


def test_threads_are_those_of_the_flag_whatever_a_scheduler_set():
    code = "from swsr.run import use_threads; use_threads(1); import torch; print(torch.get_num_threads())"
    scheduler = {f"{name}_NUM_THREADS": "2" for name in ("OMP", "MKL", "OPENBLAS")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | scheduler,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["1"]


def test_rule_subcommand_and_stage_share_one_name():
    stages = {path.stem for path in (SOURCE / "stages").glob("[!_]*.py")}
    rules = {
        rule
        for path in (REPOSITORY / "workflow" / "rules").glob("*.smk")
        for rule in re.findall(r"^rule (\w+):", path.read_text(), re.MULTILINE)
    }
    assert stages == set(STAGES) == rules - {"settings", "apply_series"}
    for stage in stages:
        text = (SOURCE / "stages" / f"{stage}.py").read_text()
        assert re.search(rf"^def {stage}\(", text, re.MULTILINE)


def test_conda_environment_has_the_pins_of_the_lock_file():
    lock = (REPOSITORY / "envs" / "requirements.txt").read_text().splitlines()
    conda = yaml.safe_load((REPOSITORY / "envs" / "swsr.yaml").read_text())
    pins = [line for line in lock if line and not line.startswith("#")]
    assert conda["dependencies"][-1]["pip"] == pins
    wanted = (REPOSITORY / "envs" / "requirements.in").read_text()
    for line in wanted.splitlines():
        name = re.match(r"[\w-]+", line)
        if name:
            normal = re.sub(r"[-_.]+", "[-_.]+", name[0])
            assert any(re.match(f"{normal}==", pin, re.IGNORECASE) for pin in pins), line
