"""The command line: look at what there is, check a study, run its stages with or without Snakemake."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ganbench import __version__
from ganbench.core import registry
from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.locks import exclusive
from ganbench.core.study import Study, load, parse
from ganbench.stages import STAGES, folder, run
from ganbench.stages.plan import Plan

app = typer.Typer(
    help="Reproducible studies of how stably GANs train.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
STUDY = typer.Argument(help="The study's file.", show_default=True)
AStudy = Annotated[Path, STUDY]
DEFAULT = Path("config/config.yaml")
out = Console(highlight=False)


def main() -> None:
    """Entry point: errors that a user can mend are one message and exit status 1."""
    try:
        app()
    except GanbenchError as error:
        Console(stderr=True, highlight=False).print("Error:", style="bold red", end=" ")
        print(error, file=sys.stderr)
        raise SystemExit(1) from None


@app.command("list")
def list_members(
    family: Annotated[str | None, typer.Argument(help="One family only, such as 'architecture'.")] = None,
) -> None:
    """Show every architecture, data set, objective, metric ... with its one line and its options."""
    if family is not None and family not in registry.FAMILIES:
        raise GanbenchError(unknown("family", family, registry.FAMILIES))
    for key in registry.FAMILIES if family is None else [family]:
        table = Table(title=key, title_justify="left", title_style="bold", expand=False)
        for column in ("name", "what it is", "options"):
            table.add_column(column)
        for name, member in registry.members(key).items():
            options = ", ".join(f"{option}={about.default!r}" for option, about in member.options.items())
            table.add_row(name, member.summary, options)
        out.print(table)


@app.command()
def check(study: AStudy = DEFAULT) -> None:
    """Validate a study, try its networks, and show what it will take - before anything starts."""
    from ganbench.stages.check import check as try_out

    plan = Plan(load(study))
    folder.usable(plan)
    estimates = try_out(plan)
    table = Table(
        title=f"{plan.study.study}: {len(plan.runs):,} runs in {len(plan.packs):,} packs", title_justify="left"
    )
    for column in ("contender", "runs", "packs", "parameters D + G", "core-minutes", "disk"):
        table.add_column(column, justify="left" if column == "contender" else "right", overflow="fold")
    for estimate in estimates:
        packs = sum(pack.runs[0].contender == estimate.contender for pack in plan.packs.values())
        sizes = " + ".join(f"{size:,}" for size in estimate.parameters)
        minutes, disk = f"{estimate.seconds / 60:.1f}", f"{estimate.bytes / 1e6:.1f} MB"
        table.add_row(estimate.contender, f"{estimate.runs:,}", f"{packs:,}", sizes, minutes, disk)
    out.print(table)
    jobs = [job for stage in STAGES for job in plan.jobs(stage).values()]
    waiting = sum(not job.done for job in jobs)
    minutes = sum(estimate.seconds for estimate in estimates) / 60
    out.print(
        f"{len(jobs):,} jobs, {waiting:,} of them to do. Training takes about {minutes:.0f} core-minutes on CPUs."
    )
    if not any("mode_kl" in metric.build().columns for metric in plan.study.evaluate.metrics):
        out.print("Note: without the metric mode_coverage, no run can be seen to collapse.")
    out.print(f"Results: {plan.folder}")


@app.command()
def schema() -> None:
    """Print the JSON schema of study files, for editors."""
    out.print_json(json.dumps(Study.model_json_schema()))


@app.command("version")
def show_version() -> None:
    """Print the version."""
    out.print(__version__)


def _stage(stage: str, study: Path, only: str | None) -> None:
    plan = Plan(load(study))
    folder.usable(plan)
    jobs = plan.jobs(stage)
    if only is not None and only not in jobs:
        raise GanbenchError(unknown(f"job of {stage}", only, jobs))
    with exclusive(plan.folder / folder.LOCK, f"the results folder {plan.folder}"):
        for name, job in jobs.items():
            if only not in (None, name):
                continue
            missing = [path for path in job.inputs if not path.exists()]
            if missing:
                raise GanbenchError(
                    f"{stage} {name} needs {missing[0]}, which an earlier stage makes ({', '.join(STAGES)})."
                )
            if job.done:
                out.print(f"{stage} {name}: up to date")
            else:
                _work(stage, job.slice, job.path, plan.site)
                out.print(f"{stage} {name}: {job.path}")


def _work(stage: str, slice: dict[str, Any], path: Path, site: dict[str, Any]) -> None:
    from ganbench.stages.work import Site, at_work

    with at_work(Site(**site), stage, path) as work:
        if work is not None:
            run(stage, slice, path, work)


def _stage_command(stage: str, what: str) -> None:
    def command(
        study: AStudy = DEFAULT,
        only: Annotated[str | None, typer.Option(help="One job only, by the name of its pack or data set.")] = None,
    ) -> None:
        _stage(stage, study, only)

    app.command(stage, help=what, rich_help_panel="Stages, in their order: each does what is not up to date yet")(
        command
    )


for _name, _what in {
    "prepare": "Load the data sets.",
    "judge": "Fit the judges of the data sets' modes.",
    "train": "Train the packs, one after the other.",
    "evaluate": "Score every snapshot.",
    "diagnose": "Put the runs before the study's instruments.",
    "collect": "Gather all results in tables.",
    "track": "Show the results in MLflow.",
    "tables": "Write the tables.",
    "figures": "Draw the figures.",
    "report": "Write the HTML report.",
}.items():
    _stage_command(_name, _what)


@app.command(hidden=True)
def try_out() -> None:
    """Try what the jobs of a study will need; the study comes as JSON on standard input."""
    from ganbench.stages.check import check as try_parts

    try_parts(Plan(parse(json.load(sys.stdin), origin="the study")))


@app.command()
def weights(
    path: Annotated[Path, typer.Argument(help="Where to put them.")],
    sha256: Annotated[str, typer.Option(help="First characters of the file's SHA-256.")],
) -> None:
    """Fetch the Inception weights of the FID, and check them."""
    from ganbench.stages.weights import fetch

    fetch(path, sha256)


LABORATORY = "The laboratory: one game, without a study"
GAME = "Its name, with options as in 'gaussian(plane=w)' or '{name: gaussian, plane: w}'."
AGame = Annotated[str, typer.Option(help=GAME)]
APart = Annotated[str | None, typer.Option(help="Of games that have one; with options as in 'r1(gamma=1)'.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")]


@app.command(rich_help_panel=LABORATORY)
def play(
    game: AGame = "bilinear",
    dynamics: Annotated[str, typer.Option(help="How the players move: 'consensus(gamma=0.5)'.")] = "simultaneous",
    update: Annotated[str, typer.Option(help="How a gradient becomes a step: 'sgd(momentum=-0.5)'.")] = "sgd",
    learning_rate: Annotated[str, typer.Option(help="Of both players; several make several members: 0.1,0.5.")] = "0.1",
    start: Annotated[
        list[str] | None, typer.Option(help="Parameters in their order, 2,0.5, or by name, x=2,y=0.5; may be repeated.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="How many members differ in their seeds, or which: 3,7.")] = "1",
    steps: Annotated[int, typer.Option(help="Training steps.")] = 100,
    keep: Annotated[int, typer.Option(help="Look at every so many steps.")] = 1,
    objective: APart = None,
    regularizer: APart = None,
    dataset: APart = None,
    architecture: APart = None,
    n_train: Annotated[str | None, typer.Option(help="Training examples; 'all' unless given.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Of games with a data set.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out_file: Annotated[Path | None, typer.Option("--out", help="Table to write: .csv or .parquet.")] = None,
    force: Force = False,
) -> None:
    """Play a game and write or show the path of both players."""
    from ganbench import lab
    from ganbench.lab import terminal
    from ganbench.stages.progress import progress

    terminal.target(out_file, terminal.TABLES, force)
    match = lab.game(
        game,
        objective=objective,
        regularizer=regularizer,
        dataset=dataset,
        architecture=architecture,
        n_train=int(n_train) if n_train is not None and n_train.isdigit() else n_train,
        batch_size=batch_size,
        seeds=terminal.count_or_list("--seeds", seeds),
        device=device,
    )
    with progress(f"play {game}", steps, "steps") as report:
        played = lab.play(
            match,
            dynamics,
            update=update,
            learning_rate=terminal.numbers("--learning-rate", learning_rate),
            steps=steps,
            start=terminal.start("--start", start or ()),
            keep=keep,
            progress=report,
        )
    if out_file is None:
        out.print(terminal.path_table(played) if len(played.trajectory) == 1 else terminal.members_table(played))
    else:
        terminal.write(terminal.rows(played), out_file)
        out.print(f"{out_file}: {played.losses[match.players[0]].size:,} rows", soft_wrap=True)
    out.print(terminal.verdict(played), soft_wrap=True)


@app.command("field", rich_help_panel=LABORATORY)
def draw_field(
    game: AGame = "bilinear",
    plane: Annotated[
        str | None, typer.Option(help="The two parameters, b_d,b_g; the first of each player unless given.")
    ] = None,
    x: Annotated[str, typer.Option(help="From where to where the first one goes.")] = "-5,5",
    y: Annotated[str, typer.Option(help="From where to where the second one goes.")] = "-5,5",
    points: Annotated[int, typer.Option(help="Of the grid along each axis.")] = 41,
    at: Annotated[str | None, typer.Option(help="Where all parameters stand, as --start of play.")] = None,
    seed: Annotated[int, typer.Option(help="Of the samples, and of where other parameters stand.")] = 0,
    objective: APart = None,
    regularizer: APart = None,
    dataset: APart = None,
    architecture: APart = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="Picture to write: .png or .svg.")] = None,
    force: Force = False,
) -> None:
    """Draw the motion of a game in a plane of two parameters, and find its fixed points."""
    from ganbench import lab
    from ganbench.lab import terminal
    from ganbench.lab.plane import PICTURES

    terminal.target(out_file, PICTURES, force)
    parts = {"objective": objective, "regularizer": regularizer, "dataset": dataset, "architecture": architecture}
    field = lab.field(
        lab.game(game, **parts, seeds=[seed]),
        x=terminal.numbers("--x", x),
        y=terminal.numbers("--y", y),
        points=points,
        parameters=None if plane is None else [name.strip() for name in plane.split(",")],
        at=terminal.start("--at", () if at is None else (at,)),
    )
    found = field.fixed_points()
    if found:
        out.print(terminal.points_table(found, field.parameters))
    else:
        out.print(f"no fixed points for {field.parameters[0]} in [{x}] and {field.parameters[1]} in [{y}]")
    if out_file is not None:
        out.print(f"{lab.draw_field(field, out_file)}", soft_wrap=True)


@app.command(hidden=True)
def job(
    stage: str,
    slice: Annotated[str, typer.Option(help="The job's slice of the configuration, as JSON.")],
    site: Annotated[str, typer.Option(help="Where it works, as JSON.")],
    output: Annotated[Path, typer.Option(help="The file whose name carries the job's digest.")],
) -> None:
    """Run one job as the workflow hands it out."""
    if stage not in STAGES:
        raise GanbenchError(unknown("stage", stage, STAGES))
    _work(stage, json.loads(slice), output, json.loads(site))
