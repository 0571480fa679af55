"""Stage `reference`: stores what each metric needs of a data set's real examples, its null, and what noise scores.

The nulls are what a perfect generator scores; see `ganbench.engine.nulls`. Evaluation reads the references from here.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np

from ganbench.core import result_files
from ganbench.core.pixels import floats
from ganbench.core.tree import Tree
from ganbench.engine.nulls import most_draws, nulls
from ganbench.engine.real_draws import RealExamples
from ganbench.engine.scoring import judged_real, supported
from ganbench.judges import judge_stored
from ganbench.pipeline.execution import inception_weights, reference_files
from ganbench.pipeline.execution.devices import acquire_device
from ganbench.pipeline.execution.instantiation import CPU, build, examples, verify
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.provenance import versions
from ganbench.pipeline.jobs import Job

SHOWN = 512  # held-out examples that are kept, to be shown beside generated ones


def run(job: Job, context: JobContext) -> None:
    """Compute the references and nulls of a data set's metrics, and write them.

    Raises:
        GanbenchError: the Inception weights are not valid, or a metric breaks its contract.
    """
    task = job.task
    used = [*(("metric", metric) for metric in task.metrics), ("judge", task.judge), ("dataset", task.dataset)]
    verify(task.sources, used, "nulls")
    # Only the Inception network computes on a GPU, for which others need not wait.
    with acquire_device(context.settings.device) if task.weights else nullcontext(CPU) as device:
        # Built once the device is known: a metric with a network takes the GPU that it sees.
        inception_weights.provide(task.weights)
        dataset, judge, state = build("dataset", task.dataset), build("judge", task.judge), judge_state(task.fitted)
        metrics = supported([build("metric", metric) for metric in task.metrics], judge, dataset.spec)
        with context.progress(f"reference {job.name}", most_draws(metrics), "draws") as report:
            train, heldout = judged_real(judge, state, examples(task.prepared))
            known = [(metric, metric.reference(train, heldout)) for metric in metrics]
            drawn = dataset.draw(1, np.random.default_rng(0)) is not None
            real = RealExamples(train, heldout, partial(judge_stored, judge, state), dataset.draw if drawn else None)
            found = nulls(known, real, task.samples, report)
        about = versions(device)
    shown, shares = floats(heldout.stored[:SHOWN]), None if train.mode is None else train.mode_shares[0]
    scored = reference_files.Scored(found, shown, about, shares)
    reference_files.write(job.path, [reference for _, reference in known], scored)


def judge_state(fitted: Path) -> Tree:
    """The state of a judge, from the file that stage `judge` wrote."""
    with result_files.open_file(fitted, "judge") as file:
        return result_files.read_tree(result_files.descend(file, "state"))
