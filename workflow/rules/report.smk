rule report:
    input:
        lambda wildcards: evaluation(wildcards.study).values(),
        stores=lambda wildcards: stores_of(wildcards.study).values(),
        histories=lambda wildcards: [
            trained(wildcards.study, stage)["history"]
            for stage in trainings_of(wildcards.study)
        ],
    output:
        report(
            report_of("{study}"),
            category="Report",
            labels={"result": "The whole study"},
            caption="../report/report.rst",
        ),
    log:
        log_of("results/{study}/report"),
    conda:
        ENVIRONMENT
    threads: 2
    params:
        stores=named_stores,
        series=named_series,
        training=named_trainings,
        folder=folder_of_first_output,
    shell:
        "python -m swsr report --threads {threads}"
        " --stores {params.stores} --series {params.series}"
        " --evaluation results/{wildcards.study}/evaluate"
        " --training {params.training} --study results/{wildcards.study}"
        " --output {params.folder} --log {log}"
