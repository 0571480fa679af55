"""What a study will take: tried on one run of every contender, counted, and never timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import torch

from ganbench.core.errors import GanbenchError
from ganbench.core.grid import Run
from ganbench.engine.fusing import forward_work
from ganbench.engine.train import snapshot_steps, train
from ganbench.games import Match, Member
from ganbench.stages.asking import Estimate
from ganbench.stages.parts import CPU, rules_of
from ganbench.stages.plan import Plan, parts_of
from ganbench.stages.train import training_of

RATE = 20e9  # floating-point operations a second that one CPU core sustains in small networks, for estimates only
STEP_SECONDS = 4e-4  # and what a training step costs beside them
# A step is about six forward passes: forward and backward (twice a forward) of the discriminator on real and on fake
# examples, of the generator, and of the discriminator again for the generator's gradient.
PASSES = 6
COPIES = 10
SCORE_SECONDS = 1.0  # of every snapshot, whatever its samples
FID_SECONDS = 0.25  # an image through the Inception network, on one core
FID_BYTES = 3 * 2**30


def estimate(plan: Plan, runs: Sequence[Run]) -> Estimate:
    """What the runs of a contender will take.

    Raises:
        GanbenchError: they cannot be played as asked.
    """
    run = runs[0]
    settings = run.train.model_dump(mode="json")
    try:
        rules, training = rules_of(parts_of(run), settings, None, CPU), training_of(settings, parts_of(run))
        if run.choice("dataset"):  # a step would take the examples; what dynamics refuse, they refuse before the first
            match = Match(rules, [_member(run)], CPU, training.dtype)
            training.dynamics.init(match, match.init(), training.update)
        else:
            train(rules, replace(training, steps=1, snapshots=(0, 1)), [_member(run)], device=CPU)
    except GanbenchError as error:
        raise GanbenchError(f"grid: {run.contender}: {error}") from None
    sizes = tuple(len(names) for names in rules.parameters.values())
    step = training.dynamics.evaluations / 2 * PASSES * forward_work(rules) / RATE + STEP_SECONDS
    fused = 1 if run.choice("dataset") else len(runs)  # games of a few numbers cost a step's overhead once a pack
    size = 4 if training.dtype == torch.float32 else 8
    snapshots = sum(sizes) * size * len(training.snapshots)
    scoring, scoring_memory = _scoring(plan, run, sizes, forward_work(rules))
    return Estimate(
        run.contender,
        len(runs),
        sizes,
        seconds=training.steps * step / fused,
        bytes=snapshots + 8 * 3 * 8 * min(training.curve_bins, training.steps),
        # Snapshots twice, while they are written; gradients, moments and what dynamics keep beside the parameters; and
        # what the forward passes leave for the backward ones, of which every number took about a hundred operations.
        memory=2 * snapshots + COPIES * size * sum(sizes) + PASSES * size * forward_work(rules) // 100,
        scoring=scoring,
        scoring_memory=scoring_memory,
    )


def _scoring(plan: Plan, run: Run, sizes: tuple[int, ...], work: int) -> tuple[float, int]:
    """Seconds of a core to evaluate a run, and bytes to evaluate a pack."""
    if not run.choice("architecture"):
        return 0.0, 0
    evaluate, count = plan.study.evaluate, len(snapshot_steps(run.train.steps, **run.train.snapshots.model_dump()))
    fid = any(metric.member.name == "fid" for metric in evaluate.metrics)
    examples = evaluate.samples * 4 * prod(run.choice("dataset").build().spec.shape)
    seconds = evaluate.samples * (work / run.train.batch_size / RATE + fid * FID_SECONDS) + SCORE_SECONDS
    return count * seconds, 6 * examples + count * 4 * sum(sizes) + fid * FID_BYTES


def _member(run: Run) -> Member:
    return Member(run.seed, run.n_train, run.learning_rate)
