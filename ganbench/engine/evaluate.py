"""Scores of a run: its generator at every snapshot, compared with real examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ganbench.core.metric_info import averaged
from ganbench.core.tree import Tree
from ganbench.engine.sampler import Sampler
from ganbench.engine.scoring import Scorer


def evaluate(
    scorer: Scorer,
    sampler: Sampler,
    seed: int,
    generators: Sequence[np.ndarray],
    buffers: Mapping[str, np.ndarray],
    samples: int,
    shown: int,
    average: Sequence[np.ndarray] | None = None,
) -> Tree:
    """Score every snapshot of a run.

    Args:
        scorer: the judge and the metrics.
        sampler: the generator.
        seed: seed of the run; its latent points for evaluation are the same at every snapshot.
        generators: the generator's parameters at every snapshot, (S, P).
        buffers: its buffers at every snapshot, (S, ...) each.
        samples: number of examples to generate and score.
        shown: number of these examples to keep.
        average: the moving average of the generator's parameters at every snapshot, (S, P), which is scored too; the
            buffers are those of the generator, as in `torch.optim.swa_utils.AveragedModel`.

    Returns:
        `metrics`: {column: (S,)}, and `samples`: (S, shown, *shape). Of a judge that tells modes apart, also
        `mode_shares`: (S, 2, modes), see `JudgedExamples.mode_shares`; NaN where no example can be judged.
    """
    scores, kept, shares = [], [], []
    for index, theta in enumerate(generators):
        at = {name: values[index] for name, values in buffers.items()}
        examples = sampler.examples(theta, at, seed, samples)
        kept.append(examples[:shown])
        judged = scorer.judged(examples)
        shares.append(None if judged is None or judged.mode is None else judged.mode_shares)
        score = scorer.scores(judged)
        if average is not None:
            of_average = scorer.score(sampler.examples(average[index], at, seed, samples))
            score |= {averaged(name): value for name, value in of_average.items()}
        scores.append(score)
    tree: Tree = {
        "metrics": {name: np.array([score[name] for score in scores]) for name in scores[0]},
        "samples": np.stack(kept),
    }
    if known := [share for share in shares if share is not None]:
        none = np.full_like(known[0], np.nan)
        tree["mode_shares"] = np.stack([none if share is None else share for share in shares])
    return tree
