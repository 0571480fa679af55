# Each of these rules writes a stamp whose name carries its digest, and files with plain names for people to open. All
# outputs are marked with `update`, as in the other rules: Snakemake removes an ordinary output before its job starts.
# That would delete an output that another copy of the job, from a workflow that was killed, has just written, and the
# older report if writing the new one fails.


rule tables:
    """Write the tables, for people and their programs."""
    input:
        files_of("tables", "tables"),
    output:
        files=update(
            [
                (
                    report(
                        path,
                        caption="../report/settings.rst",
                        category="Tables",
                        labels={"table": "settings"},
                    )
                    if path.endswith("settings.csv")
                    else path
                )
                for path in outputs_of("tables")[1:]
            ]
        ),
        stamp=update(outputs_of("tables")[0]),
    log:
        f"{RESULTS}/logs/tables.log",
    conda:
        "../../environment.yml"
    resources:
        **requested("tables"),
    params:
        job=job_of("tables"),
    message:
        "tables"
    shell:
        JOB_COMMAND


rule figures:
    """Draw the figures."""
    input:
        files_of("figures", "figures"),
    output:
        files=update(shown_figures()),
        stamp=update(outputs_of("figures")[0]),
    log:
        f"{RESULTS}/logs/figures.log",
    conda:
        "../../environment.yml"
    resources:
        **requested("figures"),
    params:
        job=job_of("figures"),
    message:
        "figures"
    shell:
        JOB_COMMAND


rule report:
    """Write the report."""
    input:
        files_of("report", "report"),
    output:
        files=update(
            report(
                outputs_of("report")[1:],
                caption="../report/report.rst",
                category="Report",
                labels={"page": "the whole report"},
            )
        ),
        stamp=update(outputs_of("report")[0]),
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "../../environment.yml"
    resources:
        **requested("report"),
    params:
        job=job_of("report"),
    message:
        "report"
    shell:
        JOB_COMMAND


rule track:
    """Write the results and the report to MLflow. No other rule writes there, since a SQLite store allows one writer."""
    input:
        files_of("track", "track"),
    output:
        stamp=update(outputs_of("track")[0]),
    log:
        f"{RESULTS}/logs/track.log",
    localrule: True
    conda:
        "../../environment.yml"
    resources:
        mem_mb=0,
    params:
        job=job_of("track"),
    message:
        "track"
    shell:
        JOB_COMMAND
