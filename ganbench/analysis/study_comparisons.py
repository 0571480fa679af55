"""Tests between studies: each method against the same method of another study.

Runs are compared within settings, in pairs where seeds pair. A number is tested only where it was measured in the same
way in both studies, and where the runs are not the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import SETTING
from ganbench.analysis.comparisons import COLUMNS as COMPARED
from ganbench.analysis.comparisons import adjusted_table, compare_pair
from ganbench.analysis.pairing import at_common
from ganbench.analysis.side_by_side import NO_THRESHOLDS, Side, method_texts
from ganbench.analysis.statistics.rate_differences import RateDifference
from ganbench.core.formatting import join_words, plural
from ganbench.core.metric_info import MetricInfo, base_of

COLUMNS = {
    "compared": "what both methods are: their components, as far as methods of these studies differ in them",
    "same": "number of runs that both studies have, with equal digests: the same configuration and sources",
    "training": "options of training in which the runs of both differ, with the values in the first and the second",
    **COMPARED,
    "first": "one of the studies, with its name of the method",
    "second": "another study, with its name of the method",
    "note": "what is not tested, and why; empty where all is",
}
COUNTED = ("settings", "undetermined", "first_runs", "first_failed", "second_runs", "second_failed")  # without tests


def comparisons(sides: Sequence[Side]) -> pd.DataFrame:
    """Compare every method with the same method of every other study.

    Returns:
        One row per pair of methods with the columns `COLUMNS`. All p-values are adjusted together.
    """
    texts, pairs, others = method_texts(sides), [], []
    for one, other in combinations(sides, 2):
        for key in (key for key in one.methods if key in other.methods):
            for mine, theirs in ((mine, theirs) for mine in one.methods[key] for theirs in other.methods[key]):
                names = {"first": f"{one.name}: {mine}", "second": f"{other.name}: {theirs}"}
                about, found, difference = _compare(one, mine, other, theirs, tuple(names.values()))
                pairs.append(({"dataset": dict(key).get("dataset"), **names}, found, difference))
                others.append({"compared": texts[key], **about})
    told = pd.DataFrame(others, columns=["compared", "same", "training", "note"])
    return pd.concat([told, adjusted_table(pairs)], axis=1)[list(COLUMNS)]


def incomparable(one: Side, other: Side, runs: Sequence[pd.DataFrame], dataset: str | None) -> str:
    """Why neither failure rates nor scores of runs of two studies compare, as a clause; empty where they do.

    Scores need the same judge and the same number of samples. Outcomes are told by scores, and by thresholds; and in a
    comparison of scores, failed runs are the worst. Runs that diverged or were stopped failed, whatever else was looked
    for: what was looked for in the others alone has to be the same.

    Args:
        one, other: the studies.
        runs: the runs of each.
        dataset: the signature of their data set; None for games without one.
    """
    thresholds = [
        {name: values for name, values in side.column_values("outcome_").items() if name not in NO_THRESHOLDS}
        for side in (one, other)
    ]
    if thresholds[0] != thresholds[1]:
        return "the thresholds of outcomes differ"
    if dataset is not None and (why := scores_differ(one, other, dataset)):
        return why
    judged = [_judged(each) for each in runs]
    if all(judged) and (only := judged[0] ^ judged[1]):
        why = _not_judged(runs, only)
        return f"{join_words(sorted(only))} {'was' if len(only) == 1 else 'were'} looked for in one of them only{why}"
    return ""


def _judged(runs: pd.DataFrame) -> set[str]:
    """The outcomes that were looked for in the runs that reached their last step; empty if none did.

    In a run that diverged or was stopped, the failures that did not show before count as not looked for, however much
    was measured.
    """
    ended = runs[(runs["outcome"] != "diverged") & runs["stopped_step"].isna()]
    return {name for names in ended["outcomes_judged"].dropna() for name in names.split(", ")}


def _not_judged(runs: Sequence[pd.DataFrame], outcomes: set[str]) -> str:
    """Why some failures were not looked for, as the first run has it that tells, in brackets; empty if none tells."""
    told = "; ".join(text for each in runs for text in each["failures_not_judged"].dropna().unique()).split("; ")
    reasons = {name: reason for name, _, reason in (text.partition(": ") for text in reversed(told))}
    known = [f"{name}: {reasons[name]}" for name in sorted(outcomes) if name in reasons]
    return f" ({'; '.join(known)})" if known else ""


def scores_differ(one: Side, other: Side, dataset: str) -> str:
    """Why scores of two studies on a data set do not compare, as a clause; empty where they do."""
    if one.judges.get(dataset) != other.judges.get(dataset):
        return "the judges differ, in their options, their data or their sources"
    samples = [side.column_values("evaluate_samples").get("evaluate_samples", []) for side in (one, other)]
    return "" if samples[0] == samples[1] else f"scores are of {' and of '.join(map(join_words, samples))} samples"


def shared_metrics(one: Side, other: Side) -> dict[str, MetricInfo]:
    """The metrics that both studies measure with the same options, by column."""
    return {
        name: info
        for name, info in one.collected.metrics.items()
        if name in other.collected.metrics and one.metrics[base_of(name)] == other.metrics[base_of(name)]
    }


def _compare(
    one: Side, mine: str, other: Side, theirs: str, names: tuple[str, str]
) -> tuple[dict[str, object], dict[str, object], RateDifference | None]:
    """What is said of a pair of methods, the columns of their comparison, and the difference of their failure rates."""
    both = at_common(one.runs([mine]), other.runs([theirs]), SETTING)
    if both[0].empty:
        note = "not tested: they have no setting in common, and differ in numbers of examples or learning rates"
        return {"same": 0, "training": "", "note": note}, {"settings": 0}, None
    trained = [side.trained(runs) for side, runs in zip((one, other), both, strict=True)]
    apart = [
        f"{name} {' / '.join(', '.join(each.get(name, ['none'])) for each in trained)}"
        for name in dict.fromkeys([*trained[0], *trained[1]])
        if trained[0].get(name) != trained[1].get(name)
    ]
    same = len(set(both[0]["digest"]) & set(both[1]["digest"]))
    about: dict[str, object] = {"same": same, "training": "; ".join(apart), "note": ""}
    found, difference = compare_pair(_merged(one, other, both, names), *names)
    why = incomparable(one, other, both, dict(one.key(mine)).get("dataset"))
    if same:
        why = f"{plural(same, 'run is', 'runs are')} the same in both, with equal digests"
    if why:
        counted = {name: value for name, value in found.items() if name in COUNTED}
        return about | {"note": f"not tested: {why}"}, counted, None
    if not apart and set(both[0]["seed"]) & set(both[1]["seed"]):
        about["note"] = "settings, training and seeds are equal, and digests are not: sources or data differ"
    return about, found, difference


def _merged(one: Side, other: Side, both: Sequence[pd.DataFrame], names: Sequence[str]) -> Collected:
    """The runs of two studies as one, each as a method, with the metrics that both measure with the same options."""
    dataset = both[0]["dataset"].iloc[0]  # which may have another label in the other study
    runs = [each.assign(method=name, dataset=dataset) for each, name in zip(both, names, strict=True)]
    snapshots = [
        side.collected.snapshots[side.collected.snapshots["run"].isin(each["run"])].assign(method=name, dataset=dataset)
        for side, each, name in zip((one, other), both, names, strict=True)
    ]
    return replace(
        one.collected,
        runs=pd.concat(runs, ignore_index=True),
        snapshots=pd.concat(snapshots, ignore_index=True),
        metrics=shared_metrics(one, other),
    )
