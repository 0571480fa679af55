"""An MLflow store whose failures are reported as one error with the remedy.

The tag `ganbench.content` of an MLflow run is a checksum of the content written to it, including the digest of the run.
The tag `ganbench.complete` is written last.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ganbench.analysis.columns import AXES
from ganbench.core.errors import GanbenchError
from ganbench.tracking.address import redact_credentials
from ganbench.tracking.artifacts import LocalArtifacts
from ganbench.tracking.environment import CONNECT_SETTINGS, WRITE_SETTINGS, environment_variables
from ganbench.tracking.experiment import (
    LIVE_FILTER,
    PARAMS_PER_BATCH,
    POINTS_PER_BATCH,
    active_runs,
    get_or_create_experiment,
)
from ganbench.tracking.pictures import Frame, draw_samples
from ganbench.tracking.records import Record

if TYPE_CHECKING:  # importing MLflow takes seconds, which only processes that track should take
    from mlflow.entities import Run


class MlflowStore:
    """One experiment of an MLflow store.

    Args:
        uri: address of the store.
        experiment: name of the experiment.
        database: file of an SQLite store; None for a server.

    Raises:
        GanbenchError: a failure of the store. Every method raises it too.
    """

    def __init__(self, uri: str, experiment: str, database: Path | None):
        from mlflow import MlflowClient

        self._uri = uri
        with self._one_error("be opened", patience=CONNECT_SETTINGS):
            self._client = MlflowClient(tracking_uri=uri)
            self._experiment = get_or_create_experiment(self._client, experiment)
            self._pictures = None if database is None else LocalArtifacts(database, self._experiment, experiment)

    def complete_runs(self, writing: set[str]) -> dict[str, Run]:
        """Read the complete runs, and delete incomplete or duplicate runs of interrupted or simultaneous writers.

        Args:
            writing: names of the runs that will be written. Runs with other names are not deleted.

        Returns:
            The complete runs by content.
        """
        complete: dict[str, Run] = {}
        with self._one_error("be read"):
            for run in active_runs(self._client, self._experiment):
                content = run.data.tags.get("ganbench.content")
                if run.data.tags.get("ganbench.complete") == "true" and content not in complete:
                    complete[content] = run
                elif content is not None and run.data.tags["ganbench.run"] in writing:
                    self._client.delete_run(run.info.run_id)
        return complete

    def write(self, record: Record, frame: Frame | None) -> int:
        """Write one run, and finally mark it as complete.

        Args:
            record: the record of the run.
            frame: the plot for samples that are points; None for images.

        Returns:
            The number of pictures.
        """
        from mlflow.entities import Metric, Param

        with self._one_error("be written"):
            tags = {**record.tags, "ganbench.content": record.content}
            run = self._client.create_run(self._experiment, record.start_ms, tags, record.run).info.run_id
            params = [Param(name, text) for name, text in record.params.items()]
            for first in range(0, len(params), PARAMS_PER_BATCH):
                self._client.log_batch(run, params=params[first : first + PARAMS_PER_BATCH])
            for first in range(0, len(record.points), POINTS_PER_BATCH):
                batch = record.points[first : first + POINTS_PER_BATCH]
                self._client.log_batch(run, metrics=[Metric(*point) for point in batch])
            drawn = self._draw(record, frame, run)
            self._client.set_terminated(run, record.status, record.end_ms)
            self._client.set_tag(run, "ganbench.complete", "true")
        return drawn

    def _draw(self, record: Record, frame: Frame | None, run: str) -> int:
        """Draw the samples of a run into its artifacts, and return the number of pictures."""
        if not len(record.sample_steps):
            return 0
        if self._pictures is not None:
            return draw_samples(record, frame, self._pictures.folder(run, "samples"))
        with tempfile.TemporaryDirectory() as folder:
            drawn = draw_samples(record, frame, Path(folder))
            self._client.log_artifacts(run, folder, "samples")
        return drawn

    def mark_superseded(self, complete: dict[str, Run], shown: dict[str, tuple]) -> int:
        """Tag runs as superseded if the study now has other numbers for their points of the grid.

        Args:
            complete: runs that were complete before this call of the stage, by content.
            shown: current points of the grid, by content.

        Returns:
            The number of newly tagged runs.
        """
        newly = 0
        points = set(shown.values())
        with self._one_error("be written"):
            for content, run in complete.items():
                tagged = "ganbench.superseded" in run.data.tags
                stale = content not in shown and tuple(run.data.params.get(axis) for axis in AXES) in points
                if stale and not tagged:
                    self._client.set_tag(run.info.run_id, "ganbench.superseded", "true")
                    newly += 1
                elif tagged and content in shown:  # the study has its earlier numbers again
                    self._client.delete_tag(run.info.run_id, "ganbench.superseded")
        return newly

    def delete_live(self) -> None:
        """Delete the streamed runs. Either the files have them, or a killed job will stream them again."""
        with self._one_error("be written"):
            for run in active_runs(self._client, self._experiment, LIVE_FILTER):
                self._client.delete_run(run.info.run_id)

    @contextmanager
    def _one_error(self, what: str, patience: dict[str, str] = WRITE_SETTINGS) -> Iterator[None]:
        """Report failures of the store within a block as one error.

        Args:
            what: the failed action in the passive voice, such as "be read".
            patience: environment variables with MLflow's timeouts and retries.
        """
        from mlflow.exceptions import MlflowException

        try:
            with environment_variables(patience, keep=True):
                yield
        except (MlflowException, OSError, sqlite3.Error) as error:
            remedy = (
                "Move the file away to have it rebuilt from the results"
                if self._uri.startswith("sqlite:")
                else "Check the address, and start the server with `mlflow server --host HOST --port PORT`"
            )
            address = redact_credentials(self._uri)
            cause = " ".join(str(error).replace(self._uri.rstrip("/"), address).split())[:400]
            raise GanbenchError(
                f"the MLflow store {address} could not {what}. {remedy}; nothing is lost: tracking again adds what is "
                f"missing. The cause: {cause}"
            ) from error
