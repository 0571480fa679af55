"""A study's own numbers beside those that others published."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import failed, not_learned
from ganbench.analysis.statistics.medians import median, median_interval
from ganbench.analysis.statistics.rates import CONFIDENCE
from ganbench.claims.quantities import Quantities
from ganbench.core.formatting import format_number, format_percent, format_range, plural
from ganbench.study.published import Published, Statistic

COLUMNS = {
    "number": "number of the row, from 1",
    "label": "short name of the number",
    "source": "publication of the value",
    "selection": "runs that are set beside it",
    "quantity": "number of each run",
    "runs": "number of runs selected",
    "failed": "number of these that failed; their values count like those of others",
    "not_learned": "number of these that neither failed nor had learned by their end; their values count too",
    "missing": "number of these without a finite value, since they diverged or were stopped early",
    "statistic": "mean or median, as the published value is; median too where runs have no finite value, so that the"
    " mean of the others would flatter: each of these runs is counted as the smallest of all and as the largest of all",
    "ours": "this mean or median of the runs; empty where runs have no value, and only the interval is known",
    "low": "lower bound of its 95% interval: Student's for a mean, cut at the metric's bounds, of order statistics for"
    " a median; may be infinite",
    "high": "upper bound of the same; both are empty for fewer than two values, or six for a median, for a mean of"
    " values that are all equal, and where so many runs have no value that nothing is known",
    "published": "published value",
    "published_statistic": "mean or median",
    "error": "published error",
    "error_kind": "what the published error is",
    "published_runs": "number of published runs; empty where it is not said",
    "in_interval": "whether the published value lies in our interval, or, of a mean without an error, in the 95%"
    " interval for the mean of as many further runs of ours as were published; empty where their number is not said"
    " then, where there is no interval, or one of no width, and where ours is a median and theirs a mean",
    "within_rounding": "whether our value, of one run or of runs that all have it, is the published one to the digits"
    " given; empty where these are not known, and where we have an interval",
    "difference": "our mean or median less the published value",
    "t_statistic": "the same, over the standard error of the difference of both means, which is theirs alone where all"
    " of our runs have one value; empty where a standard error does not follow from what is published",
    "t_critical": "the most of them that two equal means are apart in 95% of all cases: the quantile of Student's"
    " distribution with Welch's degrees of freedom; a published error of an unknown number of runs counts as exact",
    "comparison": "what follows, in words; two means agree if they are at most that many standard errors apart",
    "text": "the same as a sentence",
}
USELESS = {"failed": "failed", "not_learned": "had not learned", "missing": "without a value"}
DIGITS = 4  # of values in sentences and in the report, as many as tables of publications have


@dataclass(frozen=True)
class Ours:
    """A study's own number: the centre of the runs with its interval, NaN where that is not known."""

    statistic: Statistic
    value: float
    low: float
    high: float
    standard_error: float = math.nan  # of the mean; 0 where all runs have one value


def summarise(
    values: np.ndarray, statistic: Statistic = "mean", bounds: tuple[float, float] = (-math.inf, math.inf)
) -> Ours:
    """Summarise the values of runs, none of which may vanish.

    The mean of all runs has Student's interval, unless all have one value: that tells nothing of how much others would
    vary, and the interval of no width would exclude all but one number. A median has the interval between two of the
    ordered values. Where a run has no finite value, since it diverged or was stopped, the
    mean of the others would be one of the survivors. Then the median of all runs is given instead, by its interval
    alone: the lower bound counts the runs without a value as smaller than any, the upper bound as larger.

    Args:
        values: the values, NaN or infinite where a run has none, shape (runs,).
        statistic: what is published, a mean or a median.
        bounds: the least and the largest value that there can be; Student's interval is cut there.
    """
    if np.isfinite(values).all():
        if statistic == "median":
            return Ours("median", median(values), *median_interval(values))
        count = len(values)
        mean = float(values.mean()) if count else math.nan
        if count < 2:
            return Ours("mean", mean, math.nan, math.nan)
        if (values == values[0]).all():
            return Ours("mean", float(values[0]), math.nan, math.nan, 0.0)
        standard_error = float(values.std(ddof=1)) / count**0.5
        reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * standard_error
        return Ours("mean", mean, max(mean - reach, bounds[0]), min(mean + reach, bounds[1]), standard_error)
    lowest, highest = (np.where(np.isfinite(values), values, end) for end in (-np.inf, np.inf))
    low, high = median_interval(lowest)[0], median_interval(highest)[1]
    if math.isinf(low) and math.isinf(high):  # which would hold any published value
        low = high = math.nan
    return Ours("median", math.nan, low, high)


def published_table(collected: Collected, published: Sequence[Published]) -> pd.DataFrame:
    """Tabulate the study's own numbers beside published ones: one row each, with the columns `COLUMNS`."""
    quantities = Quantities(collected)
    rows = []
    for index, each in enumerate(published, 1):
        mine = quantities.selected(each.where)  # those of an unfinished study without results, too
        values = quantities.values(each.quantity, mine.index)
        ours = summarise(values, each.statistic, quantities.bounds(each.quantity))
        like = ours.statistic == each.statistic
        predicted = _predicted(ours, len(values), each) if _of_chance(ours, each) else None
        low, high = predicted or (ours.low, ours.high)
        inside = low <= each.value <= high if like and low < high else None
        row = {
            "number": index,
            **subject(each),
            "runs": len(mine),
            "failed": int(failed(mine).sum()),
            "not_learned": int(not_learned(mine).sum()),
            "missing": int((~np.isfinite(values)).sum()),
            "statistic": ours.statistic,
            "ours": ours.value,
            "low": ours.low,
            "high": ours.high,
            "in_interval": inside,
            "within_rounding": _within_rounding(ours, each) if inside is None and like else None,
            "difference": ours.value - each.value,
            "t_statistic": _t_statistic(ours, each),
            "t_critical": _t_critical(ours, len(values), each),
        }
        row["comparison"] = _comparison(row, predicted, equal=ours.standard_error == 0)
        rows.append(row | {"text": _sentence(row)})
    kinds = {"published_runs": "Int64", "in_interval": "boolean", "within_rounding": "boolean", "error": float}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)


def subject(each: Published) -> dict[str, Any]:
    """What was published, and what of the study stands beside it."""
    return {
        "label": each.label or str(each.where),
        "source": each.source,
        "selection": str(each.where),
        "quantity": each.quantity.text,
        "published": each.value,
        "published_statistic": each.statistic,
        "error": each.error,
        "error_kind": each.error_kind,
        "published_runs": each.runs,
    }


def _standard_error(published: Published) -> float | None:
    """The standard error of the published mean; None where it does not follow from what is published."""
    match published.error_kind:
        case _ if published.statistic != "mean":
            return None
        case "standard error":
            return published.error
        case "95% interval":  # Student's where the number of runs is known
            df = published.runs - 1 if published.runs and published.runs > 1 else math.inf
            return published.error / float(stats.t.ppf((1 + CONFIDENCE) / 2, df))
        case "standard deviation" if published.runs:
            return published.error / published.runs**0.5
    return None


def _of_chance(ours: Ours, published: Published) -> bool:
    """Whether a published mean of runs that vary has no error that tells how far from ours chance may take it."""
    return (
        ours.statistic == published.statistic == "mean"
        and ours.standard_error > 0
        and (_standard_error(published) is None and published.error_kind != "rounding")
    )


def _predicted(ours: Ours, runs: int, published: Published) -> tuple[float, float]:
    """The 95% interval for the mean of as many further runs of ours as were published, NaN if their number is not said.

    The mean of n runs is s / sqrt(n) off the truth, and that of m further runs s / sqrt(m): it lies within
    t_(n-1) s sqrt(1/n + 1/m) of ours. Ours alone, without 1/m, would hold the value of a single run like ours in 66,
    48 or 34% of cases for 5, 10 or 20 runs of ours, where this interval holds it in 95%.

    Source: G. J. Hahn and W. Q. Meeker (1991), "Statistical intervals", section 4.8.
    """
    if not published.runs:
        return math.nan, math.nan
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, runs - 1)) * ours.standard_error
    reach *= (1 + runs / published.runs) ** 0.5
    return ours.value - reach, ours.value + reach


def _within_rounding(ours: Ours, published: Published) -> bool | None:
    """Whether ours is the published number as far as its digits go; None where either is not known that well."""
    if published.error_kind != "rounding" or math.isnan(ours.value):
        return None
    return abs(ours.value - published.value) <= published.error


def _t_statistic(ours: Ours, published: Published) -> float:
    """The difference of both means in standard errors of it, NaN where that is not known."""
    theirs = _standard_error(published)
    both = math.nan if theirs is None else math.hypot(ours.standard_error, theirs)
    return (ours.value - published.value) / both if both > 0 else math.nan


def _t_critical(ours: Ours, runs: int, published: Published) -> float:
    """The 97.5% quantile of the difference of two equal means in standard errors of it (Welch 1947); NaN where it is
    not known.
    """
    theirs = _standard_error(published)
    if theirs is None or not ours.standard_error + theirs > 0:
        return math.nan
    of_ours = ours.standard_error**4 / (runs - 1) if runs > 1 else 0.0
    of_theirs = theirs**4 / (published.runs - 1) if published.runs and published.runs > 1 else 0.0
    unsure = of_ours + of_theirs
    df = (ours.standard_error**2 + theirs**2) ** 2 / unsure if unsure else math.inf
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, df))


def _comparison(row: dict, predicted: tuple[float, float] | None, *, equal: bool) -> str:
    """Whether both numbers agree, in words.

    Args:
        row: the row of the table so far.
        predicted: of a published mean without an error, what `_predicted` returns.
        equal: whether all runs have one value.
    """
    if row["statistic"] != row["published_statistic"]:
        return f"not compared: ours is a {row['statistic']}, theirs a {row['published_statistic']}"
    if row["within_rounding"] is not None:
        return "equal to the digits published" if row["within_rounding"] else "differs by more than rounding"
    if equal:
        text = f"all {row['runs']} runs have {format_number(row['ours'], DIGITS)}"
        text += ", as published" if not row["difference"] else ""
    elif predicted:
        if row["in_interval"] is None:
            return "not compared: neither an error nor a number of runs is published"
        place = "within" if row["in_interval"] else "outside"
        what = "a run" if row["published_runs"] == 1 else f"the mean of {row['published_runs']} runs"
        return f"{place} what {what} like ours would be, {format_range(*predicted, DIGITS)}"
    elif row["in_interval"] is None:
        text = "no interval of ours"
    else:
        text = "our interval holds it" if row["in_interval"] else "outside our interval"
    apart = abs(row["t_statistic"])
    if math.isnan(apart):
        return text
    agrees = "agrees" if apart <= row["t_critical"] else "differs"
    allowed = format_number(row["t_critical"])
    return f"{text}; {agrees}: {format_number(apart)} standard errors apart, {allowed} allowed"


def useless_words(row: Mapping[str, Any]) -> str:
    """Count the runs in a row of the table that hardly stand for a trained network: "3 failed, 2 had not learned".

    A count that the row lacks, as a table that was written before the column was, is left out.
    """
    counts = {name: row.get(name) for name in USELESS}
    return ", ".join(f"{count:.0f} {USELESS[name]}" for name, count in counts.items() if pd.notna(count) and count)


def _sentence(row: dict) -> str:
    """Ours, theirs and the difference in words."""
    counted = ", ".join(filter(None, (plural(row["runs"], "run"), useless_words(row))))
    interval = "" if math.isnan(row["low"]) else f"95% interval {format_range(row['low'], row['high'], DIGITS)}, "
    theirs = format_number(row["published"], DIGITS)
    if row["error"] is not None:
        theirs += f" ({row['error_kind']} {format_number(row['error'])})"
    text = f"{_ours(row)} ({interval}{counted}) against {theirs} published: {row['comparison']}"
    if math.isnan(row["difference"]) or not row["difference"]:
        return text
    share = f" ({format_percent(abs(row['difference'] / row['published']))})" if row["published"] else ""
    return f"{text}; {format_number(abs(row['difference']))} {'more' if row['difference'] > 0 else 'less'}{share}"


def _ours(row: dict) -> str:
    """Our number, which of runs without a value is not known."""
    if math.isnan(row["ours"]):
        return f"a {row['statistic']}"
    return f"{'a median of ' if row['statistic'] == 'median' else ''}{format_number(row['ours'], DIGITS)}"


def render_published(collected: Collected, study: dict) -> dict | None:
    """Render the published numbers of a study for the report.

    Args:
        collected: the collected results of the study.
        study: the resolved configuration of the study.

    Returns:
        The lines of the protocol and a row per number; None if the study names none.
    """
    published = [Published.model_validate(each) for each in study.get("published") or ()]
    protocol = [line.strip().removeprefix("- ") for line in (study.get("protocol") or "").splitlines() if line.strip()]
    if not published:
        return None
    rows = [_row(row) for row in published_table(collected, published).to_dict("records")]
    return {"rows": rows, "protocol": protocol}


def _row(row: dict) -> dict:
    known = not math.isnan(row["low"])
    error = "" if pd.isna(row["error"]) else f"{row['error_kind']} {format_number(row['error'])}"
    theirs = "" if pd.isna(row["published_runs"]) else plural(int(row["published_runs"]), "run")
    return {
        **{name: row[name] for name in ("label", "source", "selection", "quantity", "text")},
        "runs": format_number(row["runs"]),
        "useless": useless_words(row),
        "ours": _ours(row),
        "interval": format_range(row["low"], row["high"], DIGITS) if known else "",
        "published": format_number(row["published"], DIGITS),
        "error": ", ".join(filter(None, (error, theirs))),
        "comparison": row["comparison"],
    }
