rule evaluate:
    input:
        settings=settings_file("evaluate"),
        networks=networks_of,
        stores=lambda wildcards: stores_of(wildcards.study).values(),
        trained=lambda wildcards: [
            trained(wildcards.study, stage)["metrics"]
            for stage in trainings_of(wildcards.study)
        ],
    output:
        **{
            name: path
            for name, path in evaluation("{study}").items()
            if name not in REPORTED
        },
        **{name: reported(name) for name in REPORTED},
    log:
        log_of("results/{study}/evaluate"),
    conda:
        ENVIRONMENT
    threads: 2
    params:
        stores=named_stores,
        series=named_series,
        training=named_trainings,
        folder=folder_of_first_output,
    shell:
        "python -m swsr evaluate --threads {threads}"
        " --settings {input.settings} --network {input.networks[0]}"
        " --stores {params.stores} --series {params.series} --training {params.training}"
        " --output {params.folder} --studies results --log {log}"
