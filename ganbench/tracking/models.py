"""Generators as models in MLflow, in the tab Models of the experiment, to be loaded with `mlflow.pyfunc.load_model`.

A model is a folder of exported networks with MLflow's description of it, and no pickle: MLflow's flavour of a loader
module and data. Loading it needs ganbench, whose module `LOADER` reads the folder.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganbench import __version__
from ganbench.tracking.experiment import POINTS_PER_BATCH
from ganbench.tracking.points import FINAL, ONCE

if TYPE_CHECKING:  # importing MLflow takes seconds, which only processes that track should take
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

    from ganbench.tracking.artifacts import LocalArtifacts

LOADER = "ganbench.export.mlflow_model"
LATENT, LABELS = "latent", "labels"  # names of the inputs of a conditional generator
CONTENT, PLACE = "ganbench.content", "ganbench.place"  # tags of a model: its run's content, and why it was chosen
NAMES = str.maketrans({character: "_" for character in "/:.%\"'"})  # characters that MLflow forbids in a model's name
EXAMPLES = 4  # latent points in the input example
PINNED = ("mlflow", "numpy", "safetensors", "torch")  # what loading needs beside ganbench; nothing looks them up

# Writes the networks of a run into a folder, with their description `model.json`.
WriteNetworks = Callable[[str, Path], None]


class Models:
    """The models of one experiment.

    Args:
        client: client of the store.
        experiment: MLflow's identifier of the experiment.
        local: the artifacts of an SQLite store; None for a server.
    """

    def __init__(self, client: MlflowClient, experiment: str, local: LocalArtifacts | None) -> None:
        self._client, self._experiment, self._local = client, experiment, local

    def bring_up_to_date(self, chosen: Mapping[str, str], contents: Mapping[str, str], write: WriteNetworks) -> int:
        """Log models of the chosen runs that have none yet, and delete those of other runs.

        Args:
            chosen: by the name of the run, why it was chosen.
            contents: by the name of the run, the content of its MLflow run.
            write: writes the networks of a run.

        Returns:
            The number of models that were logged.
        """
        wanted = {contents[run]: (run, place) for run, place in chosen.items()}
        there = {(model.tags.get(CONTENT), model.tags.get(PLACE)): model for model in self._all()}
        kept = {content for content, place in there if content in wanted and wanted[content][1] == place}
        for (content, _), model in there.items():
            if content is not None and content not in kept:
                self._client.delete_logged_model(model.model_id)
        new = [(content, *each) for content, each in wanted.items() if content not in kept]
        for content, run, place in new:
            self._log(content, run, place, write)
        return len(new)

    def _all(self) -> list[LoggedModel]:
        """The models that are complete; those of an interrupted call are deleted."""
        found, token = [], None
        while True:
            page = self._client.search_logged_models([self._experiment], page_token=token)
            found += page
            token = page.token
            if not token:
                break
        for model in found:
            if str(model.status) != "READY" and CONTENT in model.tags:
                self._client.delete_logged_model(model.model_id)
        return [model for model in found if str(model.status) == "READY"]

    def _log(self, content: str, run: str, place: str, write: WriteNetworks) -> None:
        from mlflow.entities import LoggedModelOutput, Metric

        (source,) = self._client.search_runs(
            [self._experiment], f"tags.`{CONTENT}` = '{content}'", order_by=["attributes.start_time"], max_results=1
        )
        name = f"{source.data.tags['method']} {place}".translate(NAMES)
        tags = {CONTENT: content, PLACE: place, "ganbench.run": run, "method": source.data.tags["method"]}
        with tempfile.TemporaryDirectory() as folder:
            write(run, Path(folder) / "networks")
            about = json.loads((Path(folder) / "networks" / "model.json").read_text())
            model = self._client.create_logged_model(
                self._experiment, name, source.info.run_id, tags, source.data.params, "generator"
            )
            target = Path(folder) / "model" if self._local is None else self._local.model_folder(model.model_id)
            _save(Path(folder) / "networks", target, about, model.model_id, source.info.run_id)
            if self._local is None:
                self._client.log_model_artifacts(model.model_id, str(target))
        # The final metrics of the run, which it has already: MLflow shows them beside the model where they name it.
        final = [(name, value) for name, value in source.data.metrics.items() if name.startswith(f"{FINAL}/")]
        points = [Metric(*each, source.info.end_time, ONCE, model_id=model.model_id) for each in final]
        for first in range(0, len(points), POINTS_PER_BATCH):
            self._client.log_batch(source.info.run_id, points[first : first + POINTS_PER_BATCH])
        self._client.log_outputs(source.info.run_id, [LoggedModelOutput(model.model_id, about["step"])])
        self._client.finalize_logged_model(model.model_id, "READY")


def _save(networks: Path, target: Path, about: Mapping[str, Any], model: str, run: str) -> None:
    """Write a folder in MLflow's form of a model."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", ".*Any type hint is inferred", UserWarning
        )  # of MLflow's own types, on import
        from mlflow.models import Model
        from mlflow.pyfunc import save_model

    save_model(
        target,
        loader_module=LOADER,
        data_path=str(networks),
        mlflow_model=Model(run_id=run, model_id=model),
        signature=signature_of(about),
        input_example=_example(about),
        # Given, so that MLflow does not run the model and look packages up to find them.
        pip_requirements=[f"ganbench=={__version__}", *(f"{name}=={version(name)}" for name in PINNED)],
        metadata={name: about[name] for name in ("study", "run", "step", "seed", "data")},
    )


def signature_of(about: Mapping[str, Any]) -> ModelSignature:
    """The shapes and types of a generator's inputs and of its examples, in MLflow's form.

    Args:
        about: the description of exported networks, `model.json`.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    latent, conditional = (-1, about["latent_size"]), "generator" in about["conditional"]
    inputs = [TensorSpec(np.dtype(np.float32), latent, LATENT if conditional else None)]
    inputs += [TensorSpec(np.dtype(np.int64), (-1,), LABELS)] if conditional else []
    examples = TensorSpec(np.dtype(np.float32), (-1, *about["data"]["shape"]))
    return ModelSignature(Schema(inputs), Schema([examples]))


def _example(about: Mapping[str, Any]) -> np.ndarray | dict[str, np.ndarray]:
    """Latent points, with the labels that a conditional generator needs."""
    draws = np.random.default_rng(about["seed"])
    points = draws.standard_normal((EXAMPLES, about["latent_size"]), dtype=np.float32)
    if "generator" not in about["conditional"]:
        return points
    return {LATENT: points, LABELS: np.arange(EXAMPLES) % about["data"]["modes"]}
