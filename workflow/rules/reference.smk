rule reference:
    """Store what the metrics need of a data set's real examples, and what such examples score themselves."""
    input:
        lambda wildcards: files_of("reference", wildcards.name),
    output:
        update(f"{RESULTS}/reference/{{name}}-{{digest}}.h5"),
    log:
        f"{RESULTS}/logs/reference/{{name}}-{{digest}}.log",
    priority: 100
    conda:
        "../../environment.yml"
    resources:
        **requested("reference"),
    params:
        job=job_of("reference"),
    message:
        "reference {wildcards.name}"
    shell:
        JOB_COMMAND
