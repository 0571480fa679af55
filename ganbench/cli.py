"""The command line: list components, check a study, and run its stages."""

from __future__ import annotations

import errno
import json
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console

from ganbench import __version__
from ganbench.commands import DEFAULT, AStudy, laboratory, out
from ganbench.commands.check import check
from ganbench.commands.claims import claims, decide
from ganbench.commands.clean import clean
from ganbench.commands.compare import compare
from ganbench.commands.export import export
from ganbench.commands.list_components import list_components
from ganbench.commands.own_components import new, try_component
from ganbench.commands.status import status
from ganbench.core import strict_json
from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.locks import hold_lock
from ganbench.pipeline import job_files, results_folder
from ganbench.pipeline.execution.termination_signals import SIGNALS
from ganbench.pipeline.jobs import ExecutionSettings, Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import run
from ganbench.study import key_reference
from ganbench.study.schema import Study, load

app = typer.Typer(
    help="Reproducible studies of how stably GANs train.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
STAGES_PANEL = "Stages, in their order: each first does the work of earlier stages that it needs"
FIRST = "Work of earlier stages that it needs is done first."
OWN = "Components of your own"
LABORATORY = "The laboratory: one game, without a study"
AnOnly = Annotated[str | None, typer.Option(help="Do one job only: name its data set, its pack or a run of the pack.")]


def main() -> None:
    """Run the command line. A `GanbenchError`, or a full disk, is printed as one message, with exit status 1."""
    try:
        app()
    except GanbenchError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno != errno.ENOSPC or sys.argv[1:2] == ["job"]:  # the log of a job tells where it failed
            raise
        _fail(": ".join(filter(None, (str(error.filename or ""), error.strerror))) + ".")


def _fail(message: str) -> NoReturn:
    Console(stderr=True, highlight=False).print("Error:", style="bold red", end=" ")
    print(message, file=sys.stderr)
    raise SystemExit(1) from None


app.command("list")(list_components)
app.command()(check)
app.command(rich_help_panel=OWN)(new)
app.command("try", rich_help_panel=OWN)(try_component)


app.command()(status)
app.command()(clean)
app.command()(export)
app.command()(compare)
app.command()(claims)
app.command()(decide)


@app.command()
def schema(
    format: Annotated[
        Literal["json", "markdown"], typer.Option(help="JSON for editors, Markdown for people.")
    ] = "json",
) -> None:
    """Print the keys of a study file with their types, defaults and ranges."""
    if format == "markdown":
        print(key_reference.markdown(), end="")
    else:
        out.print_json(strict_json.dumps(Study.model_json_schema()))


@app.command("version")
def show_version() -> None:
    """Print the version."""
    out.print(__version__)


def _stage(stage: str, study: Path, only: str | None) -> None:
    plan = Plan(load(study), study)
    results_folder.prepare(plan)
    targets, inception = _chosen(plan, stage, only), plan.grid.inception
    with hold_lock(plan.folder / results_folder.LOCK, f"the results folder {plan.folder}"):
        for job in plan.needed(targets):
            if inception and inception.path in job.inputs:
                weights(inception.path, inception.sha256)
            for path in job.inputs:
                if path in plan.archives:
                    archive(path, plan.archives[path].url, plan.archives[path].checksum)
            _run(job, plan.execution)
            out.print(f"{job.stage} {job.name}: {job.path}", soft_wrap=True, markup=False, emoji=False)
            targets = [target for target in targets if target != job]
        for job in targets:
            out.print(f"{job.stage} {job.name}: up to date", soft_wrap=True)


def _chosen(plan: Plan, stage: str, only: str | None) -> list[Job]:
    """The jobs of a stage, or the one that `only` names by its own name or by a run of its pack."""
    jobs = plan.jobs(stage)
    if only is None:
        return list(jobs.values())
    holders = [pack.name for pack in plan.grid.packs.values() if any(run.id == only for run in pack.runs)]
    name = holders[0] if holders and only not in jobs else only
    if name not in jobs:
        raise GanbenchError(unknown(f"job of {stage}", name, jobs))
    return [jobs[name]]


def _run(job: Job, settings: ExecutionSettings, asked_mb: float = 0, since: float | None = None) -> None:
    from ganbench.pipeline.execution.job_context import job_context

    with job_context(settings, job.stage, job.path, asked_mb, since) as context:
        if context is not None:
            run(job, context)


def _stage_command(stage: str, what: str) -> None:
    def command(study: AStudy = DEFAULT, only: AnOnly = None) -> None:
        _stage(stage, study, only)

    app.command(stage, help=f"{what} {FIRST}", rich_help_panel=STAGES_PANEL)(command)


for _name, _what in {
    "prepare": "Load the data sets.",
    "judge": "Fit the judges of the data sets' modes.",
    "reference": "Score real examples, for what generated ones are compared with.",
    "train": "Train the packs, one after the other.",
    "evaluate": "Score every snapshot.",
    "diagnose": "Measure the runs with the study's diagnostics.",
    "collect": "Gather all results in tables.",
    "tables": "Write the tables.",
    "figures": "Draw the figures.",
}.items():
    _stage_command(_name, _what)


@app.command(rich_help_panel=STAGES_PANEL)
def report(
    study: AStudy = DEFAULT,
    only: AnOnly = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Report the present results, with tables and figures, in another folder.")
    ] = False,
) -> None:
    """Write the HTML report. Work of earlier stages that it needs is done first."""
    if partial and only is not None:
        raise GanbenchError("--partial reports all present results, and --only does one job; choose one of them.")
    if partial:
        from ganbench.pipeline.partial_report import write

        out.print(f"{write(Plan(load(study), study))}", soft_wrap=True)
    else:
        _stage("report", study, only)


_stage_command("track", "Show the results and the report in MLflow.")


@app.command(hidden=True)
def try_study(
    report: Annotated[int, typer.Option(help="The file descriptor to report to, in lines of JSON.")],
    here: Annotated[bool, typer.Option("--here/--elsewhere")] = True,
    remeasure: Annotated[bool, typer.Option(help="Whether to time again what has not changed.")] = True,
) -> None:
    """Run the trial of a study, which is read as JSON from standard input."""
    from ganbench.pipeline.preflight.trial_process import serve

    serve(json.load(sys.stdin), report, here=here, remeasure=remeasure)


@app.command()
def weights(
    path: Annotated[Path, typer.Argument(help="File to write.")],
    sha256: Annotated[
        str, typer.Option(help="The file's SHA-256, or its first characters: evaluate.inception.sha256 of a study.")
    ],
) -> None:
    """Fetch the Inception weights of the FID, and verify them."""
    from ganbench.pipeline.execution.inception_weights import fetch

    fetch(path, sha256)


@app.command()
def archive(
    path: Annotated[Path, typer.Argument(help="File to write.")],
    url: Annotated[str, typer.Option(help="Address; empty for a file that is put there by hand.")],
    checksum: Annotated[str, typer.Option(help="The file's MD5 or SHA-256.")],
) -> None:
    """Fetch a file of a public data set, and verify it."""
    from ganbench.data import Archive
    from ganbench.pipeline.execution.archives import fetch

    fetch(Archive(str(path), url, checksum))


app.command(rich_help_panel=LABORATORY)(laboratory.play)
app.command(rich_help_panel=LABORATORY)(laboratory.field)


@app.command("job", hidden=True)
def run_job(
    path: Annotated[Path, typer.Argument(help="The job's file, which the workflow wrote.")],
    asked: Annotated[float, typer.Option(help="Memory requested from a cluster, in MB.")] = 0,
) -> None:
    """Run one job of the workflow."""
    since = time.time() - time.process_time()  # including the start of the process, which is most of a short job
    _run(*job_files.read(path), asked, since)
    for number in SIGNALS:  # a signal before the process has ended would make Snakemake take the job for failed
        signal.signal(number, signal.SIG_IGN)
