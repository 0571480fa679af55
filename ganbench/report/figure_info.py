"""What each figure shows and how to read it, read from the figures' files without importing matplotlib."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

FOLDER = Path(__file__).parent / "figures"

Scope = Literal["study", "method", "experiment"]


@dataclass(frozen=True, kw_only=True)
class FigureInfo:
    """The record that every file of `ganbench/report/figures` assigns to FIGURE, with literal values.

    Attributes:
        title: the figure's title.
        caption: how to read the figure, in plain text.
        scope: what the figure is drawn once for: the study, each GAN method, or each experiment.
        diagnostic: the diagnostic whose experiments are drawn; of the scope "experiment" only.
        animated: whether `draw` may return a film: then the PNG is animated, and the SVG shows the last frame.
        order: position among the figures of the same scope; figures of equal order are sorted by name.
    """

    title: str
    caption: str
    scope: Scope
    diagnostic: str | None = None
    animated: bool = False
    order: int = 0

    def __post_init__(self) -> None:
        if self.scope not in get_args(Scope):
            raise ValueError(f"scope must be one of {', '.join(get_args(Scope))}, but is {self.scope!r}")
        if (self.diagnostic is not None) != (self.scope == "experiment"):
            raise ValueError(
                "a figure has a diagnostic if and only if its scope is 'experiment', "
                f"but the scope is {self.scope!r} and the diagnostic is {self.diagnostic!r}"
            )

    def title_of(self, name: str | None) -> str:
        """The title of the figure of one method or experiment, whose name precedes it."""
        return self.title if name is None else f"{name}: {self.title[0].lower()}{self.title[1:]}"


@cache
def figure_infos() -> dict[str, FigureInfo]:
    """Every figure by name, the name of its file, in the order of the report."""
    infos = {path.stem: read_figure_info(path) for path in FOLDER.glob("*.py") if path.stem != "__init__"}
    scopes = get_args(Scope)
    return dict(sorted(infos.items(), key=lambda item: (scopes.index(item[1].scope), item[1].order, item[0])))


def read_figure_info(path: Path) -> FigureInfo:
    """The record of one file, from its syntax tree.

    Raises:
        ValueError: the file does not assign `FigureInfo(...)` with literal values to FIGURE.
    """
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FIGURE":
            try:
                return FigureInfo(**{each.arg: ast.literal_eval(each.value) for each in node.value.keywords})
            except (AttributeError, TypeError, ValueError) as error:
                raise ValueError(f"{path}: FIGURE must be FigureInfo(...) with literal values: {error}.") from None
    raise ValueError(f"{path}: a figure's file must assign FigureInfo(...) to FIGURE.")
