"""One whole workflow, for `make test`: a study runs to its report, and afterwards only what an edit affects runs."""

from __future__ import annotations

from pathlib import Path

from comparing import changed_but_stamps
from html_page import Page
from tiny_studies import REPORT, SUMMARIES, point_study
from workflow_project import CORES, Project


def test_a_study_runs_to_its_report_and_only_what_an_edit_affects_runs_again(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project", point_study())

    first = project.snakemake(*CORES).succeeded()

    of_data = {"prepare ring8", "judge ring8", "reference ring8"}
    assert first.jobs == of_data | {"train ring8-mlp", "evaluate ring8-mlp"} | SUMMARIES
    assert "A tiny study" in (project.results / "report.html").read_text()
    before = project.state()

    project.append("ganbench/report/report.html.j2", "\n<!-- edited -->\n")

    second = project.snakemake(*CORES).succeeded()

    assert second.jobs == REPORT
    report = (project.results / "report.html").read_text()
    assert "<!-- edited -->" in report
    assert Page(report).foreign == []
    assert len(report) < 3_000_000
    logged, *others = changed_but_stamps(before, project.state())
    assert others == ["mlflow.db", "tiny/report.html"]
    assert (project.results.parent / logged).read_text() == report
