"""Which method of a data set one would use, and how sure that is, in a few sentences with their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.median_words import median_words
from ganbench.analysis.ranking import chance, pair_of
from ganbench.analysis.ranking_cautions import cautions, named
from ganbench.analysis.ranking_tests import WAYS, tests_made, told_apart_by
from ganbench.analysis.statistics.multiplicity import LEVEL
from ganbench.analysis.statistics.rates import Rate
from ganbench.analysis.statistics.sample_sizes import enough
from ganbench.core.formatting import (
    format_interval,
    format_number,
    format_p_value,
    format_proportion,
    format_range,
    join_words,
    plural,
)

WORTH_NAMING = 0.1  # difference of two shares, or of a probability from 1/2, in favour of a method


@dataclass(frozen=True)
class Answer:
    """The answer to the question which method of a data set to use.

    Attributes:
        dataset: the data set.
        use: the method to use.
        shown: what its runs showed; empty where no method comes first.
        sure: whether others could be the better ones, and how many runs would tell.
        cautions: what limits the answer.
    """

    dataset: str
    use: str
    shown: str
    sure: str
    cautions: tuple[str, ...]

    @property
    def text(self) -> str:
        """The method to use with what its runs showed, as a sentence."""
        return f"{': '.join(filter(None, [self.use, self.shown]))}."


def answers(collected: Collected, table: pd.DataFrame, tests: pd.DataFrame) -> list[Answer]:
    """Answer the question for every data set; where it has one method, only what its runs showed.

    Args:
        collected: the study's results.
        table: the ranking, see `ganbench.analysis.ranking.ranking`.
        tests: the tests of its pairs.
    """
    found = []
    for dataset, rows in table.groupby("dataset", sort=False):
        best = rows.iloc[0]
        pairs = {name: pair_of(tests, best["method"], name) for name in rows["method"].iloc[1:]}
        mine = tests[tests["dataset"] == dataset]
        use, results = _first(rows), shown(collected, best)
        if len(rows) == 1:
            use = f"{best['method']} is the only method that was run"
        elif not any(tested(row) for _, row in mine.iterrows()):
            use, results = "No method comes first, since no two of them could be tested against one another", ""
        limits = tuple(cautions(collected, rows, pairs))
        found.append(Answer(dataset, use, results, _sure(rows, pairs, tests_made(tests)), limits))
    return found


def shown(collected: Collected, row: pd.Series) -> str:
    """What the runs of a method of the ranking showed: healthy runs and the median score, with intervals."""
    low, high = row["healthy_low"], row["healthy_high"]
    rate = Rate(int(row["healthy"]), int(row["runs"]), low, high, unknown=int(row["undetermined"]))
    runs = f"runs ({_seeds(row)}) are healthy"
    text = format_proportion(rate, runs)
    if rate.unknown:
        bounds = f"95% interval {format_interval(rate)}, these counted either way"
        text = f"{rate.count} of {rate.total} {runs}, and of {rate.unknown} it is not known ({bounds})"
    if pd.isna(row["metric"]):
        return text
    title = collected.metrics[row["metric"]].title
    if np.isnan(row["median"]) and 2 * row["failed"] >= row["runs"]:
        return f"{text}, and {row['failed']} failed, so that there is no median {title}"
    if np.isnan(row["median"]):
        return f"{text}, and half of them or more failed or have no value of {title}"
    runs = collected.runs[collected.runs["method"] == row["method"]]
    median = median_words(runs, row["metric"], collected.metrics[row["metric"]])
    if median != format_number(row["median"]):
        return f"{text}, and the runs{' that did not fail' if row['failed'] else ''} score {median} in {title}"
    over = f" over all {row['settings']} settings" if row["settings"] > 1 else ""
    return f"{text}, and the median {title}{over} is {median}{_interval(row)}"


def _seeds(row: pd.Series) -> str:
    """What the runs of a method are made of: "5 seeds", "5 seeds at 3 settings", "of 5 seeds, at 3 settings"."""
    seeds, settings = plural(int(row["seeds"]), "seed"), plural(int(row["settings"]), "setting")
    if row["settings"] == 1:
        return seeds
    return f"{seeds} at {settings}" if row["seeds"] * row["settings"] == row["runs"] else f"of {seeds}, at {settings}"


def _interval(row: pd.Series) -> str:
    """The interval of the median score of a method of the ranking: " (95% interval 1.6 to 3)"; empty without one."""
    if np.isnan(row["median_low"]) or np.isnan(row["median_high"]):
        return ""
    why = "" if np.isfinite([row["median_low"], row["median_high"]]).all() else ", as failed runs are worse than any"
    return f" (95% interval {format_range(row['median_low'], row['median_high'])}{why})"


def effort_words(row: pd.Series) -> str:
    """How many runs of each method would tell a pair apart: "about 40 runs of each (28 more), by their scores"."""
    present = int(min(row["first_runs"], row["second_runs"]))
    if pd.isna(row["runs_needed"]):
        return enough(None, present, "runs of each")
    by = {"score": "scores"}.get(row["runs_needed_by"], row["runs_needed_by"])
    return f"{enough(int(row['runs_needed']), present, 'runs of each')}, by their {by}"


def tested(row: pd.Series) -> bool:
    """Whether a pair was tested, in one way at least."""
    return bool(pd.notna(row["healthy_p_value"]) or pd.notna(row["improvement_p_value"]))


def undecidable(row: pd.Series) -> bool:
    """Whether no result of so few runs could tell a pair apart; adjusting p-values only raises them."""
    return bool(row["min_p_value"] > LEVEL)


def few_words(row: pd.Series) -> str:
    """Why a pair is undecidable: "5 runs of each cannot tell them apart (least possible p = 0.063)"."""
    present = int(min(row["first_runs"], row["second_runs"]))
    return f"{present} runs of each cannot tell them apart (least possible {format_p_value(row['min_p_value'])})"


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


def _sure(ranked: pd.DataFrame, pairs: dict[str, tuple[pd.Series, bool]], tests: int) -> str:
    """Whether the first method is told apart from the others, and what would tell it apart.

    Args:
        ranked: the data set's rows of the ranking.
        pairs: by other method, the row of its test against the first, and whether the first is the first in it.
        tests: the number of tests by which p-values are adjusted.
    """
    best = ranked["method"].iloc[0]
    rows = {name: row for name, (row, _) in pairs.items() if tested(row)}
    untold = {name: pairs[name] for name, row in rows.items() if pd.isna(row["better"])}
    told = {name: row for name, row in rows.items() if row["better"] == best}
    idle = set(ranked.loc[(ranked["healthy"] == 0) & (ranked["undetermined"] == 0), "method"])
    useless = [name for name in untold if name in idle and best not in idle]
    parts = [*_told(told, len(pairs), tests), *_untold(untold, useless)]
    if useless:
        parts.append(f"No run of {named(useless)} is healthy.")
    parts += _effort({name: row for name, (row, _) in untold.items()})
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


def _told(told: dict[str, pd.Series], others: int, tests: int) -> Iterator[str]:
    """Which methods the first is shown to be better than."""
    if not told:
        return
    which = f"{len(told)} of the {others} others" if others > 1 else "the other method"
    if len(told) == others > 1:
        which = "both other methods" if others == 2 else f"all {others} other methods"
    p_value = max(row[f"{told_apart_by(row)}_p_value_adjusted"] for row in told.values())
    yield (
        f"It is shown to be better than {which}, by {_ways(list(told.values()))} (adjusted {format_p_value(p_value)}"
        f"{' at most' if len(told) > 1 else ''}, of {plural(tests, 'test')})."
    )


def _untold(untold: dict[str, tuple[pd.Series, bool]], useless: list[str]) -> Iterator[str]:
    """Which methods the first is not told apart from, and which of these may be better by what is worth naming.

    Args:
        untold: by method, the row of its test against the first, and whether the first is the first in it.
        useless: those without a healthy run, while the first has some.
    """
    few: dict[str, list[str]] = {}
    maybe, others = [], []
    for name, (row, first) in untold.items():
        if undecidable(row):
            few.setdefault(few_words(row), []).append(name)
        else:
            (maybe if name not in useless and _may_be_better(row, first) else others).append(name)
    for words, names in few.items():
        yield f"{named(names)} {_is(names)} not told apart from it: {words}, whatever these show."
    if maybe:
        better = "the better one" if len(maybe) == 1 else "better"
        yield f"{named(maybe)} {_is(maybe)} not told apart from it, and may be {better}."
    if others:
        yield f"{named(others)} {_is(others)} not told apart from it."


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _may_be_better(row: pd.Series, first: bool) -> bool:
    """Whether the intervals of a pair hold a difference worth naming in favour of the method that is not at the head.

    Args:
        row: the row of the pair in the table of tests.
        first: whether the method at the head is the first of the pair.
    """
    _, low, _ = chance(row, first)
    share = -row["healthy_low"] if first else row["healthy_high"]
    return bool(share >= WORTH_NAMING or 0.5 - low >= WORTH_NAMING)


def _ways(rows: list[pd.Series]) -> str:
    found = {told_apart_by(row) for row in rows}
    return join_words([{"score": "scores"}.get(words, words) for way, words in WAYS.items() if way in found])


def _effort(untold: dict[str, pd.Series]) -> Iterator[str]:
    """How many runs would tell the first method from those that it is not told from."""
    needed = {name: int(row["runs_needed"]) for name, row in untold.items() if pd.notna(row["runs_needed"])}
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
