"""A member of a pack."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """The values that distinguish one run of a pack from the others.

    Attributes:
        seed: seed of the run's random streams.
        n_train: number of training examples; None for a game without data.
        learning_rate: learning rate of both players.
    """

    seed: int
    n_train: int | None
    learning_rate: float
