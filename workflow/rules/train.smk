rule train:
    """Train a pack of runs; results of members that exist are kept."""
    input:
        lambda wildcards: files_of("train", wildcards.name),
    output:
        update(f"{RESULTS}/train/{{name}}-{{digest}}.h5"),
    log:
        f"{RESULTS}/logs/train/{{name}}-{{digest}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{name}}-{{digest}}.tsv"
    priority: lambda wildcards: len(plan.grid.packs[wildcards.name].runs)
    conda:
        "../../environment.yml"
    resources:
        **requested("train"),
    params:
        job=job_of("train"),
    message:
        "train {wildcards.name}"
    shell:
        JOB_COMMAND
