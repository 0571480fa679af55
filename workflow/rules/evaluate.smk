rule evaluate:
    """Score every snapshot of a pack's runs; runs scored before are kept."""
    input:
        lambda wildcards: files_of("evaluate", wildcards.name),
    output:
        update(f"{RESULTS}/evaluate/{{name}}-{{digest}}.h5"),
    log:
        f"{RESULTS}/logs/evaluate/{{name}}-{{digest}}.log",
    resources:
        gpu=GPUS,
    params:
        slice=slice_of("evaluate"),
    shell:
        "ganbench job evaluate --slice {params.slice:q} --site {SITE:q} --output {output:q} 2>> {log:q}"
