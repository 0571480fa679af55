"""Where the artifacts of a local MLflow store lie: beside its database, at addresses that survive moving both."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


class LocalArtifacts:
    """The artifacts of one experiment of an SQLite store, in `<name of the database>-artifacts/<experiment>` beside it.

    MLflow makes the address of a local folder absolute when it creates an experiment, so that nothing is found once the
    folder has moved. It reads a relative address as one from its working directory. The addresses are therefore made
    relative to the database's folder: an MLflow that is started there finds them, wherever the folder is by then.

    Args:
        database: the store's file, with MLflow's tables in it.
        experiment: MLflow's identifier of the experiment.
        name: the experiment's name.
    """

    def __init__(self, database: Path, experiment: str, name: str) -> None:
        place = f"{database.stem}-artifacts/{name}"
        self._folder = database.parent / place
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(
                "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (place, int(experiment))
            )
            connection.execute(
                "UPDATE runs SET artifact_uri = ? || '/' || run_uuid || '/artifacts' "
                "WHERE experiment_id = ? AND artifact_uri LIKE '%/' || ? || '/' || run_uuid || '/artifacts'",
                (place, int(experiment), place),
            )

    def folder(self, run: str, path: str) -> Path:
        """The folder of a run's artifacts below `path`, which is made."""
        folder = self._folder / run / "artifacts" / path
        folder.mkdir(parents=True, exist_ok=True)
        return folder
