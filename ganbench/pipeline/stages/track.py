"""Stage `track`: writes a study's collected results to MLflow, one experiment per study and one MLflow run per run, and
a last one that holds the report.

MLflow is a view of the result files, so this stage may run at any time and any number of times. A complete MLflow run
is left alone; an incomplete one is deleted and written again. A run whose numbers changed gets a new MLflow run, and
the old one is tagged `ganbench.superseded`. The MLflow runs that training streamed (`ganbench.tracking.live`) are
deleted after the runs from the files have been written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import plural
from ganbench.core.locks import hold_lock
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.progress import log
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.tasks import TrackTask
from ganbench.study.schema import parse
from ganbench.tracking.address import redact_credentials, sqlite_path
from ganbench.tracking.chosen_runs import evenly_chosen, standing_for
from ganbench.tracking.environment import QUIET_SETTINGS, environment_variables, silence_logs
from ganbench.tracking.mlflow_store import MlflowStore
from ganbench.tracking.models import WriteNetworks
from ganbench.tracking.origin import UNKNOWN, Origin
from ganbench.tracking.pictures import Frame, make_frame
from ganbench.tracking.records import RunRecord, records
from ganbench.tracking.saved_views import experiment_tags

RUNS_PER_BATCH = 50  # runs that are written together; an interruption loses as many at most


@dataclass(frozen=True)
class Tracked:
    """Counts of what one call of `track` did."""

    created: int  # MLflow runs written
    present: int  # MLflow runs that were complete and up to date
    superseded: int  # older MLflow runs that the study no longer has, newly tagged as such
    metrics: int  # metric points logged
    artifacts: int  # pictures logged
    models: int = 0  # generators logged as models


def run(job: Job, context: JobContext) -> list[Path]:
    """Write the collected results to MLflow.

    Returns:
        No files: other processes change the store too, so it has no checksum.
    """
    task = job.task
    with context.progress(f"track {task.study}: read", 1, "study") as report:
        collected = Collected.read(task.collected)
        report(1)
    with context.progress(f"track {task.study}", len(collected.runs), "runs") as report:
        origin = Origin(task.file if task.file.name else None, task.data)
        done = track(
            collected,
            study=task.study,
            uri=task.tracking_uri,
            origin=origin,
            page=task.report,
            chosen=standing_for(collected, task.models),
            write=_network_writer(task),
            pictured=evenly_chosen(collected, task.pictures),
            report=lambda runs, _: report(runs),
        )
    log(
        f"MLflow: {plural(done.created, 'run')} written, {done.present:,} up to date, {done.superseded:,} superseded; "
        f"{plural(done.models, 'model')} written"
    )
    return []


def track(
    collected: Collected,
    *,
    study: str,
    uri: str,
    origin: Origin = UNKNOWN,
    page: Path | None = None,
    chosen: Mapping[str, str] | None = None,
    write: WriteNetworks | None = None,
    pictured: Set[str] | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Tracked:
    """Bring MLflow up to date with a study's collected results.

    Args:
        collected: the study's collected results.
        study: the name of the study, and of the MLflow experiment.
        uri: `sqlite:///path/to/file.db` (pictures go to `path/to/file-artifacts`), or the http(s) address of a server.
        origin: where the study and its data come from.
        page: the report of the study, which is logged too; None for none.
        chosen: the runs whose generators are logged as models, with the reason; see `chosen_runs.standing_for`.
        write: writes the networks of a chosen run into a folder.
        pictured: the runs whose samples are drawn; None for all.
        report: called as `report(done, total)` after every batch of runs.

    Returns:
        The counts of MLflow runs, metric points, pictures and models.

    Raises:
        GanbenchError: the store cannot be reached or written; the message names it and the remedy.
    """
    database = sqlite_path(uri)
    # One writer at a time: two processes that create one SQLite store damage it, and two that write to one server would
    # both find a run missing and write it twice.
    of_server = collected.folder.resolve() / ".track.lock"  # which goes with the tables if a killed process leaves it
    lock = of_server if database is None else database.with_name(f".{database.name}.track.lock")
    what = f"the MLflow store {redact_credentials(uri)}"
    with (
        hold_lock(lock, what, on_wait=partial(_say_waiting, what)),
        environment_variables(QUIET_SETTINGS),
        silence_logs(),
    ):
        store = MlflowStore(uri, study, database)
        complete = store.complete_runs(writing=set(collected.runs["run"]))
        frames: dict[str, Frame] = {}  # by data set
        created = metrics = artifacts = done = 0
        contents: dict[str, str] = {}  # of the chosen runs, by name
        shown: set[str] = set()  # the contents of the study's runs
        for batch in _batches(records(collected, origin, pictured)):
            shown |= {record.content for record in batch}
            contents |= {record.run: record.content for record in batch if record.run in (chosen or ())}
            new = [record for record in batch if record.content not in complete]
            for record in new:
                dataset = record.params.get("dataset", "")
                if record.samples.ndim == 3 and dataset not in frames:
                    frames[dataset] = make_frame(collected.real(dataset))
            artifacts += store.write(new, frames)
            metrics += sum(len(record.points) for record in new)
            created += len(new)
            done += len(batch)
            if report is not None:
                report(done, len(collected.runs))
        models = store.log_models(chosen, contents, write) if chosen else 0
        superseded = store.mark_superseded(complete, shown)
        store.delete_live()
        reported = None if page is None else store.log_report(page)
        store.describe(experiment_tags(collected, store.experiment, reported))
    return Tracked(created, len(shown) - created, superseded, metrics, artifacts, models)


def _network_writer(task: TrackTask) -> WriteNetworks:
    """A function that writes the last networks of a run, given by its name, into a folder.

    Args:
        task: the task, which has the study as it runs: a workflow may have replaced values of the study's file.
    """

    @cache
    def plan() -> Plan:
        return Plan(parse(task.settings | {"results": str(task.results)}, origin="the study that track was given"))

    def write(run: str, folder: Path) -> None:
        from ganbench.pipeline.network_folder import write_snapshot  # imported late: importing torch takes seconds
        from ganbench.pipeline.snapshots import find

        file = task.file if task.file.name else Path("STUDY")  # for messages
        write_snapshot(find(file, run, plan=plan()), folder)

    return write


def _batches(every: Iterator[RunRecord]) -> Iterator[list[RunRecord]]:
    return iter(lambda: list(islice(every, RUNS_PER_BATCH)), [])


def _say_waiting(what: str, holder: str) -> None:
    log(f"{what} is being written by {holder}; waiting for that")
