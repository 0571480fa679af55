"""Options and sizes: ranges that members declare, values that a study may not have, and memory that it may not take."""

from __future__ import annotations

import json
import math

import pytest
from study_example import changed, plan, toys

from ganbench.core import registry, strict_json
from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.pipeline.preflight.sizes import memory_fault
from ganbench.study.choices import Choice, parse_choice
from ganbench.study.schema import parse
from ganbench.tracking.address import check_tracking_uri

NUMERIC = [
    (family, name, option)
    for family in registry.FAMILIES
    for name, member in registry.components(family).items()
    for option, about in member.options.items()
    if about.annotation in ("int", "float")
]
UNBOUNDED = {"w_d", "w_g", "adjustment", "low", "high"}  # options whose range is the real line


@pytest.mark.parametrize(("family", "name", "option"), NUMERIC)
def test_every_numeric_option_declares_a_range_and_is_finite(family, name, option):
    member = registry.find(family, name)
    assert member.options[option].range or option in UNBOUNDED
    for value in (math.nan, math.inf, -math.inf, 1e308, True, None, "much", [1], {}):
        with pytest.raises(GanbenchError, match=rf"option '{option}' must be .*, but is ") as told:
            member.complete({option: value})
        assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "words"),
    [
        ({"ge": 0, "lt": 1}, [0, 0.5], [-1e-9, 1, math.nan], "at least 0 and below 1"),
        ({"gt": -1, "lt": 1}, [-0.5, 0], [-1, 1], "above -1 and below 1"),
        ({"ge": 1, "le": 4}, [1, 4], [0, 5], "from 1 to 4"),
        ({"gt": 0}, [1e-30], [0, -1], "above 0"),
    ],
)
def test_an_interval_holds_what_its_words_say(bounds, inside, outside, words):
    interval = Interval(**bounds)
    assert str(interval) == words
    assert all(value in interval for value in inside)
    assert not any(value in interval for value in outside)


@pytest.mark.parametrize("bounds", [{"gt": 0, "ge": 0}, {"lt": 0, "le": 0}, {"ge": 1, "le": 0}, {"gt": 0, "le": 0}])
def test_an_interval_without_values_is_refused(bounds):
    with pytest.raises(ValueError, match=r"bound|no value"):
        Interval(**bounds)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("width: Annotated[int, Interval(ge=1)] = 0", "line 3: the default of option 'width' must be an integer of at"),
        ("gamma: float = 1e999", "the default of option 'gamma' must be a finite number"),
        ("gamma: Annotated[float, Interval(ge=1, le=0)] = 1.0", "is no range: no value lies"),
        ("gamma: Annotated[float, Interval(low=1)] = 1.0", "is no range"),
        ("gamma: Annotated[float, open('x')] = 1.0", "is no range such as"),
        ("kind: Annotated[str, Interval(ge=1)] = 'a'", "is no number with one range"),
    ],
)
def test_a_default_outside_of_its_range_is_told_when_the_file_is_read(tmp_path, line, message):
    path = tmp_path / "mine.py"
    path.write_text(f'"""Mine."""\nclass Own(Regularizer):\n    {line}\n')
    with pytest.raises(GanbenchError, match=message):
        registry.find("regularizer", str(path))


def part(family, **options):
    return ("grid", 1, family, options)


FAULTS = {
    "gamma": (part("regularizer", name="r1", gamma=math.nan), "'gamma' must be a finite number of at least 0, .* nan"),
    "beta": (
        part("optimizer", name="adam", beta1=2),
        "'beta1' must be a finite number of at least 0 and below 1, but is 2",
    ),
    "momentum": (
        part("optimizer", name="sgd", momentum=1e308),
        "'momentum' must be a finite number above -1 and below 1",
    ),
    "width": (part("architecture", name="mlp", width=-3), "'width' must be an integer from 1 to 16384, but is -3"),
    "no width": (part("architecture", name="mlp", width=0), "'width' must be an integer from 1 to 16384, but is 0"),
    "layers": (part("architecture", name="mlp", generator_depth=-2), "an integer from -1 to 256, but is -2"),
    "width of D": (part("architecture", name="mlp", discriminator_width=-1), "an integer from 0 to 16384, but is -1"),
    "a wide one": (part("architecture", name="mlp", width=100_000), "'width' must be .*, but is 100000"),
    "latent": (part("architecture", name="mlp", latent_size=10**9), "'latent_size' must be .*, but is 1000000000"),
    "batch": (("train", "batch_size", 1e12), r"train\.batch_size: must be less than"),
    "metrics": (("evaluate", "metrics", ["fd", "fd"]), r"evaluate\.metrics: has fd more than once"),
    "the same metric": (
        ("evaluate", "metrics", ["mode_coverage", {"name": "mode_coverage", "min_mode_share": 0.1}]),
        "has mode_coverage more than once",
    ),
    "pack axes": (("pack", "axes", ["seed", "seed"]), r"pack\.axes: has seed more than once"),
    "rates": (("grid", 1, "learning_rate", ["1e-3", 0.001]), r"has 0\.001 more than once"),
    "a rate that float32 lacks": (("grid", 1, "learning_rate", 1e-60), r"learning_rate\[0\]: must be greater"),
    "memory": (("machine", "max_mem_mb", 1), r"max_mem_mb: must be .* 500 \(received 1\)"),
    "endless seconds": (("machine", "checkpoint_seconds", math.inf), "checkpoint_seconds: must be a finite number"),
    "samples_kept": (
        ("evaluate", {"samples": 20, "samples_kept": 21}),
        "samples_kept must be at most samples, 20, but is 21",
    ),
    "address": (("track", "uri", "ftp://x"), r"track\.uri: must be sqlite:///path/to/file\.db or"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_values_that_no_study_may_have_are_refused_in_one_sentence(fault):
    change, message = FAULTS[fault]
    with pytest.raises(GanbenchError, match=message) as told:
        plan(changed(*change))
    assert str(told.value).count("\n") == 1


def of_claim(**kind):
    return {"id": "X", "statement": "x", "tests": [kind]}


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (of_claim(bound={"quantity": "1/0 * path.growth", "above": 0}), "'1/0' has no finite real value"),
        (of_claim(bound={"quantity": "path.growth", "above": "sqrt(-1)"}), r"'sqrt\(-1\)' has no finite real value"),
        (of_claim(bound={"quantity": "path.growth", "above": math.nan}), "must be a finite number or an expression"),
        (
            of_claim(bound={"where": {"game": "bilinear"}, "quantity": "exp(1e5 * learning_rate)", "above": 0}),
            "has no finite value in any of the runs",
        ),
        (
            of_claim(bound={"where": {"seed": [0, 0]}, "quantity": "path.growth", "above": 0}),
            "seed has a value more than once",
        ),
        (
            of_claim(bound={"where": {"learning_rate": math.inf}, "quantity": "path.growth", "above": 0}),
            "learning_rate must be a finite number",
        ),
    ],
)
def test_a_claim_that_nothing_can_decide_is_refused(claim, message):
    with pytest.raises(GanbenchError, match=message):
        plan(toys(claims=[claim]))


def test_what_cannot_fit_into_memory_is_refused_with_numbers():
    wide = {"name": "mlp", "width": 16_384, "depth": 256}
    study = parse(changed("grid", 1, "architecture", [wide, "mlp"]), origin="s")
    large, small = plan(changed("grid", 1, "architecture", [wide, "mlp"])).grid.runs[-8::4]
    fault = memory_fault(study, large, 2**35)
    assert "needs at least" in fault
    assert "parameters" in fault
    assert "34.4 GB" in fault
    assert memory_fault(study, small, 2**30) is None


def test_json_names_the_place_of_a_number_that_it_cannot_say():
    assert json.loads(strict_json.dumps({"a": [1.5, None]})) == {"a": [1.5, None]}
    with pytest.raises(GanbenchError, match=r"a\[1\]\.b is nan"):
        strict_json.dumps({"a": [0, {"b": math.nan}]})


def test_an_address_in_a_missing_folder_is_refused_unless_the_study_makes_it(tmp_path):
    check_tracking_uri(f"sqlite:///{tmp_path}/results/mlflow.db", to_be_made=tmp_path / "results" / "tiny")
    with pytest.raises(GanbenchError, match=r"there is no folder .*elsewhere"):
        check_tracking_uri(f"sqlite:///{tmp_path}/elsewhere/mlflow.db", to_be_made=tmp_path / "results" / "tiny")


def test_a_shipped_data_set_is_built_once_and_a_user_s_own_at_every_call(tmp_path):
    """A folder of images may have thousands of files to look for."""
    shipped = parse_choice("dataset", {"name": "image_folder", "folder": str(tmp_path)})
    assert shipped.build() is parse_choice("dataset", {"name": "image_folder", "folder": str(tmp_path)}).build()
    own = tmp_path / "own.py"
    own.write_text(
        '"""A user\'s own."""\n'
        "from dataclasses import dataclass\n"
        "from ganbench.data.ring8 import Ring8\n\n\n"
        "@dataclass(frozen=True)\n"
        "class Own(Ring8):\n"
        "    pass\n"
    )
    choice = parse_choice("dataset", str(own))
    assert choice.build() is not choice.build()


@pytest.mark.parametrize(
    ("given", "text"),
    [("fc", "fc"), ({"name": "fc", "hidden_sizes": [8, 16]}, "fc(hidden_sizes=[8, 16])")],
    ids=["default", "set"],
)
def test_a_choice_has_one_text_in_a_study_and_in_a_job_file(given, text):
    """Where JSON has made lists of tuples."""
    choice = parse_choice("architecture", given)
    stored = Choice(family="architecture", name="fc", options=json.loads(json.dumps(choice.options)))
    assert choice.text == stored.text == text
