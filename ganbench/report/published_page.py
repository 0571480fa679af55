"""The page of published numbers, with ours beside them, made from the records of studies alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ganbench.claims.published import useless_words
from ganbench.claims.staleness import other_numbers
from ganbench.core.formatting import format_number, format_range, join_words, plural
from ganbench.report.markdown import cell, code, runs_section, table
from ganbench.report.verdict_records import Record
from ganbench.study.schema import Study

HEAD = ("runs", "quantity", "ours", "published", "comparison", "source")
DIGITS = 4  # of values, as many as tables of publications have
NOTE = """Ours is the mean over all runs, or the median if that was published, those that failed among them, with its
95% interval. Where a run has no value, since it diverged or was stopped early, the interval is that of the median, in
which it counts as the smallest and as the largest of all; a mean is not compared with it. Runs that all have one value
have no interval: where nothing is random in the published number either, the two are equal if they differ by less than
half a unit of the last digit given. Where the error of the published mean is known, both numbers agree unless more
standard errors of their difference lie between them than are allowed, by Welch's test at 5%. Where it is not, a mean of
so many published runs is held to the 95% interval for the mean of as many further runs of ours. Below every table
stands how our protocol differs from the published one.
"""


def page(records: Sequence[Record], studies: Mapping[str, Study]) -> str:
    """Write the page of published numbers as Markdown.

    Args:
        records: the records of the tables `published` of studies.
        studies: studies by the paths of their files: how a record differs from its study is said, and those with
            published numbers and without a record wait.
    """
    rows = [row for record in records for row in record.table.to_dict("records")]
    parts = ["# Published numbers, and ours\n", f"{_counts(rows, len(records))}.\n", NOTE]
    for record in records:
        parts.append(f"## {record.run.title or record.run.study}\n")
        study = studies.get(record.run.file)
        if study and (changes := other_numbers(record.table, study.published)):
            parts.append(f"The study has changed since: {cell('; '.join(changes))}.\n")
        parts.append(table(HEAD, [_row(row) for row in record.table.to_dict("records")]) + "\n")
        lines = [line.strip().removeprefix("- ") for line in record.run.protocol.splitlines() if line.strip()]
        parts += ["\n".join(f"- {cell(line)}" for line in lines) + "\n"] if lines else []
    parts.append(f"## The studies\n\n{runs_section([record.run for record in records])}\n")
    recorded = {record.run.file for record in records}
    waiting = [
        f"- {code(file)}: {cell(study.title)}, {_left(study)}"
        for file, study in sorted(studies.items())
        if file not in recorded and (study.published or Path(file).parent.name == "published")
    ]
    if waiting:
        said = "Studies of published settings with no number here; their files state the protocol and the cost:\n"
        parts.append("\n".join((said, *waiting, "")))
    parts.append("Written by `ganbench claims` from the records in `docs/published/`.\n")
    return "\n".join(parts)


def _left(study: Study) -> str:
    """What a study without a record of published numbers would compare."""
    if study.published:
        return plural(len(study.published), "published number")
    return "whose publication gives no number: its claims are " + join_words([each.id for each in study.claims])


def _counts(rows: Sequence[Mapping], studies: int) -> str:
    """How many published numbers ours agree with, in words."""
    equal = [bool(row["within_rounding"]) for row in rows if not pd.isna(row.get("within_rounding"))]
    agree = [abs(row["t_statistic"]) <= row["t_critical"] for row in rows if not pd.isna(row["t_statistic"])]
    held = [bool(row["in_interval"]) for row in rows if not pd.isna(row["in_interval"])]
    parts = []
    if equal:
        parts.append(f"of {len(equal)} in which nothing is random, ours equal {sum(equal)} to the digits given")
    if agree:
        parts.append(f"of {len(agree)} with a published error, ours agree with {sum(agree)} by Welch's test")
    if held:
        parts.append(f"our 95% intervals, {len(held)} of them, hold {plural(sum(held), 'published value')}")
    known = ("within_rounding", "t_statistic", "in_interval")
    if alone := sum(all(pd.isna(row.get(name)) for name in known) for row in rows):
        parts.append(f"{alone} cannot be compared")
    counted = f"{plural(len(rows), 'published number')} in {plural(studies, 'study', 'studies')}"
    return ": ".join(filter(None, (counted, "; ".join(parts))))


def _row(row: dict) -> tuple[str, ...]:
    ours = [] if math.isnan(row["ours"]) else [format_number(row["ours"], DIGITS)]
    ours += [] if math.isnan(row["low"]) else [format_range(row["low"], row["high"], DIGITS)]
    ours = ("median " if row["statistic"] == "median" else "") + ", ".join(ours)
    ours += f" ({', '.join(filter(None, (plural(row['runs'], 'run'), useless_words(row))))})"
    theirs = format_number(row["published"], DIGITS)
    errors = [] if pd.isna(row["error"]) else [f"{row['error_kind']} {format_number(row['error'])}"]
    errors += [] if pd.isna(row["published_runs"]) else [plural(int(row["published_runs"]), "run")]
    theirs += f" ({', '.join(errors)})" if errors else ""
    theirs = "median " + theirs if row["published_statistic"] == "median" else theirs
    return tuple(map(cell, (row["label"], row["quantity"], ours, theirs, row["comparison"], row["source"])))
