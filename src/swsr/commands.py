"""The command line: what subcommands there are, what they take, and what a user gave."""

import argparse
from pathlib import Path
from typing import Any

from swsr import __version__

_ONE: dict[str, Any] = {"type": Path, "metavar": "PATH"}
_MANY: dict[str, Any] = {"type": Path, "nargs": "+", "metavar": "PATH"}
_PAIRS = ("NAME=PATH", "NAME=WORD")
_PATHS: dict[str, Any] = {"type": Path, "nargs": "+", "metavar": _PAIRS[0]}
_WORDS: dict[str, Any] = {"type": str, "nargs": "+", "metavar": _PAIRS[1]}
_OPTIONAL: dict[str, Any] = {"required": False}

_SETTINGS = _ONE | {"help": "its section of the config, as settings/STAGE.json of a study"}
_SERIES = _ONE | {"help": "where the series goes: NAME.json beside its frames in NAME.zarr"}
_FOLDER = _ONE | {"help": "folder of the results"}
_FILES = _MANY | {"help": "that join in time, of any format that source reads"}
_SAMPLE = _OPTIONAL | {"type": int, "metavar": "NUMBER", "help": "of several in these files"}
_LOW = _ONE | {"help": "low-resolution series, NAME.json of downscale"}
_LIKE = _ONE | {"help": "series on the grid of the result, NAME.json of extract"}
_NETWORK = _ONE | {"help": "trained, network.safetensors"}
_LOWS = _MANY | {"help": "low-resolution series, NAME.json of downscale"}
_HIGHS = _MANY | {"help": "their truths in the same order, NAME.json of extract"}
_STORES = _PATHS | {"help": "series by METHOD/SERIES, methods truth and low among them"}
_ROLES = _WORDS | {"help": "what each series is for: SERIES=train or SERIES=test"}
_TRAININGS = _PATHS | {"help": "folders of trainings by STAGE, or STAGE/INPUT"}

# Summary, and arguments as those of the stage's function.
STAGES: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "simulate": (
        "run the embedded shallow-water simulation to NetCDF",
        {
            "settings": _SETTINGS,
            "seed": {"type": int, "help": "of the initial state"},
            "output": _ONE | {"help": "file of NetCDF"},
        },
    ),
    "extract": (
        "extract checked frames from files to Zarr",
        {"settings": _SETTINGS, "files": _FILES, "sample": _SAMPLE, "output": _SERIES},
    ),
    "downscale": (
        "make low-resolution frames, and compress them",
        {
            "settings": _SETTINGS,
            "high": _ONE | {"help": "series that is copied, NAME.json of extract"},
            "files": _FILES | _OPTIONAL | {"help": "of a coarse run, in place of copies"},
            "sample": _SAMPLE,
            "output": _SERIES,
        },
    ),
    "upscale": (
        "interpolate low-resolution frames back to the high grid",
        {"settings": _SETTINGS, "low": _LOW, "like": _LIKE, "output": _SERIES},
    ),
    "upscale_spectral": (
        "interpolate low-resolution frames by spherical harmonics or waves: a baseline",
        {"settings": _SETTINGS, "low": _LOW, "like": _LIKE, "output": _SERIES},
    ),
    "pretrain_2d": (
        "train the 2D network on natural images, for its first layer",
        {"settings": _SETTINGS, "output": _FOLDER},
    ),
    "train_2d": (
        "train the 2D network",
        {
            "settings": _SETTINGS,
            "low": _LOWS,
            "high": _HIGHS,
            "start": _ONE | _OPTIONAL | {"help": "network to go on from, or of the first layer"},
            "output": _FOLDER,
        },
    ),
    "infer_2d": (
        "super-resolve a series with the 2D network",
        {"network": _NETWORK, "low": _LOW, "like": _LIKE, "output": _SERIES},
    ),
    "train_3d": (
        "train the 3D network",
        {
            "settings": _SETTINGS,
            "frames": _MANY | {"help": "series of upscale or of infer_2d, NAME.json"},
            "high": _HIGHS,
            "start": _ONE | _OPTIONAL | {"help": "network to go on from"},
            "output": _FOLDER,
        },
    ),
    "infer_3d": (
        "sharpen a series with the 3D network",
        {
            "network": _NETWORK,
            "frames": _ONE | {"help": "series of upscale or of infer_2d, NAME.json"},
            "output": _SERIES,
        },
    ),
    "train_joint": (
        "train one network from five low-resolution frames to a fine one",
        {
            "settings": _SETTINGS,
            "low": _LOWS,
            "high": _HIGHS,
            "start": _MANY
            | _OPTIONAL
            | {"help": "a 2D and a 3D network to go on from (skip_joint, study_joint)"},
            "output": _FOLDER,
        },
    ),
    "infer_joint": (
        "super-resolve a series with the joint network",
        {"network": _NETWORK, "low": _LOW, "like": _LIKE, "output": _SERIES},
    ),
    "constrain": (
        "make frames of a network consistent with the low-resolution ones",
        {
            "settings": _SETTINGS,
            "frames": _ONE | {"help": "series of a network, NAME.json"},
            "low": _LOW,
            "output": _SERIES,
        },
    ),
    "ensemble": (
        "average frames of networks from several seeds, and say how far they differ",
        {
            "members": _MANY | {"help": "the same series of each network, NAME.json"},
            "output": _SERIES,
        },
    ),
    "evaluate": (
        "compare all methods with the truth",
        {
            "settings": _SETTINGS,
            "stores": _STORES,
            "series": _ROLES,
            "network": _ONE | {"help": "any trained one, for the range of its training"},
            "training": _TRAININGS,
            "output": _FOLDER,
        },
    ),
    "apply": (
        "super-resolve frames that have no truth: apply NETWORK COARSE FINE",
        {
            "network": {"type": Path, "help": "a trained 2D or joint network, network.safetensors"},
            "coarse": {"type": Path, "help": "a file, a folder, or a quoted pattern of files"},
            "output": {"type": Path, "help": "the result: a name that ends with .zarr or .nc"},
            "others": _MANY
            | _OPTIONAL
            | {"help": "networks from other seeds: for the mean, and its spread"},
            "then": _MANY
            | _OPTIONAL
            | {"help": "a 3D network that was trained on results of that 2D one; one for each"},
            "consistent": {
                "action": "store_true",
                "required": False,
                "help": "change results so that their low-resolution copies are the coarse frames",
            },
            "settings": _ONE
            | _OPTIONAL
            | {"help": "how files are read, by the workflow; default: told by content"},
        },
    ),
    "report": (
        "write all that was found to one HTML page",
        {
            "stores": _STORES,
            "series": _ROLES,
            "evaluation": _ONE | {"help": "folder that evaluate wrote"},
            "training": _TRAININGS,
            "study": _ONE | {"help": "folder of the study, for its settings and logs"},
            "output": _FOLDER,
        },
    ),
    "compare": (
        "put the figures of several studies side by side",
        {
            "evaluations": _PATHS | {"help": "folders that evaluate wrote, by study"},
            "training": _PATHS | {"help": "folders of trainings, by STUDY/STAGE"},
            "output": _FOLDER,
        },
    ),
}

_BY_PLACE = {"apply": ("network", "coarse", "output")}
"""Arguments of stages that are told by their place, and not by a name."""

# Commands that answer a question and have no rule: function, summary, arguments; what it returns is
# printed.
TOOLS: dict[str, tuple[str, str, dict[str, dict[str, Any]]]] = {
    "export": (
        "export",
        "write a trained network as ONNX, for programs without torch",
        {
            "network": {
                "type": Path,
                "metavar": "NETWORK",
                "help": "a trained one, network.safetensors",
            },
            "output": {"type": Path, "metavar": "FILE.onnx", "help": "the result"},
        },
    ),
    "inspect": (
        "inspect",
        "say what is in files, and how a config reads them",
        {
            "files": {
                "type": Path,
                "nargs": "+",
                "metavar": "FILE",
                "help": "of any format that source reads, a series each",
            },
            "--format": {"metavar": "NAME", "help": "as source.format; default: told by content"},
        },
    ),
    "verify": (
        "verify",
        "say how good a result is where there is a truth: verify COARSE FINE TRUTH",
        {
            "coarse": {"type": Path, "help": "what the result was made of: a file or a pattern"},
            "fine": {"type": Path, "help": "the result, of `apply` or of anything else"},
            "truth": {"type": Path, "help": "frames on the same grid"},
            "--filter": {
                "dest": "filter_name",
                "choices": ("bicubic", "mean"),
                "help": "which made, or would make, the coarse frames; default: as their store "
                "says, else bicubic",
            },
            "--periodic": {
                "nargs": "+",
                "choices": ("lat", "lon"),
                "help": "dims that go around, as source.periodic; default: as stores say, else "
                "detected from coordinates",
            },
        },
    ),
    "status": (
        "describe",
        "show how far a study is, also while it runs: done, running, failed, waiting",
        {"study": {"type": Path, "metavar": "PATH", "help": "its folder, results/STUDY"}},
    ),
}


def parse(arguments: list[str] | None, description: str) -> dict[str, Any]:
    """Name and arguments of the stage or tool that is asked for, and of a stage its `flags`.

    `description` heads the help; what is wrong ends the program, in one line.
    """
    parser = argparse.ArgumentParser(prog="swsr", description=description)
    parser.add_argument("--version", action="version", version=__version__)
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    for stage, (summary, names) in STAGES.items():
        command = stages.add_parser(stage, help=summary, description=summary)
        for name, kind in names.items():
            if name in _BY_PLACE.get(stage, ()):
                command.add_argument(name, **kind)
            else:
                command.add_argument(f"--{name}", **({"required": True} | kind))
        _add_flags(command)
    for tool, (_, summary, given) in TOOLS.items():
        command = stages.add_parser(tool, help=summary, description=summary)
        for name, kind in given.items():
            command.add_argument(name, **kind)
    options = vars(parser.parse_args(arguments))
    if options["stage"] in TOOLS:
        return options
    names = STAGES[options["stage"]][1]
    for name, kind in names.items():
        if kind.get("metavar") in _PAIRS:
            options[name] = _as_mapping(parser, name, options[name], kind["type"])
    flags = {name: value for name, value in options.items() if name not in (*names, "stage")}
    return {name: options[name] for name in (*names, "stage")} | {"flags": flags}


def _add_flags(command: argparse.ArgumentParser) -> None:
    how = command.add_argument_group("how to run: changes results by rounding at most")
    how.add_argument("--log", type=Path, metavar="PATH", help="file for the log")
    how.add_argument(
        "--communication", choices=["none", "horovod", "torch", "mpi"], default="none",
        help="what ranks communicate by",
    )  # fmt: skip
    how.add_argument(
        "--state", default="", metavar="NAME",
        help="what the workflow calls the state of the files that are read; default: nothing",
    )  # fmt: skip
    how.add_argument(
        "--studies", type=Path, metavar="PATH",
        help="folder of studies from which an equal result is taken over; default: none is",
    )  # fmt: skip
    how.add_argument("--ranks", type=_positive, default=1, help="ranks that the launcher starts")
    how.add_argument("--threads", type=_positive, help="threads of each rank; default: all cores")
    how.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto",
        help="where to compute; default: a GPU where there is one",
    )  # fmt: skip
    how.add_argument(
        "--window-points",
        type=_positive,
        default=512,
        help="side of a window of inference, input points",
    )
    how.add_argument(
        "--cache-mb",
        type=_not_negative,
        default=4096,
        help="frames that a training rank keeps in memory",
    )


def _positive(text: str) -> int:
    return _at_least(1, text)


def _not_negative(text: str) -> int:
    return _at_least(0, text)


def _at_least(least: int, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number, {least} or more")
    return number


def _as_mapping(
    parser: argparse.ArgumentParser, name: str, pairs: list[Any], kind: type
) -> dict[str, Any]:
    mapping = {}
    for pair in map(str, pairs):
        key, equals, value = pair.partition("=")
        if not equals:
            parser.error(f"--{name}: {pair!r} is not of the form name=value")
        mapping[key] = kind(value)
    return mapping
