"""The construction of jobs: their digests, and the names of files, which carry them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganbench.core.source_digests import digest
from ganbench.pipeline.jobs import Job, Task
from ganbench.pipeline.stage_names import STAMPS
from ganbench.pipeline.tasks import identity

Jobs = dict[str, Job]  # of a stage, by the name of their data set or pack


def file_job(
    folder: Path, stage: str, name: str, task: Task, needs: Sequence[Job] = (), files: Sequence[Path] = ()
) -> Job:
    """Make a job that writes one HDF5 file.

    Args:
        folder: the folder of the study's results.
        stage: the stage.
        name: the job's name: the name of a data set or a pack, or `study`.
        task: the task.
        needs: the jobs whose files the job reads.
        files: other files that the job reads; the task has their checksums.

    Returns:
        The job.
    """
    value = digest([identity(task), [job.digest for job in needs]])
    inputs = (*(job.path for job in needs), *files)
    return Job(stage, name, value, task, inputs, (folder / stage / f"{name}-{value[:12]}.h5",))


def stamp_job(
    folder: Path, stage: str, task: Task, collect: Job, needs: Sequence[Job] = (), outputs: Sequence[Path] = ()
) -> Job:
    """Make a job that reads the collected tables, and writes files with plain names and a stamp for them.

    Args:
        folder: the folder of the study's results.
        stage: the stage.
        task: the task.
        collect: the job that collects the tables.
        needs: other jobs whose files the job reads.
        outputs: the files with plain names.

    Returns:
        The job, whose first output is the stamp.
    """
    value = digest([identity(task), [job.digest for job in (collect, *needs)]])
    stamp = folder / STAMPS / f"{stage}-{value[:12]}"
    inputs = (*collect.outputs, *(job.path for job in needs))
    return Job(stage, stage, value, task, inputs, (stamp, *outputs))
