import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The library of this checkout, for the rules below and for the stages that they start.
LIBRARY = f"{workflow.basedir}/src"
sys.path.insert(0, LIBRARY)
shell.prefix(
    f"export PYTHONPATH={shlex.quote(LIBRARY)}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; "
)

from swsr.experiments import (
    STAGE_OF,
    STARTS,
    TRAININGS,
    Homes,
    expand,
    members,
    name_of,
    pretrains,
    trained_sections,
    trainings,
    upstream,
)
from swsr.local_ranks import in_own_folder
from swsr.provenance import state_to_read
from swsr.settings import matching_files, split_entry
from swsr.settings.config_file import check_keys


configfile: f"{workflow.basedir}/config.yaml"


try:
    if workflow.is_main_process:
        for path in map(Path, workflow.configfiles):
            check_keys(path)
    STUDIES = expand(config)
except ValueError as error:
    raise WorkflowError(str(error)) from None
# The study itself; the others are its experiments.
SETTINGS = next(iter(STUDIES.values()))


include: "workflow/paths.smk"
include: "workflow/rules/settings.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/network_2d.smk"
include: "workflow/rules/network_3d.smk"
include: "workflow/rules/joint.smk"
include: "workflow/rules/constrain.smk"
include: "workflow/rules/ensemble.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/apply.smk"
include: "workflow/rules/report.smk"
include: "workflow/start.smk"


localrules:
    all,
    apply,
    settings,


rule all:
    default_target: True
    input:
        # All results, not only the last ones: a deleted one is made again.
        [stores_of(study).values() for study in STUDIES],
        [
            trained(study, stage).values()
            for study in STUDIES
            for stage in all_trainings_of(study)
        ],
        [evaluation(study).values() for study in STUDIES],
        report_of(STUDY),
        [COMPARE] if COMPARED else [],


onstart:
    write_plan(log)


onsuccess:
    show_summary()
