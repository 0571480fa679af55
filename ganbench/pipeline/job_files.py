"""Job files, `<results>/.plan/<stage>/<job>.json`, from which the processes of a workflow read their jobs.

They are written when a workflow starts. Each holds a job and its execution settings. Processes on other nodes read them
from the shared results folder.
"""

from __future__ import annotations

import json
from pathlib import Path

from ganbench.core import strict_json
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.jobs import ExecutionSettings, Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.typed_json import decode, encode

FOLDER = ".plan"


def path_of(folder: Path, job: Job) -> Path:
    """The path of a job's file.

    Args:
        folder: the folder of the study's results.
        job: the job.
    """
    return folder / FOLDER / job.stage / f"{job.stem}.json"


def write(plan: Plan) -> None:
    """Write the files of all jobs, including jobs that are done: Snakemake may be told to repeat one."""
    settings = encode(plan.execution)
    for job in plan.all_jobs():
        path = path_of(plan.folder, job)
        text = strict_json.dumps({"settings": settings, "job": encode(job)})
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".tmp")  # no search for old temporary files, slow in a folder of many files
            temporary.write_text(text)
            temporary.replace(path)


def read(path: Path) -> tuple[Job, ExecutionSettings]:
    """Read a job and its execution settings from the job's file.

    Raises:
        GanbenchError: the file does not exist, or another version of ganbench wrote it.
    """
    try:
        content = json.loads(path.read_text())
        return decode(Job, content["job"]), decode(ExecutionSettings, content["settings"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GanbenchError(
            f"{path} cannot be read as a job of this version ({type(error).__name__}). Start the workflow again, which "
            "writes the file anew."
        ) from None
