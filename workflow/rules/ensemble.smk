rule ensemble:
    input:
        members=lambda wildcards: [
            store(member, ENSEMBLES[wildcards.ensemble], wildcards.series)
            for member in members(STUDIES, wildcards.study)
        ],
    output:
        "results/{study}/ensemble/{ensemble}/{series}.json",
    log:
        log_of("results/{study}/ensemble/{ensemble}/{series}.json"),
    conda:
        ENVIRONMENT
    shell:
        "python -m swsr ensemble --threads {threads} --members {input.members}"
        " --output {output} --studies results --log {log}"
