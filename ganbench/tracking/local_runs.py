"""Runs written into the tables of an SQLite store, many in one transaction, and read from there.

MLflow's client takes eight transactions a run, and asks the database for what it has just written: of a study of 2,000
short runs that is most of the time of `track`. The rows here are those that the client writes, which a test compares. A
run is there whole or not at all. The client reads the last value of every metric with a run, which nobody needs here.
"""

from __future__ import annotations

import math
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from ganbench.tracking.experiment import KnownRun
from ganbench.tracking.origin import DataUse
from ganbench.tracking.records import RunRecord

LOCK_SECONDS = 60  # longest wait for another process, such as a server that shows the store
USER = "unknown"  # as MLflow's client names it
CONTEXT = "mlflow.data.context"  # tag of a data set's use

INSERT = {
    "runs": "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,"
    " end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)"
    " VALUES (?, ?, 'UNKNOWN', '', '', ?, ?, ?, ?, '', 'active', ?, ?)",
    "tags": "INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)",
    "params": "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)",
    "metrics": "INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)",
    "latest_metrics": "INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan)"
    " VALUES (?, ?, ?, ?, ?, ?)",
    "datasets": "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source,"
    " dataset_schema, dataset_profile) VALUES (?, ?, ?, ?, 'code', ?, ?, ?)",
    "inputs": "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)"
    " VALUES (?, 'DATASET', ?, 'RUN', ?)",
    "input_tags": "INSERT INTO input_tags (input_uuid, name, value) VALUES (?, ?, ?)",
}


class LocalRuns:
    """The runs of one experiment of an SQLite store.

    Args:
        database: file of the store, with MLflow's tables.
        experiment: MLflow's identifier of the experiment.
        location: address of the experiment's artifacts.
    """

    def __init__(self, database: Path, experiment: str, location: str) -> None:
        self._database, self._experiment, self._location = database, int(experiment), location

    def write(self, runs: Iterable[tuple[str, RunRecord, dict[str, str]]]) -> None:
        """Write runs in one transaction.

        Args:
            runs: MLflow's identifiers, the records and all tags of the runs.

        Raises:
            sqlite3.Error: the store cannot be written, or MLflow's tables are others.
        """
        with closing(sqlite3.connect(self._database, timeout=LOCK_SECONDS)) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            for identifier, record, tags in runs:
                address = f"{self._location}/{identifier}/artifacts"
                row = (record.run, USER, record.status, record.start_ms, record.end_ms, address, self._experiment)
                connection.execute(INSERT["runs"], (identifier, *row))
                named = {**tags, "mlflow.runName": record.run}
                connection.executemany(INSERT["tags"], ((identifier, *item) for item in named.items()))
                connection.executemany(INSERT["params"], ((identifier, *item) for item in record.params.items()))
                # The tables hold a point once, as MLflow's client makes sure too.
                rows = list(dict.fromkeys(_metric(identifier, point) for point in record.points))
                connection.executemany(INSERT["metrics"], rows)
                connection.executemany(INSERT["latest_metrics"], _latest(rows))
                if record.data is not None:
                    self._use(connection, record.data, identifier)

    def read(self) -> list[KnownRun]:
        """Read the runs that are not deleted.

        Raises:
            sqlite3.Error: the store cannot be read, or MLflow's tables are others.
        """
        with closing(sqlite3.connect(self._database, timeout=LOCK_SECONDS)) as connection:
            connection.execute("BEGIN")  # so that all tables are those of one moment
            where = "WHERE experiment_id = ? AND lifecycle_stage = 'active'"
            found = connection.execute(f"SELECT run_uuid FROM runs {where}", (self._experiment,))
            runs = {identifier: KnownRun(identifier, {}, {}) for (identifier,) in found}
            for table in ("tags", "params"):
                join = f"SELECT run_uuid, key, value FROM {table} JOIN runs USING (run_uuid) {where}"
                for identifier, key, value in connection.execute(join, (self._experiment,)):
                    getattr(runs[identifier], table)[key] = value
        return list(runs.values())

    def _use(self, connection: sqlite3.Connection, data: DataUse, run: str) -> None:
        """Note that a run was trained on a data set, which is written if it is not there."""
        known = connection.execute(
            "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?",
            (self._experiment, data.name, data.digest),
        ).fetchone()
        dataset = known[0] if known else uuid.uuid4().hex
        if known is None:
            what = (data.name, data.digest, data.source, data.schema, data.profile)
            connection.execute(INSERT["datasets"], (dataset, self._experiment, *what))
        use = uuid.uuid4().hex
        connection.execute(INSERT["inputs"], (use, dataset, run))
        connection.execute(INSERT["input_tags"], (use, CONTEXT, "training"))


Row = tuple[str, str, float, int, int, bool]  # run, name, value, time, step, and whether the value is NaN


def _metric(run: str, point: tuple[str, float, int, int]) -> Row:
    name, value, at, step = point
    undefined = math.isnan(value)
    return run, name, 0.0 if undefined else value, at, step, undefined


def _latest(rows: Sequence[Row]) -> Iterable[Row]:
    """The row of every metric that MLflow shows as its last value: the largest by step, time and value."""
    latest: dict[str, Row] = {}
    for row in rows:
        _, name, value, at, step, _ = row
        known = latest.get(name)
        if known is None or (step, at, value) > (known[4], known[3], known[2]):
            latest[name] = row
    return latest.values()
