"""docs/extending.md shows the very templates that `ganbench new` writes, and the checks that `ganbench try` makes."""

from __future__ import annotations

import re

import pytest
from documentation import PAGES, section

from ganbench.contracts import trials
from ganbench.contracts.templates import USES, template
from ganbench.contracts.trials import games
from ganbench.contracts.trials.checks import Subject
from ganbench.core import registry

PAGE = "docs/extending.md"


def test_every_family_has_a_section_and_no_other_thing_has():
    assert re.findall(r"^## (.*)$", PAGES[PAGE], re.MULTILINE) == list(registry.FAMILIES)


@pytest.mark.parametrize("family", registry.FAMILIES)
def test_a_section_shows_the_template_its_use_and_its_checks(family):
    text, path = section(PAGE, family), template(family)
    assert f"```python\n{path.read_text()}```" in text, f"write {path.name} anew into the section {family!r} of {PAGE}"
    assert f"```text\n{USES[family].format(name=f'my_{family}')}\n```" in text
    component = trials.read(path)
    checks = trials.CHECKS[family](Subject(component, games.built(component)))
    listed = re.findall(r"^- (.*)$", text.partition("\nChecked:\n")[2], re.MULTILINE)
    assert listed == [trials.BUILDS, *(check.what for check in checks)]
