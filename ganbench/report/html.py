"""The report: one self-contained HTML file, from the findings to the provenance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import OUTCOMES
from ganbench.analysis.findings import Statement, findings
from ganbench.analysis.methods import methods, primary_metric
from ganbench.analysis.settings import settings_table
from ganbench.analysis.stage_time import StageTime
from ganbench.claims.published import render_published
from ganbench.claims.quantities_tested import quantities_tested
from ganbench.claims.rendering import render_claims
from ganbench.core.formatting import format_number
from ganbench.core.metric_info import MetricInfo
from ganbench.report.diagnostics import experiments
from ganbench.report.figure_info import figure_infos
from ganbench.report.file_names import COMPARISON, figure_name
from ganbench.report.method_tables import hint, method_tables, occurring
from ganbench.report.page import Figures, write_page
from ganbench.report.partial import missing_results
from ganbench.report.provenance import config, environment_facts, references, run_list, stage_times
from ganbench.report.ranking_section import rankings
from ganbench.report.run_counts import design
from ganbench.report.run_records import commands, keys, listed, records

OF_RANKING = ("final_scores", "working_regions")  # figures that are shown beside the ranking
OF_SAMPLES = ("film", "samples")  # figures of a method that show what its runs generate


def render(
    collected: Collected,
    study: dict,
    figures: Path,
    shown: Sequence[tuple[str, str | None]],
    out: Path,
    stages: Iterable[StageTime] = (),
    *,
    file: str = "",
    results: Mapping[str, Sequence[str]] | None = None,
    own: Sequence[str] = (),
) -> None:
    """Write the report of a study.

    Args:
        collected: the study's results.
        study: its resolved configuration, with its name as `study`, and `title` and `description`, which may be empty.
        figures: folder of the files that `ganbench.report.figures.write` wrote.
        shown: the figures, as `ganbench.report.file_names.figures` lists them.
        out: HTML file to write.
        stages: the actual and the estimated time of its stages.
        file: path of the study's file, for commands; empty where it is not known.
        results: by pack, paths of its result files, relative to the page.
        own: the study's own components, each in words.
    """
    gans = collected.gans
    figure = Figures(figures, out.parent)
    found = findings(collected)
    table = settings_table(gans) if len(gans.runs) else pd.DataFrame()
    order, of_study = rankings(gans), [(kind, figure(kind)) for kind, of in shown if of is None]
    first = [item for kind, item in of_study if order and kind in OF_RANKING and not item["nothing"]]
    context = dict(
        title=study.get("title") or study["study"],
        name=study["study"],
        description=study.get("description") or "",
        design=design(gans.runs) if len(gans.runs) else "",
        compared=study.get("compare", []),
        comparison=f"{COMPARISON}/report.html",
        partial=missing_results(collected),
        rankings=order,
        ranking_figures=first,
        of_samples=OF_SAMPLES,
        claims=render_claims(collected, study),
        published=render_published(collected, study),
        summary=[_finding(each) for each in found if each.method is None or each.kind == "method"],
        figures=[item for _, item in of_study if item not in first],
        methods=[_method(gans, table, found, name, figure, shown) for name in methods(gans)],
        diagnostics=[_experiment(each, figure, shown) for each in experiments(collected, study)],
        outcomes={name: OUTCOMES[name] for name in occurring(gans.runs)},
        metrics=[(info.title, info.what, _details(info)) for info in collected.metrics.values()],
        references=references(collected),
        config=config(study),
        facts=environment_facts(collected.runs) + [("Own components", ", ".join(own))] * bool(own),
        spent=stage_times(stages),
        runs=_runs(collected, study, results or {}, commands(file), figure, shown),
    )
    write_page("report.html.j2", context, figure.items, out)


def _details(info: MetricInfo) -> str:
    """A metric's range, unit and source, as far as it has them."""
    return "; ".join(filter(None, [_range(info), info.unit and f"in {info.unit}", info.source]))


def _experiment(experiment: dict, figure: Figures, shown: Sequence[tuple[str, str | None]]) -> dict:
    """An experiment with the figures of its diagnostic."""
    name, infos = experiment["name"], figure_infos()
    kinds = [kind for kind, of in shown if of == name and infos[kind].diagnostic == experiment["diagnostic"]]
    return experiment | {"figures": [figure(kind, name) for kind in kinds]}


def _runs(
    collected: Collected,
    study: dict,
    results: Mapping[str, Sequence[str]],
    asked: Mapping[str, tuple[str, str]],
    figure: Figures,
    shown: Sequence[tuple[str, str | None]],
) -> dict:
    """The table of runs, with outcomes and primary scores first, and what the page shows of each when it is opened."""
    shown_runs, gans = listed(collected), collected.gans
    runs, table = shown_runs.runs, run_list(shown_runs.runs, len(shown_runs.runs))
    primary = dict.fromkeys(filter(None, (primary_metric(gans, name) for name in methods(gans))))
    *settings, outcome, step, why, time, digest = range(len(table["heads"]))
    order = [outcome, step, *settings, why, time, digest]
    heads = [table["heads"][place] for place in order]
    heads[2:2] = [collected.metrics[name].title for name in primary]
    rows = [[row[place] for place in order] for row in table["rows"]]
    for name in reversed(primary):
        for row, value in zip(rows, runs[f"{name}_final"].to_numpy(dtype=np.float64, na_value=np.nan), strict=True):
            row.insert(2, format_number(value))
    sections = {name: f"method-{number}" for number, name in enumerate(methods(gans), start=1)}
    samples = {
        name: [
            [figure_infos()[kind].title, figure.link(figure_name(kind, of))]
            for kind, of in shown
            if of == name and kind in OF_SAMPLES
        ]
        for name in sections
    }
    return {
        "heads": heads,
        "rows": list(zip(keys(runs), runs["run"], rows, strict=True)),
        "all": len(collected.runs),
        "commands": asked,
        "records": {
            **records(shown_runs, results),
            **{"commands": asked, "sections": sections, "samples": samples, "tested": _tested(shown_runs, study)},
        },
    }


def _tested(collected: Collected, study: dict) -> list[tuple[str, str, dict[int, str]]]:
    """The claims that test a quantity, the quantity, and its values by the place of a run in the table."""
    places = {run: place for place, run in enumerate(collected.runs["run"])}
    return [
        (", ".join(each.claims), each.quantity, {places[run]: format_number(x) for run, x in each.values.items()})
        for each in quantities_tested(collected, study)
    ]


def _finding(finding: Statement) -> dict[str, object]:
    return {"text": finding.text, "warning": finding.warning}


def _method(
    collected: Collected,
    table: pd.DataFrame,
    found: list[Statement],
    name: str,
    figure: Figures,
    shown: Sequence[tuple[str, str | None]],
) -> dict:
    return {
        "name": name,
        "findings": [_finding(each) for each in found if each.method == name],
        **method_tables(collected, table, name),
        "figures": [figure(kind, name) for kind, of in shown if of == name and figure_infos()[kind].scope == "method"],
    }


def _range(info: MetricInfo) -> str:
    low = "" if info.lower is None else f"from {format_number(info.lower)}"
    high = "" if info.upper is None else f"to {format_number(info.upper)}"
    return ", ".join(part for part in (hint(info), f"{low} {high}".strip()) if part)
