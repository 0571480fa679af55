"""The report: one self-contained HTML file, from the findings to the provenance."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path

import jinja2
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import OUTCOMES
from ganbench.analysis.findings import Finding, findings
from ganbench.analysis.methods import methods
from ganbench.analysis.settings import settings_table
from ganbench.analysis.stage_time import StageTime
from ganbench.claims.published import render_published
from ganbench.claims.rendering import render_claims
from ganbench.core.atomic_files import atomic_write
from ganbench.core.formatting import format_number
from ganbench.core.metric_info import MetricInfo
from ganbench.report.diagnostics import experiments
from ganbench.report.figure_info import figure_infos
from ganbench.report.file_names import figure_name
from ganbench.report.method_tables import hint, method_tables, occurring
from ganbench.report.partial import missing_results
from ganbench.report.provenance import config, environment_facts, references, run_list, stage_times
from ganbench.report.ranking_section import rankings

HERE = Path(__file__).parent

# A vector drawing is sharper than pixels, but with thousands of curves its file is larger.
LARGEST_SVG = 600_000


def render(
    collected: Collected,
    study: dict,
    figures: Path,
    shown: Sequence[tuple[str, str | None]],
    out: Path,
    stages: Iterable[StageTime] = (),
) -> None:
    """Write the report of a study.

    Args:
        collected: the study's results.
        study: its resolved configuration, with its name as `study`, and `title` and `description`, which may be empty.
        figures: folder of the files that `ganbench.report.figures.write` wrote.
        shown: the figures, as `ganbench.report.file_names.figures` lists them.
        out: HTML file to write.
        stages: the actual and the estimated time of its stages.
    """
    gans = collected.gans
    found = findings(collected)
    table = settings_table(gans) if len(gans.runs) else pd.DataFrame()
    page = template("report.html.j2").render(
        title=study.get("title") or study["study"],
        name=study["study"],
        description=study.get("description") or "",
        compared=study.get("compare", []),
        style=stylesheet(),
        partial=missing_results(collected),
        rankings=rankings(gans),
        claims=render_claims(collected, study),
        published=render_published(collected, study),
        summary=[_finding(each) for each in found if each.method is None or each.kind == "method"],
        figures=[_figure(figures, kind) for kind, of in shown if of is None],
        methods=[_method(gans, table, found, name, figures, shown) for name in methods(gans)],
        laboratory=[_experiment(each, figures, shown) for each in experiments(collected, study)],
        outcomes={name: OUTCOMES[name] for name in occurring(gans.runs)},
        metrics=[(info.title, info.what, _details(info)) for info in collected.metrics.values()],
        references=references(collected),
        config=config(study),
        facts=environment_facts(collected.runs),
        spent=stage_times(stages),
        runs=run_list(collected.runs),
    )
    with atomic_write(out) as new:
        new.write_text(page, encoding="utf-8")


def template(name: str) -> jinja2.Template:
    """A template of this folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def stylesheet() -> str:
    """The style of every page."""
    return (HERE / "report.css").read_text(encoding="utf-8")


def _details(info: MetricInfo) -> str:
    """A metric's range, unit and source, as far as it has them."""
    return "; ".join(filter(None, [_range(info), info.unit and f"in {info.unit}", info.source]))


def _experiment(experiment: dict, folder: Path, shown: Sequence[tuple[str, str | None]]) -> dict:
    """An experiment with the figures of its diagnostic."""
    name, infos = experiment["name"], figure_infos()
    kinds = [kind for kind, of in shown if of == name and infos[kind].diagnostic == experiment["diagnostic"]]
    return experiment | {"figures": [_figure(folder, kind, name) for kind in kinds]}


def _finding(finding: Finding) -> dict[str, object]:
    return {"text": finding.text, "warning": finding.warning}


def _figure(folder: Path, kind: str, of: str | None = None) -> dict[str, str]:
    """A figure as a data address: an image of its own cannot clash with ids elsewhere on the page."""
    path, info = folder / f"{figure_name(kind, of)}.svg", figure_infos()[kind]
    found = {"title": info.title, "caption": info.caption, "still": data_address(path) if info.animated else ""}
    if info.animated or path.stat().st_size > LARGEST_SVG:
        path = path.with_suffix(".png")
    return found | {"source": data_address(path)}


def data_address(path: Path) -> str:
    """An image as an address that holds it."""
    media = {".svg": "image/svg+xml", ".png": "image/png"}[path.suffix]
    return f"data:{media};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _method(
    collected: Collected,
    table: pd.DataFrame,
    found: list[Finding],
    name: str,
    figures: Path,
    shown: Sequence[tuple[str, str | None]],
) -> dict:
    return {
        "name": name,
        "findings": [_finding(each) for each in found if each.method == name],
        **method_tables(collected, table, name),
        "figures": [
            _figure(figures, kind, name) for kind, of in shown if of == name and figure_infos()[kind].scope == "method"
        ],
    }


def _range(info: MetricInfo) -> str:
    low = "" if info.lower is None else f"from {format_number(info.lower)}"
    high = "" if info.upper is None else f"to {format_number(info.upper)}"
    return ", ".join(part for part in (hint(info), f"{low} {high}".strip()) if part)
