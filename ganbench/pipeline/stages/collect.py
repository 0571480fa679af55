"""collect: all results of a study, in a few tables and one file of samples, for every reader."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from ganbench.analysis import collected
from ganbench.analysis.columns import CURVES, MEASUREMENTS, SNAPSHOTS
from ganbench.analysis.outcome import Thresholds, judge
from ganbench.analysis.run_settings import settings_of, typed
from ganbench.core import result_files
from ganbench.core.deterministic_linalg import norm
from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.pipeline.execution import result_cache
from ganbench.pipeline.execution.devices import device
from ganbench.pipeline.execution.instantiation import CPU, build_game, examples, instrument_of, make
from ganbench.pipeline.execution.job_context import Work
from ganbench.pipeline.execution.provenance import computed_on, versions
from ganbench.pipeline.jobs import Job, looks
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages.evaluate import panel_of
from ganbench.study.grid import Run
from ganbench.study.schema import parse

STATES = ("steps", "train_seconds", "trained_at", "pack", "fused")
VERSIONS = ("device", "processor", "cpu_capability", "blas", "threads", "python", "numpy", "torch", "cuda", "commit")


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    folder = path.parent
    gather(Plan(parse(slice["study"], origin="the study that collect was given")), folder, work)
    for older in folder.parent.iterdir():  # tables are made again in seconds; old ones would only fill the disk
        if older != folder:
            shutil.rmtree(older)


def gather(plan: Plan, folder: Path, work: Work) -> None:
    """Gather the results of all jobs of a plan, which may be a part of the study's.

    Args:
        plan: its `train`, `evaluate` and `diagnose` are done, and what these were made from is there.
        folder: where the tables go.
        work: the job's surroundings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    metrics = {name: info for metric in plan.study.evaluate.metrics for name, info in metric.build().columns.items()}
    runs, snapshots, curves = [], [], []
    with result_files.create_file(folder / "samples.h5", "samples") as samples:
        shown = samples.create_group("runs")
        with work.progress(f"collect {plan.study.study}", len(plan.runs), "runs") as report:
            for count, (point, trained, judged) in enumerate(_results(plan), start=1):
                curve, snapshot = _curves(point, trained), _snapshots(point, judged, metrics)
                curves.append(curve)
                snapshots.append(snapshot)
                runs.append(_run(plan, point, trained, curve, snapshot, metrics) | {"evaluated_on": _origin(judged)})
                if judged is not None:
                    result_files.write_tree(
                        shown.create_group(point.id), {"step": judged["step"], "samples": judged["samples"]}
                    )
                report(count)
        with work.progress(f"collect {plan.study.study}", 2, "of references and measurements") as report:
            with device(work.site.device) as place:
                references, judges = _references(plan, metrics, samples.create_group("real"))
                here = computed_on(versions(place))
            report(1)
            measurements, instruments, diagnosed = _measurements(plan, folder / "arrays.h5")
            report(2)
    for run in runs:
        run |= {"judged_on": judges.get(run["dataset"]), "collected_on": here}
        run["diagnosed_on"] = "; ".join(sorted(diagnosed.get(run["run"], ()))) or None
    infos = {
        name: {column: asdict(info) for column, info in columns.items()}
        for name, columns in (("metrics", metrics), ("instruments", instruments))
    }
    tables = {
        "snapshots": pd.concat(snapshots, ignore_index=True),
        "curves": pd.concat(curves, ignore_index=True),
        "references": references,
        "measurements": measurements,
        "runs": typed(runs, metrics),
    }
    collected.write(folder, tables, infos)


def _results(plan: Plan) -> Iterator[tuple[Run, Tree, Tree | None]]:
    """Every run, what training left of it (but the networks), and what judging left of it where it was judged."""
    for name, pack in plan.packs.items():
        points = {run.id: run for run in pack.runs}
        train, evaluate = plan.train[name], plan.evaluate.get(name)
        scored = {} if evaluate is None else {member["id"]: member["digest"] for member in evaluate.slice["members"]}
        with ExitStack() as files:
            trained = files.enter_context(result_files.open_file(train.path, "train"))
            judged = evaluate and files.enter_context(result_files.open_file(evaluate.path, "evaluate"))
            for member in train.slice["members"]:
                group = result_cache.group_of(trained, member["digest"])
                kept = {key: result_files.read_tree(result_files.descend(group, key)) for key in ("curves", "about")}
                kept |= {key: group.scalars()[key] for key in ("diverged", "steps_done")}
                kept |= {
                    "initial_norms": _initial_norms(result_files.descend(group, "snapshots")),
                    "digest": member["digest"],
                }
                seen = judged and result_files.read_tree(result_cache.group_of(judged, scored[member["id"]]))
                yield points[member["id"]], kept, seen


def _initial_norms(snapshots: result_files.Group) -> dict[str, float]:
    """By player, the norm that its parameters' growth is measured against: their initial one."""
    return {player: norm(result_files.descend(snapshots, player)[0]) for player in snapshots if player != "step"}


def _labels(point: Run) -> dict[str, Any]:
    return {"run": point.id, **point.point}


def _curves(point: Run, trained: Tree) -> pd.DataFrame:
    kept = trained["curves"]
    parts = [
        pd.DataFrame(
            {"first_step": kept["first_step"], "last_step": kept["last_step"]}
            | {what: kept[what][:, column] for what in ("min", "mean", "max")}
        ).assign(run=point.id, series=name)
        for column, name in enumerate(kept["series"])
    ]
    return pd.concat(parts, ignore_index=True)[list(CURVES)]


def _snapshots(point: Run, judged: Tree | None, metrics: dict[str, MetricInfo]) -> pd.DataFrame:
    """The metrics over a run's snapshots; no rows for one that was not judged."""
    steps, scores = ([], {}) if judged is None else (judged["step"], judged["metrics"])
    values = {name: scores.get(name, np.full(len(steps), np.nan)) for name in metrics}
    table = pd.DataFrame({"step": np.asarray(steps, dtype=np.int64), **values}).assign(**_labels(point))
    return table[[*SNAPSHOTS, *metrics]]


def _run(
    plan: Plan,
    point: Run,
    trained: Tree,
    curves: pd.DataFrame,
    snapshots: pd.DataFrame,
    metrics: dict[str, MetricInfo],
) -> dict[str, Any]:
    about, diverged = trained["about"], trained["diverged"]
    dataset, objective = point.choice("dataset"), point.choice("objective")
    verdict = judge(
        Thresholds(**plan.study.outcome.model_dump()),
        steps=about["steps"],
        initial_norms=trained["initial_norms"],
        diverged=None if diverged is None else tuple(diverged),
        curves=curves,
        snapshots=snapshots,
        modes=dataset and dataset.build().spec.modes,
        probabilities=objective is None or objective.member.constants.get("probability", True),
    )
    # A diverged run has no final networks: its last snapshot is from before, and is no final value.
    reached = len(snapshots) > 0 and snapshots["step"].max() == about["steps"]
    sizes = zip(("discriminator_parameters", "generator_parameters"), about["parameters"], strict=True)
    final = {f"{name}_final": snapshots[name].iloc[-1] if reached else np.nan for name in metrics}
    return {
        **_labels(point),
        **settings_of(plan.study, point),
        "outcome": verdict.outcome,
        "outcome_step": verdict.step,
        "outcome_why": verdict.why,
        "failures_judged": ", ".join(verdict.judged),
        "failures_not_judged": "; ".join(f"{failure}: {why}" for failure, why in verdict.not_judged.items()),
        "steps_done": trained["steps_done"],
        **dict(sizes),
        **{name: about[name] for name in STATES},
        **{name: about.get(name) for name in VERSIONS},
        "digest": trained["digest"],
        **final,
    }


def _origin(kept: Tree | None) -> str | None:
    """What a part of the results was computed on; None where that was not recorded."""
    return computed_on(kept["about"]) if kept and "about" in kept else None


def _references(
    plan: Plan, metrics: dict[str, MetricInfo], real: h5py.Group
) -> tuple[pd.DataFrame, dict[str, str | None]]:
    """What held-out examples score against training examples, and how often each judge is right; and, by data set, what
    its judge was fitted on."""
    rows, judges = [], {}
    seen: dict[str, dict[str, Any]] = {}
    for name, job in plan.evaluate.items():
        seen.setdefault(plan.packs[name].runs[0].choice("dataset").text, job.slice)
    for dataset, slice in seen.items():
        heldout = examples(Path(slice["prepared"])).heldout
        known = make("dataset", slice["parts"]["dataset"]).spec.train
        how = f"{len(heldout):,} held-out against {known:,} training examples"
        scores = panel_of(slice).score(heldout)
        rows += [(dataset, name, scores[name], how) for name in metrics if name in scores]
        with result_files.open_file(Path(slice["judge"]), "judge") as file:
            kept = {
                name: result_files.read_tree(result_files.descend(file, name))
                for name in ("memory", "about")
                if name in file
            }
        accuracy, judges[dataset] = kept["memory"]["accuracy"], _origin(kept)
        rows.append((dataset, "judge_accuracy", accuracy, f"on {len(heldout):,} held-out examples"))
        result_files.write_tree(real, {dataset: heldout[:512]})
    return pd.DataFrame(rows, columns=["dataset", "quantity", "value", "how"]), judges


def _measurements(plan: Plan, arrays: Path) -> tuple[pd.DataFrame, dict[str, MetricInfo], dict[str, set[str]]]:
    """What the instruments showed: a row per run and number, the meaning of the numbers, and in `arrays` the rest; and,
    by run, what that was computed on."""
    rows, infos, origins = [], {}, {}
    with result_files.create_file(arrays, "arrays") as file:
        for job in plan.diagnose.values():
            with result_files.open_file(job.path, "diagnose") as kept:
                for look in looks(job.slice):
                    tree = result_files.read_tree(result_cache.group_of(kept, look["digest"]))
                    experiment, run = look["experiment"], look["run"]
                    numbers = zip(tree["columns"], tree["values"], strict=True)
                    rows += [(run, f"{experiment}.{name}", value) for name, value in numbers]
                    if origin := _origin(tree):
                        origins.setdefault(run, set()).add(origin)
                    if tree["arrays"]:
                        result_files.write_tree(
                            file.require_group(experiment).create_group(run or "study"), tree["arrays"]
                        )
            infos |= _meanings(job)
    table = pd.DataFrame(rows, columns=list(MEASUREMENTS)).astype({"run": str, "quantity": str, "value": float})
    return table, infos, origins


def _meanings(job: Job) -> dict[str, MetricInfo]:
    """What the numbers of a job's experiments mean."""
    infos = {}
    teams = job.slice.get("teams", [])
    games = [None] if not teams else [build_game(team["parts"], job.slice["train"], None, CPU) for team in teams]
    for name, named in job.slice["experiments"].items():
        instrument = instrument_of(named)
        for game in games:
            if game is None or instrument.supports(game) is None:
                infos |= {f"{name}.{column}": info for column, info in instrument.columns(game).items()}
    return infos
