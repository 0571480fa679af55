"""Tables, pictures and the page of a study of small games: its measurements, its claims, and their escape from harm."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import laboratory_example
import numpy as np
import pandas as pd
import pytest
from html_page import HOSTILE, Page
from stored import tree_of

from ganbench.analysis.collected import Collected
from ganbench.analysis.findings import findings
from ganbench.analysis.settings import settings_table
from ganbench.claims.rendering import natural_key, render_claims
from ganbench.core import result_files
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.stages import tables as stage
from ganbench.pipeline.tasks import TablesTask
from ganbench.report import figures, html, paper, run_selection, tables
from ganbench.report.diagnostic_results import DiagnosticArrays
from ganbench.report.diagnostics import ROWS, experiments
from ganbench.report.display_names import method_names, shorten_signatures
from ganbench.report.figure_info import figure_infos
from ganbench.report.file_names import figure_files
from ganbench.report.file_names import figures as figures_of
from ganbench.report.paper_tables import paper_tables
from ganbench.report.plotting import histograms, style
from ganbench.report.plotting.run_samples import RunSamples
from ganbench.study.claims import Claim

GAN_HEADINGS = ["Findings", "Overview of the GAN methods", "Scores of real data"]  # of studies that train networks
SECTIONS = ["claims", "findings", "overview", "diagnostics", "references", "making"]
PICTURED = {info.diagnostic: name for name, info in figure_infos().items() if info.scope == "experiment"}
CLAIMS = [Claim.model_validate(claim) for claim in laboratory_example.CLAIMS]


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> Collected:
    return laboratory_example.build(tmp_path_factory.mktemp("collected"), gans=False)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Collected:
    return laboratory_example.build(tmp_path_factory.mktemp("mixed"))


@pytest.fixture(scope="module")
def shown() -> list[tuple[str, str | None]]:
    return figures_of([], laboratory_example.diagnostics())


@pytest.fixture(scope="module")
def drawn(collected, shown, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    figures.write(collected, folder, shown)
    return folder


@pytest.fixture(scope="module")
def page(collected, drawn, shown, tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("report") / "report.html"
    html.render(collected, laboratory_example.study(), drawn, shown, out)
    return out.read_text(encoding="utf-8")


def words(page: str) -> str:
    return " ".join(" ".join(Page(page).words).split())


# Tables


@pytest.mark.cluster
def test_the_laboratory_and_claims_have_tables_for_papers(mixed, tmp_path):
    paper.write(mixed, laboratory_example.study(), tmp_path)
    found = paper_tables(mixed, laboratory_example.study())
    for name in ("claims", "claim-tests", "diagnostics"):
        rows = (tmp_path / f"{name}.tex").read_text().split(r"\endlastfoot")[1:]
        assert sum(part.partition(r"\end{longtable}")[0].count(r" \\") for part in rows) == sum(
            len(table.rows) for table in found[name]
        )
        assert len(pd.read_csv(tmp_path / f"{name}.csv")) > 0
    assert {row[0] for table in found["claims"] for row in table.rows} == {claim.id for claim in CLAIMS}
    afterwards = {row[0] for table in found["claims"] for row in table.rows if row[2].endswith(" (exploratory)")}
    assert afterwards == {"A2"}
    assert [table.of for table in found["claim-tests"]] == [row[0] for row in found["claims"][0].rows]
    for table in found["diagnostics"]:
        assert re.search(r"\d+ runs?, of which \d+ failed \(|no runs", table.caption)


def test_every_quantity_is_documented(mixed, tmp_path):
    tables.write(mixed, tmp_path, CLAIMS)
    notes = (tmp_path / "COLUMNS.md").read_text()
    section = notes.split("## quantities\n")[1]
    documented = re.findall(r"^\| `([^`]+)` \| (?=\S)", section, flags=re.MULTILINE)
    assert set(mixed.measurements["quantity"]) == set(documented) == set(mixed.quantities)
    assert "Spectral radius: Largest modulus of an eigenvalue. Best is low. At least 0." in section
    for name, table in (("measurements", mixed.measurements), ("runs", mixed.runs)):
        read = pd.read_parquet(tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(read, table[list(read)], check_dtype=False)
    decided = pd.read_csv(tmp_path / "claims.csv")
    assert decided["claim"].tolist() == ["A10", "A10", "A2", "B1", "C1"]
    assert decided["test_verdict"].tolist() == ["confirmed", "confirmed", "refuted", "confirmed", "undecided"]


def test_a_quantity_without_a_meaning_is_refused(collected, tmp_path):
    odd = dataclasses.replace(collected, quantities={"path.growth": collected.quantities["path.growth"]})
    with pytest.raises(ValueError, match=r"does not say what .*basins\.converged_share.* mean"):
        tables.write(odd, tmp_path)


def test_the_stage_decides_the_claims_it_is_told(collected, tmp_path):
    dumped = [claim.model_dump(mode="json", exclude_none=True) for claim in CLAIMS]
    task = TablesTask(tuple(dumped), (), "", collected.folder, tmp_path)
    stage.run(Job("tables", "tables", "0" * 64, task, (), (tmp_path / "stamp",)), JobContext())
    assert len(pd.read_parquet(tmp_path / "claims.parquet")) == 5
    assert len(pd.read_parquet(tmp_path / "settings.parquet")) == 12


def test_settings_take_runs_without_data(mixed):
    table = settings_table(mixed)
    assert table["runs"].sum() == len(mixed.runs)
    assert table.loc[table["dataset"].isna(), "n_train"].isna().all()
    assert list(dict.fromkeys(table["method"])) == list(dict.fromkeys(mixed.runs["method"]))


# The part with data


@pytest.mark.cluster
def test_judging_networks_leaves_small_games_alone(mixed, collected):
    assert set(mixed.gans.runs["dataset"]) == {"digits", "ring8"}
    assert collected.gans.runs.empty
    alone = dataclasses.replace(mixed, runs=mixed.gans.runs)
    assert [each.text for each in findings(mixed)] == [each.text for each in findings(alone)]
    assert findings(collected) == []
    with style.applied():
        text = [
            each.get_text() for each in figures.draw(mixed, "outcomes").findobj(match=lambda a: hasattr(a, "get_text"))
        ]
    assert "ring8-mlp" in text
    assert not any("bilinear" in each for each in text)


# Pictures


@pytest.mark.slow
def test_every_promised_picture_is_drawn(collected, drawn, shown):
    assert {kind for kind, _ in shown} == set(PICTURED.values())
    assert sorted(path.name for path in drawn.iterdir()) == sorted(figure_files(shown))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["path", "vector_field", "basins"])
def test_pictures_are_the_same_bytes_every_time(collected, drawn, shown, kind, tmp_path):
    figures.write(collected, tmp_path, [each for each in shown if each[0] == kind])
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (drawn / path.name).read_bytes()


@pytest.fixture(scope="module")
def empty(collected, tmp_path_factory) -> Collected:
    """The same laboratory, in which nothing left a number."""
    folder = tmp_path_factory.mktemp("empty") / "collected"
    shutil.copytree(collected.folder, folder)
    tree = tree_of(folder / "arrays.h5", "arrays")
    for experiment in tree.values():
        for run in experiment.values():
            run |= {
                name: np.full(values.shape, np.nan)
                for name, values in run.items()
                if name not in ("x", "y", "alpha", "steps", "step")
            }
    with result_files.create_file(folder / "arrays.h5", "arrays") as file:
        result_files.write_tree(file, tree)
    return dataclasses.replace(collected, folder=folder, measurements=collected.measurements.assign(value=np.nan))


@pytest.mark.parametrize("kind", PICTURED.values())
@pytest.mark.parametrize("what", ["lost", "none", "unknown"])
def test_nothing_to_draw_is_said_in_words(collected, empty, kind, what):
    experiment = {each: name for name, each in laboratory_example.diagnostics().items()}[
        figure_infos()[kind].diagnostic
    ]
    study = {"lost": empty, "none": dataclasses.replace(empty, measurements=empty.measurements[:0])}.get(
        what, collected
    )
    with style.applied():
        figure = figures.draw(study, kind, "nobody" if what == "unknown" else experiment)
    (axes,) = figure.axes
    assert "no run" in axes.texts[0].get_text()


def test_runs_without_a_finite_exponent_are_counted_beside_those_that_have_one(collected):
    """Of a setting of which one run has an exponent, the others were neither drawn nor counted."""
    runs = collected.runs[collected.runs["method"] == "bilinear-alternating"].iloc[[0] * 9]
    runs = runs.assign(run=[f"r{seed}" for seed in range(9)], seed=range(9))
    columns = {
        "max_exponent": [-np.inf, np.nan, np.nan, np.nan, 0.1, 0.2, 0.3, 0.4, 0.5],
        "regime": [0, 3, 3, np.nan, 2, 2, 2, 2, 2],
    }
    table = pd.concat(
        [pd.DataFrame({"run": runs["run"], "quantity": f"lyapunov.{name}", "value": columns[name]}) for name in columns]
    )
    with style.applied():
        figure = figures.draw(dataclasses.replace(collected, runs=runs, measurements=table), "lyapunov", "lyapunov")
    (axes,) = figure.axes
    assert [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"] == columns["max_exponent"][4:]
    (text,) = (text.get_text() for text in axes.texts)
    assert text == "1 minus infinity: fixed point\n3 without an exponent: 2 divergence, 1 no regime"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["chaos"]


def test_panels_have_room(collected):
    arrays = {"u": np.zeros((2, 2)), "v": np.zeros((2, 2))}
    row = collected.runs.iloc[0]
    many = [DiagnosticArrays(row.copy(), {**arrays, "u": np.full((2, 2), place)}) for place in range(300)]
    for place, result in enumerate(many):
        result.run["seed"], result.run["game"], result.run["method"] = place % 10, f"g{place // 10}", f"c{place // 10}"
    titles, note = run_selection.run_panels(many, ("u", "v"))
    assert len(titles) == run_selection.MAX_PANELS
    assert note.startswith("24 of 300 runs are shown")
    assert {result.run["seed"] for result in titles.values()} == {0}
    groups, note = run_selection.limit_methods(run_selection.by_method(many))
    assert (len(groups), note) == (24, "24 of 30 methods are shown: the first of every game.")
    titles, note = run_selection.run_panels(many[:10], ("u", "v"))
    assert list(titles) == [f"g0, seed {seed}" for seed in range(10)]
    assert note == ""
    assert len(run_selection.run_panels([many[0]] * 10, ("u", "v"))[0]) == 1
    assert len(run_selection.limit_curves(many[:300])) == run_selection.MAX_CURVES


def test_every_kind_of_game_has_its_turn():
    games = ["a"] * 5 + ["b(x=1)"] * 3 + ["b(x=2)"] * 3 + ["c"]
    table = pd.DataFrame({"game": games})
    assert run_selection.spread_over_games(table, most=6) == [0, 1, 2, 5, 8, 11]
    assert run_selection.spread_over_games(table, most=99) == list(range(12))


def test_points_on_a_line_are_histograms(tmp_path):
    generator = np.random.default_rng(0)
    real = generator.normal(0, 1, (400, 1))
    made = np.stack([real[:100], real[:100] + 50, np.full((100, 1), np.nan)])
    shown = [RunSamples(("The run: diverged",), np.array([0, 10, 20]), made)]
    with style.applied():
        figure = histograms.draw(shown, real)
        style.save(figure, tmp_path, "samples")
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "100 of 100 outside", "100 not a number"]


# Words


def test_labels_lose_what_they_share():
    known = shorten_signatures(
        ["gaussian(samples=100, plane='w', initial_parameters=(1.0, 2e-05))", "gaussian(samples=5, plane='w')", "dirac"]
    )
    assert list(known.values()) == ["gaussian samples 100, initial parameters (1, 2e-5)", "gaussian samples 5", "dirac"]
    assert list(shorten_signatures(["sgd(momentum=-0.5)", "sgd(momentum=0.9)"]).values()) == [
        "momentum -0.5",
        "momentum 0.9",
    ]
    assert shorten_signatures(["bilinear"]) == {"bilinear": "bilinear"}
    assert list(shorten_signatures(["a(", "a(b", "a(b=(1, 2), c)"]).values())  # whatever it is, it has words


def test_methods_are_told_apart_by_what_differs(mixed):
    words = method_names(mixed.runs)
    assert words["digits-fc"] == "digits, fc"
    assert words["bilinear-simultaneous"] == "bilinear, simultaneous"
    assert words["gaussian-samples-5-alternating"] == "gaussian samples 5, max output 0.99, alternating"
    steady = mixed.runs.assign(regularizer=["none", "r1"] * (len(mixed.runs) // 2) + ["none"] * (len(mixed.runs) % 2))
    games = steady[steady["dataset"].isna()].assign(method=lambda table: table["method"] + table["regularizer"])
    named = method_names(games, without=("dynamics",))
    assert named["gaussian-alternatingr1"] == "gaussian, r1, alternating"  # not unique without the dynamics
    assert named["gaussian-alternatingnone"] == "gaussian, alternating"
    labelled = mixed.runs.assign(
        block=mixed.runs["game"].map(lambda game: "toy" if game.startswith("bilinear") else None)
    )
    assert method_names(labelled)["bilinear-simultaneous"] == "toy, simultaneous", "the label says what is shared"
    assert method_names(labelled)["digits-fc"] == "digits, fc"
    alone = games[games["dynamics"] == "alternating"]
    assert method_names(alone, without=("regularizer",))["gaussian-alternatingr1"] == "gaussian, r1"
    one = mixed.runs[mixed.runs["method"] == "bilinear-simultaneous"]
    assert method_names(one) == {"bilinear-simultaneous": "bilinear"}
    twins = one.assign(method=[f"c{place}" for place in range(len(one))])
    assert method_names(twins) == {name: name for name in twins["method"]}


# Claims


def test_claims_are_counted_and_sorted(collected):
    found = render_claims(collected, laboratory_example.study())
    counts = [("full", [("confirmed", 2), ("refuted", 1), ("undecided", 1)])]
    assert (found["total"], found["counts"], found["scaled"]) == ("4 claims", counts, False)
    assert [row["id"] for row in found["rows"]] == ["A2", "A10", "B1", "C1"]
    assert found["rows"][0]["deciding"] == (
        "4 of 4 runs of 2 seeds: share 1, 95% interval 0.158 to 1, p = 0.005, adjusted for 2 tests p = 0.015"
    )
    assert found["rows"][1]["deciding"].startswith("4 of 4 runs hold; nearest to failing: 1.004988 against 1.004988, ")
    assert found["rows"][1]["others"] == "1 more test below"
    assert found["rows"][3]["tests"][0]["limits"] == ""
    assert render_claims(collected, {"claims": []}) is render_claims(collected, {}) is None


def test_verdicts_are_counted_by_scale_where_there_are_several(collected):
    study = laboratory_example.study()
    claims = [dict(claim) for claim in study["claims"]]
    claims[0] |= {"scale": "small", "question": "Does it here?"}
    found = render_claims(collected, study | {"claims": claims})
    counts = {scale: dict(each) for scale, each in found["counts"]}
    assert list(counts) == ["full", "small"]
    assert [sum(each.values()) for each in counts.values()] == [3, 1]
    (scaled,) = [row for row in found["rows"] if row["scale"] == "small"]
    assert counts["small"][scaled["verdict"]] == 1
    assert found["scaled"]


def test_ids_are_sorted_as_people_do():
    assert sorted(["H10b", "H2", "B", "H10", "10", "2"], key=natural_key) == ["2", "10", "B", "H2", "H10", "H10b"]


# The page


@pytest.mark.slow
def test_page_of_small_games_alone(page, shown):
    parsed = Page(page)
    assert not parsed.open
    assert parsed.foreign == []
    assert {address[1:] for address in parsed.addresses if address.startswith("#")} <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert parsed.tags.count("img") == len(shown)
    text = words(page)
    assert "4 claims: 2 confirmed 1 refuted 1 undecided" in text
    assert [name for name in parsed.ids if name in SECTIONS] == ["claims", "diagnostics", "making"]
    assert len(parsed.scripts) == 2
    for part in (*GAN_HEADINGS, "None", "nan"):
        assert part not in text.replace("nothing", "").split("Complete configuration")[0]
    assert "It does, by simultaneous steps." in text
    assert "closed_form" not in text.split("Complete configuration")[0]


def test_experiments_show_numbers_by_setting(collected):
    path, *_, sizes = experiments(collected, laboratory_example.study())
    assert path["heads"] == ["what", "learning rate"]
    assert len(path["rows"]) == 12
    assert path["rows"][0]["name"] == ["bilinear, simultaneous", "0.1"]
    assert path["rows"][0]["cells"][0]["median"] == "1.005"
    assert path["options"] == "at end"
    assert sizes["alone"] == [("Size in example 1", "5", "Side of the output.")]
    assert sizes["rows"] == []


@pytest.mark.parametrize(
    ("values", "median", "range_"),
    [
        ([1, 2, 3, np.inf], "2.5", "1 to ∞"),
        ([-np.inf, 1, 2, 3], "1.5", "-∞ to 3"),
        ([1, np.inf, np.inf, np.inf], "∞", "1 to ∞"),
        ([np.inf, 1, np.inf, np.nan], "1, ∞ and ∞", ""),
        ([-np.inf, np.inf], "–", "-∞ to ∞"),
        ([np.inf, np.inf], "∞", ""),
    ],
)
def test_infinite_values_count_in_medians_of_diagnostics(collected, values, median, range_):
    runs = collected.runs.assign(method="m", learning_rate=1.0)
    runs = runs.assign(**dict.fromkeys(("game", "dynamics"), "g")).iloc[: len(values)]
    table = pd.DataFrame({"run": runs["run"], "quantity": "path.growth", "value": values})
    some = dataclasses.replace(collected, runs=runs, measurements=table)
    (row,) = experiments(some, laboratory_example.study())[0]["rows"]
    assert (row["cells"][0]["median"], row["cells"][0]["range"]) == (median, range_)


def test_long_tables_are_cut(collected):
    runs = pd.concat(
        [collected.runs.assign(run=collected.runs["run"] + str(i), learning_rate=float(i)) for i in range(1, 30)]
    )
    measurements = pd.DataFrame({"run": runs["run"], "quantity": "path.growth", "value": 1.0})
    many = dataclasses.replace(collected, runs=runs, measurements=measurements)
    study = laboratory_example.study()
    assert len(experiments(many, study)[0]["rows"]) == 6  # by method
    runs = runs.assign(method=runs["run"])
    path = experiments(dataclasses.replace(many, runs=runs), study)[0]
    assert len(path["rows"]) == ROWS
    assert path["left"].startswith(f"{ROWS} of {len(runs)} methods")


@pytest.mark.slow
def test_networks_and_games_on_one_page(mixed, drawn, tmp_path):
    names = list(dict.fromkeys(mixed.gans.runs["method"]))
    pictures = [(kind, of) for kind, of in figures_of(names, laboratory_example.diagnostics())]
    for name in figure_files(pictures):
        source = drawn / name if (drawn / name).exists() else drawn / f"spectrum-spectrum{Path(name).suffix}"
        shutil.copy(source, tmp_path / name)
    html.render(mixed, laboratory_example.study(), tmp_path, pictures, tmp_path / "report.html")
    parsed = Page((tmp_path / "report.html").read_text())
    assert [name for name in parsed.ids if name in SECTIONS] == SECTIONS
    assert all(heading in " ".join(parsed.words) for heading in GAN_HEADINGS)
    assert parsed.words.count("exploratory: asked after numbers of these runs had been seen") == 1


@pytest.mark.slow
def test_hostile_words_stay_words(collected, drawn, shown, tmp_path):
    study = laboratory_example.study() | {"title": HOSTILE, "description": HOSTILE}
    study["claims"] = [claim | {"statement": HOSTILE, "source": HOSTILE, "note": HOSTILE} for claim in study["claims"]]
    study["diagnose"] = [each | {"where": {"game": [HOSTILE]}} for each in study["diagnose"]]
    study["diagnose"][0]["diagnostic"]["at"] = HOSTILE
    infos = {
        name: dataclasses.replace(info, title=HOSTILE, what=HOSTILE) for name, info in collected.quantities.items()
    }
    runs = collected.runs.assign(run=collected.runs["run"] + HOSTILE, method=collected.runs["method"] + HOSTILE)
    runs["game"] = runs["game"] + HOSTILE
    measurements = collected.measurements.assign(
        run=lambda table: table["run"].where(table["run"] == "", table["run"] + HOSTILE)
    )
    few = dataclasses.replace(collected, runs=runs, quantities=infos, measurements=measurements)
    html.render(few, study, drawn, shown, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    parsed = Page(page)
    assert parsed.foreign == []
    assert len(parsed.scripts) == 2
    assert not parsed.open
    assert HOSTILE in " ".join(parsed.words)
    tables.write(few, tmp_path / "tables", [Claim.model_validate(claim) for claim in study["claims"]])
    assert "<script" not in (tmp_path / "tables" / "COLUMNS.md").read_text()
    with style.applied():
        style.save(figures.draw(few, "lyapunov", "lyapunov"), tmp_path, "lyapunov")
