"""The MLflow experiment of a study, and its runs.

An experiment of MLflow is a named collection of runs, and not an experiment in the sense of a study.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing MLflow takes seconds: only a process that tracks pays for it
    from mlflow import MlflowClient
    from mlflow.entities import Run

POINTS_PER_BATCH = 1000  # MLflow's limit for metrics in one call, and for runs in one answer
PARAMS_PER_BATCH = 100  # MLflow's limit for parameters in one call
LIVE_TAG = "ganbench.live"  # tag of streamed runs, which exist until `track` replaces them by the runs of the files
LIVE_FILTER = f"tags.`{LIVE_TAG}` = 'true'"


@dataclass(frozen=True)
class KnownRun:
    """A run that a store has.

    Attributes:
        identifier: MLflow's identifier of the run.
        tags, params: its tags and parameters by name.
    """

    identifier: str
    tags: dict[str, str]
    params: dict[str, str]


def get_or_create_experiment(client: MlflowClient, name: str) -> str:
    """The identifier of an experiment, which is created or restored if necessary.

    Args:
        client: client of the store.
        name: name of the experiment.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    try:
        if found is None:
            return client.create_experiment(name)
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
    except MlflowException:
        found = client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage == "deleted":
            raise
        # Another process created or restored the experiment at the same time.
    return found.experiment_id


def active_runs(client: MlflowClient, experiment: str, of: str = "") -> list[Run]:
    """The runs of an experiment that are not deleted.

    Args:
        client: client of the store.
        experiment: identifier of the experiment.
        of: filter in MLflow's syntax; empty for all runs.
    """
    page = client.search_runs([experiment], of, max_results=POINTS_PER_BATCH)
    runs = list(page)
    while page.token:
        page = client.search_runs([experiment], of, max_results=POINTS_PER_BATCH, page_token=page.token)
        runs += page
    return runs
