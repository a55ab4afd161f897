rule constrain:
    input:
        settings=settings_file("constrain"),
        frames=lambda wildcards: store(
            wildcards.study, CONSTRAINED[wildcards.constrained], wildcards.series
        ),
        low=store_of("downscale"),
    output:
        "results/{study}/constrain/{constrained}/{series}.json",
    log:
        log_of("results/{study}/constrain/{constrained}/{series}.json"),
    conda:
        ENVIRONMENT
    shell:
        "python -m swsr constrain --threads {threads} --settings {input.settings}"
        " --frames {input.frames} --low {input.low} --output {output} --studies results --log {log}"
