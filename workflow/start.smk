import atexit
import json
import os
from base64 import urlsafe_b64encode
from contextlib import suppress
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from platform import node


def check_files(study):
    """Say before anything runs which file is not there, used for two things, or of no use."""
    settings, used = STUDIES[study], {}
    for role in ("train", "test"):
        for entry in settings.series(role).values():
            for file in usable_files(f"source.{role}", entry):
                frames = (Path(file).resolve(), split_entry(entry)[1] or 0)
                before = used.setdefault(frames, f"source.{role} {entry}")
                if before != f"source.{role} {entry}":
                    raise WorkflowError(
                        f"source.{role}: {entry}: {file} is in {before} too: "
                        "a test on frames of the training says nothing"
                    )
    coarse = {
        name: coarse_files(settings.coarse_run(name), used)
        for name in roles(study)
        if settings.coarse_run(name)
    }
    try:
        check = import_module("swsr.check")
    except ImportError:
        # Snakemake may live in an environment of its own: then the stages find what is wrong.
        return
    files = {
        name: [Path(file) for file in files_of(study, name)] for name in roles(study)
    }
    try:
        check.check_files(settings, files, coarse, Path(f"results/{study}/source.json"))
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def coarse_files(run, fine):
    """Files of a coarse run, none of which is one of the fine ones, each with its sample."""
    files = [Path(file) for file in usable_files("source.coarse", run)]
    for file in files:
        if (file.resolve(), split_entry(run)[1] or 0) in fine:
            raise WorkflowError(
                f"source.coarse: {run}: {file} is one of the fine files: name the run of the "
                "coarse model"
            )
    return files


@cache
def own_networks(study):
    """Networks that trainings of a study make, wherever links lead, and their names in rules."""
    names = [training(f"results/{study}/{stage}")["network"] for stage in TRAININGS]
    return {Path(name).resolve(): name for name in names}


def is_there(study, key, path, choices):
    """Whether a file to start from can be read already; not one that this run trains first.

    Refuses what will not be there, and what Snakemake would delete before it is read.
    """
    if path.resolve() in own_networks(study):
        raise WorkflowError(f"{key}: {path}: is what it trains: name a copy of it")
    made = [
        own_networks(other)[path.resolve()]
        for other in STUDIES
        if path.resolve() in own_networks(other)
    ]
    if made and str(path) not in made:
        raise WorkflowError(
            f"{key}: {path}: this run trains it: write {made[0]}, so that it is trained first"
        )
    if not path.is_file() and not made:
        raise WorkflowError(f"{key}: {path}: no such file: give {choices} or a path")
    return path.is_file()


def check_made(study, section, path):
    """Compare a network that this run trains first with the training that goes on from it."""
    ours = layers(STUDIES[study], section)
    for other, settings in STUDIES.items():
        name = own_networks(other).get(path.resolve())
        if name is None:
            continue
        theirs = layers(settings, Path(name).relative_to(f"results/{other}").parts[0])
        for what in ours:
            if theirs[what] != ours[what]:
                raise WorkflowError(
                    f"{section}.start: {path}: its {what} will be {theirs[what]}, not "
                    f"{ours[what]}: train from random weights, or from a network of the same kind"
                )


def layers(settings, section):
    """What a network must share with the one that it goes on from."""
    trained = "train_2d" if section == "pretrain_2d" else section
    source = settings.source
    return {
        "network": getattr(settings, trained).network,
        "scale": settings.downscale.scale if trained == "train_2d" else 1,
        # Pictures have brightness alone.
        "number of variables": 1 if section == "pretrain_2d" else len(source.variables),
        "number of predictors": len(source.predictors) if section == "train_2d" else 0,
    }


def check_first_layer(study):
    """Read the file that the first layer starts from, before hours are spent on frames."""
    settings = STUDIES[study]
    path = settings.train_2d.first_layer_file
    if path is None or "train_2d" not in trained_sections(settings):
        return
    if not is_there(study, "train_2d.first_layer", path, "random, pretrained"):
        return
    try:
        reader = import_module("swsr.training.pretrained")
    except ImportError:
        return  # as above
    try:
        reader.read_first_layer(path)
    except ValueError as error:
        raise WorkflowError(f"train_2d.first_layer: {error}") from None


def check_starts(study):
    """Read the networks that trainings start from, likewise."""
    settings = STUDIES[study]
    for section in trained_sections(settings):
        path = getattr(getattr(settings, section), "start_file", None)
        if path is None:
            continue
        if not is_there(study, f"{section}.start", path, "random"):
            check_made(study, section, path)
            continue
        try:
            reader = import_module("swsr.training.stage")
        except ImportError:
            return  # as above
        train = getattr(settings, section)
        source = settings.source
        counts = len(source.variables), len(source.predictors)
        try:
            reader.read_start(path, train, settings.downscale.scale, *counts)
        except ValueError as error:
            raise WorkflowError(f"{section}.start: {error}") from None


def check_study(study):
    """All of these checks; what is wrong is said of the experiment that it is in."""
    try:
        if STUDIES[study].source.kind == "files":
            check_files(study)
        check_first_layer(study)
        check_starts(study)
    except WorkflowError as error:
        if study == STUDY:
            raise
        raise WorkflowError(f"experiments.{name_of(study)}: {error}") from None


def discard_orphans():
    """Forget manifests whose store was deleted: only then is the store made again."""
    stages = ["extract", "downscale", "upscale", *STAGE_OF.values()]
    folders = [Path("results", study, stage) for study in STUDIES for stage in stages]
    for folder in [*folders, Path(RESULTS, "apply")]:
        for path in folder.glob("*.json"):
            described = not path.name.endswith(".provenance.json")
            if described and not path.with_suffix(".zarr").is_dir():
                path.unlink()


def renew_unrecorded_settings():
    """Write settings anew that differ where Snakemake cannot know, whose records stay behind.

    They are then newer than results, which it does see. A dry run puts them back as they were.
    """
    for study, settings in STUDIES.items():
        for path in Path("results", study, "settings").glob("*.json"):
            record = urlsafe_b64encode(str(path).encode()).decode()
            if not Path(".snakemake", "metadata", record).exists():
                # Of a stage that earlier versions had; on a disk that takes nothing.
                with suppress(KeyError, OSError):
                    text = f"{settings.for_stage(path.stem).to_json()}\n"
                    before, state = path.read_text(), path.stat()
                    if before != text:
                        path.write_text(text)
                        if workflow.output_settings.dryrun:
                            atexit.register(put_back, path, before, state)


def put_back(path, text, state):
    path.write_text(text)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def wanted(study):
    """Results of a study, each as its stage's --output has it, in the order of the rules."""
    settings = STUDIES[study]
    simulated = settings.source.kind == "simulation"
    results = [
        *(files_of(study, name)[0] for name in roles(study) if simulated),
        *stores_of(study).values(),
        *(
            Path(trained(study, stage)["network"]).parent
            for stage in all_trainings_of(study)
        ),
        f"results/{study}/evaluate",
    ]
    stages = [rule.name for rule in workflow.rules]
    return sorted(map(str, results), key=lambda path: stages.index(stage_of(path)))


def stage_of(result):
    """The stage that makes a result: its logs lie in a folder, or file, of that name."""
    log = Path(log_of(result))
    while log.parent.name != "logs":
        log = log.parent
    return log.stem


def write_plan(log):
    """Tell `swsr status` which results are wanted, which this run makes, and who does."""
    results = [path for study in STUDIES for path in wanted(study)]
    results += [f"{RESULTS}/report", *(applied(name) for name in APPLY)]
    results += [f"{RESULTS}/compare"] if COMPARED else []
    made = {str(path) for job in workflow.dag.needrun_jobs() for path in job.output}
    made |= {os.path.dirname(path) for path in made}
    plan = {
        "host": node(),
        "process": os.getpid(),
        "started": f"{datetime.now():%Y-%m-%d %H:%M}",
        "folder": os.getcwd(),
        "log": ", ".join(log),
        "results": {
            os.path.relpath(path, RESULTS): os.path.relpath(log_of(path), RESULTS)
            for path in dict.fromkeys(results)
        },
        "anew": [os.path.relpath(path, RESULTS) for path in results if path in made],
    }
    path = Path(RESULTS, "logs", "plan.json")
    new = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(plan, indent=2))
        new.replace(path)
    except OSError as error:
        raise WorkflowError(f"{path}: cannot be written: {error}") from None


def show_summary():
    summary = Path(evaluation(STUDY)["summary"])
    networks = [Path(trained(STUDY, stage)["metrics"]) for stage in trainings_of(STUDY)]
    # After a run of other targets the figures may be older than the networks.
    if summary.exists() and all(
        path.exists() and path.stat().st_mtime <= summary.stat().st_mtime
        for path in networks
    ):
        print(f"\n{summary.read_text()}\nTables and picture: {summary.parent}/")
        print(f"All of it on one page: {report_of(STUDY)}")
    if COMPARED and Path(COMPARE).exists():
        print(f"\n{Path(COMPARE).read_text()}")


if workflow.is_main_process:
    for study in STUDIES:
        check_study(study)
    discard_orphans()
    renew_unrecorded_settings()
