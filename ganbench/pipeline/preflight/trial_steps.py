"""The trial of games and of training steps, on a few examples."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from ganbench.contracts.steps import CPU, STEPS, dynamics_fault, game_fault, mixes_examples, steps_fault
from ganbench.core import strict_json
from ganbench.core.errors import GanbenchError
from ganbench.engine.train import Training
from ganbench.games import Adversarial, Game, Member
from ganbench.pipeline.execution.instantiation import TrainingSet, build_game, build_training
from ganbench.pipeline.planning.grid import components_of
from ganbench.pipeline.preflight.component_trials import ComponentTrials
from ganbench.pipeline.preflight.sizes import parameter_count, trial_size
from ganbench.study.choices import Choice
from ganbench.study.runs import Run

LENGTHS = {"steps", "snapshots", "curve_bins"}  # settings of which a trial has its own


def small_first(methods: Iterable[list[Run]]) -> list[list[Run]]:
    """The runs of methods in the order of their trials: small networks first, since what is held to a contract once is
    held to it with these.

    A user's own components come before all others. Their parameters are counted in their trial alone, which limits its
    time and memory.
    """
    return sorted(methods, key=lambda runs: 0 if _own(runs[0].choices) else parameter_count(runs[0]))


class StepTrials:
    """The part of a trial that holds games and training steps to their contracts.

    Args:
        components: the trials of components.
        fused: whether runs are computed together.
    """

    def __init__(self, components: ComponentTrials, *, fused: bool) -> None:
        self.components, self.fused = components, fused

    def training(
        self, where: str, run: Run, settings: dict[str, Any], examples: TrainingSet | None
    ) -> tuple[Game, Training]:
        """A method's game and its training for a few steps, held to their contracts.

        Args:
            where: the method's place in the study.
            run: a run of the method.
            settings: the settings of training, with a small batch.
            examples: a few training examples.

        Returns:
            The game and the training in the precision of the settings.

        Raises:
            GanbenchError: a component breaks its contract, or the regularizer does not go with the networks.
        """
        components = components_of(run)

        def made(precision: str) -> tuple[Game, Training]:
            how = settings | {"precision": precision}
            training = replace(
                build_training(how, components),
                steps=STEPS,
                snapshots=tuple(range(STEPS + 1)),
                curve_bins=STEPS,
                every=None,
            )
            return build_game(components, how, examples, CPU), training

        with self.components.attempt(where, run.choices):
            game, training = made("float64")
        members = self.pair([run], examples)
        self.components.once(_played(run, settings), partial(self._contracts, where, run, game, training, members))
        if isinstance(game, Adversarial) and game.regularizer.per_example:
            self._examples_apart(where, run, game, members)
        return made(settings["precision"])

    def _contracts(self, where: str, run: Run, game: Game, training: Training, members: list[Member]) -> None:
        with self.components.attempt(where, run.choices):
            size = trial_size(game, training)
        for choice, fault in (
            (run.choices[0], lambda: game_fault(game, members, torch.float64)),
            (run.choice("dynamics"), lambda: dynamics_fault(game, training, members)),
            (None, lambda: steps_fault(game, training, members, fused=self.fused)),
        ):
            self.components.hold(where, choice, run.choices, fault, size)

    def _examples_apart(self, where: str, run: Run, game: Adversarial, members: list[Member]) -> None:
        """Refuse a penalty of each example's gradient on a discriminator that mixes examples."""
        with self.components.attempt(where, run.choices):
            mixed = mixes_examples(game, members)
        if mixed:
            penalty, mixing = run.choice("regularizer"), run.choice("architecture") or run.choices[0]
            raise GanbenchError(
                f"{where}: regularizer {penalty.signature!r} takes the gradient of each example's logit in that "
                f"example, but with {mixing.family} {mixing.signature!r} a logit depends on the other examples of the "
                "batch too, as with batch normalisation. Let the discriminator normalise each example by itself "
                "(dcgan: discriminator_norm: instance, group or layer) or its weights (spectral)."
            )

    def pair(self, runs: Sequence[Run], examples: TrainingSet | None) -> list[Member]:
        """Two members with few examples: two of the runs, or a single run twice with different seeds."""
        first, last = runs[0], runs[-1]
        count = None if examples is None else len(examples.images)
        pair = [replace(run.member, n_train=count) for run in (first, last)]
        if last is first:
            pair[1] = replace(pair[1], seed=first.seed + 1)
        return pair if self.fused else pair[:1]


def _own(choices: Iterable[Choice]) -> bool:
    """Whether a component, or a part of one, is a user's own."""
    return not all(part.component.shipped for each in choices for part in (each, *each.parts))


def _played(run: Run, settings: dict[str, Any]) -> Hashable:
    """What distinguishes the game and the training steps of a run from those of others, for their contracts.

    Networks and data do not, where all components are the package's own: tests hold every component to its contract,
    the trial of an architecture holds its networks to theirs on the data, and a few steps of large networks, several
    times over, take minutes. With a component of a user's own every method is held to the contracts.
    """
    if _own(run.choices):
        return run.method
    others = tuple(choice for choice in run.choices if choice.family not in ("dataset", "architecture"))
    return others, strict_json.dumps({name: settings[name] for name in sorted(settings.keys() - LENGTHS)})
