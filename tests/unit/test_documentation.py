"""The pages as a whole: every link leads somewhere, every page is linked, and README is short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from documentation import PAGES, blocks
from repository import ROOT
from typer.testing import CliRunner

from ganbench.cli import app
from ganbench.contracts.templates import written
from ganbench.pipeline.plan import Plan
from ganbench.study.schema import parse

KEYS = "config/README.md"
TEXTS = PAGES | {KEYS: (ROOT / KEYS).read_text()}
TUTORIAL = "docs/tutorial.md"
LONGEST = 200  # lines of README


def prose(text: str) -> str:
    """A page without its blocks of code and its code in backticks, where brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def links(page: str) -> list[str]:
    """The targets of a page's links and pictures that lie in the repository."""
    unlabelled = re.sub(r"\[`([^`\n]*)`\]", r"[\1]", TEXTS[page])
    found = re.findall(r"\]\(([^)\s]+)\)", prose(unlabelled))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE), re.M
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def fault(page: str, target: str) -> str | None:
    """Why a link leads nowhere; None if it leads somewhere."""
    path, _, anchor = target.partition("#")
    there = (ROOT / page).parent / path if path else ROOT / page
    if not there.exists():
        return f"{page}: {target}: there is no {there}"
    if anchor and anchor not in anchors(there):
        return f"{page}: {target}: valid anchors are {sorted(anchors(there))}"
    return None


@pytest.mark.parametrize("page", TEXTS)
def test_the_links_of_a_page_lead_somewhere(page):
    assert [said for target in links(page) if (said := fault(page, target))] == []


def test_links_that_lead_nowhere_are_found():
    assert fault("README.md", "docs/nowhere.md").endswith("nowhere.md")
    assert "valid anchors are" in fault("README.md", "docs/words.md#nowhere")
    assert fault("docs/words.md", "statistics.md#what-a-perfect-generator-would-score") is None
    assert len(links("README.md")) > 20


def test_every_page_can_be_reached_from_the_readme():
    reached, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        if page in TEXTS and page not in reached:
            reached.add(page)
            targets = (((ROOT / page).parent / target.partition("#")[0]).resolve() for target in links(page))
            waiting += [each.relative_to(ROOT).as_posix() for each in targets if each.is_relative_to(ROOT)]
    assert TEXTS.keys() - reached == set()


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= LONGEST


# The tutorial ---------------------------------------------------------------------------------------------------------


def test_the_tutorial_shows_what_its_commands_print(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = blocks("text", TUTORIAL)
    for words in (["new", "regularizer", "drift"], ["try", "drift.py"]):
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0
        assert result.stdout in shown, f"write the output of `ganbench {' '.join(words)}` anew into {TUTORIAL}"
    (line,) = [block.strip() for block in shown if block.startswith("return ")]
    source = Path("drift.py").read_text()
    assert line in source
    mistake, error = "discriminator(*given).square().mean()", "its penalty() gives shape (); must be (3,)"
    assert f"`{mistake}`" in PAGES[TUTORIAL]
    assert f'"{error}"' in PAGES[TUTORIAL]
    broken = source.replace("real.mean(discriminator(*given).square())", mistake)
    Path("broken.py").write_text(broken)  # a file is imported once in a process
    result = CliRunner().invoke(app, ["try", "broken.py"], catch_exceptions=False)
    assert result.exit_code == 1
    number = next(i for i, text in enumerate(broken.splitlines(), 1) if "def penalty(" in text)
    assert f"broken.py, line {number}: {error}" in result.stdout


def test_the_study_of_the_tutorial_is_valid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drift.py").write_text(written("regularizer", "drift"))
    (text,) = blocks("yaml", TUTORIAL)
    study = parse(yaml.safe_load(text) | {"results": str(tmp_path)}, origin=TUTORIAL)
    assert len(Plan(study).grid.runs) == 3 * 10
    assert [claim.id for claim in study.claims] == ["D1", "D2"]
