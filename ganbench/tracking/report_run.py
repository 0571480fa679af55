"""The report of a study in MLflow: an artifact of a run of its own, since an experiment has no artifacts.

That run has no metrics, so no chart shows it; `NO_REPORT` leaves it out of tables. It stays the same run when the
report changes, and so does its address, which the experiment's description gives.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ganbench.core.atomic_files import atomic_write
from ganbench.tracking.experiment import active_runs
from ganbench.tracking.origin import NOTE

if TYPE_CHECKING:  # importing MLflow takes seconds, which only processes that track should take
    from mlflow import MlflowClient

    from ganbench.tracking.artifacts import LocalArtifacts

NAME = "report"  # of the run
REPORT = "ganbench.report"  # tag of the run: SHA-256 of the report, set once the report is written
MISSING = "missing"  # the tag's value while it is not
NO_REPORT = f"tags.`{REPORT}` IS NULL"  # filter of all other runs, in MLflow's syntax
ABOUT = (
    "The artifact of this run is the report of the study. The run has no metrics, and this filter leaves it out of "
    f"searches:\n\n    {NO_REPORT}"
)


def bring_up_to_date(client: MlflowClient, experiment: str, local: LocalArtifacts | None, page: Path) -> str:
    """Log a report, unless the experiment has it.

    Args:
        client: client of the store.
        experiment: MLflow's identifier of the experiment.
        local: the artifacts of an SQLite store; None for a server.
        page: file of the report.

    Returns:
        The report's address in MLflow's page.
    """
    digest = hashlib.sha256(page.read_bytes()).hexdigest()
    run, *others = active_runs(client, experiment, f"tags.`{REPORT}` IS NOT NULL") or [None]
    for other in others:  # of writers at the same time
        client.delete_run(other.info.run_id)
    if run is None:
        run = client.create_run(experiment, tags={REPORT: MISSING, NOTE: ABOUT}, run_name=NAME)
    identifier = run.info.run_id
    if run.data.tags[REPORT] != digest:
        client.set_tag(identifier, REPORT, MISSING)
        if local is None:
            client.log_artifact(identifier, str(page))
        else:
            with atomic_write(local.folder(identifier, "") / page.name) as new:
                shutil.copyfile(page, new)
        client.set_terminated(identifier)
        client.set_tag(identifier, REPORT, digest)
    return f"#/experiments/{experiment}/runs/{identifier}/artifacts/{page.name}"
