"""evaluate: metrics and samples of a pack's runs at every snapshot. Runs that a file holds already are kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganbench.core import registry, result_files
from ganbench.engine.evaluate import Scorer, evaluate
from ganbench.pipeline.execution import inception_weights, result_cache
from ganbench.pipeline.execution.checkpoints import lasting
from ganbench.pipeline.execution.devices import device
from ganbench.pipeline.execution.instantiation import examples, make, verify
from ganbench.pipeline.execution.job_context import Work
from ganbench.pipeline.execution.provenance import versions

POINTS_PER_IMAGE = 16  # a point of the plane shows less than an image: so many of them are kept for one


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    verify(slice["sources"], [("metric", named) for named in slice["metrics"]], "evaluate")
    for team in slice["teams"]:
        verify(team["sources"], team["parts"].items(), "train")

    def make(new: list[result_cache.Member], resume: Path) -> list[result_cache.Made]:
        return lasting(_scored(slice, new, work), len(new), "evaluate", resume, work)

    result_cache.finish(path, "evaluate", slice["members"], make, work)


def panel_of(slice: dict[str, Any]) -> Scorer:
    """The judge and the metrics of a data set; `slice` names `metrics`, `judge` and `prepared`."""
    if slice["weights"]:
        inception_weights.verify(Path(slice["weights"]["path"]), slice["weights"]["sha256"])
        # Laid out as torch.hub keeps downloads, which is where pytorch-fid looks
        os.environ["TORCH_HOME"] = str(Path(slice["weights"]["path"]).parents[2])
    with result_files.open_file(Path(slice["judge"]), "judge") as file:
        state = result_files.read_tree(result_files.descend(file, "memory"))
    metrics = [make("metric", named) for named in slice["metrics"]]
    dataset = make("dataset", slice["parts"]["dataset"])
    judge = registry.find("judge", dataset.judge)  # by the study's word, not by that of a file of results
    return Scorer.of(
        judge.build(judge.complete({})), state, metrics, dataset.spec, examples(Path(slice["prepared"])).train
    )


def _scored(slice: dict[str, Any], new: list[result_cache.Member], work: Work) -> Iterator[list[result_cache.Made]]:
    trained = {run["digest"]: digest for run, digest in zip(slice["members"], slice["train_digests"], strict=True)}
    panel, architecture = panel_of(slice), make("architecture", slice["parts"]["architecture"])
    data = make("dataset", slice["parts"]["dataset"]).spec
    shown = slice["shown"] if len(data.shape) == 3 else min(slice["samples"], POINTS_PER_IMAGE * slice["shown"])
    with (
        device(work.site.device) as place,
        result_files.open_file(Path(slice["trained"]), "train") as file,
        work.progress(f"evaluate {slice['pack']}", len(new), "runs") as report,
    ):
        about = versions(place)
        for count, member in enumerate(new, start=1):
            snapshots = result_files.descend(result_cache.group_of(file, trained[member["digest"]]), "snapshots")
            generators = result_files.descend(snapshots, "generator")[:]
            tree = evaluate(panel, architecture, data, member["seed"], generators, slice["samples"], shown, place)
            yield [(member, {**tree, "step": result_files.descend(snapshots, "step")[:], "about": about})]
            report(count)
