rule diagnose:
    """Measure a pack's runs with the study's diagnostics; observations that exist are kept."""
    input:
        lambda wildcards: files_of("diagnose", wildcards.name),
    output:
        update(f"{RESULTS}/diagnose/{{name}}-{{digest}}.h5"),
    log:
        f"{RESULTS}/logs/diagnose/{{name}}-{{digest}}.log",
    conda:
        "../../environment.yml"
    resources:
        **requested("diagnose"),
    params:
        job=job_of("diagnose"),
    message:
        "diagnose {wildcards.name}"
    shell:
        JOB_COMMAND
