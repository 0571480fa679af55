"""The plan of a study: what every stage computes, from which inputs, into which files.

The name of every result file carries a digest of the configuration and the sources that can change its content. A file
that exists under its name is up to date, whatever its time stamps. A change gives new names to exactly the files that
it can change; their stages take the results that have not changed from the files under older names. The digest covers
what a job computes, and no location: results and users' own files may be moved. The files that people open (tables,
figures, the report) have plain names; a stamp whose name carries their digest stands for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ganbench.core.errors import GanbenchError
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.planning.summaries import SummaryPlan
from ganbench.pipeline.stages import STAGES


class Plan(SummaryPlan):
    """The runs, packs, jobs and files of a study."""

    def jobs(self, stage: str) -> dict[str, Job]:
        """The jobs of a stage, by the name of their data set or pack, or of the stage itself."""
        jobs = getattr(self, stage)
        return jobs if isinstance(jobs, dict) else {stage: jobs}

    def all_jobs(self) -> Iterator[Job]:
        """Every job of the study, in the order of the stages."""
        return (job for stage in STAGES for job in self.jobs(stage).values())

    def files(self) -> list[Path]:
        """Every file that the study's jobs write."""
        return [path for job in self.all_jobs() for path in job.outputs]

    def needed(self, targets: Iterable[Job]) -> list[Job]:
        """The jobs that remain to do until the targets are done, in the order of the stages.

        Args:
            targets: The jobs that are wanted.

        Returns:
            The targets that are not done, and all jobs that are not done and whose outputs these need.
        """
        makers = {path: job for job in self.all_jobs() for path in job.outputs}
        found: dict[Path, Job] = {}
        waiting = [job for job in targets if not job.done]
        while waiting:
            job = waiting.pop()
            found[job.path] = job
            inputs = (makers[path] for path in job.inputs if path in makers)
            waiting += [maker for maker in inputs if not maker.done and maker.path not in found]
        return sorted(found.values(), key=lambda job: STAGES.index(job.stage))


def distinct_names(plans: Sequence[SummaryPlan]) -> list[str]:
    """The names of studies.

    Raises:
        GanbenchError: Two studies have one name.
    """
    names = [plan.study.study for plan in plans]
    if len(set(names)) < len(names):
        raise GanbenchError(f"studies are told apart by their names, and these are {', '.join(names)}; rename one.")
    return names
