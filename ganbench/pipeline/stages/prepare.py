"""Stage `prepare`: writes a data set's examples, checked against its specification, into one file."""

from __future__ import annotations

from ganbench.contracts import CONTRACTS
from ganbench.contracts.data import load_checked
from ganbench.core import registry, result_files
from ganbench.core.component_errors import contract_message
from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import refuse_edited
from ganbench.pipeline.execution import archives
from ganbench.pipeline.execution.file_digests import FILES, data_digest
from ganbench.pipeline.execution.instantiation import build, verify
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import Job


def run(job: Job, context: JobContext) -> None:
    """Load a data set, hold it to its contract, and write its examples.

    Raises:
        GanbenchError: the data set breaks its contract, its files were edited after the job was planned, or an archive
            of it is missing or has another checksum.
    """
    task = job.task
    verify(task.sources, [("dataset", task.dataset)])
    dataset = build("dataset", task.dataset)
    spec = dataset.spec
    found = data_digest([*map(str, spec.files)], spec.archives, job.path.parents[1] / FILES)
    refuse_edited(task.files, found, f"files of the data set {task.dataset.name}")
    archives.verify_all(spec.archives)
    with context.progress(f"prepare {job.name}", spec.train, "training examples") as report:
        shipped = registry.find("dataset", task.dataset.name).shipped
        examples, fault = load_checked(dataset, twice=not shipped)
        if fault:
            raise GanbenchError(contract_message(f"data set {task.dataset.name}", fault, CONTRACTS["dataset"]))
        with result_files.create_file(job.path, "prepare") as file:
            # Not `asdict`, which would copy into memory what lies in a file.
            result_files.write_tree(file.create_group("examples"), vars(examples))
        report(len(examples.train))
