"""check: whatever can be known to fail is found before any job starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from ganbench.analysis.columns import OUTCOMES
from ganbench.core.claims import VIEWS, quantities
from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.grid import Run
from ganbench.core.selectors import Selector, matches
from ganbench.data import DataSpec
from ganbench.engine.fusing import forward_work
from ganbench.engine.train import train
from ganbench.games import Match, Member
from ganbench.games.gan import initial_module
from ganbench.stages import folder, weights
from ganbench.stages.device import available
from ganbench.stages.parts import CPU, rules_of
from ganbench.stages.plan import Plan, parts_of
from ganbench.stages.train import training_of

RATE = 20e9  # floating-point operations a second that one CPU core sustains in small networks, for estimates only
STEP_SECONDS = 4e-4  # and what a training step costs beside them
# A step is about six forward passes: forward and backward (twice a forward) of the discriminator on real and on fake
# examples, of the generator, and of the discriminator again for the generator's gradient.
PASSES = 6


@dataclass(frozen=True)
class Estimate:
    """What a contender will take: parameters of both players, seconds on one CPU core and bytes on disk."""

    contender: str
    runs: int
    parameters: tuple[int, int]
    seconds: float
    bytes: int


def check(plan: Plan) -> list[Estimate]:
    """Try what the jobs will need.

    Raises:
        GanbenchError: an architecture cannot do a data set's examples or breaks the rules for members of a pack, a
            game cannot be played as asked, an instrument cannot look at a game or does not measure what a claim needs,
            a metric fits no data set, weights are missing, the disk has too little room, or there is no such device.
    """
    available(plan.study.machine.device)
    estimates = [_estimate(plan, contender) for contender in plan.contenders]
    _instruments(plan)
    _metrics(plan)
    if plan.weights:
        weights.fetch(plan.weights, plan.study.evaluate.inception.sha256)
    waiting = {run.id for name, job in plan.train.items() if not job.done for run in plan.packs[name].runs}
    share = {contender: 0 for contender in plan.contenders}
    for run in plan.runs:
        share[run.contender] += run.id in waiting
    folder.room(plan, sum(estimate.bytes * share[estimate.contender] // estimate.runs for estimate in estimates))
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


def _estimate(plan: Plan, contender: str) -> Estimate:
    members = [run for run in plan.runs if run.contender == contender]
    run = members[0]
    _architecture(plan, run)
    settings = run.train.model_dump(mode="json")
    try:
        rules, training = rules_of(parts_of(run), settings, None, CPU), training_of(settings, parts_of(run))
        if run.choice("dataset"):  # a step would take the examples; what dynamics refuse, they refuse before the first
            match = Match(rules, [_member(run)], CPU, training.dtype)
            training.dynamics.init(match, match.init(), training.update)
        else:
            train(rules, replace(training, steps=1, snapshots=(0, 1)), [_member(run)], device=CPU)
    except GanbenchError as error:
        raise GanbenchError(f"grid: {contender}: {error}") from None
    sizes = tuple(len(names) for names in rules.parameters.values())
    step = training.dynamics.evaluations / 2 * PASSES * forward_work(rules) / RATE + STEP_SECONDS
    fused = 1 if run.choice("dataset") else len(members)  # games of a few numbers cost a step's overhead once a pack
    seconds = len(members) / fused * training.steps * step
    size = 4 if training.dtype == torch.float32 else 8
    kept = sum(sizes) * size * len(training.snapshots) + 8 * 3 * 8 * min(training.curve_bins, training.steps)
    return Estimate(contender, len(members), sizes, seconds, len(members) * kept)


def _member(run: Run) -> Member:
    return Member(run.seed, run.n_train, run.learning_rate)


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
