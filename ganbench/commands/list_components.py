"""`ganbench list`: the components of every family, on the terminal or as a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from ganbench.commands import out
from ganbench.core import registry
from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.options import Option

COLUMNS = ("option", "default", "valid values", "meaning")  # of the table of a component's options
INTRODUCTION = """# Components

What a study can name, written by `ganbench list --format markdown > docs/components.md`. `ganbench list FAMILY NAME`
shows all of one component, with its formulas and sources. Every component is one file, `ganbench/<folder>/<name>.py`; a
file of your own is named by its path. Parameters are counted with default options.
"""


def list_components(
    family: Annotated[
        str | None, typer.Argument(help="Family to show with options, such as 'architecture'; all by default.")
    ] = None,
    name: Annotated[
        str | None, typer.Argument(help="One component of the family, or the path of your own file: show all of it.")
    ] = None,
    format: Annotated[
        Literal["text", "markdown"], typer.Option(help="Text for the terminal, or Markdown for a page of everything.")
    ] = "text",
) -> None:
    """List the components: architectures, data sets, objectives, regularizers, metrics ..."""
    if family is not None and family not in registry.FAMILIES:
        raise GanbenchError(unknown("family", family, registry.FAMILIES))
    if format == "markdown":
        if family is not None:
            raise GanbenchError("--format markdown writes the page of all families; leave out the family's name.")
        print("\n".join(_page()), end="")
    elif name is not None:
        _show_one(registry.find(family, name))
    elif family is not None:
        _show_family(family)
    else:
        for key in registry.FAMILIES:
            table = _table(key, "name", "what it is")
            for each, info in registry.components(key).items():
                table.add_row(each, info.summary)
            out.print(table)
        out.print("`ganbench list FAMILY` shows options; `ganbench list FAMILY NAME` everything about one component.")
        out.print(
            "`ganbench new FAMILY NAME` writes one of your own, and `ganbench try FILE` holds it to its contract."
        )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for column in columns:
        table.add_column(column, no_wrap=column == columns[0], overflow="fold")  # a name that is cut is none
    return table


def _show_family(key: str) -> None:
    table = _table(key, "name", "what it is", "options")
    for each, info in registry.components(key).items():
        table.add_row(
            each, info.summary, "\n".join(map(_short, *zip(*info.options.items(), strict=True))) if info.options else ""
        )
    out.print(table)


def _show_one(info: registry.ComponentInfo) -> None:
    from ganbench.contracts.capabilities import counts_by_shape, traits

    key = info.family.key
    out.print(f"{key} {info.name}", style="bold")
    paragraphs = [" ".join(each.split()) for each in info.description.split("\n\n")]
    for text in (info.summary, *paragraphs, f"File: {info.path}"):
        out.print(text, markup=False, emoji=False)
    if info.options:
        table = _table("options", *COLUMNS)
        for option, about in info.options.items():
            table.add_row(*map(Text, (option, _value(about.default), about.valid_values, about.meaning)))
        out.print(table)
    for sentence in traits(key, info.name) if info.shipped else ():
        out.print(f"- {sentence}", markup=False, emoji=False)
    if key == "architecture" and info.shipped:
        table = _table("parameters", "example", "generator", "discriminator", "both")
        for shape, counts in counts_by_shape(info.name).items():
            if counts is not None:
                table.add_row(_shape(shape), *(f"{count:,}" for count in (*counts, sum(counts))))
        out.print(table)


def _page() -> Iterator[str]:
    from ganbench.contracts.capabilities import SHAPES, counts_by_shape, traits

    yield INTRODUCTION
    for key, family in registry.FAMILIES.items():
        yield f"## {key}\n"
        yield f"`ganbench/{family.folder}/`\n"
        for name, info in registry.components(key).items():
            yield f"### {key} `{name}`\n"
            yield " ".join([info.summary, *traits(key, name)]) + "\n"
            if info.options:
                yield "| " + " | ".join(COLUMNS) + " |"
                yield "|---" * len(COLUMNS) + "|"
                for option, about in info.options.items():
                    texts = _escaped(about.valid_values), _escaped(about.meaning)
                    yield f"| `{option}` | `{_value(about.default)}` | " + " | ".join(texts) + " |"
                yield ""
        if key == "architecture":
            yield "### Parameters of both networks\n"
            yield "| | " + " | ".join(_shape(data.shape) for data in SHAPES) + " |"
            yield "|---|" + "---|" * len(SHAPES)
            for name in registry.components(key):
                counts = counts_by_shape(name).values()
                yield (
                    f"| `{name}` | " + " | ".join("" if each is None else _rounded(sum(each)) for each in counts) + " |"
                )
            yield ""


def _short(name: str, about: Option) -> str:
    return f"{name}={about.default!r}" + (f" ({about.range})" if about.range else "")


def _value(default: object) -> str:
    return f"{default!r}" if isinstance(default, str) else f"{default}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _rounded(count: int) -> str:
    """A count with three digits: 999,700 is 1 M, not 1,000 k."""
    count = int(float(f"{count:.3g}"))
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return str(count)
