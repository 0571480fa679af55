"""Findings of a study: plain sentences computed from its tables, each with its numbers.

The sentences describe the runs of the study. They name no causes, and they say so where the intervals of two rates are
too wide to tell the rates apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ganbench.analysis import failures
from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import FAILURES, ORIGINS, UNDETERMINED
from ganbench.analysis.comparison_sentences import compared
from ganbench.analysis.forgetting import FORGOTTEN, forgetting
from ganbench.analysis.interaction_sentences import interaction_sentences
from ganbench.analysis.median_words import median_words
from ganbench.analysis.methods import methods, primary_metric, undetermined
from ganbench.analysis.nulls import NullInterval, null_of
from ganbench.analysis.reference_sentences import reference_sentences, within
from ganbench.analysis.region_sentences import region_sentences
from ganbench.analysis.settings import AXIS_WORDS, ranked, runs_at, settings_table, varying
from ganbench.analysis.statistics.rates import wilson
from ganbench.core.formatting import (
    FEW,
    format_median,
    format_number,
    format_percent,
    format_proportion,
    format_range,
    join_words,
    plural,
)
from ganbench.core.metric_info import MetricInfo, base_of

# With fewer seeds than this, a caution warns about the shares and medians of a single setting.
FEW_SEEDS = 10


@dataclass(frozen=True)
class Statement:
    """One statement on a study, or on one of its methods."""

    text: str
    kind: str  # failures, method, comparison, seeds, forgetting, reference, axis, caution
    method: str | None = None  # the method it is about; None for the whole study
    warning: bool = False  # whether it limits what may be concluded from the tables


def findings(collected: Collected) -> list[Statement]:
    """State all findings on a study: first the overview that opens a report, then the details of each method.

    The findings cover the runs that train networks on data. For other games only the mixed origins of runs are noted.

    Raises:
        ValueError: a run has an outcome that `ganbench.analysis.columns.OUTCOMES` does not name.
    """
    if collected.runs.empty:
        return [Statement("The study has no runs.", "caution", warning=True)]
    gans = collected.gans
    if gans.runs.empty:
        return list(_mixtures(collected.runs))
    table = settings_table(gans)
    lost = forgetting(gans)
    rows = {name: table[table["method"] == name] for name in methods(gans)}
    found = [
        Statement(failures.overall(gans.runs, when=True), "failures"),
        *(Statement(text, "failures") for text in failures.unjudged(gans.runs)),
        *(_method(gans, name, mine) for name, mine in rows.items()),
    ]
    found += [
        *(Statement(text, "comparison") for text in compared(gans)),
        *(Statement(text, "axis") for text in region_sentences(gans)),
        *(Statement(text, "axis") for text in interaction_sentences(gans)),
        *(Statement(text, "seeds") for text in failures.over_seeds(table)),
        *_forgotten(gans, gans.runs, lost),
        *(Statement(text, "reference") for text in reference_sentences(gans)),
    ]
    found += [*_cautions(gans), *_few_seeds(table), *_mixtures(collected.runs)]
    for name, mine in rows.items():
        runs = gans.runs[gans.runs["method"] == name]
        found += [Statement(text, "axis", name) for text in failures.by_axis(runs)]
        found += _seeds_or_settings(gans, name, mine)
        found += _forgotten(gans, runs, lost[lost["method"] == name], name)
    return found


def setting_words(row: pd.Series, rows: pd.DataFrame) -> str:
    """Describe a setting by the axes that vary among `rows`: "100 training examples, learning rate 0.005"."""
    words = []
    for axis in varying(rows):
        if axis == "n_train":
            words.append(f"{format_number(row[axis])} {AXIS_WORDS[axis]}")
        elif pd.notna(row[axis]):
            words.append(f"{AXIS_WORDS[axis]} {format_number(row[axis])}")
    return ", ".join(words) or "its one setting"


def _method(collected: Collected, method: str, rows: pd.DataFrame) -> Statement:
    """State a method's failure rate, and the settings with the best and the worst median of the primary metric."""
    runs = collected.runs[collected.runs["method"] == method]
    text = failures.overall(runs, when=False)
    text = f"{method}: {text[:1].lower()}{text[1:]}"
    metric = primary_metric(collected, method)
    if metric is None:
        return Statement(f"{text} No run has a value of any metric.", "method", method)
    info = collected.metrics[metric]
    ranks = ranked(rows, metric, info)
    best, worst = rows.loc[ranks.idxmin()], rows.loc[ranks.idxmax()]
    title = f"{info.title} ({info.best}er is better)"
    null = null_of(collected, rows["dataset"].iloc[0], metric)
    if ranks.min() == np.inf:
        lost = _lost(_half_failed(rows))
        text += f" In every setting half of the runs or more {lost}, so that there is no median {title}."
    elif len(rows) == 1 or ranks.min() == ranks.max():
        text += f" Median {title}: {_seeds(best, runs, metric, info)}{_alike(best, metric, info, null)}."
    else:
        where = f"{_alike(best, metric, info, null)}, at {setting_words(best, rows)}"
        text += f" Best median {title}: {_seeds(best, runs, metric, info)}{where};"
        gone = rows[ranks == np.inf]
        if len(gone) > 1:
            text += (
                f" none in {len(gone)} of {len(rows)} settings: half of their runs or more {_lost(_half_failed(gone))}."
            )
        else:
            text += f" worst: {_seeds(worst, runs, metric, info)}, at {setting_words(worst, rows)}."
    return Statement(text, "method", method)


def _alike(row: pd.Series, metric: str, info: MetricInfo, null: NullInterval | None) -> str:
    """A clause where a setting's median lies within the metric's null."""
    return f", {within(info)}" if null is not None and null.contains(row[f"{metric}_median"]) else ""


def _seeds(row: pd.Series, of: pd.DataFrame, metric: str, info: MetricInfo) -> str:
    """Give a setting's median of a metric, with its range and number of seeds, or few values themselves, and how many
    of these failed.

    Args:
        row: the setting's row of the table of settings.
        of: the runs of its method.
        metric: the metric.
        info: what it is.
    """
    runs, values = int(row["runs"]), int(row[f"{metric}_values"])
    bad = int(row[f"{metric}_failed_or_missing"])
    lost = _lost(pd.notna(row["failed"]) and row["failed"] == bad)
    if np.isnan(row[f"{metric}_median"]):
        return f"no median, since {bad} of {plural(runs, 'run')} {lost}"
    missing = f", {bad} of {runs} {lost}" if bad else ""
    if runs - bad < FEW:
        return f"{median_words(runs_at(of, row), metric, info)} ({plural(runs - bad, 'seed')}{missing})"
    reach = format_range(row[f"{metric}_min"], row[f"{metric}_max"])
    return f"{format_number(row[f'{metric}_median'])} ({reach} over {values} seeds{missing})"


def _lost(all_failed: bool) -> str:
    """Why runs are worse than any other."""
    return "failed" if all_failed else "failed or have no value"


def _half_failed(rows: pd.DataFrame) -> bool:
    """Whether half of the runs or more were seen to fail in every row of the table of settings."""
    return bool((2 * rows["failed"].fillna(0) >= rows["runs"]).all())


def _seeds_or_settings(collected: Collected, method: str, rows: pd.DataFrame) -> Iterator[Statement]:
    """Compare the primary metric's range over the seeds of one setting with its range over the settings' medians."""
    metric = primary_metric(collected, method)
    if metric is None:
        return
    repeated = rows[(rows[f"{metric}_values"] > 1) & rows[f"{metric}_median"].notna()]
    if len(repeated) < 2:
        return
    reach = repeated[f"{metric}_max"] - repeated[f"{metric}_min"]
    medians = repeated[f"{metric}_median"]
    widest = setting_words(repeated.loc[reach.idxmax()], rows)
    middle = format_median(reach.median(), list(reach))
    most = f" in the median over settings and by {format_number(reach.max())} in the widest ({widest})"
    text = (
        f"{collected.metrics[metric].title} over the seeds of one setting differs by {middle}"
        f"{most if len(repeated) >= FEW else f' (the most at {widest})'}, while the medians of {len(repeated)} settings"
        f" reach over {format_number(medians.max() - medians.min())} ({format_range(medians.min(), medians.max())})."
    )
    runs, values = int(rows["runs"].sum()), int(repeated[f"{metric}_values"].sum())
    if values < runs:
        text += (
            f" {runs - values} of {runs} runs are not in the differences over seeds: they diverged, were stopped early,"
            " have no value, or are of settings without a median or with one seed."
        )
    yield Statement(text, "seeds", method)


def _forgotten(
    collected: Collected, runs: pd.DataFrame, lost: pd.DataFrame, method: str | None = None
) -> Iterator[Statement]:
    """State how many runs lost their improvement.

    Args:
        collected: the collected results of the study.
        runs: the rows of the table of runs that the statement covers.
        lost: the rows of the table `forgetting` for these runs.
        method: the method of the runs; None for the whole study.
    """
    untold = len(runs) - len(lost)
    if lost.empty:
        if method is None:
            yield Statement(
                "Forgetting was not measured: no run has values of a metric with a better end at two snapshots"
                " or more.",
                "forgetting",
            )
        return
    learned = lost[lost["learned"]]
    titles = join_words([info.title for name, info in collected.metrics.items() if name in set(lost["metric"])])
    if learned.empty:
        text = f"None of {plural(len(lost), 'run')} had learned by {titles} at any snapshot, so that none could forget."
    else:
        gone = learned[learned["improvement_lost"] > FORGOTTEN]
        verb = (
            f"runs that had learned by {titles} at some snapshot lost more than {format_percent(FORGOTTEN)} of their"
            " best improvement by their last one"
        )
        text = f"{format_proportion(wilson(len(gone), len(learned)), verb)}."
        text += _of_forgotten(gone, method)
        if len(learned) < len(lost):
            text += f" {plural(len(lost) - len(learned), 'more run')} had not learned at any snapshot."
    if untold:
        text += f" Of {plural(untold, 'more run')} this is not known: fewer than two snapshots have a value."
    yield Statement(text, "forgetting", method)


def _of_forgotten(gone: pd.DataFrame, method: str | None) -> str:
    """How many of the runs that forgot did not fail; of one method, the run that forgot the most."""
    if gone.empty:
        return ""
    text = f" {int((~gone['outcome'].isin([*FAILURES, UNDETERMINED])).sum())} of these {len(gone)} did not fail."
    unknown = int(undetermined(gone).sum())
    text += f" Of {unknown} it is not known whether they failed." if unknown else ""
    if method is not None:
        worst = gone.loc[gone["improvement_lost"].idxmax()]
        last = format_number(worst["last"]) if np.isfinite(worst["last"]) else "no value"
        text += (
            f" The most in {worst['run']}: {format_number(worst['first'])} at first, {format_number(worst['best'])}"
            f" at step {format_number(worst['best_step'])}, {last} at the last."
        )
    return text


def _cautions(collected: Collected) -> Iterator[Statement]:
    """Warn of metrics whose values mean little at the study's sizes."""
    known = collected.nulls.dropna(subset=["caution"])
    for (dataset, caution), rows in known.groupby(["dataset", "caution"], sort=False):
        titles = [collected.metrics[name].title for name in rows["metric"] if base_of(name) == name]
        yield Statement(f"{join_words(titles)} on {dataset}: {caution}.", "caution", warning=True)


def _few_seeds(table: pd.DataFrame) -> Iterator[Statement]:
    fewest, most = int(table["runs"].min()), int(table["runs"].max())
    if fewest < FEW_SEEDS:
        yield Statement(
            f"Settings were run with {format_range(fewest, most)} {'seed' if most == 1 else 'seeds'} each: the"
            " numbers of a single setting are rough, and one more seed can change them visibly.",
            "caution",
            warning=True,
        )


def _mixtures(runs: pd.DataFrame) -> Iterator[Statement]:
    """Warn of differences between runs that are not axes of the grid, such as devices and versions."""
    for column in ORIGINS:
        counts = runs[column].dropna().replace("", "none").value_counts().sort_index()
        if len(counts) > 1:
            parts = join_words([f"{name} ({plural(int(count), 'run')})" for name, count in counts.items()])
            yield Statement(f"The runs mix {len(counts)} values of {column}: {parts}.", "caution", warning=True)
    edited = int(runs["commit"].fillna("").str.endswith("+").sum())
    if edited:
        yield Statement(
            f"{edited} of {len(runs)} runs were trained from sources that differed from their commit.",
            "caution",
            warning=True,
        )
