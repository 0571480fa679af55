rule diagnose:
    """Put a pack's runs before the study's instruments; looks taken before are kept."""
    input:
        lambda wildcards: files_of("diagnose", wildcards.name),
    output:
        update(f"{RESULTS}/diagnose/{{name}}-{{digest}}.h5"),
    log:
        f"{RESULTS}/logs/diagnose/{{name}}-{{digest}}.log",
    conda:
        "../../environment.yml"
    resources:
        **asked("diagnose"),
    params:
        slice=slice_of("diagnose"),
    message:
        "diagnose {wildcards.name}"
    shell:
        "exec ganbench job diagnose --slice {params.slice:q} --asked {resources.mem_mb} --output {output:q} 2>> {log:q}"
