"""`ganbench new` and `ganbench try`, as they are typed."""

from __future__ import annotations

import pytest
import yaml
from typer.testing import CliRunner

from ganbench.cli import app
from ganbench.contracts.templates import USES, template
from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.study.schema import parse


def run(*words: str):
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_new_component_is_the_template_and_can_be_tried(tmp_path):
    made = run("new", "schedule", "my_schedule")
    assert made.exit_code == 0
    assert (tmp_path / "my_schedule.py").read_text() == template("schedule").read_text()
    assert "ganbench try my_schedule.py" in made.stdout
    assert "schedule: [constant, ./my_schedule.py]" in made.stdout
    result = run("try", "my_schedule.py")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "my_schedule.py: schedule MySchedule"
    assert all(line.startswith("held ") for line in lines[1:-1])
    assert lines[-1] == f"{len(lines) - 2} checks held, 0 failed."


def test_a_file_that_is_there_is_not_overwritten(tmp_path):
    (tmp_path / "mine.py").write_text("precious")
    with pytest.raises(GanbenchError, match=r"mine\.py is there already"):
        run("new", "metric", "mine")
    assert (tmp_path / "mine.py").read_text() == "precious"


def test_a_broken_component_ends_with_status_1_its_line_and_the_contract(tmp_path):
    run("new", "schedule", "falls")
    path = tmp_path / "falls.py"
    path.write_text(path.read_text().replace("** -0.5", "** -0.5 - 2"))
    result = run("try", "falls.py")
    assert result.exit_code == 1
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if "def decay(" in text)
    assert f"falls.py, line {line}: its decay() makes the factor -1 in step 0 of 1" in result.stdout
    assert "The contract: A schedule has decay(step, steps)" in result.stdout
    assert " failed" in result.stdout


def test_an_option_without_a_meaning_is_a_hint_and_no_fault(tmp_path):
    run("new", "schedule", "mute")
    path = tmp_path / "mute.py"
    path.write_text(path.read_text().replace('    """Number of steps', '    # """Number of steps'))
    result = run("try", "mute.py")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == (
        "Hint: `ganbench list schedule mute.py` shows the docstring below an option's field; without one: period."
    )


def test_an_attribute_without_a_type_is_a_hint_and_told_to_a_study_that_sets_it(tmp_path):
    run("new", "schedule", "bare")
    path = tmp_path / "bare.py"
    source = path.read_text().replace("    def decay", "    strength = 1e-3\n\n    def decay")
    path.write_text(
        source.partition("\n\n")[2].replace("period: Annotated[int, Interval(ge=1)] = 1000", "period = 1000")
    )
    hints = [line for line in run("try", "bare.py").stdout.splitlines() if line.startswith("Hint: ")]
    assert hints == [
        "Hint: `ganbench list schedule bare.py` shows the docstring of a file, and it has none.",
        "Hint: without a type a value makes or changes no option: period, strength; write `name: float = ...`.",
    ]
    with pytest.raises(
        GanbenchError, match=r"unknown option 'strength'\..* gives strength no type: write `strength: f"
    ):
        registry.find("schedule", str(path)).complete({"strength": 1})


def test_one_fault_that_fails_several_checks_is_told_once(tmp_path):
    run("new", "schedule", "wrong")
    path = tmp_path / "wrong.py"
    path.write_text(path.read_text().replace("return (1", "raise ValueError('no number')\n        return (1"))
    told = run("try", "wrong.py").stdout
    assert told.count("ValueError: no number") == 1
    assert told.count("the same.") == told.count("FAILED") - 1 > 0


@pytest.mark.parametrize("family", registry.FAMILIES)
def test_the_line_that_new_shows_names_the_component_in_a_study(family):
    made = run("new", family, "mine")
    article = "an" if family in ("architecture", "objective", "optimizer") else "a"
    assert made.stdout.startswith(f"mine.py: {article} {family} that keeps")
    line = yaml.safe_load(USES[family].format(name="mine"))
    block = {"dataset": "digits", "architecture": "mlp", "learning_rate": 1e-3, "seed": 0}
    study = {"study": "own", "grid": [block], "train": {"steps": 10}}
    if family in block or family in ("objective", "regularizer", "dynamics", "optimizer", "schedule"):
        block |= line if "grid" not in line else line["grid"][0]
    else:
        study |= line
    parsed = parse(study, origin="own.yaml")
    assert "mine" in str(parsed.model_dump())


def test_all_families_are_shown_a_use():
    assert USES.keys() == registry.FAMILIES.keys()
