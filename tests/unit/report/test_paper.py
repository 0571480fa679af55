"""The ranking on the page, and the tables of the report as LaTeX and CSV."""

from __future__ import annotations

import csv
import dataclasses
import re
from pathlib import Path

import collected_example
import numpy as np
import pandas as pd
import pytest
from html_page import HOSTILE, Page

from ganbench.analysis.methods import methods
from ganbench.analysis.ranking_tests import ranking_tests
from ganbench.analysis.statistics.rates import wilson
from ganbench.core.formatting import format_interval
from ganbench.report import html, paper
from ganbench.report.file_names import PAPER_TABLES, paper_files
from ganbench.report.latex import ESCAPED, escaped, long_table
from ganbench.report.paper_tables import PaperTable, paper_tables
from ganbench.report.ranking_section import rankings
from ganbench.report.run_counts import counted, design

WORDS = {r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"$\infty$": "∞"} | {
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"$\times$": "×",
    r"\ldots{}": "…",
    "{[}": "[",
    "{*}": "*",
}


@pytest.fixture(scope="module")
def found(collected) -> dict[str, list[PaperTable]]:
    return paper_tables(collected, collected_example.study())


@pytest.fixture(scope="module")
def shown(collected) -> dict:
    ranking, alone = rankings(collected)
    assert len(alone["rows"]) == 1
    return ranking


@pytest.fixture(scope="module")
def written(collected, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    paper.write(collected, collected_example.study(), folder)
    return folder


def read_back(cell: str) -> str:
    """The text of a LaTeX cell."""
    for code, text in WORDS.items():
        cell = cell.replace(code, text)
    return re.sub(r"\\([&%$#_{}])", r"\1", cell.replace("--", "–"))


def body(tex: str) -> list[list[str]]:
    """The cells of the rows below the heads of all tables of a LaTeX file."""
    parts = re.findall(r"\\endlastfoot\n(.*?)\\end\{longtable\}", tex, flags=re.DOTALL)
    lines = [line for part in parts for line in part.splitlines()]
    assert all(line.endswith(r" \\") for line in lines)
    return [[read_back(cell.strip()) for cell in re.split(r"(?<!\\)&", line[:-3])] for line in lines]


# The page


def test_the_report_opens_with_the_ranking(collected, shown, tmp_path):
    html.render(collected, collected_example.study(), tmp_path, [], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    assert next(name for name in page.ids if name in ("ranking", "findings", "overview")) == "ranking"
    assert "#ranking" in page.addresses
    words = " ".join(" ".join(page.words).split())
    for said in (shown["use"], shown["sure"], shown["caption"], *(each["text"] for each in shown["cautions"])):
        assert said in words
    for row in shown["rows"]:
        assert " ".join(row[name] for name in ("rank", "method", "healthy", "bounds")) in words
    assert len(shown["rows"]) == 2, "the other data set has one method"


def test_of_one_method_the_report_opens_with_what_its_runs_showed(collected, tmp_path):
    few = collected_example.only(collected, collected.runs["method"] == "ring8-mlp")
    html.render(few, collected_example.study(), tmp_path, [], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text())
    words = " ".join(" ".join(page.words).split())
    assert "ranking" in page.ids
    assert "ring8-mlp is the only method that was run: " in words
    assert "How healthy the runs are" in words
    assert "Which method to use" not in words, "there is no choice"


def test_a_row_of_the_ranking_says_what_its_numbers_say(collected, shown):
    first = shown["rows"][0]
    runs = collected.runs[collected.runs["method"] == first["method"]]
    count = int((runs["outcome"] == "converged").sum())
    assert first["healthy"] == f"{count} of {len(runs)}"
    assert first["bounds"] == format_interval(wilson(count, len(runs)))
    assert first["others"] == f"{len(runs) - count} failed"
    tests = ranking_tests(collected)
    (pair,) = tests.to_dict("records")
    assert first["apart"] == "no" if pd.isna(pair["better"]) else first["apart"].startswith("yes")
    assert re.match(r"adjusted p [=<] \d\.\d+", first["effort"]), "beside intervals that nothing adjusts"
    last = shown["rows"][-1]
    assert (last["chance"], last["apart"]) == ("", "")


def test_the_median_over_several_settings_is_said_to_be_one(collected, shown):
    assert shown["hints"] == ["over all settings", "lower is better"]
    few = collected_example.only(collected, collected.runs["learning_rate"] == 0.001)
    few = collected_example.only(few, few.runs["n_train"].isin([400, 5000]))
    assert [each["hints"] for each in rankings(few)] == [["lower is better"]] * 2
    assert "over all" not in "".join(each["text"] for each in rankings(few))


def test_training_times_are_shown_where_all_runs_were_trained_on_one_device(collected, tmp_path):
    dcgan = collected.runs["method"] == "digits-dcgan"
    seconds = np.where(dcgan, 300.0, 20.0)
    alike = collected.runs.assign(train_seconds=seconds, device="cpu", processor="one", threads=1)
    ranked = rankings(dataclasses.replace(collected, runs=alike))
    assert [each["timed"] for each in ranked] == [True, True]
    times = {row["method"]: row["time"] for each in ranked for row in each["rows"]}
    assert times == {"digits-dcgan": "5.0 min", "digits-fc": "20.0 s", "ring8-mlp": "20.0 s"}
    other = dataclasses.replace(collected, runs=alike.assign(processor=np.where(dcgan, "another", "one")))
    assert [each["timed"] for each in rankings(other)] == [False, True]
    html.render(other, collected_example.study(), tmp_path, [], tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().count("Training time<small>median of a run</small>") == 1


def test_runs_are_counted_with_their_failures(collected):
    few = collected.runs.head(4).assign(outcome=["converged", "collapsed", "converged", "converged"])
    assert counted(few) == "4 runs, of which 1 failed (25%, 95% Wilson interval 5% to 70%)"
    open_ = few.assign(outcome=["converged", "collapsed", "undetermined", "converged"])
    assert counted(open_) == "4 runs, of which 1 failed and of 1 it is not known (95% Wilson interval 5% to 85%)"
    slow = few.assign(outcome=["converged", "collapsed", "not-learned-yet", "not-learned-yet"])
    assert counted(slow) == "4 runs, of which 1 failed (25%, 95% Wilson interval 5% to 70%) and 2 had not learned"
    assert counted(few[:0]) == "no runs"


def test_the_design_of_a_study_is_said_in_a_line(collected):
    words = design(collected.runs)
    assert words == (
        "69 runs: 3 methods, 5 seeds; data sets digits and ring8; architectures fc, dcgan and mlp; training examples"
        " 100, 400, 1400 and 5000; learning rates 0.0002, 0.001 and 0.005; training steps 2000; batch size 64."
    )
    many = collected.runs.head(5).assign(learning_rate=[0.1, 0.2, 0.3, 0.4, 0.5])
    assert "learning rates 0.1 to 0.5 (5 values);" in design(many)


# Files


def test_papers_are_the_promised_files(written):
    assert sorted(path.name for path in written.iterdir()) == sorted(paper_files())


@pytest.mark.parametrize("name", PAPER_TABLES)
def test_both_forms_have_the_same_cells(found, written, name):
    tables = [table for table in found[name] if table.rows]
    rows = [[" ".join(cell.split()) for cell in row] for table in tables for row in table.rows]
    tex = (written / f"{name}.tex").read_text()
    assert body(tex) == rows
    with (written / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert len(read) == len(rows)
    at = iter(read)
    for table in tables:
        for row in table.rows:
            cells = next(at)
            assert cells.get("of", "") == table.of
            assert [cells[head] for head in table.heads] == list(row)
    assert len(rows) > 0 or name in ("claims", "claim-tests", "published", "diagnostics")
    assert tex.startswith("% Needs \\usepackage{booktabs, longtable}")
    assert ("no such table" in tex) == (not rows)


def test_every_caption_counts_runs_and_failures_and_names_its_interval(collected, found):
    for tables in found.values():
        for table in tables:
            assert re.search(r"\d+ runs?, of which \d+ failed \(.*95% Wilson interval|of no runs", table.caption)
    runs = collected.runs[collected.runs["method"] == "digits-fc"]
    (outcomes,) = (table for table in found["outcomes"] if table.of == "digits-fc")
    assert outcomes.caption.startswith(f"How the runs of digits-fc ended: {counted(runs)}.")
    assert [table.of for table in found["scores"]] == methods(collected)


# LaTeX


def test_what_means_something_to_latex_is_escaped():
    assert escaped("50% of a_b & {c}\n~^") == r"50\% of a\_b \& \{c\} \textasciitilde{}\textasciicircum{}"
    assert escaped(r"\input{x} <1 – ∞") == r"\textbackslash{}input\{x\} \textless{}1 -- $\infty$"
    assert escaped("[2mm] *") == "{[}2mm] {*}"
    assert set("&%$#_{}\\~^<>|[*") <= {chr(code) for code in ESCAPED}


def test_a_table_is_aligned_and_its_caption_is_there_once():
    text = long_table(["a_b", "c", "d"], [["1", "x", "y" * 40], ["–", "2", "z"]], "Of 5% & more.", "tab:a")
    assert r"\begin{longtable}{rlp{5cm}}" in text
    assert text.count(r"Of 5\% \& more.") == 1
    assert r"\multicolumn{3}{l}{\tablename\ \thetable{} (continued)}" in text
    assert body(text) == [["1", "x", "y" * 40], ["–", "2", "z"]]


def test_hostile_words_are_texts_in_latex(collected, tmp_path):
    hostile = HOSTILE + r" \input{/etc/passwd} % # [1] \\"
    info = dataclasses.replace(collected.metrics["fd"], title=hostile)
    runs = collected.runs.assign(outcome_evidence=hostile)
    made = dataclasses.replace(collected, runs=runs, metrics=collected.metrics | {"fd": info})
    paper.write(made, collected_example.study(), tmp_path)
    plain = " ".join(hostile.split())
    for name in ("ranking", "scores", "runs"):
        tex = (tmp_path / f"{name}.tex").read_text()
        cells = [cell for row in body(tex) for cell in row]
        assert any(plain in cell for cell in cells) or name == "ranking"
        assert "\\input" not in tex
        assert not re.search(r"(?<!\\)\{/etc", tex)
    heads = re.search(r"\\toprule\n(.*) \\\\\n", (tmp_path / "ranking.tex").read_text())[1]
    assert f"Median {plain} (over all settings, lower is better)" in read_back(heads)


def test_runs_without_a_metric_are_ranked_by_health_alone(collected):
    names = list(collected.metrics)
    lost = {f"{name}_final": np.nan for name in names}
    bare = dataclasses.replace(
        collected,
        runs=collected.runs.assign(**lost),
        snapshots=collected.snapshots.assign(**dict.fromkeys(names, np.nan)),
    )
    shown, _ = rankings(bare)
    assert shown["metric"] == ""
    assert "median" not in shown["text"]
    table, _ = paper_tables(bare, collected_example.study())["ranking"]
    assert all(len(row) == len(table.heads) for row in table.rows)
    assert table.heads[-1] == "Significantly different from the next"
