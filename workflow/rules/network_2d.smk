rule pretrain_2d:
    input:
        settings=settings_file("pretrain_2d"),
    output:
        **training("results/{study}/pretrain_2d"),
    log:
        log_of("results/{study}/pretrain_2d"),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mpi=LOCAL_MPI,
        communication="horovod",
        tasks=2,
        cpus_per_task=1,
        cache_mb=4096,
        window_points=512,
    params:
        folder=folder_of_first_output,
        batch=batch_divided_by_ranks("pretrain_2d"),
    shell:
        "{resources.mpi} -n {resources.tasks} python -m swsr pretrain_2d"
        " --communication {resources.communication} --ranks {resources.tasks}"
        " --cache-mb {resources.cache_mb} --window-points {resources.window_points}"
        " --threads {resources.cpus_per_task} --settings {input.settings}"
        " --output {params.folder} --studies results --log {log}"


rule train_2d:
    input:
        settings=settings_file("train_2d"),
        low=training_stores_of("downscale"),
        high=training_stores_of("extract"),
        start=start_of_train_2d,
    output:
        **training("results/{study}/train_2d"),
    log:
        log_of("results/{study}/train_2d"),
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mpi=LOCAL_MPI,
        communication="horovod",
        tasks=2,
        cpus_per_task=1,
        cache_mb=4096,
        window_points=512,
    params:
        folder=folder_of_first_output,
        batch=batch_divided_by_ranks("train_2d"),
        start=lambda wildcards, input: ["--start", *input.start] if input.start else [],
    shell:
        "{resources.mpi} -n {resources.tasks} python -m swsr train_2d"
        " --communication {resources.communication} --ranks {resources.tasks}"
        " --cache-mb {resources.cache_mb} --window-points {resources.window_points}"
        " --threads {resources.cpus_per_task} --settings {input.settings}"
        " --low {input.low} --high {input.high} {params.start:q}"
        " --output {params.folder} --studies results --log {log}"


rule infer_2d:
    input:
        network=lambda wildcards: trained(wildcards.study, "train_2d")["network"],
        low=store_of("downscale"),
        like=store_of("extract"),
    output:
        "results/{study}/infer_2d/{series}.json",
    log:
        log_of("results/{study}/infer_2d/{series}.json"),
    conda:
        ENVIRONMENT
    resources:
        mpi=LOCAL_MPI,
        tasks=1,
        cpus_per_task=1,
        window_points=512,
    shell:
        "{resources.mpi} -n {resources.tasks} python -m swsr infer_2d"
        " --communication mpi --ranks {resources.tasks} --threads {resources.cpus_per_task}"
        " --window-points {resources.window_points}"
        " --network {input.network} --low {input.low} --like {input.like}"
        " --output {output} --studies results --log {log}"
