"""Which method of a data set one would use, and how sure that is, in a few sentences with their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.ranking import pair_of
from ganbench.analysis.ranking_cautions import cautions, named
from ganbench.analysis.ranking_tests import WAYS, told_apart_by
from ganbench.analysis.statistics.rates import Rate
from ganbench.analysis.statistics.sample_sizes import enough
from ganbench.core.formatting import (
    format_interval,
    format_number,
    format_p_value,
    format_proportion,
    format_range,
    join_words,
)


@dataclass(frozen=True)
class Answer:
    """The answer to the question which method of a data set to use.

    Attributes:
        dataset: The data set.
        use: The method to use, and what its runs showed.
        sure: Whether others could be the better ones, and how many runs would tell.
        cautions: What limits the answer.
    """

    dataset: str
    use: str
    sure: str
    cautions: tuple[str, ...]


def answers(collected: Collected, table: pd.DataFrame, tests: pd.DataFrame) -> list[Answer]:
    """Answer the question for every data set; where it has one method, only what its runs showed.

    Args:
        collected: The study's results.
        table: The ranking, see `ganbench.analysis.ranking.ranking`.
        tests: The tests of its pairs.
    """
    found = []
    for dataset, rows in table.groupby("dataset", sort=False):
        best = rows.iloc[0]
        pairs = {name: pair_of(tests, best["method"], name) for name in rows["method"].iloc[1:]}
        mine = tests[tests["dataset"] == dataset]
        use = f"{_first(rows)}: {shown(collected, best)}."
        if len(rows) == 1:
            use = f"{best['method']} is the only method that was run: {shown(collected, best)}."
        elif not any(tested(row) for _, row in mine.iterrows()):
            use = "No method comes first, since no two of them could be tested against one another."
        limits = tuple(cautions(collected, rows, pairs))
        found.append(Answer(dataset, use, _sure(best["method"], pairs), limits))
    return found


def shown(collected: Collected, row: pd.Series) -> str:
    """What the runs of a method of the ranking showed: healthy runs and the median score, with intervals."""
    low, high = row["healthy_low"], row["healthy_high"]
    rate = Rate(int(row["healthy"]), int(row["runs"]), low, high, unknown=int(row["undetermined"]))
    text = format_proportion(rate, "runs are healthy")
    if rate.unknown:
        bounds = f"95% interval {format_interval(rate)}, these counted either way"
        text = f"{rate.count} of {rate.total} runs are healthy, and of {rate.unknown} it is not known ({bounds})"
    if pd.isna(row["metric"]):
        return text
    title = collected.metrics[row["metric"]].title
    if np.isnan(row["median"]):
        return f"{text}, and half of them or more failed or have no value of {title}"
    return f"{text}, and the median {title} is {median_words(row)}"


def median_words(row: pd.Series) -> str:
    """The median score of a method of the ranking with its interval: "2.1 (95% interval 1.6 to 3)"."""
    if np.isnan(row["median_low"]) or np.isnan(row["median_high"]):
        return format_number(row["median"])
    return f"{format_number(row['median'])} (95% interval {format_range(row['median_low'], row['median_high'])})"


def effort_words(row: pd.Series) -> str:
    """How many runs of each method would tell a pair apart: "about 40 runs of each (28 more), by their scores"."""
    present = int(min(row["first_runs"], row["second_runs"]))
    if pd.isna(row["needed"]):
        return enough(None, present, "runs of each")
    by = {"score": "scores"}.get(row["needed_by"], row["needed_by"])
    return f"{enough(int(row['needed']), present, 'runs of each')}, by their {by}"


def tested(row: pd.Series) -> bool:
    """Whether a pair was tested, in one way at least."""
    return bool(pd.notna(row["healthy_p"]) or pd.notna(row["improvement_p"]))


def alike(row: pd.Series) -> bool:
    """Whether the runs of a pair show no difference at all, so that no number of such runs would tell it apart."""
    differences = [row["healthy_difference"], row["improvement"] - 0.5]
    return all(pd.isna(each) or each == 0 for each in differences)


def _first(rows: pd.DataFrame) -> str:
    """What may be said of the method that comes first: only of healthy runs that tests tell from others, to use it."""
    best = rows.iloc[0]
    if not best["healthy"] and not best["undetermined"]:
        some, unknown = (list(rows.loc[rows[name] > 0, "method"]) for name in ("healthy", "undetermined"))
        if not some and not unknown:
            return f"No run of any method is healthy; {best['method']} comes first"
        others = f"some of {named(some)} are" if some else f"of some of {named(unknown)} that is not known"
        none = f"No run of {best['method']}, which comes first, is healthy"
        return f"{none}, so that it is not one to use, while {others}"
    if best["rank_last"] == 1 and not best["undetermined"]:
        return f"{best['method']} is the one to use"
    return f"No method is shown to be the best; {best['method']} comes first"


def _sure(best: str, pairs: dict[str, tuple[pd.Series, bool]]) -> str:
    """Whether the first method is told apart from the others, and what would tell it apart."""
    rows = {name: row for name, (row, _) in pairs.items() if tested(row)}
    untold = {name: row for name, row in rows.items() if pd.isna(row["better"])}
    told = [row for row in rows.values() if row["better"] == best]
    parts = []
    if told:
        which = f"all {len(told)} other methods" if len(told) > 1 else "the other method"
        which = which if len(told) == len(pairs) else f"{len(told)} of the {len(pairs)} others"
        p_value = max(row[f"{told_apart_by(row)}_adjusted"] for row in told)
        parts.append(
            f"It is shown to be better than {which}, by {_ways(told)} (adjusted {format_p_value(p_value)}"
            f"{' at most' if len(told) > 1 else ''}): more seeds are not expected to change that."
        )
    if untold:
        one = len(untold) == 1
        parts.append(
            f"{named(list(untold))} {'is' if one else 'are'} not told apart from it, and may be"
            f" {'the better one' if one else 'better'}."
        )
        parts += _effort(untold)
    apart = [name for name, (row, _) in pairs.items() if row["settings"] == 0]
    if apart:
        parts.append(f"{named(apart)} {'was' if len(apart) == 1 else 'were'} run at no setting of it.")
    untested = [name for name in pairs if name not in rows and name not in apart]
    if untested:
        parts.append(
            f"{named(untested)} {'was' if len(untested) == 1 else 'were'} not tested against it, since it is not known"
            " of all runs whether they failed, and no metric has a better end."
        )
    return " ".join(parts)


def _ways(rows: list[pd.Series]) -> str:
    found = {told_apart_by(row) for row in rows}
    return join_words([{"score": "scores"}.get(words, words) for way, words in WAYS.items() if way in found])


def _effort(untold: dict[str, pd.Series]) -> Iterator[str]:
    """How many runs would tell the first method from those that it is not told from."""
    needed = {name: int(row["needed"]) for name, row in untold.items() if pd.notna(row["needed"])}
    equal = [name for name, row in untold.items() if alike(row)]
    far = [name for name in untold if name not in needed and name not in equal]
    if needed:
        nearest, *others = needed
        more = f", and about {max(map(needed.get, others)):,} from {named(others)}" if others else ""
        yield f"If the shares are as seen, {effort_words(untold[nearest])}, would tell it from {nearest}{more}."
    if far:
        yield f"To tell it from {named(far)} would take {effort_words(untold[far[0]])}, if the shares are as seen."
    if equal:
        yield f"From {named(equal)} these runs show no difference at all."
