"""collect: all results of a study, in a few tables and one file of samples, for every reader."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from ganbench.analysis.columns import CURVES, RUNS, SNAPSHOTS
from ganbench.analysis.outcome import Rules, judge
from ganbench.core import store
from ganbench.core.metric import MetricInfo
from ganbench.core.record import SERIES
from ganbench.core.study import parse
from ganbench.core.tree import Tree
from ganbench.stages import one_thread, packs
from ganbench.stages.device import device
from ganbench.stages.evaluate import panel_of
from ganbench.stages.parts import examples, make
from ganbench.stages.plan import Plan
from ganbench.stages.progress import progress

STATES = ("discriminator_parameters", "generator_parameters", "steps", "train_seconds", "trained_at", "pack", "fused")
PLAYERS = ("discriminator", "generator")
VERSIONS = ("device", "python", "torch", "cuda", "commit")


def run(slice: dict[str, Any], path: Path) -> None:
    one_thread()
    plan = Plan(parse(slice["study"], origin="the study that collect was given"))
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    metrics = {name: info for metric in plan.study.evaluate.metrics for name, info in metric.build().columns.items()}
    runs, snapshots, curves = [], [], []
    with store.writing(folder / "samples.h5", "samples") as samples:
        shown = samples.create_group("runs")
        with progress(f"collect {plan.study.study}", len(plan.runs), "runs") as report:
            for count, (member, trained, judged, modes) in enumerate(_results(plan), start=1):
                curve, snapshot = _curves(member, trained), _snapshots(member, judged, metrics)
                curves.append(curve)
                snapshots.append(snapshot)
                runs.append(_run(plan, member, trained, curve, snapshot, metrics, modes))
                store.save(shown.create_group(member["id"]), {"step": judged["step"], "samples": judged["samples"]})
                report(count)
        with device(plan.study.machine.device):
            references = _references(plan, metrics, samples.create_group("real"))
    tables = {
        "runs": pd.DataFrame(runs, columns=[*RUNS, *(f"{name}_final" for name in metrics)]),
        "snapshots": pd.concat(snapshots, ignore_index=True),
        "curves": pd.concat(curves, ignore_index=True),
        "references": references,
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    about = {name: asdict(info) for name, info in metrics.items()}
    (folder / "metrics.json").write_text(json.dumps(about, indent=1, ensure_ascii=False))
    for older in folder.parent.iterdir():  # tables are made again in seconds; old ones would only fill the disk
        if older != folder:
            shutil.rmtree(older)


def _results(plan: Plan) -> Iterator[tuple[packs.Member, Tree, Tree, int]]:
    """Every run as its slice tells of it, what training left of it (but the networks), what judging left of it, and the
    number of modes of its data."""
    for name in plan.packs:
        train, evaluate = plan.train[name], plan.evaluate[name]
        modes = make("dataset", train.slice["parts"]["dataset"]).spec.modes
        with store.reading(train.path, "train") as trained, store.reading(evaluate.path, "evaluate") as judged:
            for member, scored in zip(train.slice["members"], evaluate.slice["members"], strict=True):
                group = packs.group_of(trained, member["digest"])
                kept = {key: store.load(group[key]) for key in ("curves", "about")}
                kept |= {key: json.loads(group.attrs[key]) for key in ("diverged", "steps_done")}
                kept["initial_norms"] = {
                    player: float(np.linalg.norm(group["snapshots"][player][0])) for player in PLAYERS
                }
                yield member, kept, store.load(packs.group_of(judged, scored["digest"])), modes


def _labels(member: packs.Member) -> dict[str, Any]:
    return {"run": member["id"], **{key: value for key, value in member.items() if key not in ("id", "digest")}}


def _curves(member: packs.Member, trained: Tree) -> pd.DataFrame:
    kept = trained["curves"]
    parts = [
        pd.DataFrame(
            {"first_step": kept["first_step"], "last_step": kept["last_step"]}
            | {what: kept[what][:, column] for what in ("min", "mean", "max")}
        ).assign(run=member["id"], series=name)
        for column, name in enumerate(SERIES)
    ]
    return pd.concat(parts, ignore_index=True)[list(CURVES)]


def _snapshots(member: packs.Member, judged: Tree, metrics: dict[str, MetricInfo]) -> pd.DataFrame:
    values = {name: judged["metrics"].get(name, np.full(len(judged["step"]), np.nan)) for name in metrics}
    table = pd.DataFrame({"step": judged["step"], **values}).assign(**_labels(member))
    return table[[*SNAPSHOTS, *metrics]]


def _run(
    plan: Plan,
    member: packs.Member,
    trained: Tree,
    curves: pd.DataFrame,
    snapshots: pd.DataFrame,
    metrics: dict[str, MetricInfo],
    modes: int,
) -> dict[str, Any]:
    about, diverged = trained["about"], trained["diverged"]
    verdict = judge(
        Rules(**plan.study.outcome.model_dump()),
        steps=about["steps"],
        initial_norms=trained["initial_norms"],
        diverged=None if diverged is None else tuple(diverged),
        curves=curves,
        snapshots=snapshots,
        modes=modes,
    )
    # A diverged run has no final networks: its last snapshot is from before, and is no final value.
    reached = snapshots["step"].max() == about["steps"]
    final = {f"{name}_final": snapshots[name].iloc[-1] if reached else np.nan for name in metrics}
    return {
        **_labels(member),
        "outcome": verdict.outcome,
        "outcome_step": verdict.step,
        "outcome_why": verdict.why,
        "steps_done": trained["steps_done"],
        **{name: about[name] for name in (*STATES, *VERSIONS)},
        "digest": member["digest"],
        **final,
    }


def _references(plan: Plan, metrics: dict[str, MetricInfo], real: h5py.Group) -> pd.DataFrame:
    """What held-out examples score against training examples, and how often each judge is right."""
    rows = []
    seen: dict[str, dict[str, Any]] = {}
    for job in plan.evaluate.values():
        seen.setdefault(job.slice["members"][0]["dataset"], job.slice)
    for dataset, slice in seen.items():
        heldout = examples(Path(slice["prepared"])).heldout
        known = make("dataset", slice["parts"]["dataset"]).spec.train
        how = f"{len(heldout):,} held-out against {known:,} training examples"
        scores = panel_of(slice).score(heldout)
        rows += [(dataset, name, scores[name], how) for name in metrics if name in scores]
        with store.reading(Path(slice["judge"]), "judge") as file:
            accuracy = store.load(file["memory"])["accuracy"]
        rows.append((dataset, "judge_accuracy", accuracy, f"on {len(heldout):,} held-out examples"))
        real.create_dataset(dataset, data=heldout[:512])
    return pd.DataFrame(rows, columns=["dataset", "quantity", "value", "how"])
