"""check: whatever can be known to fail is found before any job starts."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import nn

from ganbench.analysis.columns import OUTCOMES
from ganbench.core.claims import VIEWS, quantities
from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.grid import Run
from ganbench.core.selectors import Selector, matches
from ganbench.data import DataSpec
from ganbench.games.gan import initial_module
from ganbench.stages import asking, folder, timetable, weights
from ganbench.stages.asking import Estimate
from ganbench.stages.device import available, timed_on
from ganbench.stages.estimating import Estimator
from ganbench.stages.parts import CPU, rules_of
from ganbench.stages.plan import Plan, parts_of


def check(plan: Plan, *, here: bool = True, at_once: int | None = None, again: bool = True) -> list[Estimate]:
    """Try what the jobs will need, and leave the estimates for the workflow.

    Args:
        plan: of the study.
        here: whether jobs will run on this machine: on a cluster, the machine that submits them may have no GPU.
        at_once: how many jobs will run at the same time; one per CPU of this machine unless given.
        again: whether to time again what was timed before and has not changed since.

    Raises:
        GanbenchError: an architecture cannot do a data set's examples or breaks the rules for members of a pack, a
            game cannot be played as asked, an instrument cannot look at a game or does not measure what a claim needs,
            a metric fits no data set, weights are missing, the disk has too little room, or there is no such device.
    """
    if here:
        available(plan.study.machine.device)
    estimates, estimator = [], Estimator(plan, timed_on(plan.study.machine.device, here))
    known = {} if again else asking.kept(plan)
    for contender in plan.contenders:
        runs = [run for run in plan.runs if run.contender == contender]
        _architecture(plan, runs[0])
        estimates.append(estimator.estimate(runs, known.get(contender)))
    _instruments(plan)
    _metrics(plan)
    if plan.weights:
        weights.fetch(plan.weights, plan.study.evaluate.inception.sha256)
    waiting = {run.id for name, job in plan.train.items() if not job.done for run in plan.packs[name].runs}
    share = {contender: 0 for contender in plan.contenders}
    for run in plan.runs:
        share[run.contender] += run.id in waiting
    folder.room(plan, sum(each.bytes * share[each.contender] for each in estimates))
    asking.keep(plan, estimates)
    timed = None if again else timetable.kept(plan.folder)
    at_once = at_once or (timed.at_once if timed else os.cpu_count() or 1)
    timetable.keep(plan, estimator.timings(at_once, timed))
    return estimates


def network_fault(module: nn.Module, inputs: torch.Tensor, shape: tuple[int, ...]) -> str | None:
    """Why a network cannot be a member of a pack, and what to change; None if it can."""
    for part in module.modules():
        if isinstance(part, nn.modules.dropout._DropoutNd):
            return f"has {type(part).__name__}, which draws from a random stream that all runs share; leave dropout out"
        if getattr(part, "track_running_stats", False):
            return f"has {type(part).__name__} with running statistics; give it track_running_stats=False"
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    random = torch.get_rng_state()
    try:
        with torch.no_grad():
            outputs = module(inputs)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        return f"fails on inputs of shape {tuple(inputs.shape)}: {error}"
    if tuple(outputs.shape) != shape:
        return (
            f"gives outputs of shape {tuple(outputs.shape)} for inputs of shape {tuple(inputs.shape)}; must be {shape}"
        )
    if not torch.equal(random, torch.get_rng_state()):
        return "draws random numbers, from a stream that all runs share; leave that out"
    changed = [name for name, buffer in module.named_buffers() if not torch.equal(buffer, before[name])]
    if changed:
        return f"changes its buffer {changed[0]!r} in a forward pass; a network must keep no state between calls"
    if not list(module.parameters()):
        return "has no parameters"
    return None


def architecture_fault(architecture: Any, data: DataSpec, batch: int = 4) -> str | None:
    """Why an architecture cannot be trained on such data; None if it can."""
    fault = architecture.supports(data)
    if fault:
        return fault
    shapes = {"generator": (architecture.latent_size,), "discriminator": data.shape}
    results = {"generator": (batch, *data.shape), "discriminator": (batch,)}
    for player, shape in shapes.items():
        module = initial_module(architecture, player, data, seed=0)
        fault = network_fault(module, torch.zeros(batch, *shape), results[player])
        if fault:
            return f"its {player} {fault}"
    return None


def _architecture(plan: Plan, run: Run) -> None:
    architecture, dataset = run.choice("architecture"), run.choice("dataset")
    if architecture is None:
        return
    data = dataset.build().spec
    fault = architecture_fault(architecture.build(), data)
    if fault:
        raise GanbenchError(
            f"grid: architecture {architecture.label!r} cannot do data set {dataset.label!r} with examples of shape "
            f"{data.shape}: {fault}.{_alternatives(plan, data)}"
        )


def _instruments(plan: Plan) -> None:
    """Every instrument can look at what it is asked to, and measures what claims need of it."""
    known: set[str] = set()
    for name, experiment in plan.experiments.items():
        instrument = experiment.diagnostic.build()
        if instrument.of == "study":
            known |= {f"{name}.{column}" for column in instrument.columns(None)}
            continue
        looked = {run.choices: run for run in plan.runs if matches(experiment.of, run.point)}
        for run in looked.values():
            rules = rules_of(parts_of(run), run.train.model_dump(mode="json"), None, CPU)
            fault = instrument.supports(rules)
            if fault is None:
                known |= {f"{name}.{column}" for column in instrument.columns(rules)}
            elif experiment.of != Selector():
                raise GanbenchError(
                    f"diagnose.{name}: {experiment.diagnostic.label} cannot look at {run.contender}: {fault}"
                )
    scores = [column for metric in plan.study.evaluate.metrics if plan.gans for column in metric.build().columns]
    known |= {f"{view}.{column}" for view in VIEWS if view != "outcome" for column in scores}
    known |= {f"outcome.{outcome.replace('-', '_')}" for outcome in (*OUTCOMES, "failed")}
    for claim in plan.study.claims:
        for quantity in sorted(quantities(claim)):
            if quantity not in known:
                raise GanbenchError(f"claims.{claim.id}: " + unknown("measurement", quantity, known))


def _alternatives(plan: Plan, data: DataSpec) -> str:
    from ganbench.core.registry import members

    able = [
        name for name, member in members("architecture").items() if not member.build(member.complete({})).supports(data)
    ]
    return f" Architectures that can: {', '.join(able)}." if able else ""


def _metrics(plan: Plan) -> None:
    specs = {dataset: dataset.build().spec for run in plan.runs if (dataset := run.choice("dataset"))}
    for metric in plan.study.evaluate.metrics if specs else ():
        faults = {dataset.label: metric.build().supports(spec) for dataset, spec in specs.items()}
        if all(faults.values()):
            why = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
            raise GanbenchError(f"evaluate.metrics: {metric.label} says nothing of any data set of the study ({why}).")
