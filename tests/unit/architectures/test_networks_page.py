"""The page of networks of the literature: every setting on it is valid, and has as many parameters as it says."""

from __future__ import annotations

import re

import pytest
import torch
import yaml
from repository import ROOT

from ganbench.contracts.capabilities import parameter_counts
from ganbench.data import DataSpec
from ganbench.pipeline.execution.instantiation import build_game
from ganbench.pipeline.plan import Plan
from ganbench.study.choices import parse_choice
from ganbench.study.schema import parse

PAGE = (ROOT / "docs/networks.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| ([\dx ]+) \| `([^`]+)` \| ([\d,]+) \| ([\d,]+) \|", PAGE, re.MULTILINE)
RECIPES = re.findall(r"^\| (\w[\w -]*) \| (`\w+: .*) \|$", PAGE.partition("## Recipes")[2], re.MULTILINE)
# What a recipe leaves open.
DATA = {"mlp": "ring8"}


@pytest.mark.parametrize(
    ("name", "shape", "choice", "generator", "discriminator"),
    [pytest.param(*row, id=row[0], marks=[pytest.mark.slow] if row[0] == "SAGAN-128" else []) for row in ROWS],
)
def test_a_network_has_the_parameters_that_the_page_says(name, shape, choice, generator, discriminator):
    architecture = parse_choice("architecture", yaml.safe_load(choice)).build()
    data = DataSpec(tuple(map(int, shape.split(" x "))), bounded=True, train=100, modes=10)
    assert architecture.unsupported(data) is None
    assert parameter_counts(architecture, data) == tuple(int(n.replace(",", "")) for n in (generator, discriminator))


def test_the_page_has_the_systems_of_the_articles():
    """237,063,681 parameters is claim G1's number; 3,576,704 and 2,765,568 are those of PyTorch's example of DCGAN."""
    sums = {int(row[3].replace(",", "")) + int(row[4].replace(",", "")) for row in ROWS}
    assert {237_063_681, 3_576_704 + 2_765_568} <= sums
    assert len(ROWS) >= 15


@pytest.mark.parametrize(("name", "settings"), RECIPES, ids=[name for name, _ in RECIPES])
def test_a_recipe_is_a_valid_study(name, settings):
    given = {}
    for setting in re.findall(r"`([^`]+)`", settings):
        parsed = yaml.safe_load(setting)
        given |= parsed if isinstance(parsed, dict) else {"regularizer": parsed}
    train = {"steps": 10} | given.pop("train", {})
    architecture = given.setdefault("architecture", {"name": "dcgan", "discriminator_norm": "layer"})
    kind = architecture if isinstance(architecture, str) else architecture["name"]
    block = {"dataset": DATA.get(kind, "stacked_digits"), "learning_rate": 1e-4, "seed": [0], **given}
    study = parse({"study": "recipe", "grid": [block], "train": train}, origin="the page")
    (job,) = Plan(study).train.values()
    game = build_game(job.task.groups[0].components, job.task.train, None, torch.device("cpu"))
    assert game.architecture.unsupported(game.data) is None
    if game.regularizer.per_example:
        assert game.shares_pass, "a penalty of its gradient needs a discriminator that does not mix examples"


def test_all_recipes_are_tried():
    assert len(RECIPES) == PAGE.partition("## Recipes")[2].count("\n| ") - 1
