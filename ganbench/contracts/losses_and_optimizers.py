"""Contracts of objectives, regularizers and optimizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor

from ganbench.contracts.repeatability import call_twice, fingerprint, identical
from ganbench.nn.sample import Outputs, Sample
from ganbench.nn.weights import NoSuchParameter, Weights
from ganbench.objectives import Objective

MEMBERS, BATCH, CLASSES = 3, 8, 4
TERMS, LOSSES = ("real", "fake", "generator"), ("discriminator_loss", "generator_loss")
DOUBLE = torch.float64


def objective_fault(objective: Any) -> str | None:
    """The fault of an objective, as a clause; None if its terms are elementwise functions of logits and its losses keep
    members apart."""
    terms = [name for name in TERMS if getattr(type(objective), name) is not getattr(Objective, name)]
    own = [name for name in LOSSES if getattr(type(objective), name) is not getattr(Objective, name)]
    if missing := [name for name in TERMS if name not in terms and len(own) < len(LOSSES)]:
        return f"it must have a method {missing[0]}(), or discriminator_loss() and generator_loss() of its own"
    logits = _normal((MEMBERS, BATCH), 0)
    for name in (*terms, "output"):
        function, given = getattr(objective, name), logits.clone().requires_grad_()
        values, fault = call_twice(lambda function=function, given=given: function(given))
        fault = (
            fault or _numbers_fault(values, given.shape) or (None if identical(given, logits) else "changes its logits")
        )
        if fault:
            return f"its {name}() {fault}"
        if not _close(function(logits[1, :3]), values.detach()[1, :3]):
            return f"its {name}() is not elementwise: a value depends on the other logits of its batch"
        if name != "output" and not values.requires_grad:
            return f"its {name}() passes no gradient to the logits"
        if name == "output" and objective.probability and not ((values >= 0) & (values <= 1)).all():
            beyond = values.detach()[(values < 0) | (values > 1)][0]
            return (
                f"its output() gives {beyond:.3g}, which is no probability; a critic, whose outputs are scores, has "
                "`probability: ClassVar[bool] = False`"
            )
    return next((f"its {name}() {fault}" for name in LOSSES if (fault := _loss_fault(objective, name))), None)


def _loss_fault(objective: Any, name: str) -> str | None:
    """The fault of a loss of an objective, as a clause; None if it is one number for each member."""
    real, fake = (_outputs(objective, seed) for seed in (0, 1))
    before, loss = fingerprint([real, fake]), getattr(objective, name)
    given = real if name == "discriminator_loss" or objective.generator_sees_real else None
    values, fault = call_twice(lambda: loss(given, fake))
    if fault := fault or _numbers_fault(values, (MEMBERS,)):
        return fault
    if fingerprint([real, fake]) != before:
        return "changes what it is given"
    reached = [fake.logits] if name == "generator_loss" else [real.logits, fake.logits]
    if not values.requires_grad:
        return "passes no gradient to the logits"
    for grad in torch.autograd.grad(values[0], reached, materialize_grads=True):
        if grad[1:].abs().max() > 0:
            return "mixes members: that of one depends on the logits of others"
        if not grad[0].abs().max() > 0:
            return "passes no gradient to the logits of one kind of example"
    return None


def _outputs(objective: Any, seed: int) -> Outputs:
    """Outputs on a sample, with all that the objective says it needs."""
    labels = torch.arange(BATCH).expand(MEMBERS, BATCH) % CLASSES
    sample = Sample(_normal((MEMBERS, BATCH, 2), seed), labels=labels)
    others = {name: _normal((MEMBERS, BATCH, CLASSES), seed + 2) for name in objective.needs if name != "labels"}
    return Outputs(_normal((MEMBERS, BATCH), seed).requires_grad_(), sample, others)


POINT, IMAGE = (2,), (3, 8, 8)  # shapes of examples
LAYERS = {"0.weight": (4, 3, 3, 3), "0.bias": (4,), "1.weight": (3, 4), "1.bias": (3,)}
"""Parameters of a convolution and of a linear layer, by name: a regularizer may be made for one of these."""


def regularizer_fault(regularizer: Any) -> str | None:
    """The fault of a regularizer's methods, as a clause; None if they keep the contract.

    Args:
        regularizer: the regularizer.
    """
    shape = IMAGE if regularizer.images else POINT
    like = torch.empty(0, dtype=DOUBLE)

    def draw(seed: int) -> dict[str, Tensor]:
        return regularizer.draw(torch.Generator().manual_seed(seed), 4, (BATCH, *shape), like)

    drawn, fault = call_twice(lambda: draw(0))
    if fault:
        return f"its draw() {fault}; draw from the generator given"
    if not isinstance(drawn, dict):
        return f"its draw() gives {type(drawn).__name__}; must be {{name: tensor}}"
    for name, values in drawn.items():
        if not isinstance(values, Tensor) or values.shape[:1] != (4,) or values.dtype not in (DOUBLE, torch.int64):
            return f"its draw() must give {name!r} for each of 4 batches in the precision asked for"
    noise = {name: torch.stack([draw(seed)[name][0] for seed in range(MEMBERS)]) for name in drawn}
    state, fault = call_twice(regularizer.start)
    if fault:
        return f"its start() {fault}"
    state = {
        name: torch.stack([value.double() if value.is_floating_point() else value] * MEMBERS)
        for name, value in state.items()
    }
    noise |= state | ({"step": torch.full((MEMBERS,), 3.0, dtype=DOUBLE)} if regularizer.uses_step else {})
    points = _normal((2, MEMBERS, BATCH, *shape), 0)
    shapes = LAYERS | {"2.weight": (1, points[0, 0, 0].numel())}
    theta = _normal((MEMBERS, sum(map(prod, shapes.values()))), 1).requires_grad_()
    weights = Weights(theta, shapes)

    def discriminator(examples: Tensor) -> Tensor:
        return (examples.flatten(2) * weights["2.weight"][: len(examples)]).sum(-1).tanh()

    for kind, examples in zip(("real", "fake"), points, strict=True):
        shown, fault = call_twice(lambda kind=kind, examples=examples: regularizer.perturb(examples, kind, noise))
        if fault := fault or _numbers_fault(shown, examples.shape):
            return f"its perturb() {fault}"
    real, fake = (Sample(each) for each in points)
    seen = [Outputs(_normal((MEMBERS, BATCH), seed), sample) for seed, sample in ((2, real), (3, fake))]
    after, fault = call_twice(lambda: regularizer.update(noise, *seen))
    if not fault and {name: value.shape for name, value in after.items()} != {
        name: value.shape for name, value in state.items()
    }:
        fault = f"gives the state {sorted(after)}; must give that of start(), {sorted(state)}, each of (K, ...)"
    if fault:
        return f"its update() {fault}"
    if regularizer.recorded(state).keys() != set(regularizer.series):
        return "its recorded() must give the numbers named in `series`"
    penalties: dict[str, Callable[[], Any]] = {
        "penalty()": lambda: regularizer.penalty(discriminator, real, fake, noise),
        "weight_penalty() of the discriminator": lambda: regularizer.weight_penalty("discriminator", weights),
        "weight_penalty() of the generator": lambda: regularizer.weight_penalty("generator", weights),
    }
    try:
        for name, penalty in penalties.items():
            value, fault = call_twice(penalty)
            if fault := fault or (None if value is None else _penalty_fault(value, theta)):
                return f"its {name} {fault}"
        for player in ("discriminator", "generator"):
            project = partial(regularizer.project, player)
            if fault := _projection_fault(project, Weights(theta.detach(), shapes)):
                return f"its project() of the {player} {fault}"
    except NoSuchParameter:  # made for networks with layers of certain names, which its game's trial has
        return None
    return None


def _projection_fault(project: Callable[[Weights], Any], weights: Weights) -> str | None:
    """The fault of a projection of parameters, as a clause; None if it keeps shapes and members apart."""
    given = fingerprint(weights.vector)
    confined, fault = call_twice(lambda: project(weights))
    if fault:
        return fault
    if not isinstance(confined, Mapping):
        return f"gives {type(confined).__name__}; must be {{name: tensor}} of the parameters that it confines"
    for name, values in confined.items():
        if fault := _numbers_fault(values, weights[name].shape):
            return f"{fault}, for {name!r}"
    if fingerprint(weights.vector) != given:
        return "changes in place what it is given"
    for name, values in project(Weights(weights.vector[:1], weights.shapes)).items():
        if not _close(values, confined[name][:1]):
            return f"mixes members: {name!r} of one depends on the parameters of others"
    return None


def _penalty_fault(value: Any, theta: Tensor) -> str | None:
    if fault := _numbers_fault(value, (MEMBERS,)):
        return fault
    if not value.requires_grad:
        return "passes no gradient to the parameters"
    (grad,) = torch.autograd.grad(value[0], theta, retain_graph=True, materialize_grads=True)
    if grad[1:].abs().max() > 0:
        return "mixes members: that of one depends on the parameters of others"
    return None


def optimizer_fault(optimizer: Any) -> str | None:
    """The fault of an optimizer, as a clause; None if `init` and `step` are pure functions that keep members apart."""
    theta, gradient = _normal((MEMBERS, 5), 0), _normal((MEMBERS, 5), 1)
    rate = torch.full((MEMBERS, 1), 1e-3, dtype=DOUBLE)
    state, fault = call_twice(lambda: optimizer.init(theta))
    if fault := fault or state_fault(state, MEMBERS):
        return f"its init() {fault}"
    kept, given = fingerprint(state), fingerprint([theta, gradient, rate])
    stepped, fault = call_twice(lambda: optimizer.step(theta, gradient, state, rate))
    if not fault and not (isinstance(stepped, tuple) and len(stepped) == 2):
        fault = f"gives {type(stepped).__name__}; must give the parameters and the state"
    if fault := fault or _numbers_fault(stepped[0], theta.shape) or state_fault(stepped[1], MEMBERS):
        return f"its step() {fault}"
    if fingerprint(state) != kept or fingerprint([theta, gradient, rate]) != given:
        return "its step() changes in place what it is given"
    if stepped[1].keys() != state.keys():
        return f"its step() has the state {sorted(stepped[1])}, but its init() {sorted(state)}"
    solo = optimizer.step(theta[:1], gradient[:1], {name: value[:1] for name, value in state.items()}, rate[:1])
    if not _close(solo[0], stepped[0][:1]):
        return "its step() mixes members: that of one depends on the others"
    return None


def state_fault(state: Any, members: int) -> str | None:
    """The fault of an optimizer's or dynamics' state, as a clause; None for a valid state.

    Args:
        state: the state, which should be {name: tensor}.
        members: number of members, which is the length of every tensor's first axis.
    """
    if not isinstance(state, dict):
        return f"gives {type(state).__name__} for a state; must be a dict of tensors"
    for name, value in state.items():
        if not isinstance(value, Tensor) or value.shape[:1] != (members,):
            return f"has {name!r} in its state, whose first axis is not the {members} members'"
    return None


def _numbers_fault(values: Any, shape: tuple[int, ...]) -> str | None:
    """The fault of values that are not a tensor of finite float64 numbers of this shape, as a clause; else None."""
    if not isinstance(values, Tensor):
        return f"gives {type(values).__name__}; must be a tensor"
    if tuple(values.shape) != tuple(shape):
        return f"gives shape {tuple(values.shape)}; must be {tuple(shape)}"
    if values.dtype != DOUBLE:
        return f"gives {values.dtype} for float64; keep the precision of the arguments"
    return None if values.isfinite().all() else "gives values that are not finite for ordinary ones"


def _close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)


def _normal(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
