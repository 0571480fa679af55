"""Trials of what a training is made of: objectives, regularizers, dynamics, optimizers and schedules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from ganbench.contracts.losses_and_optimizers import objective_fault, optimizer_fault, regularizer_fault
from ganbench.contracts.repeatability import call_twice
from ganbench.contracts.schedules import schedule_fault
from ganbench.contracts.steps import steps_fault
from ganbench.contracts.trials.checks import (
    TRAINED,
    Check,
    LeftOpen,
    Subject,
    gan,
    images,
    members,
    part,
    points,
    toy,
    training,
    training_fault,
)
from ganbench.core.component_errors import describe_exception
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import join_words
from ganbench.nn.sample import Outputs, Sample
from ganbench.nn.weights import NoSuchParameter

LEVELS = (-3.0, 0.0, 0.5)  # logits at which no example is told from another


def of_objective(subject: Subject) -> list[Check]:
    """The checks of an objective."""
    objective = subject.made

    def with_logits_alone(fault: Callable[[], str | None]) -> Callable[[], str | None]:
        def tried() -> str | None:
            if objective.needs:
                raise LeftOpen(
                    f"it needs {join_words(objective.needs)}, which the networks of this trial do not give; "
                    "`ganbench check` tries it with those of a study"
                )
            return fault()

        return tried

    def trains() -> str | None:
        return training_fault(gan(points(), objective=objective), training())

    return [
        Check(
            "Its terms are functions of each logit, and its losses one number for each run.",
            lambda: objective_fault(objective),
        ),
        Check(
            "The discriminator wants real logits above generated ones, and the generator its logits higher.",
            with_logits_alone(lambda: _direction_fault(objective)),
        ),
        Check(f"In training on eight Gaussians, {TRAINED}", with_logits_alone(trains)),
    ]


def _direction_fault(objective: Any) -> str | None:
    """The fault of losses that pull logits the wrong way, as a clause; None if they pull the right way."""
    for level in LEVELS:
        real, fake = (torch.full((2, 5), level, dtype=torch.float64, requires_grad=True) for _ in range(2))
        both = [Outputs(logits, Sample(logits[..., None])) for logits in (real, fake)]
        up_real, up_fake = torch.autograd.grad(-objective.discriminator_loss(*both).sum(), (real, fake))
        if not (up_real - up_fake > 0).all():
            return f"its discriminator's loss does not fall as real logits rise above generated ones, at {level:g}"
        given = both[0] if objective.generator_sees_real else None
        (up,) = torch.autograd.grad(-objective.generator_loss(given, both[1]).sum(), fake)
        if not (up > 0).all():
            return f"its generator's loss does not fall as the logits of generated examples rise, at {level:g}"
    return None


def of_regularizer(subject: Subject) -> list[Check]:
    """The checks of a regularizer."""
    regularizer = subject.made
    data = images() if regularizer.images else points()
    where = "handwritten digits" if regularizer.images else "eight Gaussians"

    def refusal() -> str | None:
        refusals = []
        for make in (lambda: gan(data, regularizer=regularizer), lambda: toy("dirac", regularizer=regularizer)):
            try:
                make()
            except GanbenchError as error:
                refusals.append(str(error))
        return (
            f"its unsupported() refuses every game that it is tried on: {refusals[0]}" if len(refusals) == 2 else None
        )

    def trains() -> str | None:
        try:
            return training_fault(gan(data, regularizer=regularizer), training())
        except NoSuchParameter as error:
            reason = str(error).removesuffix(".")
            raise LeftOpen(
                f"it asks for a parameter that the networks of this trial do not have ({reason}); `ganbench check` "
                "tries it with those of a study"
            ) from error

    return [
        Check(
            "Its methods draw from the generator given, keep shapes and precision, and give one number for each run.",
            lambda: regularizer_fault(regularizer),
        ),
        Check("It can be used with networks on data, or in a game of few numbers.", refusal),
        Check(f"In training on {where}, {TRAINED}", trains),
    ]


def of_dynamics(subject: Subject) -> list[Check]:
    """The checks of dynamics."""
    dynamics = subject.made

    def trains(make: Any, optimizer: str) -> str | None:
        game = make()
        try:
            return training_fault(game, training(dynamics=dynamics, optimizer=part("optimizer", optimizer)))
        except GanbenchError as error:
            if optimizer == "sgd":  # which every dynamics can go with
                raise
            raise LeftOpen(f"it refuses this optimizer: {describe_exception(error)}") from None

    made = {"the bilinear game": lambda: toy("bilinear"), "networks on eight Gaussians": lambda: gan(points())}
    return [
        Check(
            f"On {where} with {optimizer}: moves change nothing in place, {TRAINED}",
            lambda make=make, optimizer=optimizer: trains(make, optimizer),
        )
        for where, make in made.items()
        for optimizer in ("sgd", "adam")
    ]


def of_optimizer(subject: Subject) -> list[Check]:
    """The checks of an optimizer."""
    optimizer = subject.made

    def descends() -> str | None:
        theta, rate = torch.ones(2, 5, dtype=torch.float64), torch.tensor([[1e-2], [1e-3]], dtype=torch.float64)
        moved, _ = optimizer.step(theta, theta, optimizer.init(theta), rate)
        if not (moved < theta).all():
            return "its step() along the gradient of a bowl does not descend"
        far, near = (theta - moved).norm(dim=1)
        return None if far > near else "its step() does not take each run's own learning rate"

    how = {"optimizer": optimizer}
    simultaneous = part("dynamics", "simultaneous")
    return [
        Check(
            "Its init() and step() are functions of their arguments, and keep runs apart.",
            lambda: optimizer_fault(optimizer),
        ),
        Check("Its first step descends, further at a higher learning rate.", descends),
        Check(
            f"In simultaneous descent on the bilinear game, {TRAINED}",
            lambda: training_fault(toy("bilinear"), training(dynamics=simultaneous, **how)),
        ),
        Check(f"In alternating descent of networks, {TRAINED}", lambda: training_fault(gan(points()), training(**how))),
    ]


def of_schedule(subject: Subject) -> list[Check]:
    """The checks of a schedule."""
    schedule = subject.made

    def trains() -> str | None:
        game, how = gan(points()), replace(training(), schedule=schedule)
        if why := schedule.fault(how.steps):
            raise LeftOpen(f"of {how.steps} steps, {why}")
        return steps_fault(game, how, members(game), fused=True)

    return [
        Check(
            "Its factor is a finite number from 0 on at every step of a training, the same at every call.",
            lambda: schedule_fault(schedule),
        ),
        Check("Of trainings that it is too long for, it says so in a sentence.", lambda: _refusal_fault(schedule)),
        Check(f"In training on eight Gaussians, {TRAINED}", trains),
    ]


def _refusal_fault(schedule: Any) -> str | None:
    answer, fault = call_twice(lambda: schedule.fault(1))
    if fault:
        return f"its fault() {fault}"
    if answer is None or (isinstance(answer, str) and answer):
        return None
    return f"its fault() must give None or a sentence, but gives {answer!r}"
