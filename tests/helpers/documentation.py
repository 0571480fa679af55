"""The pages that people read: README, docs, and the page on clusters."""

from __future__ import annotations

import re

from repository import ROOT

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", ROOT / "workflow/CLUSTER.md", *sorted((ROOT / "docs").rglob("*.md")))
}


def blocks(language: str, *pages: str) -> list[str]:
    """The blocks of code in a language on some pages; on all of them by default.

    Args:
        language: the word after the fence.
        *pages: paths of the pages in the repository.
    """
    texts = [PAGES[page] for page in pages or PAGES]
    return [
        block for text in texts for block in re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]


def section(page: str, heading: str) -> str:
    """The text of a section of a page, up to the next heading of its level.

    Args:
        page: path of the page in the repository.
        heading: the heading's words.
    """
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGES[page], re.DOTALL | re.MULTILINE)
    assert found, f"{page} has no section {heading!r}"
    return found[1]
