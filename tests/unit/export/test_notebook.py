"""The notebook that ships: it holds the outputs of its cells, and a new execution gives outputs of the same kinds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from notebooks import execute
from repository import ROOT

FOLDER = ROOT / "docs/notebooks"
NOTEBOOK = FOLDER / "results.ipynb"


def outputs(notebook: dict[str, Any]) -> list[list[list[str]]]:
    """By code cell, the kinds of data of each of its outputs."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [[sorted(each.get("data", {"text": ""})) for each in cell["outputs"]] for cell in cells]


def heads(notebook: dict[str, Any]) -> list[str]:
    """The first lines of representations and of errors, without numbers, which depend on the processor."""
    parts = [each for cell in notebook["cells"] for each in cell.get("outputs", [])]
    plain = ["".join(each.get("text", each.get("data", {}).get("text/plain", ""))).split("\n")[0] for each in parts]
    return [re.sub(r"\d+", "#", line) for line in plain if line.startswith(("Results of", "unknown run"))]


def test_the_notebook_holds_what_its_cells_gave():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert sum(bool(cell.outputs) for cell in code) >= 10
    assert not [each for cell in code for each in cell.outputs if each.output_type == "error"]
    assert NOTEBOOK.stat().st_size < 200_000
    assert not re.search(r"/(home|work|root|tmp|Users)/", NOTEBOOK.read_text())


@pytest.mark.cluster  # its study trains first, for a minute
def test_the_cells_of_the_notebook_run(tmp_path: Path):
    for path in FOLDER.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    stored, now = nbformat.read(NOTEBOOK, as_version=4), execute(tmp_path / NOTEBOOK.name)
    assert outputs(now) == outputs(stored)
    assert heads(now) == heads(stored)
    assert len(heads(now)) == 3
