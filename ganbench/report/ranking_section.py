"""The first section of the report: the methods of every data set in order, and which of them one would use."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.median_words import median_words
from ganbench.analysis.nulls import noise_of, null_of, untrained_of
from ganbench.analysis.ranking import pair_of, ranking
from ganbench.analysis.ranking_sentences import answers, effort_words, few_words, undecidable
from ganbench.analysis.ranking_tests import WAYS, ranking_tests
from ganbench.analysis.statistics.medians import median_interval
from ganbench.core.formatting import (
    format_duration,
    format_median,
    format_number,
    format_p_value,
    format_percent,
    format_range,
    plural,
)
from ganbench.report.method_tables import hint
from ganbench.report.run_counts import counted

OF_NEXT = ("chance", "chance_bounds", "apart", "effort")  # texts of a method beside the next
OF_METHOD = ("rank", "method", "healthy", "bounds", "others", "median", "interval", "time", *OF_NEXT)
MACHINE = ("device", "processor", "threads")  # what training times compare on alone


def rankings(collected: Collected) -> list[dict]:
    """What the report shows of every data set, in the order of the table of runs.

    Returns:
        By data set: its name, the method that comes first, whether there is a choice, the answer with what it rests on,
        cautions, the title of the metric, what its medians are over and whether lower or higher is better, a caption
        that counts the runs, whether runs were trained on one device, so that their times compare, a row of texts per
        method, and such rows of what medians are to be seen beside, of which nothing but the score is known.
    """
    tests = ranking_tests(collected)
    table = ranking(collected, tests)
    shown = []
    for answer in answers(collected, table, tests):
        rows = table[table["dataset"] == answer.dataset]
        metric = rows["metric"].iloc[0]
        info = None if pd.isna(metric) else collected.metrics[metric]
        runs = collected.runs[collected.runs["method"].isin(rows["method"])]
        over = ["over all settings"] if (rows["settings"] > 1).any() else []
        shown.append(
            {
                "dataset": answer.dataset,
                "first": rows["method"].iloc[0],
                "choice": len(rows) > 1,
                "use": answer.use,
                "shown": answer.shown,
                "text": answer.text,
                "sure": answer.sure,
                "cautions": [{"text": text, "warning": True} for text in answer.cautions],
                "metric": "" if info is None else info.title,
                "hints": [] if info is None else [*over, hint(info)],
                "caption": f"{plural(len(rows), 'method')} on {answer.dataset}: {counted(runs)}.",
                "timed": not any(runs[column].nunique(dropna=False) > 1 for column in MACHINE),
                "rows": [_row(collected, row, tests) for _, row in rows.iterrows()],
                "beside": [] if info is None else list(_beside(collected, answer.dataset, runs, metric)),
            }
        )
    return shown


def _row(collected: Collected, row: pd.Series, tests: pd.DataFrame) -> dict[str, str]:
    """The texts of a method."""
    runs = collected.runs[collected.runs["method"] == row["method"]]
    seconds = runs["train_seconds"].dropna().astype(float)
    ended = [
        f"{row[column]} {words}"
        for column, words in (("failed", "failed"), ("not_learned", "not learned yet"), ("undetermined", "not known"))
        if row[column]
    ]
    bounds = row[["median_low", "median_high"]].to_numpy(dtype=np.float64)
    found = {
        "rank": format_range(row["rank"], row["rank_last"]),
        "method": row["method"],
        "healthy": f"{row['healthy']} of {row['runs']}",
        "bounds": format_range_of_shares(row["healthy_low"], row["healthy_high"]),
        "others": ", ".join(ended),
        "median": "–"
        if pd.isna(row["metric"])
        else median_words(runs, row["metric"], collected.metrics[row["metric"]]),
        "interval": format_range(row["median_low"], row["median_high"]) if np.isfinite(bounds).any() else "",
        "time": format_median(seconds.median(), list(seconds), format_duration),
        **dict.fromkeys(OF_NEXT, ""),
    }
    if pd.isna(row["next"]):
        return found
    pair, _ = pair_of(tests, row["method"], row["next"])
    if pd.notna(row["next_improvement"]):
        found["chance"] = format_percent(row["next_improvement"])
        found["chance_bounds"] = format_range_of_shares(row["next_low"], row["next_high"])
    return found | _apart(row, pair)


def _beside(collected: Collected, dataset: str, runs: pd.DataFrame, metric: str) -> Iterator[dict[str, str]]:
    """What real data, noise and the untrained generators of all these runs score, as far as it is known."""
    null, noise = null_of(collected, dataset, metric), noise_of(collected, dataset, metric)
    untrained = untrained_of(collected, runs, metric).to_numpy()
    found = {}
    if null is not None:
        found["real data"] = (format_number(null.mean), null.low, null.high)
    if np.isfinite(noise):
        found["noise"] = (format_number(noise), np.nan, np.nan)
    if len(untrained):
        found["untrained generators"] = (format_median(np.median(untrained), untrained), *median_interval(untrained))
    for name, (median, low, high) in found.items():
        interval = format_range(low, high) if low < high else ""
        yield dict.fromkeys(OF_METHOD, "") | {"method": name, "median": median, "interval": interval}


def _apart(row: pd.Series, pair: pd.Series) -> dict[str, str]:
    """Whether a method and the next are told apart, the adjusted p-value, and what would tell them."""
    if pair["settings"] == 0:
        return {"apart": "no setting in common"}
    p_values = {words: pair[f"{way}_p_value_adjusted"] for way, words in WAYS.items()}
    p_values = {words: p_value for words, p_value in p_values.items() if pd.notna(p_value)}
    if not p_values:
        return {"apart": "not tested"}
    if pd.notna(row["next_decided_by"]):
        worse = "" if pair["better"] == row["method"] else ", the next one being better"
        p_value = format_p_value(p_values[row["next_decided_by"]])
        return {"apart": f"yes, by {row['next_decided_by']}{worse}", "effort": f"adjusted {p_value}"}
    words = min(p_values, key=p_values.__getitem__)
    effort = [f"adjusted {format_p_value(p_values[words])}, by {words}"]
    effort += [few_words(pair)] * undecidable(pair)
    effort += [f"{effort_words(pair)}, would do"] * bool(pd.notna(row["next_runs_needed"]))
    return {"apart": "no", "effort": "; ".join(effort)}


def format_range_of_shares(low: float, high: float) -> str:
    """The bounds of a share: "49% to 97%"."""
    return f"{format_percent(low)} to {format_percent(high)}"
