rule settings:
    # Exactly what a stage reads, as canonical JSON: a stage runs again when this changes, and a
    # job that starts later still reads what it was submitted with.
    output:
        "results/{study}/settings/{stage}.json",
    log:
        "results/{study}/logs/settings/{stage}.log",
    conda:
        ENVIRONMENT
    params:
        text=lambda wildcards: STUDIES[wildcards.study]
        .for_stage(wildcards.stage)
        .to_json(),
    shell:
        "printf '%s\\n' {params.text:q} > {output} 2> {log}"
