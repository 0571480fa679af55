rule evaluate:
    """Score every snapshot of a pack's runs; runs scored before are kept."""
    input:
        lambda wildcards: files_of("evaluate", wildcards.name),
    output:
        update(f"{RESULTS}/evaluate/{{name}}-{{digest}}.h5"),
    params:
        slice=slice_of("evaluate"),
    log:
        f"{RESULTS}/logs/evaluate/{{name}}-{{digest}}.log",
    shell:
        "ganbench job evaluate --slice {params.slice:q} --output {output:q} 2> {log:q}"
