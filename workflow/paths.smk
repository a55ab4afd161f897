import re
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory

STUDY = SETTINGS.study
RESULTS = f"results/{STUDY}"
ENVIRONMENT = f"{workflow.basedir}/envs/swsr.yaml"
HOMES = Homes(STUDIES)

# How ranks start where no profile says otherwise. The folders go when Snakemake ends.
MPI_FOLDERS = TemporaryDirectory(prefix="swsr-mpi-")
LOCAL_MPI = in_own_folder(MPI_FOLDERS.name)

# What the 3D network reads, by the study's names.
FRAMES_3D = {
    name: upstream(f"train_3d/{name}", SETTINGS)[0] for name in ("raw", "processed")
}
# Whose frames are made consistent with their input, and whose ensembles are the means of.
CHAINS = ("2d", "3d", "joint")
CONSTRAINED = {name: upstream(f"constrain/{name}", SETTINGS)[0] for name in CHAINS}
ENSEMBLES = {name: upstream(f"ensemble/{name}", SETTINGS)[0] for name in CHAINS}
EVALUATION = {
    "metrics": "metrics.json",
    "means": "metrics.csv",
    "frames": "frames.csv",
    "tables": "tables.md",
    "summary": "summary.md",
    "physics": "physics.md",
    "gate": "gate.json",
    "global_means": "means.csv",
    "spectra": "spectra.csv",
    "spread": "spread.csv",
    "picture": "picture.png",
}

# One table of all studies, where there are several.
COMPARED = len(STUDIES) > 1
COMPARE = f"{RESULTS}/compare/table.md"

# Coarse runs without truth: name of the result -> file or pattern.
APPLY = SETTINGS.apply.series()
# The networks that they go through.
FIRST_APPLIED, *THEN_APPLIED = {
    "network_2d": ["train_2d"],
    "network_3d_processed": ["train_2d", "train_3d/processed"],
    "joint": ["train_joint"],
}[SETTINGS.apply.method]
APPLIED_SUFFIX = {"zarr": ".zarr", "netcdf": ".nc"}[SETTINGS.apply.format]


wildcard_constraints:
    study="|".join(re.escape(study) for study in STUDIES),
    applied="[A-Za-z0-9_-]+",
    series="[a-z]+_[0-9]+",
    seed="[0-9]+",
    trained="raw|processed",
    frames="raw|processed",
    constrained="|".join(CHAINS),
    ensemble="|".join(CHAINS),


def roles(study):
    """Name of each series of a study, and whether it trains or tests."""
    return {
        name: role for role in ("train", "test") for name in STUDIES[study].series(role)
    }


def store(study, stage, series):
    """Manifest of a store, in the study that makes it."""
    return f"results/{HOMES.of(study, stage, series)}/{stage}/{series}.json"


def store_of(stage):
    """Input function: the manifest of the series of a rule."""
    return lambda wildcards: store(wildcards.study, stage, wildcards.series)


def training_stores(study, stage):
    """Manifests of what a study trains on."""
    return [store(study, stage, name) for name in STUDIES[study].series("train")]


def training_stores_of(stage):
    """Input function: the manifests of what the study of a rule trains on."""
    return lambda wildcards: training_stores(wildcards.study, stage)


def trained(study, stage):
    """What a training leaves, in the study that makes it."""
    return training(f"results/{HOMES.of(study, stage)}/{stage}")


def training(folder):
    """What a training leaves; the folder may contain wildcards."""
    return {
        "network": f"{folder}/network.safetensors",
        "history": f"{folder}/history.csv",
        "metrics": f"{folder}/metrics.json",
        "card": f"{folder}/README.md",
    }


def start_of_train_2d(wildcards):
    """A trained network, or the file that the first layer starts from."""
    settings = STUDIES[wildcards.study].train_2d
    if settings.start_file:
        return [settings.start_file]
    if settings.first_layer == "pretrained":
        return [trained(wildcards.study, "pretrain_2d")["network"]]
    return [settings.first_layer_file] if settings.first_layer_file else []


def start_of_train_3d(wildcards):
    """A trained network."""
    start = STUDIES[wildcards.study].train_3d.start_file
    return [start] if start else []


def networks_to_start_from(wildcards):
    """Trained networks that a joint one goes on from."""
    if STUDIES[wildcards.study].train_joint.start != "trained":
        return []
    return [trained(wildcards.study, stage)["network"] for stage in STARTS]


def trainings_of(study):
    """Stages that train what the methods of a study use, in order."""
    return list(
        dict.fromkeys(
            stage
            for method in STUDIES[study].methods
            for stage in trainings(method, STUDIES[study])
        )
    )


def all_trainings_of(study):
    """The same, before them what the 2D network starts from, and what `apply` alone uses."""
    first = ["pretrain_2d"] if pretrains(STUDIES[study]) else []
    applied = APPLY and study in applied_studies()
    last = trainings(SETTINGS.apply.method, STUDIES[study]) if applied else []
    return list(dict.fromkeys([*first, *trainings_of(study), *last]))


def applied_studies():
    """Whose networks `apply` uses: the study or, for an ensemble, all repeats of it."""
    return members(STUDIES, STUDY) if SETTINGS.apply.ensemble else [STUDY]


def methods_of(study):
    """Each method of a study, with truth and input, and the stage that makes its frames."""
    return {
        "truth": "extract",
        "low": "downscale",
        "bicubic": "upscale",
    } | {method: STAGE_OF[method] for method in STUDIES[study].methods}


def stores_of(study):
    """Method and series -> manifest, of all frames that a study compares."""
    return {
        f"{method}/{name}": store(study, stage, name)
        for method, stage in methods_of(study).items()
        for name in roles(study)
    }


def evaluation(study):
    return {
        name: f"results/{study}/evaluate/{file}" for name, file in EVALUATION.items()
    }


def report_of(study):
    return f"results/{study}/report/report.html"


def settings_file(stage):
    return f"results/{{study}}/settings/{stage}.json"


def applied(name):
    """What of a result of apply is tracked: the manifest of a store, or the file itself."""
    suffix = ".json" if SETTINGS.apply.format == "zarr" else ".nc"
    return f"{RESULTS}/apply/{name}{suffix}"


def all_applied(wildcards):
    """Results of all coarse runs."""
    if not APPLY:
        raise WorkflowError(
            "apply.files is empty: name the coarse runs to super-resolve"
        )
    return [applied(name) for name in APPLY]


def usable_files(key, entry):
    """Files that an entry of the config stands for, which Snakemake can name in its rules."""
    files = matching_files(entry)
    if not files:
        raise WorkflowError(f"{key}: {entry}: no such file")
    for file in files:
        if file.startswith("-") or set(file) & set("{}"):
            raise WorkflowError(
                f"{key}: {file}: a name with braces, or with - at its beginning, means something "
                "else to Snakemake: rename it"
            )
    return files


def files_applied(wildcards):
    """Files of a coarse run."""
    return usable_files("apply.files", APPLY[wildcards.applied])


def state_applied(wildcards):
    """As `state_of_series`."""
    files = map(Path, files_applied(wildcards))
    return state_to_read(files, Path(applied(wildcards.applied)))


def networks_applied(stage):
    """Networks of a training: that of the study or, for an ensemble, those of all repeats."""
    return [trained(study, stage)["network"] for study in applied_studies()]


def flag(name, values):
    """A flag with its values, or nothing without any."""
    return [name, *values] if values else []


def log_of(result):
    """Log of a result, given as `--output` of its stage; may contain wildcards."""
    for study in ("{study}", *sorted(STUDIES, key=len, reverse=True)):
        folder = Path("results", study)
        if Path(result).is_relative_to(folder):
            inside = Path(result).relative_to(folder).with_suffix("")
            return str(folder / "logs" / f"{inside}.log")
    raise ValueError(result)


def folder_of_first_output(wildcards, output):
    return str(Path(output[0]).parent)


def batch_divided_by_ranks(stage):
    """The global batch of a training, checked against its ranks before anything runs."""

    def check(wildcards, resources):
        batch = getattr(STUDIES[wildcards.study], stage).global_batch_size
        if batch % int(resources.tasks):
            raise WorkflowError(
                f"{stage}.global_batch_size {batch} is not divisible by the {resources.tasks} "
                f"ranks of {stage}: change one (ranks: nodes and gpus_per_node of the profile; "
                f"without one --set-resources {stage}:tasks=...)"
            )
        return batch

    return check


def files_of_series(wildcards):
    """Files that a series is extracted from."""
    return files_of(wildcards.study, wildcards.series)


def state_of_series(wildcards):
    """Of the files of a series where they changed unseen: Snakemake knows only which are newer."""
    if STUDIES[wildcards.study].source.kind == "simulation":
        return ""
    result = store(wildcards.study, "extract", wildcards.series)
    return state_to_read(map(Path, files_of_series(wildcards)), Path(result))


def sample_of_series(wildcards):
    """Flag that names the trajectory, of several in the files of a series."""
    sample = STUDIES[wildcards.study].sample(wildcards.series)
    return "" if sample is None else f"--sample {sample}"


def files_of(study, series):
    settings = STUDIES[study]
    entry = settings.entry(series)
    if settings.source.kind == "simulation":
        home = HOMES.of(study, "simulate", series)
        return [f"results/{home}/simulate/seed_{entry}.nc"]
    return matching_files(entry)


def files_of_coarse_run(wildcards):
    """Files of the run whose frames take the place of low-resolution copies, if there is one."""
    run = STUDIES[wildcards.study].coarse_run(wildcards.series)
    return matching_files(run) if run else []


def flags_of_coarse_run(wildcards):
    """How the stage is told of it: files, trajectory and, as `state_of_series`, their state."""
    files = files_of_coarse_run(wildcards)
    if not files:
        return ""
    result = store(wildcards.study, "downscale", wildcards.series)
    state = state_to_read(map(Path, files), Path(result))
    _, sample = split_entry(STUDIES[wildcards.study].coarse_run(wildcards.series))
    number = "" if sample is None else f" --sample {sample}"
    return f"--files {shlex.join(files)}{number} --state={state}"


def networks_of(wildcards):
    """Networks of a study, in the order in which they are trained."""
    stages = trainings_of(wildcards.study)
    return [trained(wildcards.study, stage)["network"] for stage in stages]


def named_stores(wildcards):
    """What evaluate and report compare: METHOD/SERIES=MANIFEST."""
    return [f"{name}={path}" for name, path in stores_of(wildcards.study).items()]


def named_series(wildcards):
    """SERIES=ROLE."""
    return [f"{name}={role}" for name, role in roles(wildcards.study).items()]


def named_trainings(wildcards):
    """Name of each training, as train_2d or train_3d/raw, and its folder."""
    return [
        f"{stage}={Path(trained(wildcards.study, stage)['network']).parent}"
        for stage in trainings_of(wildcards.study)
    ]


# What `snakemake --report` shows of the evaluation, and how it is called there.
REPORTED = {
    "picture": "one frame by every method",
    "summary": "result and gate",
    "physics": "all figures",
    "tables": "the study's tables",
}


def reported(name):
    return report(
        evaluation("{study}")[name],
        category="Evaluation",
        labels={"study": "{study}", "result": REPORTED[name]},
        caption="../report/evaluate.rst",
    )
