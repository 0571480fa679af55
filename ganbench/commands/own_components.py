"""`ganbench new` and `ganbench try`: a component of one's own, from its first line to one that keeps its contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganbench.commands import out
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ganbench.contracts.trials import Tried
    from ganbench.core.registry import ComponentInfo

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
        again = tried.held is False and (tried.said, tried.line) in [(each.said, each.line) for each in found]
        found.append(tried)
        for line in _lines(replace(tried, said="the same", line=None) if again else tried, path):
            out.print(line, soft_wrap=True, markup=False, emoji=False)
    failed = sum(tried.held is False for tried in found)
    held = sum(tried.held is True for tried in found)
    left = f", {len(found) - held - failed} left open" if len(found) > held + failed else ""
    out.print(f"{plural(held, 'check', 'checks')} held, {failed} failed{left}.")
    for hint in _hints(component, path):
        out.print(f"Hint: {hint}.", soft_wrap=True, markup=False, emoji=False)
    if failed:
        contract = CONTRACTS[component.family.key]
        out.print(f"The contract: {contract}", soft_wrap=True, markup=False, emoji=False)
        raise typer.Exit(1)


def _hints(component: ComponentInfo, path: Path) -> Iterator[str]:
    """What a component lacks that breaks no contract, as clauses."""
    shows = f"`ganbench list {component.family.key} {path}` shows the docstring"
    for what, text in {"of a file": component.summary, "of a class": component.description}.items():
        if not text:
            yield f"{shows} {what}, and it has none"
    if unexplained := [name for name, option in component.options.items() if not option.meaning]:
        yield f"{shows} below an option's field; without one: {', '.join(unexplained)}"
    base = component.family.base_class
    if untyped := [name for name in component.untyped if name in component.options or not hasattr(base, name)]:
        yield f"without a type a value makes or changes no option: {', '.join(untyped)}; write `name: float = ...`"


def _lines(tried: Tried, path: Path) -> list[str]:
    """The result of a check: what was tried, and where it did not hold the line of the file and the fault."""
    lines = [f"{SIGNS[tried.held]:<8} {tried.what}"]
    if tried.said:
        where = f"{path}, line {tried.line}: " if tried.line else ""
        lines.append(f"{'':<8} {where}{tried.said}.")
    return lines
