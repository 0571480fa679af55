"""Stage `judge`: fits the judge of a data set."""

from __future__ import annotations

from contextlib import nullcontext

from ganbench.contracts import CONTRACTS
from ganbench.contracts.data import judge_fault
from ganbench.core import result_files
from ganbench.core.component_errors import contract_message
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.execution import inception_weights
from ganbench.pipeline.execution.devices import acquire_device
from ganbench.pipeline.execution.instantiation import CPU, build, examples, verify
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.provenance import versions
from ganbench.pipeline.jobs import Job

HELD_TO = 1000  # held-out examples that the contract is checked on, at most


def run(job: Job, context: JobContext) -> None:
    """Fit a judge, hold it to its contract, and write its state.

    Raises:
        GanbenchError: the judge breaks its contract.
    """
    task = job.task
    verify(task.sources, [("judge", task.judge)])
    inception_weights.provide(task.weights)
    known = examples(task.prepared)
    with (
        # Only the Inception network computes on a GPU: others are fitted and held to their contract on the CPU.
        acquire_device(context.settings.device) if task.weights else nullcontext(CPU) as device,
        context.progress(f"judge {job.name}", 100, "%") as report,
    ):
        judge = build("judge", task.judge)  # once the device is known
        state = judge.fit(known, lambda done, total: report(100 * done / total))
        report(100)
        modes = 0 if known.train_modes is None else int(known.train_modes.max()) + 1
        fault = judge_fault(judge, state, known.heldout[:HELD_TO], modes)
        about = versions(device)
    if fault:
        raise GanbenchError(contract_message(f"judge {task.judge.name}", fault, CONTRACTS["judge"]))
    with result_files.create_file(job.path, "judge") as file:
        result_files.write_tree(file.create_group("state"), state)
        result_files.write_tree(file.create_group("about"), about)
