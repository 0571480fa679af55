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
        **asked("collect"),
    params:
        slice=slice_of("collect"),
    message:
        "collect"
    shell:
        "exec ganbench job collect --slice {params.slice:q} --asked {resources.mem_mb} --output {output.runs:q} 2>> {log:q}"
