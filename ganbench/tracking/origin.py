"""What MLflow shows of where a run comes from: the study's file, the commit, the data, and the command to repeat it."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

NOTE = "mlflow.note.content"  # MLflow shows it as the description, in Markdown
COMMIT = re.compile(r"[0-9a-f]{7,40}\+?")  # as the column `commit` has it, with "+" for a changed working tree
DIGEST = 8  # characters, as in MLflow's own digests of data sets, which its tables show
MARKUP = re.compile(r"([\\`*_\[\]<>#|~])")


@dataclass(frozen=True)
class DataUse:
    """A data set as one run used it: MLflow's fields of a data set.

    Attributes:
        name: name of the data set in the tables.
        digest: of the prepared data and of the number of examples that the run could see.
        source: the component that makes the data, as JSON.
        schema: type and shape of the examples, in MLflow's form, as JSON.
        profile: shape of an example and number of examples, as JSON.
    """

    name: str
    digest: str
    source: str
    schema: str
    profile: str


@dataclass(frozen=True)
class Origin:
    """Where a study and its data come from.

    Attributes:
        file: the study's file; None if it is not known.
        data: digests of the prepared data, by the name of the data set in the tables.
    """

    file: Path | None = None
    data: Mapping[str, str] = field(default_factory=dict)

    def data_of(self, row: Mapping[str, Any], shape: tuple[int, ...]) -> DataUse | None:
        """The data set of a run.

        Args:
            row: the row of the run in the table of runs.
            shape: shape of an example; empty if the run has no samples to tell it.

        Returns:
            The data set; None for a game without data.
        """
        name = row["dataset"]
        if pd.isna(name):
            return None
        examples = int(row["n_train"])
        sums = hashlib.sha256(repr((self.data.get(name, name), examples)).encode())
        tensor = {"dtype": np.dtype(np.float32).name, "shape": [-1, *shape]}
        features = json.dumps([{"type": "tensor", "tensor-spec": tensor}]) if shape else None
        return DataUse(
            name=name,
            digest=sums.hexdigest()[:DIGEST],
            # The data come from code: of MLflow's kinds of sources, "code" alone promises no address to load them from.
            source=json.dumps({"tags": {"mlflow.source.name": f"ganbench data set {name}"}}),
            schema=json.dumps({"mlflow_tensorspec": {"features": features, "targets": None}}) if shape else "",
            profile=json.dumps({"num_rows": examples, "shape": list(shape)}),
        )

    def tags(self, row: Mapping[str, Any]) -> dict[str, str]:
        """MLflow's tags of the source and the description of a run.

        Args:
            row: the row of the run in the table of runs.
        """
        tags = {NOTE: "\n\n".join(self._paragraphs(row)), "mlflow.source.type": "LOCAL"}
        if self.file is not None:
            tags["mlflow.source.name"] = str(self.file)
        if isinstance(row["commit"], str) and COMMIT.fullmatch(row["commit"]):
            tags["mlflow.source.git.commit"] = row["commit"].rstrip("+")
            tags["mlflow.source.git.dirty"] = str(row["commit"].endswith("+")).lower()
        return tags

    def _paragraphs(self, row: Mapping[str, Any]) -> list[str]:
        """What became of the run, with the evidence, and the command that trains it."""
        since = "" if pd.isna(row["outcome_onset"]) else f" since step {int(row['outcome_onset']):,}"
        why = "" if pd.isna(row["outcome_evidence"]) else f": {_plain(row['outcome_evidence'])}"
        paragraphs = [f"{_plain(row['outcome'])}{since}{why}."]
        if not pd.isna(row["stopped_step"]):
            step, cause = int(row["stopped_step"]), _plain(row["stopped_for"])
            paragraphs.append(f"Stopped early after step {step:,} of {int(row['steps']):,}, for it was {cause}.")
        file = "STUDY" if self.file is None else shlex.quote(str(self.file))
        command = f"    ganbench train {file} --only {shlex.quote(row['run'])}"
        return [*paragraphs, "This command trains the run, where its results are not there:", command]


UNKNOWN = Origin()


def _plain(text: Any) -> str:
    """A text without meaning in Markdown or HTML."""
    return MARKUP.sub(r"\\\1", str(text))
