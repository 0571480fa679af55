"""What training records at every step, thinned to bins that keep the extremes."""

from __future__ import annotations

import numpy as np

from ganbench.core.tree import Tree

# Of a GAN, at every training step, for every run.
SERIES = {
    "discriminator_loss": "discriminator's loss",
    "generator_loss": "generator's loss",
    "real_output": "discriminator's mean output on real examples, as a probability",
    "fake_output": "discriminator's mean output on generated examples, as a probability",
    "discriminator_gradient_norm": "Euclidean norm of the discriminator's gradient",
    "generator_gradient_norm": "Euclidean norm of the generator's gradient",
    "discriminator_parameter_norm": "Euclidean norm of the discriminator's parameters",
    "generator_parameter_norm": "Euclidean norm of the generator's parameters",
}


class Recorder:
    """Minimum, mean and maximum of every series of one run in bins of steps.

    NaN and infinity are values like any other: a bin that saw one shows it.
    """

    def __init__(self, steps: int, bins: int, series: int) -> None:
        bins = min(bins, steps)
        # Bin b holds the steps first[b] ... last[b], counted from 1.
        edges = np.arange(bins + 1) * steps // bins
        self._first, self._last = edges[:-1] + 1, edges[1:]
        self._min = np.full((bins, series), np.inf)
        self._sum = np.zeros((bins, series))
        self._max = np.full((bins, series), -np.inf)
        self.steps_done = 0

    def add(self, values: np.ndarray) -> None:
        """Append the values of the next steps, shape (steps, series)."""
        steps = np.arange(self.steps_done + 1, self.steps_done + 1 + len(values))
        bins = np.searchsorted(self._last, steps)
        for b in np.unique(bins):
            here = values[bins == b].astype(np.float64)
            self._min[b] = np.minimum(self._min[b], here.min(axis=0))
            self._max[b] = np.maximum(self._max[b], here.max(axis=0))
            with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is what its mean is
                self._sum[b] += here.sum(axis=0)
        self.steps_done += len(values)

    def curves(self) -> Tree:
        """The bins that saw a step: their first and last recorded step, and (bins, series) of min, mean and max."""
        seen = self._first <= self.steps_done
        first, last = self._first[seen], np.minimum(self._last[seen], self.steps_done)
        mean = self._sum[seen] / (last - first + 1)[:, None]
        return {"first_step": first, "last_step": last, "min": self._min[seen], "mean": mean, "max": self._max[seen]}

    def state(self) -> Tree:
        """Everything needed to go on after an interruption; what is added later does not change it."""
        arrays = {"min": self._min.copy(), "sum": self._sum.copy(), "max": self._max.copy()}
        return {**arrays, "steps_done": self.steps_done}

    def restore(self, state: Tree) -> None:
        """Go on where `state` was taken."""
        self._min, self._sum, self._max = state["min"], state["sum"], state["max"]
        self.steps_done = state["steps_done"]
