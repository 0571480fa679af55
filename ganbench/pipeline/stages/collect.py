"""Stage `collect`: gathers all results of a study in a few tables and one file of samples, for all later stages."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ganbench.analysis import collected
from ganbench.analysis.columns import CURVES, EVENTS, FAILURES, MODES, RUN_OUTCOMES, SNAPSHOTS
from ganbench.analysis.curves import curve_columns
from ganbench.analysis.events import events_of
from ganbench.analysis.mode_forgetting import MAX_MODES, mean_forgetting, mode_columns
from ganbench.analysis.outcome import RunOutcomes, classify_run, outcome_rows
from ganbench.analysis.outcomes import Finding, RunEvidence
from ganbench.analysis.run_options import options_of, runs_table
from ganbench.core import result_files
from ganbench.core.metric_info import MetricInfo, of_averages
from ganbench.core.tree import Tree
from ganbench.pipeline.execution.instantiation import CPU
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.progress import log
from ganbench.pipeline.execution.provenance import computed_on, versions
from ganbench.pipeline.jobs import CollectTask, Job
from ganbench.pipeline.stages.collect_measurements import measurements, origin_of, real_scores
from ganbench.pipeline.stages.collect_runs import Parts, RunResults, count_runs, results_of
from ganbench.study.judging import judge_of, known_modes
from ganbench.study.runs import Run
from ganbench.study.sections import Evaluate, Outcome

EVENT_TYPES = {
    **{"start": int, "end": int, "size": float},
    **{"ended": "boolean", "held_steps": "Int64", "longest_steps": "Int64"},  # which may be empty
}
STATES = ("steps", "continued_from", "train_seconds", "trained_at", "pack", "fused", "execution")
VERSIONS = (
    *("device", "processor", "cpu_capability", "blas", "threads"),
    *("python", "numpy", "scipy", "torch", "cuda", "tf32", "commit"),
)


def run(job: Job, context: JobContext) -> None:
    """Gather the results of a study, and remove the tables of older digests."""
    folder = job.path.parent
    gather(job.task, folder, context)
    for older in folder.parent.iterdir():  # tables can be made again in seconds
        if older != folder:  # what is no folder is left alone, and so is what another process still reads over NFS
            shutil.rmtree(older, ignore_errors=True)


class Sections:
    """The sections of the study that outcomes and metrics depend on.

    Args:
        task: the task.
    """

    def __init__(self, task: CollectTask) -> None:
        self.outcome = Outcome.model_validate(task.outcome)
        self.evaluate = Evaluate.model_validate(task.evaluate)
        metrics = [metric.build() for metric in self.evaluate.metrics]
        self.metrics: dict[str, MetricInfo] = {name: info for each in metrics for name, info in each.columns.items()}
        if any(job.task.train["ema_decay"] is not None for job in task.of("train")):
            self.metrics |= of_averages(self.metrics)


def gather(task: CollectTask, folder: Path, context: JobContext) -> None:
    """Gather the results of jobs, which may be some of the study's jobs only.

    Args:
        task: the task. Its jobs are done, and so are the jobs whose files these read.
        folder: the folder to write the tables to.
        context: the job's context.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sections = Sections(task)
    metrics = sections.metrics
    runs, outcome_table, events = [], [], []
    snapshots, curves, modes = Parts(), Parts(), Parts()
    with result_files.create_file(folder / "samples.h5", "samples") as samples:
        shown = samples.create_group("runs")
        scores = real_scores(task, metrics, samples.create_group("real"))
        nulls, noise = scores.intervals, scores.noise
        for dataset, real in scores.mode_shares.items():
            if len(real) > MAX_MODES:
                log(f"table modes: {dataset} is left out, which has {len(real):,} modes, more than {MAX_MODES}")
        with context.progress(f"collect {task.study}", count_runs(task), "runs") as report:
            for count, results in enumerate(results_of(task), start=1):
                run, judged = results.run, results.evaluated
                curve, snapshot = curve_columns(results.trained["curves"]), _snapshots(judged, metrics)
                dataset = run.choice("dataset") and run.choice("dataset").text  # as tables show it
                mode = _modes(judged, scores.mode_shares.get(dataset))
                for table, part in ((curves, curve), (snapshots, snapshot), (modes, mode)):
                    table.add(run.id, part)
                real = {"nulls": nulls.get(dataset, {}), "noise": noise.get(dataset, {})}
                evidence = _evidence(sections, results, curve, snapshot, real)
                outcomes = classify_run(evidence)
                forgetting = mean_forgetting(mode, results.trained["about"]["steps"])
                found = {"evaluated_on": origin_of(judged), "mode_forgetting": forgetting}
                runs.append(_run(sections, results, outcomes, snapshot) | found)
                outcome_table += [{"run": run.id, **row} for row in outcome_rows(outcomes)]
                events += [{"run": run.id, **asdict(event)} for event in events_of(evidence)]
                if judged is not None:
                    result_files.write_tree(
                        shown.create_group(run.id), {"step": judged["step"], "samples": judged["samples"]}
                    )
                report(count)
    here = computed_on(versions(CPU))
    found, quantities, diagnosed = measurements(task, folder / "arrays.h5")
    for row in runs:
        row |= {"judged_on": scores.judges.get(row["dataset"]), "collected_on": here}
        row["diagnosed_on"] = "; ".join(sorted(diagnosed.get(row["run"], ()))) or None
    infos = {
        name: {column: asdict(info) for column, info in columns.items()}
        for name, columns in (("metrics", metrics), ("quantities", quantities))
    }
    table = runs_table(runs, metrics)
    tables = {
        "snapshots": _labelled(snapshots.table(["run", "step", *metrics]), table)[[*SNAPSHOTS, *metrics]],
        "curves": curves.table(list(CURVES)),
        "references": scores.references,
        "nulls": scores.nulls,
        "measurements": found,
        "run_outcomes": pd.DataFrame(outcome_table, columns=list(RUN_OUTCOMES)).astype(
            {"onset": "Int64", "confidence": float}
        ),
        "events": pd.DataFrame(events, columns=list(EVENTS)).astype(EVENT_TYPES),
        "modes": modes.table(list(MODES)),
        "runs": table,
    }
    collected.write(folder, tables, infos)


def _labels(point: Run) -> dict[str, Any]:
    return {"run": point.id, **point.point}


def _labelled(rows: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Rows of runs with the labels that the table of runs has of each."""
    labels = runs[[name for name in SNAPSHOTS if name not in rows]]
    at = pd.Index(runs["run"]).get_indexer(rows["run"])
    found = labels.take(at).reset_index(drop=True)
    if found["n_train"].notna().all():  # floats in the table of runs, if that has games without data
        found["n_train"] = found["n_train"].astype(np.int64)
    return pd.concat([rows, found], axis=1)


def _snapshots(judged: Tree | None, metrics: dict[str, MetricInfo]) -> dict[str, np.ndarray]:
    """The columns of the metrics of a run's snapshots; no rows for a run that was not evaluated."""
    steps, scores = ([], {}) if judged is None else (judged["step"], judged["metrics"])
    values = {name: scores.get(name, np.full(len(steps), np.nan)) for name in metrics}
    return {"step": np.asarray(steps, dtype=np.int64), **values}


def _modes(judged: Tree | None, real: np.ndarray | None) -> dict[str, np.ndarray]:
    """The columns of the modes at a run's snapshots; no rows where none are told apart."""
    if judged is None or "mode_shares" not in judged:
        return mode_columns(np.empty(0), np.empty((0, 2, 0)), np.empty(0))
    return mode_columns(np.asarray(judged["step"]), judged["mode_shares"], real)


def _evidence(
    sections: Sections,
    results: RunResults,
    curves: dict[str, np.ndarray],
    snapshots: dict[str, np.ndarray],
    real: dict[str, Any],
) -> RunEvidence:
    """What was recorded of a run, for its outcomes."""
    point, trained = results.run, results.trained
    dataset, objective = point.choice("dataset"), point.choice("objective")
    judge = dataset and judge_of(sections.evaluate.judge, dataset)
    diverged, stopped = trained["diverged"], trained["stopped"]
    return RunEvidence(
        steps=trained["about"]["steps"] if stopped is None else stopped[0],
        settings=sections.outcome,
        diverged=None if diverged is None else tuple(diverged),
        initial_norms=trained["initial_norms"],
        curves=curves,
        snapshots=snapshots,
        metrics=sections.metrics,
        **real,
        modes=dataset and known_modes(judge, dataset),
        probabilities=objective is None or objective.component.constants["probability"],
        knows_noise=judge is not None and judge.component.constants["knows_noise"],
        stopped=None if stopped is None else Finding(*stopped[1:]),
    )


def _run(
    sections: Sections, results: RunResults, outcomes: RunOutcomes, snapshots: dict[str, np.ndarray]
) -> dict[str, Any]:
    """A row of the table of runs."""
    point, trained, metrics = results.run, results.trained, sections.metrics
    about, primary = trained["about"], outcomes.primary
    # A run that diverged or was stopped has no final networks: its last snapshot was taken before the last step.
    reached = len(snapshots["step"]) > 0 and snapshots["step"].max() == about["steps"]
    sizes = zip(("discriminator_parameters", "generator_parameters"), about["parameters"], strict=True)
    final = {f"{name}_final": snapshots[name][-1] if reached else np.nan for name in metrics}
    not_judged = [
        f"{name}: {why.reason}"
        for name, why in outcomes.not_judged.items()
        if name in FAILURES and not (why.cut_short or why.impossible)
    ]
    return {
        **_labels(point),
        **options_of(point, sections.evaluate, sections.outcome),
        "outcome": primary.outcome,
        "outcomes": ", ".join(finding.outcome for finding in outcomes.findings),
        "outcome_onset": primary.onset,
        "failure_onset": outcomes.failure_onset,
        **dict(zip(("stopped_step", "stopped_for"), trained["stopped"] or (None, None), strict=False)),
        "outcome_evidence": primary.evidence,
        "outcomes_judged": ", ".join(outcomes.judged),
        "failures_not_judged": "; ".join(not_judged),
        "steps_done": trained["steps_done"],
        **dict(sizes),
        **{name: about[name] for name in STATES},
        **{name: about.get(name) for name in VERSIONS},
        "digest": trained["digest"],
        **final,
    }
