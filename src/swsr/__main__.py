"""One subcommand per stage: `python -m swsr STAGE --settings FILE ...`; `--help` lists them.

Imports the stage that `commands` names, and runs it. Errors that a user can mend are one line
and exit code 1. `python -m swsr status results/STUDY` says how far a study is.
"""

import gc
import importlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swsr.commands import TOOLS, parse

if TYPE_CHECKING:
    from swsr.run import Run

_NO_MEMORY = (
    "the GPU has too little memory free: train on fewer or smaller patches at once "
    "(global_batch_size, patch_points), or use a smaller --cache-mb or --window-points (resources "
    "cache_mb and window_points of the rule)"
)


def main(arguments: list[str] | None = None) -> int:
    """Run one stage or tool and return the exit code."""
    options = parse(arguments, __doc__.split("\n\n")[0])
    stage = options.pop("stage")
    if stage in TOOLS:
        return _answer(stage, options)
    return _run_stage(stage, options, options.pop("flags"))


def _answer(tool: str, options: dict[str, Any]) -> int:
    try:
        function = getattr(importlib.import_module(f"swsr.{tool}"), TOOLS[tool][0])
        print(function(**options))
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"{tool}: {_sentence(error)}", file=sys.stderr)
        return 1
    return 0


def _sentence(error: Exception) -> str:
    """An error that a user can mend, in one line."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed: pip install 'swsr[workflow]', or see envs/README.md"
    return " ".join(str(error).split("\n"))


def _run_stage(stage: str, options: dict[str, Any], flags: dict[str, Any]) -> int:
    started = time.time()
    # Heavy imports only now, so that --help and errors of usage are instant.
    with _kept():
        from swsr import communication
        from swsr.run import Run, keep_memory, open_log, use_threads
        from swsr.status import started_line

    if flags["threads"]:
        use_threads(flags["threads"])
    keep_memory()
    try:
        log = open_log(stage, flags["log"], communication.launched_rank())
    except OSError as error:
        print(f"{stage}: the log cannot be written: {error}", file=sys.stderr)
        return 1
    communicator = None
    if communication.launched_rank() == 0:
        Run(log=log).note(started_line(flags["ranks"]))
    try:
        with _kept():
            communicator = communication.start(flags["communication"], flags["ranks"])
            function = getattr(importlib.import_module(f"swsr.stages.{stage}"), stage)
        run = Run(communicator, flags["device"], log, flags["window_points"], flags["cache_mb"])
        times = started, time.time()
        origin = communicator.on_first(lambda: _take_over(stage, options, flags))
        if origin["taken_over_from"]:
            run.say(f"taken over from {origin['taken_over_from']}, which was made from the same")
        else:
            function(**options, run=run)
        communicator.on_first(lambda: _record(options, times, run, origin))
    except (ValueError, OSError, ModuleNotFoundError) as error:
        communication.fail(communicator, _sentence(error), log.error)
        return 1
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, which many stages never import
            communication.fail(communicator, _NO_MEMORY, log.error)
            return 1
        log.exception("a fault of swsr itself, please report it:")
        communication.fail(communicator, "stopped", log.error)
        return 1
    return 0


@contextmanager
def _kept() -> Iterator[None]:
    """Imports whose modules are no garbage: to look for it takes a fifth of their time.

    It is not looked for among them later either, and at the end of the process, where that takes
    more than half a second.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _take_over(stage: str, options: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """What the result is made of, and the result of another study that was taken over, if any."""
    from swsr import sharing
    from swsr.provenance import file_states, provenance_path
    from swsr.settings import matching_files

    # Of an earlier result: if this stage is killed after its own, that would stand beside it.
    provenance_path(options["output"]).unlink(missing_ok=True)
    coarse = map(Path, matching_files(str(options["coarse"]))) if "coarse" in options else ()
    files = options.get("files") or coarse
    read = file_states(path for path in files if path.exists())  # else the stage says so
    known = {"read": read, "state": flags["state"]}
    origin = {"recipe": None, "taken_over_from": None} | known
    if flags["studies"] is None:
        return origin
    recipe = sharing.recipe(stage, options)
    twin = sharing.take_over(options["output"], recipe, flags["studies"])
    return origin | {"recipe": recipe, "taken_over_from": str(twin) if twin else None}


def _record(
    options: dict[str, Any], times: tuple[float, float], run: "Run", origin: dict[str, Any]
) -> None:
    from swsr.provenance import provenance_path, write_provenance
    from swsr.sharing import files_of
    from swsr.status import finished_line

    output = options["output"]
    given = options.get("settings")
    settings = json.loads(given.read_text()) if given else {}
    origin |= {"files": [path.name for path in files_of(output)]}
    ranks = run.communicator.size
    write_provenance(provenance_path(output), times, settings, ranks, origin)
    run.note(finished_line(time.time() - times[0]))


if __name__ == "__main__":
    exit_code = main()
    gc.freeze()  # what stages imported themselves: see `_kept`
    sys.exit(exit_code)
