"""Components to start from, one file per family: small, complete, and valid as they are. `ganbench new` writes them
under the user's name; docs/extending.md shows them."""

from __future__ import annotations

import ast
import re
from keyword import iskeyword
from pathlib import Path

from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.registry import FAMILIES, MAX_NAME, components

FOLDER = Path(__file__).resolve().parent

# Lines of a study that name a component, by family.
USES = {
    "game": "grid: [{{game: ./{name}.py, optimizer: sgd, learning_rate: 0.1, seed: {{count: 5}}}}]",
    "dataset": "grid: [{{dataset: ./{name}.py, architecture: mlp, learning_rate: 1.0e-3, seed: {{count: 5}}}}]",
    "architecture": "grid: [{{dataset: digits, architecture: ./{name}.py, learning_rate: 1.0e-3, seed: {{count: 5}}}}]",
    "objective": "objective: [non_saturating, ./{name}.py]  # in a block of the grid",
    "regularizer": "regularizer: [none, ./{name}.py]  # in a block of the grid",
    "dynamics": "dynamics: [alternating, ./{name}.py]  # in a block of the grid",
    "optimizer": "optimizer: [adam, ./{name}.py]  # in a block of the grid",
    "schedule": "schedule: [constant, ./{name}.py]  # in a block of the grid",
    "judge": "evaluate: {{judge: ./{name}.py}}",
    "metric": "evaluate: {{metrics: [fd, ./{name}.py]}}",
    "diagnostic": "diagnose: [./{name}.py]",
}


def template(family: str) -> Path:
    """The file of a family's template, whose class is `My<Family>` and whose own names begin with `my_<family>`.

    Args:
        family: key of the family.

    Raises:
        GanbenchError: an unknown family.
    """
    if family not in FAMILIES:
        raise GanbenchError(unknown("family", family, FAMILIES))
    return FOLDER / f"{family}.py"


def written(family: str, name: str) -> str:
    """A family's template under another name.

    Args:
        family: key of the family.
        name: name of the component, which its file has: `my_metric` gives the class `MyMetric`.

    Raises:
        GanbenchError: an unknown family, a name that is unfit for a file, a class and a column of a table, or one that
            a component of the package or something in the template has.
    """
    path = template(family)
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or len(name) > MAX_NAME:
        raise GanbenchError(
            f"the name of a component of your own must be 1 to {MAX_NAME} lower-case letters, digits and "
            f"underscores that begin with a letter, such as my_{family}, but is {name!r}."
        )
    if name in components(family):
        raise GanbenchError(f"{name!r} is the name of a {family} of ganbench; choose another name, such as my_{name}.")
    text, own, cls = path.read_text(encoding="utf-8"), f"My{family.capitalize()}", _class_name(name)
    if cls != own and (iskeyword(cls) or cls in _names(text)):
        raise GanbenchError(
            f"the class of {name!r} would be {cls}, which means something else in its file; choose another name, such "
            f"as my_{name}."
        )
    return text.replace(own, cls).replace(f"my_{family}", name)


def _names(text: str) -> set[str]:
    """The names of what a file imports and of the classes that it defines."""
    nodes = list(ast.walk(ast.parse(text)))
    imported = {alias.asname or alias.name for node in nodes if hasattr(node, "names") for alias in node.names}
    return imported | {node.name for node in nodes if isinstance(node, ast.ClassDef)}


def _class_name(name: str) -> str:
    """The class of a component: `my_metric` gives `MyMetric`."""
    return "".join(word.capitalize() for word in name.split("_"))
