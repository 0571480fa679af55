"""The report in a real browser: clicks, keys, addresses, paper and telephones, with hostile words and broken curves."""

from __future__ import annotations

import base64
import dataclasses
import shutil
from itertools import pairwise
from pathlib import Path

import collected_example
import laboratory_example
import numpy as np
import pytest
from chromium import MISSING, Browser
from html_page import HOSTILE
from needs import need

from ganbench.analysis.collected import Collected
from ganbench.report import figures, html
from ganbench.report.run_records import keys

pytestmark = pytest.mark.cluster

SHOWN = [("outcomes", None), ("losses", "ring8-mlp"), ("film", "ring8-mlp")]
DIALOG = "document.getElementById('run-dialog')"
# Elements by a selector, and those of them for which a condition on `each` holds.
ALL = "[...document.querySelectorAll('{}')].filter((each) => {})"
ROWS = "[...document.querySelectorAll('#runs tbody tr')].filter((row) => !row.hidden)"


@pytest.fixture(scope="module")
def study(collected) -> Collected:
    """The made-up study on the ring; its first run has a hostile name, and losses that are no numbers at times."""
    few = collected_example.only(collected, collected.runs["method"] == "ring8-mlp")
    first = few.runs["run"].iloc[0]
    tables = {
        name: getattr(few, name).assign(run=getattr(few, name)["run"].replace(first, first + HOSTILE))
        for name in ("runs", "snapshots", "curves", "run_outcomes", "events", "modes")
    }
    curves = tables["curves"]
    mine = curves.index[(curves["run"] == first + HOSTILE) & (curves["series"] == "generator_loss")]
    curves.loc[mine[10:20], "mean"] = np.nan
    curves.loc[mine[40:42], "mean"] = np.inf
    tables["runs"]["outcome_evidence"] = HOSTILE
    infos = few.metrics | {"fd": dataclasses.replace(few.metrics["fd"], title=HOSTILE)}
    return dataclasses.replace(few, **tables, metrics=infos)


@pytest.fixture(scope="module")
def page(study, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    drawn = [(kind, of) for kind, of in SHOWN if kind != "film"]
    figures.write(study, folder / "figures", drawn)
    for format in ("svg", "png"):
        shutil.copy(folder / "figures" / f"outcomes.{format}", folder / "figures" / f"film-ring8-mlp.{format}")
    results = {pack: [f"train/{pack}.h5"] for pack in study.runs["pack"]}
    given = collected_example.study() | {"title": HOSTILE}
    html.render(study, given, folder / "figures", SHOWN, folder / "report.html", file="a study.yaml", results=results)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    need(MISSING)
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def at(browser, page):
    """A page that is open, at a place of it; nothing may complain, and nothing but its own files be asked for."""

    def go(place: str = "", path: Path = page, **size: int) -> Browser:
        browser.open(path.as_uri() + place, **size)
        return browser

    browser.faults.clear()
    browser.requests.clear()
    yield go
    assert browser.faults == []
    assert all(address.startswith(page.parent.as_uri()) for address in browser.requests)


def address(study: Collected, place: int = 0) -> str:
    return f"#run-{keys(study.runs)[place]}"


def test_a_click_opens_a_run_and_escape_and_back_close_it(at, study):
    browser = at()
    browser.js(f"document.querySelector('a[href=\"{address(study, 3)}\"]').click()")
    browser.wait(f"{DIALOG}.open")
    assert browser.js("location.hash") == address(study, 3)
    browser.js("history.back()")
    browser.wait(f"!{DIALOG}.open")
    browser.js("history.forward()")
    browser.wait(f"{DIALOG}.open")
    browser.press("Escape")
    browser.wait("location.hash === '#runs'")
    assert not browser.js(f"{DIALOG}.open")


def test_the_address_of_a_run_opens_it_with_all_that_is_known(at, study):
    browser, run = at(address(study)), study.runs.iloc[0]
    assert browser.js(f"{DIALOG}.open")
    text = browser.js(f"{DIALOG}.innerText")
    for part in (run["run"], run["outcome"], f"train/{run['pack']}.h5", "figures/film-ring8-mlp", run["digest"]):
        assert " ".join(str(part).split()) in " ".join(text.split())
    assert "ganbench train 'a study.yaml' --only" in text
    assert "ganbench export" in text
    assert "generator loss is NaN at" in text
    assert "+∞ at" in text
    path = browser.js(f"{DIALOG}.querySelectorAll('svg')[1].querySelector('path').getAttribute('d')")
    assert path.count("M") > 2, "gaps interrupt the line"
    assert "NaN" not in path
    assert "Infinity" not in path


FRAMED = """<iframe sandbox="allow-scripts"></iframe><script>
const bytes = Uint8Array.from(atob("{content}"), (each) => each.charCodeAt(0));
document.querySelector("iframe").src = URL.createObjectURL(new Blob([bytes], {{type: "text/html"}}));
</script>"""


def test_links_lead_to_places_of_the_page_in_the_frame_in_which_mlflow_shows_it(browser, page, study, tmp_path):
    around = tmp_path / "around.html"
    around.write_text(FRAMED.format(content=base64.b64encode(page.read_bytes()).decode()))
    browser.open(around.as_uri())
    with browser.inside():
        assert browser.js("[location.protocol, origin]") == ["blob:", "null"]
        browser.js("document.querySelector('nav a[href=\"#runs\"]').click()")
        browser.wait("Math.abs(document.querySelector('#runs').getBoundingClientRect().top) < 100")
        browser.js(f"document.querySelector('a[href=\"{address(study, 3)}\"]').click()")
        browser.wait(f"{DIALOG}.open")
        browser.js(f"{DIALOG}.close()")
        browser.wait("location.hash === '#runs'")
        browser.js("[...document.querySelectorAll('#runs tbody input')].slice(0, 2).forEach((box) => box.click())")
        compare = ALL.format("button", "each.innerText.startsWith('Compare')")
        browser.js(f"{compare}[0].click()")
        browser.wait(f"{DIALOG}.innerText.includes('2 runs side by side')")


def test_an_address_of_a_run_that_is_not_there_says_so(at, study):
    said = "document.querySelector('#runs > [role=status]').textContent"
    browser = at("#run-0123abcd")
    assert "This report has no run-0123abcd." in browser.js(said)
    assert not browser.js(f"{DIALOG}.open")
    browser.wait("Math.abs(document.querySelector('#runs').getBoundingClientRect().top) < 100")
    there = address(study)
    browser.js(f"location.hash = 'compare-{there[5:]},gone'")
    browser.wait(f"{said}.includes('no run-gone.')")
    browser.js(f"location.hash = '{there}'")
    browser.wait(f"{DIALOG}.open && {said} === ''")
    assert at("#runs").js(said) == "", "a place of the page is no run"


def test_columns_sort_both_ways_by_size(at, study):
    browser = at()
    heads = browser.js("[...document.querySelectorAll('#runs thead th')].map((head) => head.innerText.trim())")
    rate = heads.index("learning rate")
    press = f"document.querySelectorAll('#runs thead button')[{rate}]"
    shown = f"{ROWS}.map((row) => Number(row.cells[{rate + 1}].innerText))"
    browser.js(f"{press}.focus()")
    browser.press("Enter")
    assert browser.js(shown) == sorted(study.runs["learning_rate"])
    assert browser.js("document.querySelector('[aria-sort]').getAttribute('aria-sort')") == "ascending"
    browser.js(f"{press}.click()")
    assert browser.js(shown) == sorted(study.runs["learning_rate"], reverse=True)
    assert browser.js("document.querySelectorAll('[aria-sort]').length") == 1


def test_filters_hold_together(at, study):
    browser, outcome = at(), study.runs["outcome"].iloc[-1]
    for at_menu, value in ((1, outcome), (2, "4")):
        menu = f"document.querySelectorAll('#runs select')[{at_menu}]"
        browser.js(f"{menu}.value = '{value}'; {menu}.dispatchEvent(new Event('change'))")
    wanted = study.runs[(study.runs["outcome"] == outcome) & (study.runs["seed"] == 4)]["run"]
    names = f"{ROWS}.map((row) => row.querySelector('th').textContent)"
    assert browser.js(names) == list(wanted)
    assert browser.js("document.querySelector('#runs [role=status]').textContent") == f"{len(wanted)} of 15 runs"
    box = "document.querySelector('#runs input[type=search]')"
    browser.js(f"{box}.value = 'no such words'; {box}.dispatchEvent(new Event('input'))")
    assert browser.js(names) == []


def test_a_number_is_found_however_it_is_written(at, study):
    browser = at()
    box = "document.querySelector('#runs input[type=search]')"
    rate = float(study.runs["learning_rate"].iloc[0])
    found = []
    for text in (f"{rate:.1e}", f"{rate:.12f}"):
        browser.js(f"{box}.value = '{text}'; {box}.dispatchEvent(new Event('input'))")
        found.append(browser.js(f"{ROWS}.map((row) => row.querySelector('th').textContent)"))
    assert found == [list(study.runs.loc[study.runs["learning_rate"] == rate, "run"])] * 2


def test_runs_are_compared_in_settings_and_curves(at, study):
    browser = at()
    assert browser.js("document.querySelector('#runs .tools button').disabled")
    browser.js("[...document.querySelectorAll('#runs tbody input')].slice(0, 3).forEach((box) => box.click())")
    browser.js("document.querySelector('#runs .tools button').click()")
    browser.wait(f"{DIALOG}.open")
    heads = browser.js(f"[...{DIALOG}.querySelectorAll('tbody th')].map((head) => head.textContent)")
    assert "seed" in heads
    assert "dataset" not in heads, "all runs have it"
    charts = f"[...{DIALOG}.querySelectorAll('figure svg')]"
    assert browser.js(f"{charts}.map((each) => each.querySelectorAll('path').length)") == [3, 3, 3]
    pens = f"[...{DIALOG}.querySelectorAll('.legend line')].map((each) => each.getAttribute('stroke-dasharray'))"
    assert len(set(browser.js(pens))) == 3, "told apart without colours"
    last = f"step {study.runs['steps'].max():,}"
    assert browser.js(f"{charts}.map((each) => each.textContent.includes('{last}'))") == [True] * 3
    browser.js(f"{DIALOG}.querySelectorAll('.legend a')[1].click()")
    browser.wait(f"location.hash === '{address(study, 1)}'")
    browser.js("history.back()")
    browser.wait(f"{DIALOG}.innerText.startsWith('Close') && {DIALOG}.innerText.includes('3 runs side by side')")


def test_pictures_open_large_from_their_files_and_else_from_the_page(at, page, tmp_path):
    image = "document.querySelector('#picture-dialog img')"
    browser = at()
    browser.js("document.querySelector('main figure img').click()")
    browser.wait(f"{image}.complete && {image}.naturalWidth > 0")
    assert browser.js(f"{image}.src") == (page.parent / "figures" / "outcomes.svg").as_uri()
    browser.press("ArrowRight")
    browser.wait(f"{image}.src.endsWith('losses-ring8-mlp.svg')")
    browser.press("ArrowLeft")
    browser.press("ArrowLeft")
    browser.wait(f"{image}.src.endsWith('film-ring8-mlp.svg')")
    browser.js("document.querySelector('#picture-dialog .scroll').focus()")
    browser.press("ArrowRight")
    assert browser.js(f"{image}.src.endsWith('film-ring8-mlp.svg')"), "keys in the picture move it"
    assert browser.js("document.getElementById('picture-dialog').ariaLabel") == "Film of training"
    browser.press("Escape")
    assert not browser.js("document.getElementById('picture-dialog').open")


def test_a_page_that_was_moved_alone_shows_its_own_copies(browser, page, tmp_path):
    need(MISSING)
    alone = Path(shutil.copy(page, tmp_path))
    browser.faults.clear()
    browser.open(alone.as_uri())
    browser.js("document.querySelector('a.large').click()")
    browser.wait("document.querySelector('#picture-dialog img').src.startsWith('data:image/')")
    assert "figures/outcomes.svg does not lie beside this page" in browser.js("document.body.innerText")
    assert all("ERR_FILE_NOT_FOUND" in fault for fault in browser.faults)


def test_hostile_words_are_words(at, study):
    browser = at(address(study))
    assert browser.js("document.querySelectorAll('script').length") == 2
    assert HOSTILE in browser.js(f"{DIALOG}.querySelector('h2').textContent")
    assert HOSTILE in browser.js(f"{DIALOG}.textContent").split("Scores of the last networks")[1], "the metric's title"


def test_nothing_overflows_a_telephone(at, study):
    browser = at(width=360, height=740)
    outside = "each.getBoundingClientRect().right > 361 && !each.closest('.scroll, pre, nav')"
    wide = f"{ALL.format('main *, dialog[open] *', outside)}.map((each) => each.outerHTML.slice(0, 80))"
    assert browser.js("document.documentElement.scrollWidth") <= 360
    assert browser.js(wide) == []
    browser = at(address(study), width=360, height=740)
    assert browser.js(wide) == []
    assert browser.js(f"{DIALOG}.scrollWidth - {DIALOG}.clientWidth") <= 0
    shrunk = (
        f"(svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)({DIALOG}.querySelector('.curves svg'))"
    )
    assert browser.js(shrunk) > 0.9, "words in curves are no smaller than elsewhere"


def test_claims_fit_a_telephone_one_below_the_other(browser, tmp_path):
    """Their verdicts lay beyond its edge."""
    need(MISSING)
    collected = laboratory_example.build(tmp_path / "collected", gans=False)
    given = laboratory_example.study()
    given["claims"][0]["id"] = "an.identifier.as.long.as.allowed"
    html.render(collected, given, tmp_path, [], tmp_path / "report.html")
    browser.open((tmp_path / "report.html").as_uri(), width=360, height=740)
    parts = "table.claims > tbody > tr:first-child > *"
    assert browser.js(f"{ALL.format(parts, 'each.innerText')}.length") == 4 * len(given["claims"])
    assert browser.js(f"{ALL.format(parts, 'each.getBoundingClientRect().right > 361')}.length") == 0


def test_a_screen_reader_finds_names_and_headings_in_order(at):
    browser = at()
    assert browser.js("document.documentElement.lang") == "en"
    assert browser.js("document.querySelectorAll('h1').length") == 1
    levels = browser.js(f"{ALL.format('main :is(h1, h2, h3, h4)', 'true')}.map((each) => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for what, condition in {
        "table": "!each.caption",
        "th": "!each.scope",
        "input, select, [tabindex]": "!each.ariaLabel && !each.closest('label')",
        "main img": "each.alt.length < 20 || each.alt.includes('How to')",
        "main figure": "!/^H[34]$/.test(each.previousElementSibling.tagName) || !each.previousElementSibling.id",
    }.items():
        assert browser.js(f"{ALL.format(what, condition)}.length") == 0, what


def test_paper_has_the_tables_and_pictures_and_nothing_to_press(at):
    browser = at("#runs")
    browser.call("Emulation.setEmulatedMedia", media="print")
    pressed = ALL.format("button, nav, dialog, input, select, a.large", "each.offsetParent && !each.closest('th')")
    assert browser.js(f"{pressed}.map((each) => each.outerHTML.slice(0, 80))") == []
    heads = ALL.format("#runs thead th", "each.offsetParent")
    assert "learning rate" in browser.js(f"{heads}.map((each) => each.innerText)"), "words, on every page"
    boxes = ALL.format("main .scroll", "getComputedStyle(each).overflowY !== 'visible'")
    assert browser.js(f"{boxes}.length") == 0
    pdf = base64.b64decode(browser.call("Page.printToPDF")["data"])
    browser.call("Emulation.setEmulatedMedia", media="")
    assert pdf.startswith(b"%PDF")


def test_without_its_script_the_page_has_every_run(browser, page, study):
    need(MISSING)
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page.as_uri() + address(study, 2))
        assert browser.js("document.querySelectorAll('#runs tbody tr').length") == len(study.runs)
        assert browser.js("document.querySelector(':target').textContent").count(study.runs["digest"].iloc[2]) == 1
        assert browser.js("document.querySelectorAll('dialog, button').length") == 0
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_chart_of_a_run_that_diverges_keeps_its_middle(at, study):
    """Values beyond a hundred times the usual size are at the edge, and counted."""
    browser = at(address(study))
    curve = "{ values: [1, 2, 1e12, 1, 2], steps: [1, 2, 3, 4, 5], label: 'a', ink: pen(0) }"
    drawn = browser.js(f"chart('loss', [{curve}], 10).textContent")
    assert "1 of 5 points are beyond" in drawn
    assert "step 10" in drawn
    assert "e+12" not in drawn.split("points")[0]
