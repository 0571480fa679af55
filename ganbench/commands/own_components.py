"""`ganbench new` and `ganbench try`: a component of one's own, from its first line to one that keeps its contract."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganbench.commands import out
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import plural

if TYPE_CHECKING:
    from ganbench.contracts.trials import Tried

LIMIT_SECONDS = 120.0  # limit of processor time of each check, of networks with millions of parameters too
SIGNS = {True: "held", False: "FAILED", None: "open"}


def new(
    family: Annotated[str, typer.Argument(help="Its family, such as 'metric'; `ganbench list` shows all.")],
    name: Annotated[str, typer.Argument(help="Its name, such as 'my_metric'; the file is my_metric.py.")],
) -> None:
    """Write a small, complete component of your own in the current folder, to be changed."""
    from ganbench.contracts.templates import USES, written

    text, path = written(family, name), Path(f"{name}.py")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise GanbenchError(f"{path} is there already; choose another name, or remove the file.") from None
    article = "an" if family[0] in "aeiou" else "a"
    for line in (
        f"{path}: {article} {family} that keeps its contract as it is; docs/extending.md#{family} explains it",
        f"try it:     ganbench try {path}",
        f"in a study: {USES[family].format(name=name)}",
    ):
        out.print(line, soft_wrap=True, markup=False, emoji=False)


def try_component(
    path: Annotated[Path, typer.Argument(help="The file of a component of your own.", show_default=False)],
) -> None:
    """Hold a component of your own to its family's contract, check by check; exit status 1 if one fails."""
    from ganbench.contracts import CONTRACTS, trials
    from ganbench.pipeline.execution.limits import limited
    from ganbench.pipeline.execution.processor import one_thread

    one_thread()
    component = trials.read(path)
    out.print(f"{path}: {component.family.key} {component.cls}", soft_wrap=True, markup=False, emoji=False)
    found = []
    for tried in trials.trial(component, lambda: limited(LIMIT_SECONDS)):
        found.append(tried)
        for line in _lines(tried, path):
            out.print(line, soft_wrap=True, markup=False, emoji=False)
    failed = sum(tried.held is False for tried in found)
    held = sum(tried.held is True for tried in found)
    left = f", {len(found) - held - failed} left open" if len(found) > held + failed else ""
    out.print(f"{plural(held, 'check', 'checks')} held, {failed} failed{left}.")
    if unexplained := [name for name, option in component.options.items() if not option.meaning]:
        shows = f"`ganbench list {component.family.key} {path}` shows the docstring below an option's field"
        out.print(f"Hint: {shows}; without one: {', '.join(unexplained)}.", soft_wrap=True, markup=False, emoji=False)
    if failed:
        contract = CONTRACTS[component.family.key]
        out.print(f"The contract: {contract}", soft_wrap=True, markup=False, emoji=False)
        raise typer.Exit(1)


def _lines(tried: Tried, path: Path) -> list[str]:
    """The result of a check: what was tried, and where it did not hold the line of the file and the fault."""
    lines = [f"{SIGNS[tried.held]:<8} {tried.what}"]
    if tried.said:
        where = f"{path}, line {tried.line}: " if tried.line else ""
        lines.append(f"{'':<8} {where}{tried.said}.")
    return lines
