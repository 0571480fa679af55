"""Readable names of methods and runs: only the values that distinguish each from the others shown with it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ganbench.analysis.columns import AXES
from ganbench.core.formatting import format_number, truncate
from ganbench.core.signatures import split_signature
from ganbench.study.choices import split_label

NUMERIC = {
    "n_train": "{} examples",
    "learning_rate": "rate {}",
    "generator_learning_rate": "generator rate {}",
    "seed": "seed {}",
}
MAX_TITLE = 40  # characters, as many as a label may have
PARTS = tuple(axis for axis in AXES if axis not in (*NUMERIC, "block"))  # the game first
NETWORKS = "gan"  # the game that its data set and architecture name well enough
NAMING = ("dataset", "architecture")


def method_names(runs: pd.DataFrame, *, without: Sequence[str] = ()) -> dict[str, str]:
    """Every method among these runs in words: "gaussian samples 100, extragradient"; unique among them.

    What is played is always said, anything else where methods that play the same kind of game differ in it; but for
    the axes `without`, if names stay unique without them.
    """
    words = _words(runs, without)
    if len(set(words.values())) < len(words):
        words = _words(runs, ())
    counts = Counter(words.values())
    return {method: text if counts[text] == 1 else method for method, text in words.items()}


def _words(runs: pd.DataFrame, without: Sequence[str]) -> dict[str, str]:
    rows = runs.drop_duplicates("method").set_index("method")
    pieces: dict[str, list[str]] = {method: [] for method in rows.index}
    for block, alike in rows.groupby("block", sort=False):  # those of blocks without a label are in no group
        for method in alike.index:
            pieces[method].append(block)
        _tell_apart(pieces, alike, [axis for axis in PARTS if axis not in without])
    others = rows[rows["block"].isna()]
    played = shorten_signatures(dict.fromkeys(_label(game) for game in others["game"]))
    for method, game in others["game"].items():
        if _label(game) != NETWORKS:
            pieces[method].append(played[_label(game)])
    for _, alike in others.groupby(others["game"].map(lambda game: _label(game).partition("(")[0]), sort=False):
        always = NAMING if len(rows) == 1 else ()
        _tell_apart(pieces, alike, [axis for axis in PARTS[1:] if axis not in without], always)
    return {method: ", ".join(filter(None, parts)) or method for method, parts in pieces.items()}


def _tell_apart(
    pieces: dict[str, list[str]], rows: pd.DataFrame, axes: Iterable[str], always: Sequence[str] = ()
) -> None:
    """Add to the words of every method its values of the axes in which these methods differ, and those of `always`."""
    for axis in axes:
        labels = rows[axis].map(_label)
        if labels.nunique() > 1 or axis in always:
            known = shorten_signatures(dict.fromkeys(labels)) | dict.fromkeys(_unsaid(axis, rows[axis]), "")
            for method, label in labels.items():
                pieces[method].append(known[label])


def _unsaid(axis: str, values: pd.Series) -> list[str]:
    """Values that are not named: no regularizer, and the optimizer of most methods, unless the study labels it."""
    if axis == "optimizer":
        most = values.mode()[0]
        return [most] if (values == most).mean() > 0.5 and len(set(split_label(most))) == 1 else []
    return ["none"] if axis == "regularizer" else []


def _label(value: object) -> str:
    return split_label(value)[0] if isinstance(value, str) else ""


def short_title(choice: str) -> str:
    """A choice, as tables show it, as a title within a figure: its label, or else its signature, shortened with an
    ellipsis to the length that a label may have."""
    return truncate(split_label(choice)[0], MAX_TITLE)


def varying_numbers(run: pd.Series, among: pd.DataFrame) -> str:
    """A run's learning rates, number of examples and seed in words, those of them that differ `among` these runs."""
    return numbers_in_words(run, [axis for axis in NUMERIC if among[axis].nunique(dropna=axis == "n_train") > 1])


def numbers_in_words(run: Mapping[str, Any] | pd.Series, axes: Iterable[str]) -> str:
    """A run's numbers on these axes in words, without those that it lacks: "100 examples, rate 0.01"."""
    return ", ".join(NUMERIC[axis].format(format_number(run[axis])) for axis in axes if pd.notna(run[axis]))


def shorten_signatures(labels: Iterable[str]) -> dict[str, str]:
    """Signatures like `gaussian(samples=100, plane=w)` without the options that all of the same component share.

    Where all are of one component and every one has options of its own, the options alone remain.
    """
    parsed = {label: (name, dict(options)) for label in labels for name, options in [split_signature(label)]}
    alike: dict[str, list[dict[str, str]]] = defaultdict(list)
    for name, options in parsed.values():
        alike[name].append(options)
    own = {
        label: [
            f"{key.replace('_', ' ')} {_value(value)}".strip()
            for key, value in options.items()
            if any(other.get(key) != value for other in alike[name])
        ]
        for label, (name, options) in parsed.items()
    }
    bare = len(alike) == 1 and len(own) > 1 and all(own.values())
    return {
        label: " ".join(([] if bare else [name.replace("_", " ")]) + [", ".join(own[label])]).strip()
        for label, (name, _) in parsed.items()
    }


def _value(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].replace("_", " ")
    if text.isidentifier():
        return text.replace("_", " ")
    return re.sub(r"(?<![\w.])-?\d+\.?\d*(?:e-?\d+)?(?![\w.])", lambda match: format_number(float(match[0])), text)
