"""Names in files: of methods, packs and data sets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import digest
from ganbench.study.choices import Choice

# Characters of a name. File systems take 255 in the name of a file; up to 36 are added to a pack's name while a file of
# its is written (the digest of a job, a suffix, and what a temporary name has), and up to 33 to make it from its words.
MAX_NAME = 180
CUT_DIGEST = 12  # characters of the digest of a name that was cut


def slug(text: str) -> str:
    """Reduce a text to lower-case letters, digits, dots and dashes: safe in a path, a shell command and a wildcard.

    A minus sign becomes an m, so that numbers of opposite sign keep different names.
    """
    signed = re.sub(r"(?<![a-z0-9])-(?=[0-9.])", "m", text.lower())
    return re.sub(r"[^a-z0-9.]+", "-", signed).strip("-.")


def cut_name(name: str) -> str:
    """Cut a name that is too long for files; the digest of the whole name at its end tells it from others.

    Args:
        name: the name, a slug; one of at most `MAX_NAME` characters stays as it is.
    """
    if len(name) <= MAX_NAME:
        return name
    return f"{name[: MAX_NAME - CUT_DIGEST - 1].rstrip('-.')}-{digest(name)[:CUT_DIGEST]}"


def dataset_name(choice: Choice) -> str:
    """The name of a data set in files, by which its jobs are found. It has no label, which changes no result."""
    return cut_name(slug(choice.signature))


def refuse_datasets_of_one_name(choices: Iterable[Choice]) -> None:
    """Refuse two data sets that would have one name in files, and so one file of prepared examples.

    Args:
        choices: different choices of the grid.

    Raises:
        GanbenchError: two data sets have one name.
    """
    called: dict[str, Choice] = {}
    for choice in choices:
        if choice.family == "dataset" and (twin := called.setdefault(dataset_name(choice), choice)) is not choice:
            given, remedy = (twin.name, choice.name), "rename one of these files"
            if twin.name == choice.name:
                given, remedy = (twin.signature, choice.signature), "rename the folder or file that one of them reads"
            raise GanbenchError(
                f"grid: the data sets {given[0]!r} and {given[1]!r} would both be called {dataset_name(choice)!r} in "
                f"files, whatever their labels; {remedy}."
            )
