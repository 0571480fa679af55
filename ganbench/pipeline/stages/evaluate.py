"""Stage `evaluate`: computes metrics and samples of a pack's runs at every snapshot.

Runs whose results a file of the study holds already are not evaluated again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ganbench.core import result_files
from ganbench.core.dotted_names import under
from ganbench.core.tree import Tree
from ganbench.engine.evaluate import evaluate
from ganbench.engine.sampler import Sampler
from ganbench.engine.scoring import Scorer, supported
from ganbench.pipeline.execution import inception_weights, reference_files, result_cache
from ganbench.pipeline.execution.checkpoints import checkpointed
from ganbench.pipeline.execution.devices import acquire_device
from ganbench.pipeline.execution.instantiation import build, verify, verify_groups
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.provenance import versions
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.stages.reference import judge_state
from ganbench.pipeline.tasks import EvaluateTask, PackMember

POINTS_PER_IMAGE = 16  # points of the plane that are kept in place of one image


def run(job: Job, context: JobContext) -> None:
    """Evaluate the runs of a pack that no file holds, and write the results of all runs into one file."""
    task = job.task
    verify(task.sources, [("metric", metric) for metric in task.metrics], "evaluate")
    verify(task.judge_sources, [("judge", task.judge)])
    verify_groups(task.groups)

    def compute(new: list[PackMember], resume: Path) -> list[tuple[PackMember, Tree]]:
        return checkpointed(_scored(task, new, context), len(new), "evaluate", resume, context)

    result_cache.complete(job, compute, context)


def scorer_of(task: EvaluateTask) -> Scorer:
    """Build the scorer of the task's data set, with its judge, its metrics and their references.

    Raises:
        GanbenchError: the Inception weights are not valid, or a file cannot be read.
    """
    inception_weights.provide(task.weights)
    state, references = judge_state(task.fitted), reference_files.read_references(task.reference)
    dataset = build("dataset", task.groups[0].components["dataset"])
    judge = build("judge", task.judge)  # from the study, not from a result file
    metrics = supported([build("metric", metric) for metric in task.metrics], judge, dataset.spec)
    return Scorer(judge, state, tuple(zip(metrics, references, strict=True)))


def _scored(task: EvaluateTask, new: list[PackMember], context: JobContext) -> Iterator[list[tuple[PackMember, Tree]]]:
    trained = {member.digest: digest for member, digest in zip(task.members, task.train_digests, strict=True)}
    components = task.groups[0].components
    architecture = build("architecture", components["architecture"])
    data = build("dataset", components["dataset"]).spec
    before = len(task.members) - len(new)  # runs whose results a file holds
    shown = task.samples_kept if len(data.shape) == 3 else min(task.samples, POINTS_PER_IMAGE * task.samples_kept)
    with (
        acquire_device(context.settings.device) as device,
        result_files.open_file(task.trained, "train") as file,
        context.progress(f"evaluate {task.pack}", len(task.members), "runs", done=before) as report,
    ):
        # Judge and metrics too, once the device is known: a metric with a network takes the GPU that it sees.
        scorer = scorer_of(task)
        sampler, about = Sampler(architecture, data, task.batch_size, device), versions(device)
        for count, member in enumerate(new, start=before + 1):
            run = result_cache.group_of(file, trained[member.digest])
            snapshots = result_files.descend(run, "snapshots")
            generators = result_files.descend(snapshots, "generator")  # read one by one
            buffers = under("generator", result_files.read_tree(result_files.descend(run, "buffers")))
            average = result_files.descend(run, "average", "generator") if "average" in run else None
            tree = evaluate(scorer, sampler, member.seed, generators, buffers, task.samples, shown, average)
            yield [(member, {**tree, "step": result_files.descend(snapshots, "step")[:], "about": about})]
            report(count)
