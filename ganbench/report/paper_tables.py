"""The tables of the report as texts, with captions that stand by themselves.

Every caption states the number of runs that the table rests on, how many of them failed, and which intervals it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import healthy, methods
from ganbench.analysis.settings import settings_table
from ganbench.analysis.working_regions import axis_words, working_regions
from ganbench.claims.published import render_published
from ganbench.claims.rendering import render_claims
from ganbench.core.formatting import format_number, format_range
from ganbench.report.diagnostics import experiments
from ganbench.report.file_names import PAPER_TABLES
from ganbench.report.method_tables import method_tables, occurring
from ganbench.report.provenance import references, run_list
from ganbench.report.ranking_section import rankings
from ganbench.report.run_counts import counted


@dataclass(frozen=True)
class PaperTable:
    """A table of texts.

    Attributes:
        of: what it is of, such as a method; empty for the one table of a study.
        caption: what it shows.
        heads: the texts above its columns.
        rows: the texts of every row.
    """

    of: str
    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def paper_tables(collected: Collected, study: dict) -> dict[str, list[PaperTable]]:
    """The tables of the report by kind, in the order of `PAPER_TABLES`.

    Those of missing results and of the time that stages took are not among them: they are of one execution, and not of
    what was found.
    """
    gans, runs = collected.gans, counted(collected.runs)
    table = settings_table(gans) if len(gans.runs) else pd.DataFrame()
    of_methods = {name: method_tables(gans, table, name) for name in methods(gans)}
    counts = {name: counted(gans.runs[gans.runs["method"] == name]) for name in of_methods}
    shown = occurring(gans.runs)
    listed, claims = run_list(collected.runs), render_claims(collected, study)
    left = f" {listed['left']} more are listed in tables/runs.csv." if listed["left"] else ""
    tables = {
        "ranking": [_ranking(each) for each in rankings(gans)],
        "working-regions": list(_regions(gans)),
        "outcomes": [_outcomes(name, each, shown, counts[name]) for name, each in of_methods.items()],
        "scores": [_scores(name, each, counts[name]) for name, each in of_methods.items() if each["metrics"]],
        "claims": [_claims(claims, runs)] if claims else [],
        "claim-tests": [_claim_tests(each, runs) for each in claims["rows"]] if claims else [],
        "published": list(_published(collected, study, runs)),
        "references": [_references(collected)],
        "diagnostics": [_experiment(collected, each) for each in experiments(collected, study)],
        "runs": [PaperTable("", f"The runs: {runs}.{left}", listed["heads"], listed["rows"])],
    }
    assert tuple(tables) == PAPER_TABLES
    return tables


def _ranking(item: dict) -> PaperTable:
    heads = ["Rank", "Method", "Healthy runs", "Other runs"]
    heads += (
        [f"Median {item['metric']} ({', '.join(item['hints'])})", "P(better than the next)"] if item["metric"] else []
    )
    rows = []
    for row in item["rows"] + item["beside"]:
        cells = [row["rank"], row["method"], _cell(row["healthy"], row["bounds"]), row["others"]]
        cells += [_cell(row["median"], row["interval"]), _cell(row["chance"], row["chance_bounds"])]
        rows.append([*cells[: len(heads)], _cell(row["apart"], row["effort"])])
    caption = (
        f"Ranking of {item['caption']} In parentheses: 95% intervals, Wilson's of the share of healthy runs, of order"
        " statistics for the median, in which failed runs are worse than any, and Clopper and Pearson's of the"
        f" probability; of real data the interval of 95% of samples. {item['text']} {item['sure']}"
    )
    return PaperTable(item["dataset"], caption.strip(), [*heads, "Significantly different from the next"], rows)


def _regions(collected: Collected) -> Iterator[PaperTable]:
    found = working_regions(collected)
    for dataset in dict.fromkeys(each.dataset for each in found):
        mine = [each for each in found if each.dataset == dataset]
        rows = []
        for each in mine:
            region = each.region()
            ends = (region.pieces[0][0], region.pieces[-1][1]) if region.pieces else ()
            beyond = [
                text for open_end, text in ((region.open_below, "below"), (region.open_above, "above")) if open_end
            ]
            cells = [axis_words(each.axis), each.group, f"{len(each.values)}", format_range(*each.values[[0, -1]])]
            cells += [f"{healthy(each.runs).sum()} of {len(each.runs)}"]
            cells += [format_range(*(10**end for end in ends)) if ends else "none", " and ".join(beyond)]
            bounds = "" if each.runs_for_a_bound else format_range(region.low, region.high)
            rows.append([*cells, _cell(format_number(region.width), bounds)])
        caption = (
            f"Where on {dataset} more than half of the runs are healthy, along every numeric axis:"
            f" {counted(collected.runs[collected.runs['dataset'] == dataset])}. The width in decades, within the values"
            " that were run, with its 95% interval from simultaneous Clopper and Pearson bounds; infinite where the"
            " region may leave these values, and left out where no result of so few runs could bound it."
        )
        heads = ["Axis", "Runs of", "Values", "From, to", "Healthy runs", "Region", "Open", "Decades"]
        yield PaperTable(dataset, caption, heads, rows)


def _outcomes(name: str, tables: dict, shown: Sequence[str], runs: str) -> PaperTable:
    rows = []
    for row in tables["outcomes"]:
        counts = ["–" if count is None else f"{count}" for count in row["counts"]]
        rows.append([*row["setting"], f"{row['runs']}", *counts, _cell(row["rate"], row["bounds"])])
    caption = (
        f"How the runs of {name} ended: {runs}. Runs by their most severe outcome; the share that failed with its 95%"
        " Wilson interval."
    )
    return PaperTable(name, caption, [*tables["axes"], "runs", *shown, "failed"], rows)


def _scores(name: str, tables: dict, runs: str) -> PaperTable:
    """A row per setting and metric: side by side, a dozen metrics would not fit on a page."""
    nulls = tables["nulls"] or [{"mean": "", "range": ""}] * len(tables["metrics"])
    rows = [
        [
            *row["setting"],
            f"{title} ({hint})" if hint else title,
            *(cell[name] for name in ("median", "range", "missing")),
            "; ".join(filter(None, ["best" * cell["best"], "in the interval of real data" * cell["alike"]])),
            _cell(null["mean"], null["range"]),
        ]
        for row in tables["scores"]
        for (title, hint), cell, null in zip(tables["metrics"], row["cells"], nulls, strict=True)
    ]
    caption = (
        f"What the generators of {name} score at the end: {runs}. Medians over all runs, of which those that failed or"
        " have no value count as worse than any, with the smallest and the largest value. Of real data: the mean and"
        " the interval of 95% of samples."
    )
    heads = [*tables["axes"], "Metric", "Median", "Range", "Runs with a value", "Remark", "Real data"]
    return PaperTable(name, caption, heads, rows)


def _claims(claims: dict, runs: str) -> PaperTable:
    rows = []
    for row in claims["rows"]:
        verdict = _cell(row["verdict"], "exploratory" if row["exploratory"] else "")
        rows.append([row["id"], row["question"] or row["statement"], verdict, row["scale"], row["deciding"]])
    caption = f"{claims['total']} and their verdicts, by {runs}. Intervals in results are of 95%, and of single tests."
    return PaperTable("", caption, ["Claim", "Statement", "Verdict", "Scale", "Deciding result"], rows)


def _claim_tests(row: dict, runs: str) -> PaperTable:
    texts: dict[str, Callable[[dict], str]] = {
        "Test": lambda test: test["kind"],
        "Verdict": lambda test: test["verdict"],
        "Quantity": lambda test: test["quantity"],
        "Selected runs": lambda test: test["selection"],
        "Condition": lambda test: test["asked"],
        "Result": lambda test: test["found"],
        "Runs": lambda test: _cell(test["runs"], test["planned"]),
        "Value": lambda test: _cell(test["value"], test["limits"]),
        "p-value": lambda test: _cell(test["p_value"], test["adjusted"]),
    }
    caption = f"The tests of claim {row['id']}, on runs selected from {runs}. Intervals stand behind the values."
    rows = [[text(test) for text in texts.values()] for test in row["tests"]]
    return PaperTable(row["id"], caption, list(texts), rows)


def _published(collected: Collected, study: dict, runs: str) -> Iterator[PaperTable]:
    found = render_published(collected, study)
    if found:
        texts: dict[str, Callable[[dict], str]] = {
            "Runs": lambda row: row["label"],
            "Quantity": lambda row: row["quantity"],
            "Ours": lambda row: _cell(row["ours"], row["interval"]),
            "Number of runs": lambda row: _cell(f"{row['runs']}", row["useless"]),
            "Published": lambda row: _cell(row["published"], row["error"]),
            "Comparison": lambda row: row["comparison"],
            "In words": lambda row: row["text"],
            "Source": lambda row: row["source"],
        }
        rows = [[text(row) for text in texts.values()] for row in found["rows"]]
        caption = f"Published numbers beside those of {runs}. Ours with 95% intervals."
        yield PaperTable("", caption, list(texts), rows)


def _references(collected: Collected) -> PaperTable:
    heads = {"dataset": "Data set", "quantity": "Quantity", "value": "Value", "range": "95% of samples", "how": "How"}
    rows = [[row[key] for key in heads] for row in references(collected)]
    caption = "Scores of real data in place of generated ones, of no runs, with the interval of 95% of samples."
    return PaperTable("", caption, list(heads.values()), rows)


def _experiment(collected: Collected, experiment: dict) -> PaperTable:
    name = experiment["name"]
    measured = collected.measurements["quantity"].str.startswith(f"{name}.")
    of = collected.runs[collected.runs["run"].isin(collected.measurements.loc[measured, "run"])]
    if experiment["alone"]:
        caption = f"{name}: {experiment['summary']} It measures {counted(of)}; its values have no interval."
        return PaperTable(name, caption, ["Quantity", "Value", "Meaning"], experiment["alone"])
    rows = [
        [*row["name"], f"{row['runs']}"]
        + [_cell(cell["median"], cell["range"], cell["missing"]) for cell in row["cells"]]
        for row in experiment["rows"]
    ]
    caption = (
        f"{name}: {experiment['summary']} Of {counted(of)}. Medians over runs, with the smallest and the largest value"
        f" in parentheses. {experiment['left']}"
    )
    heads = [experiment["by"], *experiment["heads"][1:], "runs", *experiment["titles"]]
    return PaperTable(name, caption.strip(), heads, rows)


def _cell(text: str, *more: str) -> str:
    """A cell with what the report shows below it, in parentheses."""
    known = "; ".join(filter(None, more))
    return f"{text} ({known})" if known else text
