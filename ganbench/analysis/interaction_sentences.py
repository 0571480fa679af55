"""Sentences on axes of a study whose effects depend on one another, where tests show that they do, or cannot."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from ganbench.analysis.axis_interactions import interactions_table
from ganbench.analysis.collected import Collected
from ganbench.analysis.statistics.interactions import min_p_value
from ganbench.analysis.statistics.multiplicity import LEVEL
from ganbench.analysis.working_regions import axis_words
from ganbench.core.formatting import format_p_value, format_points, plural

MIN_BLOCKS = next(blocks for blocks in count(1) if min_p_value(blocks) <= LEVEL)  # with which anything is decided


def interaction_sentences(collected: Collected) -> Iterator[str]:
    """Tell of every two axes whose interaction the adjusted p-values show, in failures or in the ranks of scores; then
    how many pairs of axes have too few blocks for any."""
    table = interactions_table(collected)
    for row in table.to_dict("records"):
        parts = []
        if row["failure_p_value_adjusted"] <= LEVEL:
            parts.append(_failures(row))
        if row["rank_p_value_adjusted"] <= LEVEL:
            title, too = collected.metrics[row["metric"]].title, " too" if parts else ""
            parts.append(f"the ranks of {title} at the end show it{too} ({_p_values(row, 'rank')})")
        if parts:
            first, second = axis_words(row["first"]), axis_words(row["second"])
            yield (
                f"{row['dataset']}: the effect of the {second} depends on the {first}, by {row['blocks']} settings and"
                f" seeds with runs at all combinations of {row['first_values']} by {row['second_values']} values:"
                f" {'; '.join(parts)}."
            )
    for dataset, rows in table[table["min_p_value"] > LEVEL].groupby("dataset", sort=False):
        most = int(rows["blocks"].max())
        yield (
            f"{dataset}: whether the effect of one axis depends on another cannot be decided for"
            f" {plural(len(rows), 'pair')} of axes, whatever their runs show: {most} settings and seeds with runs at"
            f" all combinations have {format_p_value(rows['min_p_value'].min())} at the least; {MIN_BLOCKS} could."
        )


def _failures(row: dict[str, object]) -> str:
    at = [f"by {format_points(row[f'failure_at_{end}'])} at {row[f'first_{end}']}" for end in ("from", "to")]
    return (
        f"from {row['second_from']} to {row['second_to']} the percentage of failed runs changes {' and '.join(at)}, a"
        f" difference of {format_points(row['failure_difference'])} percentage points, the largest of all pairs of"
        f" values (95% interval {format_points(row['failure_low'])} to {format_points(row['failure_high'])} for all of"
        f" them together; {_p_values(row, 'failure')})"
    )


def _p_values(row: dict[str, object], question: str) -> str:
    p_value = format_p_value(
        row[f"{question}_p_value"], least=row["min_p_value"], of=f"{row['blocks']} settings and seeds"
    )
    return f"signs of interactions turned: {p_value}, adjusted {format_p_value(row[f'{question}_p_value_adjusted'])}"
