"""The artifacts of a local MLflow store, at addresses relative to its database, so that both can be moved."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


class LocalArtifacts:
    """The artifacts of one experiment of an SQLite store, in `<name of the database>-artifacts/<experiment>` beside it.

    MLflow makes the address of a local folder absolute when it creates an experiment, and finds nothing once the folder
    has moved. A relative address is relative to MLflow's working directory. So the addresses are rewritten relative to
    the folder of the database: an MLflow server that is started there finds them, wherever the folder is.

    Args:
        database: file of the store, with MLflow's tables.
        experiment: MLflow's identifier of the experiment.
        name: name of the experiment.
    """

    def __init__(self, database: Path, experiment: str, name: str) -> None:
        location = f"{database.stem}-artifacts/{name}"
        self._folder = database.parent / location
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(
                "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (location, int(experiment))
            )
            connection.execute(
                "UPDATE runs SET artifact_uri = ? || '/' || run_uuid || '/artifacts' "
                "WHERE experiment_id = ? AND artifact_uri LIKE '%/' || ? || '/' || run_uuid || '/artifacts'",
                (location, int(experiment), location),
            )

    def folder(self, run: str, path: str) -> Path:
        """Create and return the folder `path` among the artifacts of a run."""
        folder = self._folder / run / "artifacts" / path
        folder.mkdir(parents=True, exist_ok=True)
        return folder
