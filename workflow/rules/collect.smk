rule collect:
    """Gather all results of the study in tables."""
    input:
        files_of("collect", "collect"),
    output:
        runs=update(outputs_of("collect")[0]),
        others=update(outputs_of("collect")[1:]),
    log:
        f"{RESULTS}/logs/collect.log",
    conda:
        "../../environment.yml"
    resources:
        **requested("collect"),
    params:
        job=job_of("collect"),
    message:
        "collect"
    shell:
        JOB_COMMAND
