rule apply:
    # The target: each coarse run super-resolved by the networks of this study.
    input:
        all_applied,


rule apply_series:
    input:
        networks=networks_applied(FIRST_APPLIED),
        then=[each for stage in THEN_APPLIED for each in networks_applied(stage)],
        files=files_applied,
        settings=f"{RESULTS}/settings/apply.json",
    output:
        applied("{applied}"),
    log:
        log_of(applied("{applied}")),
    conda:
        ENVIRONMENT
    resources:
        mpi=LOCAL_MPI,
        tasks=1,
        cpus_per_task=1,
        window_points=512,
    params:
        state=state_applied,
        coarse=lambda wildcards: APPLY[wildcards.applied],
        others=lambda wildcards, input: flag("--others", input.networks[1:]),
        then=lambda wildcards, input: flag("--then", input.then),
        consistent=["--consistent"] if SETTINGS.apply.consistent else [],
        output=f"{RESULTS}/apply/{{applied}}{APPLIED_SUFFIX}",
    shell:
        "{resources.mpi} -n {resources.tasks} python -m swsr apply"
        " --communication mpi --ranks {resources.tasks} --threads {resources.cpus_per_task}"
        " --window-points {resources.window_points}"
        " {input.networks[0]} {params.coarse:q} {params.output} {params.others} {params.then}"
        " {params.consistent}"
        " --settings {input.settings} --state={params.state} --log {log}"
