"""A study's experiment at an MLflow store, and the runs that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing MLflow takes seconds: only a process that tracks pays for it
    from mlflow import MlflowClient
    from mlflow.entities import Run

POINTS_PER_BATCH = 1000  # the most metrics MLflow takes in one call, and the most runs it gives out
PARAMS_PER_BATCH = 100  # the most parameters it takes in one call
LIVE_TAG = "ganbench.live"  # tag of the runs that training streams, for as long as the files do not hold them
LIVE_FILTER = f"tags.`{LIVE_TAG}` = 'true'"


def get_or_create_experiment(client: MlflowClient, name: str) -> str:
    """The identifier of the experiment of this name, which is made, or restored, where it has to be."""
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
        # Another process did it at the same time.
    return found.experiment_id


def active_runs(client: MlflowClient, experiment: str, of: str = "") -> list[Run]:
    """All runs of an experiment that are not deleted, or those of a filter."""
    page = client.search_runs([experiment], of, max_results=POINTS_PER_BATCH)
    runs = list(page)
    while page.token:
        page = client.search_runs([experiment], of, max_results=POINTS_PER_BATCH, page_token=page.token)
        runs += page
    return runs
