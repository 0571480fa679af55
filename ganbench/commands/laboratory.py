"""`ganbench play` and `ganbench field`: one game, without a study."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from ganbench.commands import out

GAME = "The game, with options as in 'gaussian(plane=w)' or '{name: gaussian, plane: w}'."
GameOption = Annotated[str, typer.Option(help=GAME)]
OptionalComponent = Annotated[
    str | None, typer.Option(help="For games that have one; options in brackets, as in 'r1(gamma=1)' of a regularizer.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


def play(
    game: GameOption = "bilinear",
    dynamics: Annotated[str, typer.Option(help="The dynamics, such as 'consensus(gamma=0.5)'.")] = "simultaneous",
    optimizer: Annotated[str, typer.Option(help="The optimizer, such as 'sgd(momentum=-0.5)'.")] = "sgd",
    learning_rate: Annotated[
        str, typer.Option(help="Learning rates of both players, one member per value: 0.1,0.5.")
    ] = "0.1",
    generator_learning_rate: Annotated[
        str | None, typer.Option(help="Learning rates of the second player, where they differ.")
    ] = None,
    start: Annotated[
        list[str] | None,
        typer.Option(help="Initial parameters in their order, 2,0.5, or by name, x=2,y=0.5. May be repeated."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Number of seeds, or a list of them: 3,7.")] = "1",
    steps: Annotated[int, typer.Option(min=0, help="Training steps.")] = 100,
    keep: Annotated[int, typer.Option(min=1, help="Number of steps between two kept snapshots.")] = 1,
    objective: OptionalComponent = None,
    regularizer: OptionalComponent = None,
    dataset: OptionalComponent = None,
    architecture: OptionalComponent = None,
    n_train: Annotated[str | None, typer.Option(help="Number of training examples; 'all' by default.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Batch size, for games with a data set.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out_file: Annotated[Path | None, typer.Option("--output", help="Table to write: .csv or .parquet.")] = None,
    force: Force = False,
) -> None:
    """Play a game and write or show the path of both players."""
    from ganbench import lab
    from ganbench.lab import terminal
    from ganbench.pipeline.execution.processor import one_thread
    from ganbench.pipeline.execution.progress import progress

    one_thread()
    terminal.check_output_path(out_file, terminal.TABLES, force)
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
    with ExitStack() as stack:
        begun = cache(lambda: stack.enter_context(progress(f"play {game}", steps, "steps")))  # by the first step
        trajectory = lab.play(
            match,
            dynamics,
            optimizer=optimizer,
            learning_rate=terminal.numbers("--learning-rate", learning_rate),
            generator_learning_rate=generator_learning_rate
            and terminal.numbers("--generator-learning-rate", generator_learning_rate),
            steps=steps,
            start=terminal.parse_starts("--start", start or ()),
            keep=keep,
            progress=lambda step: begun()(step),
        )
    if out_file is None:
        out.print(
            terminal.path_table(trajectory) if len(trajectory.trajectory) == 1 else terminal.members_table(trajectory)
        )
    else:
        terminal.write(terminal.rows(trajectory), out_file)
        out.print(f"{out_file}: {trajectory.losses[match.players[0]].size:,} rows", soft_wrap=True)
    out.print(terminal.summary_line(trajectory), soft_wrap=True)


def field(
    game: GameOption = "bilinear",
    plane: Annotated[
        str | None, typer.Option(help="The two parameters, b_d,b_g; by default the first of each player.")
    ] = None,
    x: Annotated[str, typer.Option(help="Range of the first parameter.")] = "-5,5",
    y: Annotated[str, typer.Option(help="Range of the second parameter.")] = "-5,5",
    points: Annotated[int, typer.Option(help="Number of grid points along each axis.")] = 41,
    at: Annotated[str | None, typer.Option(help="Values of all parameters, in the form of --start of play.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the samples and of the other parameters.")] = 0,
    objective: OptionalComponent = None,
    regularizer: OptionalComponent = None,
    dataset: OptionalComponent = None,
    architecture: OptionalComponent = None,
    out_file: Annotated[Path | None, typer.Option("--output", help="Picture to write: .png or .svg.")] = None,
    force: Force = False,
) -> None:
    """Draw the vector field of a game in a plane of two parameters, and find its fixed points."""
    from ganbench import lab
    from ganbench.lab import terminal
    from ganbench.lab.arguments import PICTURE_SUFFIXES
    from ganbench.pipeline.execution.processor import one_thread

    one_thread()
    terminal.check_output_path(out_file, PICTURE_SUFFIXES, force)
    components = {"objective": objective, "regularizer": regularizer, "dataset": dataset, "architecture": architecture}
    drawn = lab.field(
        lab.game(game, **components, seeds=[seed]),
        x=terminal.interval("--x", x),
        y=terminal.interval("--y", y),
        points=points,
        parameters=None if plane is None else terminal.pair("--plane", plane),
        at=terminal.parse_starts("--at", () if at is None else (at,)),
    )
    found = drawn.fixed_points()
    if found:
        out.print(terminal.points_table(found, drawn.parameters))
    else:
        out.print(f"no fixed points for {drawn.parameters[0]} in [{x}] and {drawn.parameters[1]} in [{y}]")
    if out_file is not None:
        out.print(f"{lab.draw_field(drawn, out_file)}", soft_wrap=True)
