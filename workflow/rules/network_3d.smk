rule train_3d:
    input:
        settings=settings_file("train_3d"),
        frames=lambda wildcards: training_stores(
            wildcards.study, FRAMES_3D[wildcards.trained]
        ),
        high=training_stores_of("extract"),
        start=start_of_train_3d,
    output:
        **training("results/{study}/train_3d/{trained}"),
    log:
        log_of("results/{study}/train_3d/{trained}"),
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
        batch=batch_divided_by_ranks("train_3d"),
        start=lambda wildcards, input: ["--start", *input.start] if input.start else [],
    shell:
        "{resources.mpi} -n {resources.tasks} python -m swsr train_3d"
        " --communication {resources.communication} --ranks {resources.tasks}"
        " --cache-mb {resources.cache_mb} --window-points {resources.window_points}"
        " --threads {resources.cpus_per_task} --settings {input.settings}"
        " --frames {input.frames} --high {input.high} {params.start:q}"
        " --output {params.folder} --studies results --log {log}"


rule infer_3d:
    input:
        network=lambda wildcards: trained(
            wildcards.study, f"train_3d/{wildcards.trained}"
        )["network"],
        frames=lambda wildcards: store(
            wildcards.study, FRAMES_3D[wildcards.frames], wildcards.series
        ),
    output:
        "results/{study}/infer_3d/{trained}_on_{frames}/{series}.json",
    log:
        log_of("results/{study}/infer_3d/{trained}_on_{frames}/{series}.json"),
    conda:
        ENVIRONMENT
    resources:
        mpi=LOCAL_MPI,
        tasks=1,
        cpus_per_task=1,
        window_points=512,
    shell:
        "{resources.mpi} -n {resources.tasks} python -m swsr infer_3d"
        " --communication mpi --ranks {resources.tasks} --threads {resources.cpus_per_task}"
        " --window-points {resources.window_points}"
        " --network {input.network} --frames {input.frames} --output {output} --studies results --log {log}"
