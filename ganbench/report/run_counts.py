"""What runs a page, a table or a caption rests on: of what design, how many, and how many of them failed."""

from __future__ import annotations

import pandas as pd

from ganbench.analysis.methods import failure_rate, not_learned
from ganbench.core.formatting import format_interval, format_number, format_percent, format_range, join_words, plural
from ganbench.study.choices import split_label

MAX_VALUES = 4  # of an axis, of which all are named
# What tells the runs of a study apart, in the order of a sentence, with the noun of one value and of several.
DESIGN = {
    "dataset": ("data set", "data sets"),
    "architecture": ("architecture", "architectures"),
    "n_train": ("training examples", "training examples"),
    "learning_rate": ("learning rate", "learning rates"),
    "steps": ("training steps", "training steps"),
    "train_batch_size": ("batch size", "batch sizes"),
}


def design(runs: pd.DataFrame) -> str:
    """What the runs of a study are: how many methods and seeds, on which data, with which networks, and for how long.

    Args:
        runs: rows of the table of runs, one at least.
    """
    counts = f"{plural(len(runs), 'run')}: {plural(runs['method'].nunique(), 'method')},"
    parts = [f"{counts} {plural(runs['seed'].nunique(), 'seed')}"]
    for column, nouns in DESIGN.items():
        values = runs[column].dropna().drop_duplicates() if column in runs else []
        if len(values):
            parts.append(f"{nouns[len(values) > 1]} {_values(values)}")
    return f"{'; '.join(parts)}."


def _values(values: pd.Series) -> str:
    if not pd.api.types.is_numeric_dtype(values):
        texts = [split_label(value)[0] for value in values]
        return join_words(texts) if len(texts) <= MAX_VALUES else f"{', '.join(texts[:MAX_VALUES])} and others"
    values = values.sort_values()
    if len(values) <= MAX_VALUES:
        return join_words([format_number(value) for value in values])
    return f"{format_range(values.iloc[0], values.iloc[-1])} ({len(values)} values)"


def counted(runs: pd.DataFrame) -> str:
    """Number of runs, and of those that failed, with the share's interval.

    Args:
        runs: rows of the table of runs.

    Returns:
        "36 runs, of which 1 failed (3%, 95% Wilson interval 0% to 14%) and 4 had not learned", or without a share where
        it is not known of some runs whether they failed.
    """
    if not len(runs):
        return "no runs"
    rate = failure_rate(runs)
    share = f"{format_percent(rate.value)}, " if not rate.unknown else ""
    unknown = f" and of {rate.unknown} it is not known" if rate.unknown else ""
    text = f"{plural(len(runs), 'run')}, of which {rate.count} failed{unknown}"
    idle = int(not_learned(runs).sum())
    learned = f" and {idle} had not learned" if idle else ""
    return f"{text} ({share}95% Wilson interval {format_interval(rate)}){learned}"
