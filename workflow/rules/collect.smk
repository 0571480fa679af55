rule collect:
    """Gather all results of the study in tables."""
    input:
        files_of("collect", "collect"),
    output:
        runs=outputs_of("collect")[0],
        others=outputs_of("collect")[1:],
    log:
        f"{RESULTS}/logs/collect.log",
    params:
        slice=plan.collect.argument,
    shell:
        "ganbench job collect --slice {params.slice:q} --site {SITE:q} --output {output.runs:q} 2>> {log:q}"
