# Each of these leaves a stamp named after its digest, and files with plain names for people to open. These are
# `update`d: Snakemake restores them when the job fails, where it would remove an ordinary output.


rule track:
    """Show the results in MLflow. The only rule that writes there: its SQLite store bears one writer."""
    input:
        files_of("track", "track"),
    output:
        stamp=outputs_of("track")[0],
    log:
        f"{RESULTS}/logs/track.log",
    localrule: True
    params:
        slice=plan.track.argument,
    shell:
        "ganbench job track --slice {params.slice:q} --site {SITE:q} --output {output.stamp:q} 2>> {log:q}"


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
        stamp=outputs_of("tables")[0],
    log:
        f"{RESULTS}/logs/tables.log",
    params:
        slice=plan.tables.argument,
    shell:
        "ganbench job tables --slice {params.slice:q} --site {SITE:q} --output {output.stamp:q} 2>> {log:q}"


rule figures:
    """Draw the figures."""
    input:
        files_of("figures", "figures"),
    output:
        files=update(shown_figures()),
        stamp=outputs_of("figures")[0],
    log:
        f"{RESULTS}/logs/figures.log",
    params:
        slice=plan.figures.argument,
    shell:
        "ganbench job figures --slice {params.slice:q} --site {SITE:q} --output {output.stamp:q} 2>> {log:q}"


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
        stamp=outputs_of("report")[0],
    log:
        f"{RESULTS}/logs/report.log",
    params:
        slice=plan.report.argument,
    shell:
        "ganbench job report --slice {params.slice:q} --site {SITE:q} --output {output.stamp:q} 2>> {log:q}"
