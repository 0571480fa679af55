"""Sentences on axes of a study whose effects depend on one another, where tests show that they do."""

from __future__ import annotations

from collections.abc import Iterator

from ganbench.analysis.axis_interactions import interactions_table
from ganbench.analysis.collected import Collected
from ganbench.analysis.statistics.multiplicity import LEVEL
from ganbench.analysis.working_regions import axis_words
from ganbench.core.formatting import format_p_value, format_points


def interaction_sentences(collected: Collected) -> Iterator[str]:
    """Tell of every two axes whose interaction the adjusted p-values show, in failures or in the ranks of scores."""
    for row in interactions_table(collected).to_dict("records"):
        parts = []
        if row["failure_adjusted"] <= LEVEL:
            parts.append(_failures(row))
        if row["rank_adjusted"] <= LEVEL:
            title, too = collected.metrics[row["metric"]].title, " too" if parts else ""
            parts.append(f"the ranks of {title} at the end show it{too} ({_p_values(row, 'rank')})")
        if parts:
            first, second = axis_words(row["first"]), axis_words(row["second"])
            yield (
                f"{row['dataset']}: the effect of the {second} depends on the {first}, by {row['blocks']} settings and"
                f" seeds with runs at all combinations of {row['first_values']} by {row['second_values']} values:"
                f" {'; '.join(parts)}."
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
    p_value, adjusted = (format_p_value(row[f"{question}_{each}"]) for each in ("p", "adjusted"))
    return f"signs of interactions turned: {p_value}, adjusted {adjusted}"
