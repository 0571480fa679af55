"""An MLflow store whose failures are reported as one error with the remedy.

The tag `ganbench.content` of an MLflow run is a checksum of the content written to it, including the digest of the run.
On a server, the tag `ganbench.complete` is written last; in a file, a run is written whole.
"""

from __future__ import annotations

import sqlite3
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ganbench.core.errors import GanbenchError
from ganbench.tracking import report_run
from ganbench.tracking.address import redact_credentials
from ganbench.tracking.artifacts import LocalArtifacts
from ganbench.tracking.environment import CONNECT_SETTINGS, WRITE_SETTINGS, environment_variables
from ganbench.tracking.experiment import (
    LIVE_FILTER,
    PARAMS_PER_BATCH,
    POINTS_PER_BATCH,
    KnownRun,
    active_runs,
    get_or_create_experiment,
)
from ganbench.tracking.local_runs import CONTEXT, LocalRuns
from ganbench.tracking.models import Models, WriteNetworks
from ganbench.tracking.origin import NOTE, DataUse
from ganbench.tracking.pictures import Frame, draw_samples
from ganbench.tracking.records import RunRecord
from ganbench.tracking.saved_views import METHODS

if TYPE_CHECKING:  # importing MLflow takes seconds, which only processes that track should take
    from mlflow.entities import DatasetInput

COMPLETE = "ganbench.complete"


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

        self._uri, self._local = uri, None
        with self._one_error("be opened", patience=CONNECT_SETTINGS):
            self._client = MlflowClient(tracking_uri=uri)
            self.experiment = get_or_create_experiment(self._client, experiment)
            self._pictures = None if database is None else LocalArtifacts(database, self.experiment, experiment)
            if database is not None:
                self._local = LocalRuns(database, self.experiment, self._pictures.location)

    def describe(self, tags: Mapping[str, str]) -> None:
        """Set tags of the experiment. A description that a user has written is kept.

        Args:
            tags: the tags by name.
        """
        with self._one_error("be written"):
            known = self._client.get_experiment(self.experiment).tags
            for name, text in tags.items():
                own = name != NOTE or METHODS in known.get(name, METHODS)
                if own and known.get(name) != text:
                    self._client.set_experiment_tag(self.experiment, name, text)

    def log_report(self, page: Path) -> str:
        """Log the report of the study, and return its address; see `report_run.bring_up_to_date`."""
        with self._one_error("be written"):
            return report_run.bring_up_to_date(self._client, self.experiment, self._pictures, page)

    def complete_runs(self, writing: set[str]) -> dict[str, KnownRun]:
        """Read the complete runs, and delete incomplete or duplicate runs of interrupted or simultaneous writers.

        Args:
            writing: names of the runs that will be written. Runs with other names are not deleted.

        Returns:
            The complete runs by content.
        """
        complete: dict[str, KnownRun] = {}
        with self._one_error("be read"):
            for run in self._runs():
                content = run.tags.get("ganbench.content")
                if run.tags.get(COMPLETE) == "true" and content not in complete:
                    complete[content] = run
                elif content is not None and run.tags["ganbench.run"] in writing:
                    self._client.delete_run(run.identifier)
        return complete

    def _runs(self) -> list[KnownRun]:
        """All runs of the experiment that are not deleted."""
        if self._local is not None:
            return self._local.read()
        runs = active_runs(self._client, self.experiment)
        return [KnownRun(run.info.run_id, run.data.tags, run.data.params) for run in runs]

    def write(self, records: Sequence[RunRecord], frames: Mapping[str, Frame]) -> int:
        """Write runs.

        Args:
            records: the records of the runs.
            frames: the plots for samples that are points, by data set.

        Returns:
            The number of pictures.
        """
        with self._one_error("be written"):
            if self._local is not None:
                return self._put(records, frames)
            return sum(self._send(record, frames) for record in records)

    def _put(self, records: Sequence[RunRecord], frames: Mapping[str, Frame]) -> int:
        """Write runs into the tables of an SQLite store, after their pictures."""
        runs = [(uuid.uuid4().hex, record, {**_tags(record), COMPLETE: "true"}) for record in records]
        drawn = sum(self._draw(record, frames, run) for run, record, _ in runs)
        self._local.write(runs)
        return drawn

    def _send(self, record: RunRecord, frames: Mapping[str, Frame]) -> int:
        """Send one run to a server, and finally mark it as complete."""
        from mlflow.entities import Metric, Param, RunTag

        run = self._client.create_run(self.experiment, record.start_ms, _tags(record), record.run).info.run_id
        params = [Param(name, text) for name, text in record.params.items()]
        metrics = [Metric(*point) for point in record.points]
        sizes = (PARAMS_PER_BATCH, POINTS_PER_BATCH - PARAMS_PER_BATCH)  # MLflow limits their sum too
        while params or metrics:
            self._client.log_batch(run, params=params[: sizes[0]], metrics=metrics[: sizes[1]])
            params, metrics = params[sizes[0] :], metrics[sizes[1] :]
        if record.data is not None:
            self._client.log_inputs(run, [_dataset_input(record.data)])
        drawn = self._draw(record, frames, run)
        self._client.set_terminated(run, record.status, record.end_ms)
        self._client.log_batch(run, tags=[RunTag(COMPLETE, "true")])
        return drawn

    def _draw(self, record: RunRecord, frames: Mapping[str, Frame], run: str) -> int:
        """Draw the samples of a run into its artifacts, and return the number of pictures."""
        if not len(record.sample_steps):
            return 0
        frame = frames.get(record.params.get("dataset", ""))
        if self._pictures is not None:
            return draw_samples(record, frame, self._pictures.folder(run, "samples"))
        with tempfile.TemporaryDirectory() as folder:
            drawn = draw_samples(record, frame, Path(folder))
            self._client.log_artifacts(run, folder, "samples")
        return drawn

    def log_models(self, chosen: Mapping[str, str], contents: Mapping[str, str], write: WriteNetworks) -> int:
        """Log generators as models; see `Models.bring_up_to_date`."""
        with self._one_error("be written"):
            return Models(self._client, self.experiment, self._pictures).bring_up_to_date(chosen, contents, write)

    def mark_superseded(self, complete: dict[str, KnownRun], shown: Set[str]) -> int:
        """Tag runs as superseded if the study has other numbers in their place by now, or has left them out.

        Args:
            complete: runs that were complete before this call of the stage, by content.
            shown: contents of the runs that the study has.

        Returns:
            The number of newly tagged runs.
        """
        newly = 0
        with self._one_error("be written"):
            for content, run in complete.items():
                tagged = "ganbench.superseded" in run.tags
                if content not in shown and not tagged:
                    self._client.set_tag(run.identifier, "ganbench.superseded", "true")
                    newly += 1
                elif tagged and content in shown:  # the study has its earlier numbers again
                    self._client.delete_tag(run.identifier, "ganbench.superseded")
        return newly

    def delete_live(self) -> None:
        """Delete the streamed runs. Either the files have them, or a killed job will stream them again."""
        with self._one_error("be written"):
            for run in active_runs(self._client, self.experiment, LIVE_FILTER):
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


def _tags(record: RunRecord) -> dict[str, str]:
    """All tags of a run but the mark that it is complete."""
    return {**record.tags, **record.about, "ganbench.content": record.content}


def _dataset_input(data: DataUse) -> DatasetInput:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(data.name, data.digest, "code", data.source, data.schema, data.profile)
    return DatasetInput(dataset, [InputTag(CONTEXT, "training")])
