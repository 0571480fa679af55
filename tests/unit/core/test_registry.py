"""What is read of a component's source: the same as what its object turns out to be."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from building import names, part

from ganbench.contracts.templates import template
from ganbench.core import registry
from ganbench.core.dataset_specs import describe_dataset
from ganbench.core.errors import GanbenchError
from ganbench.core.registry import FAMILIES, ComponentInfo
from ganbench.core.source_digests import sources_digest
from ganbench.core.supplied import NOT_AN_OPTION
from ganbench.games.gan import GAN
from ganbench.pipeline.preflight.claimed_outcomes import critics
from ganbench.study.choices import parse_choice

IMPORTS = """\
import typing
import typing as t
from dataclasses import dataclass
from typing import Any, ClassVar
from typing import ClassVar as Constant

from ganbench.core import supplied
from ganbench.core.supplied import Supplied, Supplied as Given
from ganbench.games.dirac import DiracGAN
from ganbench.objectives import Objective
from ganbench.objectives.least_squares import LeastSquares
from ganbench.objectives.wasserstein import Wasserstein

"""
OBJECTIVE = """
    def real(self, logits):
        return -logits

    fake = generator = real

    def output(self, logits):
        return logits
"""


def own(folder: Path, family: str, *, body: str = "", base: str, before: str = "") -> ComponentInfo:
    """A component of one's own, of a class that derives from this one and has this body."""
    folder.mkdir(exist_ok=True)
    path = folder / "own.py"
    path.write_text(
        f"{IMPORTS}{before}@dataclass(frozen=True, kw_only=True)\nclass Own({base}):\n    {body or 'pass'}\n"
    )
    return registry.find(family, str(path))


def critic(folder: Path, body: str, before: str = "", base: str = "Objective") -> ComponentInfo:
    return own(folder, "objective", body=body + OBJECTIVE, base=base, before=before)


@pytest.mark.parametrize(
    "annotation",
    ["", ": bool", ": ClassVar[bool]", ": ClassVar", ": typing.ClassVar[bool]", ": t.ClassVar", ": Constant"],
)
def test_a_class_attribute_is_read_alike_however_it_is_written(tmp_path, annotation):
    info = critic(tmp_path, f"probability{annotation} = False")
    assert info.constants == {"probability": False}
    assert info.options == {}
    assert info.build({}).probability is False
    assert critics(parse_choice("objective", str(info.path))), "claims know of it"


def test_a_class_attribute_that_is_not_written_is_that_of_the_class_above(tmp_path):
    assert critic(tmp_path, "").constants == {"probability": True}
    derived = own(tmp_path, "objective", base="Wasserstein")
    assert derived.constants == registry.find("objective", "wasserstein").constants == {"probability": False}
    assert derived.build({}).probability is False


def test_a_file_that_was_edited_is_read_and_run_as_it_is_now(tmp_path):
    """In a notebook, which outlives many versions of it; its digest, by which results are found, changes with it."""
    former = critic(tmp_path, "gain: float = 0.5\n    shift: ClassVar = 1")
    first, digest = former.build(former.complete({})), sources_digest(former.path)
    info = critic(tmp_path, "gain: float = 0.9\n    shift: ClassVar = 2")  # of the same size, and within a second
    built = info.build(info.complete({}))
    assert (first.gain, first.shift, built.gain, built.shift) == (0.5, 1, 0.9, 2)
    assert former.build(former.complete({})).shift == 1, "a description is of the file that was read"
    assert sources_digest(info.path) != digest
    again = critic(tmp_path, "gain: float = 0.5\n    shift: ClassVar = 1")
    assert sources_digest(again.path) == digest
    assert type(again.build(again.complete({}))) is type(first)


def test_the_cause_why_a_file_cannot_be_imported_is_told_each_time(tmp_path):
    info = critic(tmp_path, "", before="import a_package_that_nobody_has\n\n\n")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="a_package_that_nobody_has"):
            info.build({})


def test_a_data_set_s_file_that_was_edited_is_described_as_it_is_now(tmp_path):
    for train in (30, 40):
        spec = f"DataSpec(shape=(2,), bounded=False, train={train}, modes=2)"
        body = f'judge = "mixture"\n    spec = {spec}\n\n    def load(self):\n        raise OSError("nobody loads it")'
        info = own(
            tmp_path, "dataset", base="Dataset", body=body, before="from ganbench.data import Dataset, DataSpec\n\n\n"
        )
        assert describe_dataset(parse_choice("dataset", str(info.path))).train == train


@pytest.mark.parametrize(
    ("body", "before", "base"),
    [
        ("probability = not True", "", "Objective"),
        ("probability = other = False", "", "Objective"),
        ("probability = property(lambda self: False)", "", "Objective"),
        ("", "class _Critic(Objective):\n    probability = False\n\n\n", "_Critic"),
    ],
)
def test_a_class_attribute_that_cannot_be_read_is_refused_with_the_remedy(tmp_path, body, before, base):
    info = critic(tmp_path, body, before, base)
    said = r"own\.py: probability of its class Own is False, but is read as True .*`probability: ClassVar = False`"
    with pytest.raises(GanbenchError, match=said):
        info.build({})


@pytest.mark.parametrize("family", FAMILIES)
def test_every_declared_attribute_has_a_value_in_the_base_class(family):
    declared = FAMILIES[family].declared
    assert FAMILIES[family].constants.keys() == set(declared)
    for name, info in registry.components(family).items():
        assert info.constants.keys() == set(declared), name
        assert not info.options.keys() & set(declared), name
        assert info.shipped


@pytest.mark.parametrize(
    ("base", "body", "meaning"),
    [
        ("Objective", 'gain: float = 1.0\n    """Factor of\n    the loss."""', "Factor of the loss."),
        ("Objective", 'gain: float = 1.0\n\n    half = 2\n    """Not an option."""', ""),
        ("Objective", "gain: float = 1.0  # no docstring", ""),
        ("LeastSquares", 'gain: float = 1.0\n    "Factor."', "Factor."),
    ],
)
def test_the_docstring_below_a_field_is_the_meaning_of_the_option(tmp_path, base, body, meaning):
    assert critic(tmp_path, body, base=base).options["gain"].meaning == meaning


@pytest.mark.parametrize("base", ["Objective", "LeastSquares"])
def test_an_option_that_is_declared_anew_keeps_the_meaning_of_the_class_above_or_has_its_own(tmp_path, base):
    above = registry.find("objective", "least_squares").options["label_flip_probability"].meaning
    declared = "label_flip_probability: Annotated[float, Interval(ge=0, le=1)] = 0.5"
    assert above.startswith("Probability that an example")
    assert critic(tmp_path / "a", declared, base=base).options["label_flip_probability"].meaning == above
    assert (
        critic(tmp_path / "b", f'{declared}\n    "Mine."', base=base).options["label_flip_probability"].meaning
        == "Mine."
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_every_option_of_the_package_has_a_meaning(family):
    for each in (*registry.components(family).values(), registry.read_component(family, template(family))):
        assert [name for name, option in each.options.items() if not option.meaning] == [], each.path.name


@pytest.mark.parametrize("annotation", ["Supplied[int]", "Given[int]", "supplied.Supplied[int | None]"])
def test_a_field_that_the_engine_supplies_is_no_option_whatever_its_mark_is_called(tmp_path, annotation):
    info = own(tmp_path, "game", body=f"batch_size: {annotation}", base="DiracGAN")
    assert info.options == registry.find("game", "dirac").options
    parts = {"objective": part("objective", "minimax"), "regularizer": part("regularizer", "none")}
    assert info.build({}, **parts, batch_size=3).batch_size == 3
    assert not info.shipped


def test_another_type_of_the_mark_s_name_is_no_mark(tmp_path):
    other = "from typing import List as Supplied\n\n\n"
    with pytest.raises(GanbenchError, match="option 'batch_size' needs a default value"):
        own(tmp_path, "game", body="batch_size: Supplied[int]", base="DiracGAN", before=other)


def supplied_fields(cls: Any) -> set[str]:
    """The fields of a class that bear the mark itself."""
    hints = get_type_hints(cls, include_extras=True)
    return {each.name for each in fields(cls) if any(mark is NOT_AN_OPTION for mark in get_args(hints[each.name]))}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_fields_of_a_class_are_its_options_and_what_the_engine_supplies(family):
    for name in names(family):
        info = registry.find(family, name)
        cls = getattr(info._module, info.cls)
        assert {each.name for each in fields(cls)} == info.options.keys() | supplied_fields(cls), name
        assert not info.options.keys() & supplied_fields(cls), name


def test_what_a_game_is_supplied_with_has_a_type():
    assert len(supplied_fields(GAN)) == 9
    assert Any not in get_type_hints(GAN).values()


@pytest.mark.parametrize(
    ("line", "beside"),
    [
        ("from my_layers import f", "my_layers.py"),
        ("import my_layers.convolutions as c", "my_layers/convolutions.py"),
        ("from .my_layers import f", "my_layers.py"),
        ("def later():\n    import my_layers", "my_layers/__init__.py"),
    ],
)
def test_a_module_beside_the_file_is_refused_since_no_digest_covers_it(tmp_path, line, beside):
    (tmp_path / beside).parent.mkdir(exist_ok=True)
    (tmp_path / beside).write_text("def f():\n    return 1\n")
    with pytest.raises(
        GanbenchError, match=r"own\.py: line 1[45] imports '.*', which lies beside it\. A component is one"
    ):
        critic(tmp_path, "probability = False", before=f"{line}\n\n")


def test_what_the_file_imports_from_elsewhere_is_not_mistaken_for_files_beside_it(tmp_path):
    for name in ("copy.py", "ganbench/__init__.py", "numpy/data.csv", "other.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    critic(
        tmp_path, "probability = False", before="import copy\nimport numpy\nfrom ganbench import core\nimport own\n\n"
    )


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (
            "layers: list[str] = []",
            r"line 16: the default of option 'layers' is a list, .* `layers: tuple\[str, ...\] = \(\)`",
        ),
        ("limits: dict[str, float] = {}", "line 16: the default of option 'limits' is a dict"),
        ("label: str = 'x'", "line 16: an option cannot be called 'label', which a study gives to every component"),
        ("name: str = 'x'", "line 16: an option cannot be called 'name'"),
        ("depth: int", "line 16: option 'depth' needs a default value"),
    ],
)
def test_an_option_that_no_study_could_set_or_no_class_could_have_is_refused_at_its_line(tmp_path, field, said):
    with pytest.raises(GanbenchError, match=said):
        critic(tmp_path, field)


def test_a_default_of_another_type_is_a_fault_of_the_file_and_a_given_value_one_of_the_study(tmp_path):
    made = critic(tmp_path, "strength: float = 'a'")
    with pytest.raises(
        GanbenchError, match=r"objective file .*own\.py: the default of option 'strength' must be a finite"
    ):
        made.complete({})
    with pytest.raises(GanbenchError, match="objective 'own': option 'strength' must be a finite number, but is 'b'"):
        made.complete({"strength": "b"})
