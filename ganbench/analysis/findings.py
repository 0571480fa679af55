"""What a study found, in plain sentences computed from its tables. Every sentence carries its numbers.

The sentences describe the runs of the study. They name no causes, and where an interval is too wide to tell two rates
apart they say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import ORIGINS, OUTCOMES
from ganbench.analysis.contenders import contenders, failed, final_losses, headline, reference
from ganbench.analysis.forgetting import FORGOTTEN, forgetting
from ganbench.analysis.settings import settings
from ganbench.analysis.statistics import Rate, wilson
from ganbench.analysis.words import between, interval, listing, number, observed, percent, plural

AXIS_WORDS = {"n_train": "training examples", "learning_rate": "learning rate"}

# With fewer seeds than this the shares and medians of a single setting are read with care.
FEW_SEEDS = 10


@dataclass(frozen=True)
class Finding:
    """One statement."""

    text: str
    kind: str  # failures, contender, seeds, forgetting, reference, axis, caution
    contender: str | None = None  # the contender it is about; None for the whole study
    warning: bool = False  # whether it limits what may be concluded from the tables


def findings(collected: Collected) -> list[Finding]:
    """All statements on a study: what opens a report first, then the details of each contender.

    They are about the runs that train networks on data; the claims and numbers of small games speak for themselves.

    Raises:
        ValueError: a run has an outcome that `ganbench.analysis.columns.OUTCOMES` does not name.
    """
    if collected.runs.empty:
        return [Finding("The study has no runs.", "caution", warning=True)]
    gans = collected.gans
    if gans.runs.empty:
        return list(_mixtures(collected.runs))
    table = settings(gans)
    lost = forgetting(gans)
    rows = {name: table[table["contender"] == name] for name in contenders(gans)}
    found = [_failures(gans.runs), *(_contender(gans, name, mine) for name, mine in rows.items())]
    found += [*_seeds_disagree(table), *_forgotten(gans, lost), *_references(gans)]
    found += [*_few_seeds(table), *_mixtures(collected.runs)]
    for name, mine in rows.items():
        found += [*_axes(gans, name), *_seeds_or_settings(gans, name, mine)]
        found += _forgotten(gans, lost[lost["contender"] == name], name)
    return found


def setting_words(row: pd.Series, rows: pd.DataFrame) -> str:
    """A setting by the axes that vary among `rows`: "100 training examples, learning rate 0.005"."""
    words = []
    if rows["n_train"].nunique() > 1:
        words.append(f"{number(row['n_train'])} training examples")
    if rows["learning_rate"].nunique() > 1:
        words.append(f"learning rate {number(row['learning_rate'])}")
    return ", ".join(words) or "its one setting"


def _rate(runs: pd.DataFrame) -> Rate:
    return wilson(int(failed(runs).sum()), len(runs))


def _how(runs: pd.DataFrame, *, when: bool) -> str:
    """The failures by outcome, if asked for with the steps at which they were first seen."""
    parts = []
    for outcome in OUTCOMES:
        mine = runs[runs["outcome"] == outcome]
        if outcome == "finished" or mine.empty:
            continue
        steps = mine["outcome_step"].dropna()
        seen = f" (first seen at step {between(steps.min(), steps.max())})" if when and len(steps) else ""
        parts.append(f"{len(mine)} {outcome}{seen}")
    return listing(parts)


def _failures(runs: pd.DataFrame) -> Finding:
    rate = _rate(runs)
    return Finding(observed(rate, "runs failed") + (f": {_how(runs, when=True)}." if rate.count else "."), "failures")


def _contender(collected: Collected, contender: str, rows: pd.DataFrame) -> Finding:
    """Failure rate, and the settings with the best and the worst median of the headline metric."""
    runs = collected.runs[collected.runs["contender"] == contender]
    rate = _rate(runs)
    text = f"{contender}: {observed(rate, 'runs failed')}" + (f": {_how(runs, when=False)}." if rate.count else ".")
    metric = headline(collected, contender)
    if metric is None:
        return Finding(f"{text} No run has a value of any metric.", "contender", contender)
    ranks = pd.Series({index: _median_loss(runs, row, metric, collected) for index, row in rows.iterrows()})
    best, worst = rows.loc[ranks.idxmin()], rows.loc[ranks.idxmax()]
    info = collected.metrics[metric]
    title = f"{info.title} ({info.best}er is better)"
    if ranks.min() == np.inf:
        text += f" In every setting half of the runs or more diverged or have no value of {title}."
    elif len(rows) == 1 or ranks.min() == ranks.max():
        text += f" Median {title}: {_seeds(best, metric)}."
    else:
        text += (
            f" Best median {title}: {_seeds(best, metric)}, at {setting_words(best, rows)};"
            f" worst: {_seeds(worst, metric)}, at {setting_words(worst, rows)}."
        )
    return Finding(text, "contender", contender)


def _median_loss(runs: pd.DataFrame, row: pd.Series, metric: str, collected: Collected) -> float:
    """Median over all runs of a setting; those that diverged or have no value count as worse than any."""
    same = (runs["n_train"] == row["n_train"]) & (runs["learning_rate"] == row["learning_rate"])
    losses = np.sort(final_losses(runs[same], metric, collected.metrics[metric]))
    # The upper middle value: the mean of two middle values is not a number where both are infinite with unlike signs.
    return float(losses[len(losses) // 2])


def _seeds(row: pd.Series, metric: str) -> str:
    """A setting's median with everything known about its spread."""
    runs, values = int(row["runs"]), int(row[f"{metric}_values"])
    if not values:
        return f"none, since no run of {runs} has a value"
    missing = f", {runs - values} more without a value" if values < runs else ""
    if values == 1:
        return f"{number(row[f'{metric}_median'])} (1 seed{missing})"
    reach = between(row[f"{metric}_min"], row[f"{metric}_max"])
    return f"{number(row[f'{metric}_median'])} ({reach} over {values} seeds{missing})"


def _axes(collected: Collected, contender: str) -> Iterator[Finding]:
    """Failures by each axis that varies, over all levels of the other."""
    runs = collected.runs[collected.runs["contender"] == contender]
    for axis, words in AXIS_WORDS.items():
        rates = {level: _rate(mine) for level, mine in runs.groupby(axis)}
        if len(rates) < 2:
            continue
        counts = listing([f"{rate.count} of {rate.total} at {number(level)}" for level, rate in rates.items()])
        text = f"Failures by {words}: {counts}."
        low, high = min(rates, key=lambda level: rates[level].value), max(rates, key=lambda level: rates[level].value)
        if rates[low].value == rates[high].value:
            text += " The share is the same at every level."
        else:
            verdict = (
                "overlap, so that these runs do not tell the two apart"
                if rates[low].overlaps(rates[high])
                else "do not overlap"
            )
            text += (
                f" The 95% intervals at {number(low)} ({interval(rates[low])}) and at {number(high)}"
                f" ({interval(rates[high])}) {verdict}."
            )
        yield Finding(text, "axis", contender)


def _seeds_disagree(table: pd.DataFrame) -> Iterator[Finding]:
    repeated = table[table["runs"] > 1]
    if repeated.empty:
        return
    mixed = int(((repeated["failed"] > 0) & (repeated["failed"] < repeated["runs"])).sum())
    always = int((repeated["failed"] == repeated["runs"]).sum())
    never = int((repeated["failed"] == 0).sum())
    yield Finding(
        f"Of {plural(len(repeated), 'setting')} with more than one seed, every seed failed in {always},"
        f" none failed in {never}, and in {mixed} some failed while others did not.",
        "seeds",
    )


def _seeds_or_settings(collected: Collected, contender: str, rows: pd.DataFrame) -> Iterator[Finding]:
    """How far the headline metric reaches over seeds of one setting, next to how far medians of settings reach."""
    metric = headline(collected, contender)
    repeated = rows[rows[f"{metric}_values"] > 1] if metric else rows[:0]
    if len(repeated) < 2:
        return
    reach = repeated[f"{metric}_max"] - repeated[f"{metric}_min"]
    medians = repeated[f"{metric}_median"]
    widest = repeated.loc[reach.idxmax()]
    runs, values = int(rows["runs"].sum()), int(rows[f"{metric}_values"].sum())
    text = (
        f"{collected.metrics[metric].title} over the seeds of one setting differs by {number(reach.median())} in the"
        f" middle setting and by {number(reach.max())} in the widest ({setting_words(widest, rows)}), while the medians"
        f" of {len(repeated)} settings reach over {number(medians.max() - medians.min())}"
        f" ({between(medians.min(), medians.max())})."
    )
    if values < runs:
        text += f" {runs - values} of {runs} runs have no value and are not in these numbers."
    yield Finding(text, "seeds", contender)


def _forgotten(collected: Collected, lost: pd.DataFrame, contender: str | None = None) -> Iterator[Finding]:
    improved = lost[lost["given_back"].notna()]
    if improved.empty:
        return
    gone = improved[improved["given_back"] > FORGOTTEN]
    titles = listing([info.title for name, info in collected.metrics.items() if name in set(improved["metric"])])
    verb = f"runs gave back more than {percent(FORGOTTEN)} of their best improvement in {titles} by their last snapshot"
    text = f"{observed(wilson(len(gone), len(improved)), verb)}."
    if len(gone):
        text += f" {int((gone['outcome'] == 'finished').sum())} of these {len(gone)} count as finished."
    if contender is not None and len(gone):
        worst = gone.loc[gone["given_back"].idxmax()]
        last = number(worst["last"]) if np.isfinite(worst["last"]) else "no value"
        text += (
            f" The most in {worst['run']}: {number(worst['first'])} at first, {number(worst['best'])} at step"
            f" {number(worst['best_step'])}, {last} at the last."
        )
    if len(improved) < len(lost):
        text += f" {plural(len(lost) - len(improved), 'more run')} never improved on the first snapshot."
    yield Finding(text, "forgetting", contender)


def _references(collected: Collected) -> Iterator[Finding]:
    """Per data set, what real data score and what the best run reached."""
    first = collected.runs.drop_duplicates("dataset")
    for dataset, contender in zip(first["dataset"], first["contender"], strict=True):
        metric = headline(collected, contender)
        ideal = reference(collected, dataset, metric) if metric else None
        if ideal is None:
            continue
        runs = collected.runs[collected.runs["dataset"] == dataset]
        losses = final_losses(runs, metric, collected.metrics[metric])
        text = f"{dataset}: a perfect generator would score {number(ideal)} in {collected.metrics[metric].title}"
        if np.isfinite(losses).any():
            best = runs.iloc[int(losses.argmin())]
            value = number(best[f"{metric}_final"])
            text += f"; the best final value of {plural(len(runs), 'run')} is {value} ({best['run']})"
        yield Finding(f"{text}.", "reference")


def _few_seeds(table: pd.DataFrame) -> Iterator[Finding]:
    fewest, most = int(table["runs"].min()), int(table["runs"].max())
    if fewest < FEW_SEEDS:
        yield Finding(
            f"Settings were run with {between(fewest, most)} {'seed' if most == 1 else 'seeds'} each: the numbers of a"
            " single setting are rough, and one more seed can change them visibly.",
            "caution",
            warning=True,
        )


def _mixtures(runs: pd.DataFrame) -> Iterator[Finding]:
    """Warnings on what else differed between runs than the grid."""
    for column in ORIGINS:
        counts = runs[column].dropna().replace("", "none").value_counts().sort_index()
        if len(counts) > 1:
            parts = listing([f"{name} ({plural(int(count), 'run')})" for name, count in counts.items()])
            yield Finding(f"The runs mix {len(counts)} values of {column}: {parts}.", "caution", warning=True)
    edited = int(runs["commit"].fillna("").str.endswith("+").sum())
    if edited:
        yield Finding(
            f"{edited} of {len(runs)} runs were trained from sources that differed from their commit.",
            "caution",
            warning=True,
        )
