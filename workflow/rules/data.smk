rule simulate:
    input:
        settings=settings_file("simulate"),
    output:
        "results/{study}/simulate/seed_{seed}.nc",
    log:
        log_of("results/{study}/simulate/seed_{seed}.nc"),
    conda:
        ENVIRONMENT
    shell:
        "python -m swsr simulate --settings {input.settings} --seed {wildcards.seed}"
        " --output {output} --studies results --log {log}"


rule extract:
    input:
        settings=settings_file("extract"),
        files=files_of_series,
    output:
        "results/{study}/extract/{series}.json",
    log:
        log_of("results/{study}/extract/{series}.json"),
    conda:
        ENVIRONMENT
    params:
        sample=sample_of_series,
        state=state_of_series,
    shell:
        "python -m swsr extract --threads {threads} --settings {input.settings}"
        " --files {input.files:q} {params.sample} --state={params.state} --output {output}"
        " --studies results --log {log}"


rule downscale:
    input:
        settings=settings_file("downscale"),
        high=store_of("extract"),
        files=files_of_coarse_run,
    output:
        "results/{study}/downscale/{series}.json",
    log:
        log_of("results/{study}/downscale/{series}.json"),
    conda:
        ENVIRONMENT
    params:
        coarse_run=flags_of_coarse_run,
    shell:
        "python -m swsr downscale --threads {threads} --settings {input.settings}"
        " --high {input.high} {params.coarse_run} --output {output} --studies results --log {log}"


rule upscale:
    input:
        settings=settings_file("upscale"),
        low=store_of("downscale"),
        like=store_of("extract"),
    output:
        "results/{study}/upscale/{series}.json",
    log:
        log_of("results/{study}/upscale/{series}.json"),
    conda:
        ENVIRONMENT
    shell:
        "python -m swsr upscale --threads {threads} --settings {input.settings}"
        " --low {input.low} --like {input.like} --output {output} --studies results --log {log}"


rule upscale_spectral:
    input:
        settings=settings_file("upscale_spectral"),
        low=store_of("downscale"),
        like=store_of("extract"),
    output:
        "results/{study}/upscale_spectral/{series}.json",
    log:
        log_of("results/{study}/upscale_spectral/{series}.json"),
    conda:
        ENVIRONMENT
    shell:
        "python -m swsr upscale_spectral --threads {threads} --settings {input.settings}"
        " --low {input.low} --like {input.like} --output {output} --studies results --log {log}"
