rule compare:
    input:
        metrics=[evaluation(study)["metrics"] for study in STUDIES],
        trained=[
            trained(study, stage)["metrics"]
            for study in STUDIES
            for stage in trainings_of(study)
        ],
    output:
        report(
            COMPARE,
            category="Comparison",
            labels={"result": "all experiments"},
            caption="../report/compare.rst",
        ),
        f"{RESULTS}/compare/table.csv",
        f"{RESULTS}/compare/table.png",
    log:
        log_of(f"{RESULTS}/compare"),
    conda:
        ENVIRONMENT
    params:
        evaluations=[
            f"{study}={Path(evaluation(study)['metrics']).parent}" for study in STUDIES
        ],
        training=[
            f"{study}/{stage}={Path(trained(study, stage)['metrics']).parent}"
            for study in STUDIES
            for stage in trainings_of(study)
        ],
        folder=folder_of_first_output,
    shell:
        "python -m swsr compare --evaluations {params.evaluations}"
        " --training {params.training} --output {params.folder} --log {log}"
