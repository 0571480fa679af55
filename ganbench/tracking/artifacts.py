"""The artifacts of a local MLflow store, at addresses relative to its database, so that both can be moved."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


class LocalArtifacts:
    """The artifacts of one experiment of an SQLite store, in `<name of the database>-artifacts/<experiment>` beside it.

    When MLflow creates an experiment, it makes the address of a local folder absolute, and does not find the artifacts
    after the folder has moved. A relative address is relative to MLflow's working directory. So the addresses are
    rewritten relative to the folder of the database. An MLflow server that is started in this folder finds the
    artifacts, even after the folder has moved.

    Args:
        database: file of the store, with MLflow's tables.
        experiment: MLflow's identifier of the experiment.
        name: name of the experiment.

    Attributes:
        location: address of the experiment's artifacts.
    """

    def __init__(self, database: Path, experiment: str, name: str) -> None:
        self.location = f"{database.stem}-artifacts/{name}"
        self._folder = database.parent / self.location
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(
                "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (self.location, int(experiment))
            )
            connection.execute(
                "UPDATE runs SET artifact_uri = ? || '/' || run_uuid || '/artifacts' "
                "WHERE experiment_id = ? AND artifact_uri LIKE '%/' || ? || '/' || run_uuid || '/artifacts'",
                (self.location, int(experiment), self.location),
            )

    def folder(self, run: str, path: str) -> Path:
        """A folder among the artifacts of a run, created if it does not exist.

        Args:
            run: MLflow's identifier of the run.
            path: path of the folder relative to the artifacts.
        """
        folder = self._folder / run / "artifacts" / path
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def model_folder(self, model: str) -> Path:
        """The folder of a model of the experiment, which does not exist yet.

        Args:
            model: MLflow's identifier of the model.
        """
        folder = self._folder / "models" / model / "artifacts"
        folder.parent.mkdir(parents=True, exist_ok=True)
        return folder
