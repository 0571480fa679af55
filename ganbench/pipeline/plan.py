"""The plan of a study: what every stage computes, from which inputs, into which files.

The name of every result file carries a digest of the configuration and the sources that can change its content. A file
that exists under its name is up to date, whatever its time stamps. A change gives new names to exactly the files that
it can change; their stages take the results that have not changed from the files under older names. The digest covers
what a job computes, and no location: results and users' own files may be moved. The files that people open (tables,
figures, the report) have plain names; a stamp whose name carries their digest stands for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from ganbench.core.errors import GanbenchError
from ganbench.data import Archive
from ganbench.pipeline.jobs import ExecutionSettings, Job
from ganbench.pipeline.planning import dataset_jobs, pack_jobs, summary_jobs
from ganbench.pipeline.planning.construction import Jobs
from ganbench.pipeline.planning.grid import Grid
from ganbench.pipeline.planning.run_digests import RunDigests
from ganbench.pipeline.stage_names import OF_DATASETS, OF_PACKS, STAGES
from ganbench.study.schema import Study, load
from ganbench.study.study_files import find_study


class Plan:
    """The runs, jobs and files of a study. It has an attribute for every stage, which is computed when it is asked for.

    Args:
        study: the study.
        file: the file that the study was read from; None if it was not read from one file.
        grid: the runs and packs to plan for; by default, all of the study.
        result_jobs: the jobs of data sets and packs, by stage; by default, all of the grid's.

    Raises:
        GanbenchError: the grid is not valid, a judge fits no data set, or an experiment or a claim selects no run.
    """

    def __init__(
        self,
        study: Study,
        file: Path | None = None,
        *,
        grid: Grid | None = None,
        result_jobs: Mapping[str, Jobs] | None = None,
    ) -> None:
        self.study, self.file = study, file
        self.grid = grid or Grid.of(study)
        self.folder = self.grid.folder
        for stage, jobs in (result_jobs or {}).items():  # in place of those that the attributes would compute
            setattr(self, stage, jobs)

    # The stages, each with what its jobs depend on -------------------------------------------------------------------

    @cached_property
    def prepare(self) -> Jobs:
        """The jobs that prepare examples, by data set."""
        return dataset_jobs.prepare_jobs(self.grid)

    @cached_property
    def judge(self) -> Jobs:
        """The jobs that fit judges, by data set."""
        return dataset_jobs.judge_jobs(self.grid, self.prepare)

    @cached_property
    def reference(self) -> Jobs:
        """The jobs that store the metrics' references and nulls, by data set whose runs are evaluated."""
        return dataset_jobs.reference_jobs(self.grid, self.prepare, self.judge)

    @cached_property
    def train(self) -> Jobs:
        """The training jobs, by pack."""
        return pack_jobs.train_jobs(self.grid, self.digests, self.prepare)

    @cached_property
    def evaluate(self) -> Jobs:
        """The evaluation jobs, by pack that trains networks on data."""
        return pack_jobs.evaluate_jobs(self.grid, self.digests, self.judge, self.reference, self.train)

    @cached_property
    def diagnose(self) -> Jobs:
        """The diagnosis jobs, by pack; the job `study` holds the experiments that measure no run."""
        return pack_jobs.diagnose_jobs(self.grid, self.prepare, self.judge, self.train)

    @cached_property
    def collect(self) -> Job:
        """The job that gathers all results of the study in a few tables."""
        return summary_jobs.collect_job(self.grid, self.result_jobs)

    @cached_property
    def tables(self) -> Job:
        """The job that writes tables for people and their programs."""
        return summary_jobs.tables_job(self.grid, self.collect)

    @cached_property
    def figures(self) -> Job:
        """The job that draws the figures, as SVG and PNG."""
        return summary_jobs.figures_job(self.grid, self.collect)

    @cached_property
    def report(self) -> Job:
        """The job that writes the HTML report, and its tables as LaTeX and CSV."""
        compared = [plan.collect for plan in self.compared.values()]
        return summary_jobs.report_job(self.grid, self.file, self.result_jobs, self.collect, self.figures, compared)

    @cached_property
    def track(self) -> Job:
        """The job that writes the results and the report to MLflow."""
        return summary_jobs.track_job(self.grid, self.file, self.prepare, self.collect, self.report)

    # What jobs depend on beside the grid -----------------------------------------------------------------------------

    @cached_property
    def digests(self) -> RunDigests:
        """The digests of everything that can change a run's results."""
        return RunDigests(self.grid, self.prepare, self.judge)

    @property
    def result_jobs(self) -> dict[str, Jobs]:
        """The jobs of data sets and packs, whose results are collected, by stage."""
        return {stage: self.jobs(stage) for stage in (*OF_DATASETS, *OF_PACKS)}

    @cached_property
    def compared(self) -> dict[Path, Plan]:
        """The plans of the studies that the report stands this one beside, by their files."""
        return {file: Plan(load(file), file) for file in map(find_study, self.study.compare)}

    @cached_property
    def archives(self) -> dict[Path, Archive]:
        """The archives that data sets are read from, by path. Those with an address can be fetched.

        Raises:
            GanbenchError: two data sets read different files from one path.
        """
        return dataset_jobs.archives_by_path(self.grid.datasets.values())

    @property
    def needed_archives(self) -> list[Archive]:
        """The archives of data sets that are not prepared yet."""
        waiting = [choice for name, choice in self.grid.datasets.items() if not self.prepare[name].done]
        paths = dict.fromkeys(Path(each.path) for choice in waiting for each in dataset_jobs.archives_of(choice))
        return [self.archives[path] for path in paths]

    @cached_property
    def execution(self) -> ExecutionSettings:
        """Where and how the study's jobs run."""
        uri, machine = self.study.tracking_uri, self.study.machine
        return ExecutionSettings(
            folder=str(self.folder),
            study=self.study.study,
            device=machine.device,
            checkpoint_seconds=machine.checkpoint_seconds,
            server=uri if uri.startswith("http") else None,
        )

    # All jobs and files ----------------------------------------------------------------------------------------------

    def jobs(self, stage: str) -> Jobs:
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
            targets: the jobs that are wanted.

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


def distinct_names(plans: Sequence[Plan]) -> list[str]:
    """The names of studies.

    Raises:
        GanbenchError: two studies have one name.
    """
    names = [plan.study.study for plan in plans]
    if len(set(names)) < len(names):
        raise GanbenchError(f"studies are told apart by their names, and these are {', '.join(names)}; rename one.")
    return names
