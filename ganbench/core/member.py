"""A member of a pack."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Member:
    """The values that distinguish one run of a pack from the others.

    Attributes:
        seed: seed of the run's random streams.
        n_train: number of training examples; None for a game without data.
        learning_rate: learning rate of the first player, and of the second if that has none of its own.
        generator_learning_rate: learning rate of the second player; None for `learning_rate`.
    """

    seed: int
    n_train: int | None
    learning_rate: float
    generator_learning_rate: float | None = field(default=None, kw_only=True)

    @property
    def learning_rates(self) -> tuple[float, float]:
        """The learning rates of the first and of the second player."""
        own = self.generator_learning_rate
        return self.learning_rate, self.learning_rate if own is None else own
