"""Hypothesis strategies of whole studies: small ones of all that the package ships, and with one value replaced by what
nobody should write."""

from __future__ import annotations

import datetime
from typing import Any

from hypothesis import strategies as st

from ganbench.core import registry

NAN, INFINITY = float("nan"), float("inf")
HOSTILE = (
    *(
        None,
        True,
        "",
        " ",
        "none",
        "ganbench",
        "🌀",
        "../..",
        "1e-3x",
        "x" * 3000,
        [],
        {},
        [[]],
        [None],
        {"name": None},
    ),
    *(
        0,
        -1,
        2**31,
        2**70,
        0.5,
        -0.0,
        1e-300,
        1e300,
        NAN,
        INFINITY,
        -INFINITY,
        "nan",
        ".inf",
        datetime.date(2026, 1, 1),
    ),
)
# Numbers of options that decide sizes stay small, and so does a study's time.
SIZES = {
    "latent_size": 4,
    "width": 8,
    "depth": 2,
    "base_channels": 4,
    "channels": 4,
    "discriminator_width": 8,
    "points": 12,
    "steps": 3,
}
SIZES |= {
    "samples": 8,
    "arnoldi_iterations": 20,
    "max_exact_size": 50,
    "perturbations": 3,
    "nodes": 3,
    "max_image_size": 5,
}
SIZES |= {"hutchinson_samples": 4, "neighbors": 2, "sync_period": 3, "discriminator_steps": 3, "examples": 4}
SIZES |= {"max_snapshots": 12, "batches": 2}
SLOW = ("fid",)  # its network takes seconds an image


def number_of(option: Any, name: str) -> st.SearchStrategy[Any]:
    """Numbers in an option's range."""
    if option.annotation == "int":
        return st.integers(0, SIZES.get(name, 3)).filter(lambda value: option.fault(value) is None)
    numbers = [option.default, 0.0, 0.01, 0.3, 1.0, 2.5, -0.5]
    return st.sampled_from([value for value in numbers if option.fault(value) is None])


@st.composite
def choices(draw: st.DrawFn, family: str, names: list[str]) -> Any:
    """A component, at times with options."""
    name = draw(st.sampled_from(names))
    member = registry.find(family, name)
    small = {key: SIZES[key] for key, option in member.options.items() if key in SIZES and option.annotation == "int"}
    options = {key: option for key, option in member.options.items() if option.annotation in ("int", "float")}
    given_options = draw(st.dictionaries(st.sampled_from(sorted(options)), st.none(), max_size=2)) if options else {}
    drawn = {key: draw(number_of(options[key], key)) for key in given_options}
    return {"name": name, **small, **drawn} if small or drawn else name


def one_or_two(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=2, unique_by=_name)


def _name(choice: Any) -> Any:
    return choice["name"] if isinstance(choice, dict) else choice


@st.composite
def blocks(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """A block of the grid of a few runs, whose seeds are its own."""
    names = {family: sorted(registry.components(family)) for family in registry.FAMILIES}
    rates = st.sampled_from([1e-4, 1e-3, "1e-2", 0.1, 1.0])
    block = {
        "dynamics": draw(one_or_two(choices("dynamics", names["dynamics"]))),
        "optimizer": draw(choices("optimizer", names["optimizer"])),
        "learning_rate": draw(one_or_two(rates)),
        "seed": draw(st.sampled_from([index, [index, index + 2], {"first": 10 * index + 3, "count": 2}])),
    }
    game = draw(st.sampled_from(names["game"]))
    parts = registry.find("game", game).constants["families"]
    if game != "gan":
        block["game"] = draw(choices("game", [game]))
    if "dataset" in parts:
        points = draw(st.booleans())
        block["dataset"] = draw(st.sampled_from(["ring8", "grid16", "line"] if points else ["digits"]))
        block["architecture"] = draw(choices("architecture", ["mlp"] if points else names["architecture"]))
        block["n_train"] = draw(st.sampled_from([1, 10, "all"]))
    for family in ("objective", "regularizer"):
        if family in parts and draw(st.booleans()):
            block[family] = draw(choices(family, names[family]))
    return block


@st.composite
def claims(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """A claim that may or may not be one of what the study measures."""
    quantity = draw(
        st.sampled_from(["path.radius", "path.growth", "final.fd", "outcome.diverged", "outcome.collapsed"])
    )
    bound = draw(st.sampled_from([0, 0.5, "1/2", "exp(-1)", "sqrt(2)", "1/0"]))
    test = draw(
        st.sampled_from(
            [
                {"bound": {"quantity": quantity, "above": bound}},
                {"proportion": {"quantity": quantity, "above": bound, "at_most": 0.5}},
                {"closed_form": {"quantity": quantity, "equals": bound, "atol": 0.1}},
            ]
        )
    )
    return {"id": f"C{index}", "statement": "Something is so.", "tests": [test]}


@st.composite
def studies(draw: st.DrawFn) -> dict[str, Any]:
    """A study that may well be valid."""
    metrics = sorted(set(registry.components("metric")) - {*SLOW})
    study: dict[str, Any] = {
        "study": "random",
        "grid": [draw(blocks(index)) for index in range(draw(st.integers(1, 2)))],
        "train": {
            "steps": draw(st.integers(1, 30)),
            "batch_size": draw(st.integers(2, 16)),
            "precision": draw(st.sampled_from(["float32", "float64", "bfloat16"])),
            "snapshots": {"count": draw(st.integers(2, 5)), "spacing": draw(st.sampled_from(["log", "even"]))},
        },
        "evaluate": {
            "samples": draw(st.integers(16, 64)),
            "metrics": draw(st.lists(choices("metric", metrics), min_size=1, max_size=2, unique_by=_name)),
        },
    }
    if draw(st.booleans()):
        diagnostics = sorted(registry.components("diagnostic"))
        looking = draw(st.lists(choices("diagnostic", diagnostics), min_size=1, max_size=2, unique_by=_name))
        study["diagnose"] = [{"diagnostic": each} for each in looking]
    if draw(st.integers(0, 3)) == 0:
        study["diagnose"] = [*(each for each in study.get("diagnose", []) if each != {"diagnostic": "path"}), "path"]
        study["claims"] = [draw(claims(index)) for index in range(draw(st.integers(1, 2)))]
    if draw(st.booleans()):
        study["pack"] = draw(
            st.fixed_dictionaries(
                {"axes": st.lists(st.sampled_from(["seed", "learning_rate", "dynamics"]), min_size=1, unique=True)},
                optional={
                    "fuse": st.sampled_from(["auto", "always", "never"]),
                    "execution": st.sampled_from(["auto", "eager", "traced"]),
                    "seeds_per_pack": st.integers(1, 3),
                },
            )
        )
    return study


def places(content: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of every value within a study."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [(*place, key) for key, _ in inner] + [each for key, value in inner for each in places(value, (*place, key))]


def replaced(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The content with another value at a place."""
    if not place:
        return value
    copy = content.copy()
    copy[place[0]] = replaced(content[place[0]], place[1:], value)
    return copy


@st.composite
def hostile_studies(draw: st.DrawFn) -> dict[str, Any]:
    """A study with a value, or a whole section, that nobody should write."""
    study = draw(studies())
    place = draw(st.sampled_from([each for each in places(study) if each != ("study",)]))
    return replaced(study, place, draw(st.sampled_from(HOSTILE)))
