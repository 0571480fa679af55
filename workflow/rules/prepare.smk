rule prepare:
    """Load a data set and check its examples."""
    input:
        lambda wildcards: files_of("prepare", wildcards.name),
    output:
        update(f"{RESULTS}/prepare/{{name}}-{{digest}}.h5"),
    log:
        f"{RESULTS}/logs/prepare/{{name}}-{{digest}}.log",
    priority: 100
    conda:
        "../../environment.yml"
    resources:
        **requested("prepare"),
    params:
        job=job_of("prepare"),
    message:
        "prepare {wildcards.name}"
    shell:
        JOB_COMMAND


rule judge:
    """Fit the judge of a data set's modes."""
    input:
        lambda wildcards: files_of("judge", wildcards.name),
    output:
        update(f"{RESULTS}/judge/{{name}}-{{digest}}.h5"),
    log:
        f"{RESULTS}/logs/judge/{{name}}-{{digest}}.log",
    priority: 100
    conda:
        "../../environment.yml"
    resources:
        **requested("judge"),
    params:
        job=job_of("judge"),
    message:
        "judge {wildcards.name}"
    shell:
        JOB_COMMAND


# A rule for each, since a log has the wildcards of the output, and archives may lie in any folder. Archives without an
# address must be put there by hand.
fetched = {path: each for path, each in plan.archives.items() if each.url}
for number, (path, archive) in enumerate(fetched.items()):

    rule:
        """Fetch a file of a public data set, on the submitting machine."""
        name:
            f"archive_{number}"
        output:
            update(str(path)),
        log:
            f"{RESULTS}/logs/archive/{path.name}-{digest(str(path.parent))[:12]}.log",
        priority: 100
        localrule: True
        conda:
            "../../environment.yml"
        params:
            url=archive.url,
            checksum=archive.checksum,
        message:
            "archive {output}"
        shell:
            "exec ganbench archive {output:q} --url {params.url:q} --checksum {params.checksum:q} 2>> {log:q}"


rule weights:
    """Fetch the Inception weights of the FID, on the submitting machine."""
    output:
        update(str(plan.study.evaluate.inception.folder / "hub/checkpoints/{file}.pth")),
    log:
        f"{RESULTS}/logs/weights/{{file}}.log",
    priority: 100
    localrule: True
    conda:
        "../../environment.yml"
    params:
        sha256=plan.study.evaluate.inception.sha256,
    message:
        "weights {wildcards.file}"
    shell:
        "exec ganbench weights {output:q} --sha256 {params.sha256:q} 2>> {log:q}"
