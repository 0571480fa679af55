"""How many runs a table or caption rests on, and how many of them failed, in one clause."""

from __future__ import annotations

import pandas as pd

from ganbench.analysis.methods import failure_rate, not_learned
from ganbench.core.formatting import format_interval, format_percent, plural


def counted(runs: pd.DataFrame) -> str:
    """Number of runs, and of those that failed, with the share's interval.

    Args:
        runs: Rows of the table of runs.

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
