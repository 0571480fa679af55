"""The plan of a study: what every stage computes, from what, into which files.

Every file of a stage carries a digest in its name, over the part of the configuration and the sources that can change
what is in it. A file that exists under its name is up to date, whatever its time stamps; a change anywhere gives new
names to exactly the files it can change, and the stage takes what has not changed from the files under older names.
The digest is of what a job computes and not of where anything lies: results may be moved, and users' own files. What
people open (tables, figures, the report) has plain names; a stamp named after its digest stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ganbench.pipeline.jobs import Job
from ganbench.pipeline.planning.summaries import SummaryPlan
from ganbench.pipeline.stages import STAGES


class Plan(SummaryPlan):
    """A study, worked out: its runs, packs, jobs and files."""

    def jobs(self, stage: str) -> dict[str, Job]:
        """The jobs of a stage by name: of a data set, of a pack, or of the stage itself."""
        jobs = getattr(self, stage)
        return jobs if isinstance(jobs, dict) else {stage: jobs}

    def all_jobs(self) -> Iterator[Job]:
        """Every job of the study, in the order of the stages."""
        return (job for stage in STAGES for job in self.jobs(stage).values())

    def files(self) -> list[Path]:
        """Every file that the study's jobs leave."""
        return [path for job in self.all_jobs() for path in job.outputs]

    def needed(self, targets: Iterable[Job]) -> list[Job]:
        """The jobs to do so that these are done, in an order in which each finds its inputs."""
        makers = {path: job for job in self.all_jobs() for path in job.outputs}
        found: dict[Path, Job] = {}
        waiting = [job for job in targets if not job.done]
        while waiting:
            job = waiting.pop()
            found[job.path] = job
            inputs = (makers[path] for path in job.inputs if path in makers)
            waiting += [maker for maker in inputs if not maker.done and maker.path not in found]
        return sorted(found.values(), key=lambda job: STAGES.index(job.stage))
