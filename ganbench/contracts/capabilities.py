"""What a component of the package can do, and what it takes, found by building it with its default options."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from ganbench.architectures import initial_module, trial_inputs
from ganbench.core import registry
from ganbench.core.dataset_specs import describe_in_process
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import join_words, plural
from ganbench.data import DataSpec
from ganbench.nn.network import EXAMPLES, Network
from ganbench.nn.probes import mixes_examples
from ganbench.nn.sample import named_outputs

SIDES = ((1, 8), (1, 28), (3, 32), (3, 48), (3, 64), (3, 128), (3, 256), (3, 512))  # channels and side of images
SHAPES = tuple(
    DataSpec(shape=shape, bounded=len(shape) > 1, train=1000, modes=10)
    for shape in ((1,), (2,), *((channels, side, side) for channels, side in SIDES))
)
"""Examples for which the parameters of architectures are counted: points of one and two numbers, and images."""


def build(family: str, name: str) -> Any:
    """A component with its default options."""
    info = registry.find(family, name)
    return info.build(info.complete({}))


def parameter_counts(architecture: Any, data: DataSpec) -> tuple[int, int]:
    """The numbers of parameters of the generator and of the discriminator, which are not allocated.

    Args:
        architecture: the architecture.
        data: the data set's spec, which the architecture supports.
    """
    with torch.device("meta"):
        networks = architecture.generator(data), architecture.discriminator(data)
    generator, discriminator = (sum(value.numel() for value in network.parameters()) for network in networks)
    return generator, discriminator


@cache
def counts_by_shape(name: str) -> dict[tuple[int, ...], tuple[int, int] | None]:
    """The parameter counts of an architecture with its default options, by the shape of an example; None for examples
    that it refuses."""
    architecture = build("architecture", name)
    return {
        data.shape: parameter_counts(architecture, data) if architecture.unsupported(data) is None else None
        for data in SHAPES
    }


def traits(family: str, name: str) -> list[str]:
    """What a component can be combined with and what it needs, a sentence each, with its default options."""
    find = TRAITS.get(family)
    return find(name) if find else []


def _of_architecture(name: str) -> list[str]:
    architecture = build("architecture", name)
    supported = [data for data in SHAPES if architecture.unsupported(data) is None]
    refusals = (architecture.unsupported(data) for data in SHAPES)
    rules = (refusal.partition(", but ")[0] for refusal in refusals if refusal)  # without the shape that was tried
    needs = next((f"Data: {rule}." for rule in rules), "Data: any.")
    found = [needs]
    if architecture.conditional:
        found.append(f"Labels go to the {join_words(architecture.conditional)}.")
    if not supported:
        return found
    data = supported[0]
    module = initial_module(architecture, "discriminator", data, 0).eval()
    inputs = trial_inputs(architecture, "discriminator", data, EXAMPLES)
    with torch.no_grad():
        others = [each for each in named_outputs(module(*inputs)) if each != "logits"]
    if others:
        found.append(f"The discriminator gives {join_words(others)} beside its logits.")
    network = Network(module.train(), inputs)
    if network.pure and mixes_examples(network, Network.vector(module), *inputs):
        found.append("The discriminator mixes the examples of a batch: no gradient penalties.")
    return found


def _of_dataset(name: str) -> list[str]:
    try:
        about = describe_in_process(name, registry.find("dataset", name).complete({}))
    except GanbenchError:
        return ["Its size depends on the files that its options name."]
    shape = " x ".join(map(str, about.shape))
    modes = f"{about.modes} modes" if about.modes else "no labels"
    return [f"{about.train:,} training examples of shape {shape}, {modes}; judge `{about.judge}`."]


def _of_objective(name: str) -> list[str]:
    objective = build("objective", name)
    found = ["The discriminator's output is a probability." if objective.probability else "The output is a score."]
    if objective.needs:
        found.append(f"It needs the discriminator's {join_words(objective.needs)}.")
    return found


def _of_regularizer(name: str) -> list[str]:
    regularizer, found = build("regularizer", name), []
    if regularizer.images:
        found.append("It takes images alone.")
    if regularizer.per_example:
        found.append("It needs a discriminator that does not mix the examples of a batch, as batch normalisation does.")
    if regularizer.series:
        found.append(f"It records {join_words([f'`{each}`' for each in regularizer.series])}.")
    return found


def _of_dynamics(name: str) -> list[str]:
    cost = build("dynamics", name).gradients_per_step
    return [f"A step costs {plural(cost, 'gradient')} of a player's loss."]


def _of_metric(name: str) -> list[str]:
    columns = build("metric", name).columns
    best = {"low": "lower is better", "high": "higher is better", "none": "no value is best"}
    return [f"`{column}`: {best[info.best]}." for column, info in columns.items()]


TRAITS: dict[str, Callable[[str], list[str]]] = {
    "dataset": _of_dataset,
    "architecture": _of_architecture,
    "objective": _of_objective,
    "regularizer": _of_regularizer,
    "dynamics": _of_dynamics,
    "metric": _of_metric,
}
