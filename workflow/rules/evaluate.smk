rule evaluate:
    """Score every snapshot of a pack's runs; results of runs that exist are kept."""
    input:
        lambda wildcards: files_of("evaluate", wildcards.name),
    output:
        update(f"{RESULTS}/evaluate/{{name}}-{{digest}}.h5"),
    log:
        f"{RESULTS}/logs/evaluate/{{name}}-{{digest}}.log",
    conda:
        "../../environment.yml"
    resources:
        **requested("evaluate"),
    params:
        job=job_of("evaluate"),
    message:
        "evaluate {wildcards.name}"
    shell:
        JOB_COMMAND
