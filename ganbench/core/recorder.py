"""The series that training records at every step, reduced to bins with their means and extremes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ganbench.core.tree import Tree

# Series of every player of a game, by the ending of their names, with their meanings.
PLAYER_SERIES = {
    "loss": "{player}'s loss",
    "gradient_norm": "Euclidean norm of the {player}'s gradient",
    "parameter_norm": "Euclidean norm of the {player}'s parameters",
}
# Series of the aux of a GAN, with their meanings.
AUX_SERIES = {
    "real_output": "discriminator's mean output on real examples: a probability, or a critic's score",
    "fake_output": "discriminator's mean output on generated examples: a probability, or a critic's score",
}
# Those of some regularizers.
REGULARIZER_SERIES = {"augmentation_probability": "probability of each change of adaptive augmentation"}


def series_names(players: Iterable[str], aux: Iterable[str]) -> tuple[str, ...]:
    """The names of all series of a game.

    Args:
        players: names of the players.
        aux: names of the aux that the losses return.
    """
    losses, *norms = ([f"{player}_{what}" for player in players] for what in PLAYER_SERIES)
    return (*losses, *aux, *(name for both in norms for name in both))


# All series of a GAN, with their meanings.
GAN_SERIES = {
    name: AUX_SERIES.get(name) or PLAYER_SERIES[name.split("_", 1)[1]].format(player=name.split("_")[0])
    for name in series_names(("discriminator", "generator"), AUX_SERIES)
}


CHUNK = 25  # steps after which training reads its results; random numbers of these are drawn together if they are few
BINS_PER_SNAPSHOT = 20  # bins of the curves from a snapshot to the next, where their distance is fixed


def snapshot_steps(steps: int, count: int, spacing: str, every: int | None = None) -> tuple[int, ...]:
    """The steps of the snapshots.

    Args:
        steps: number of training steps.
        count: number of snapshots; there are fewer where rounding makes two the same.
        spacing: "even" or "log".
        every: distance of the snapshots, in place of `count` and `spacing`.

    Returns:
        Steps from 0 to the last.
    """
    if every is not None:
        return (*range(0, steps, every), steps)
    if spacing == "even":
        spaced = np.linspace(0, steps, count)
    else:
        # From about a hundredth of the training on, so that no snapshot is spent on steps that change nothing yet.
        spaced = np.concatenate([[0], np.geomspace(max(1, steps / 100), steps, count - 1)[:-1], [steps]])
    return tuple(sorted({round(step) for step in spaced}))


def check_steps(steps: int, start_from: float, check_interval: float) -> tuple[int, ...]:
    """The steps after which a run in training is checked, to stop it if it fails.

    Args:
        steps: number of training steps.
        start_from: share of the steps at the first check.
        check_interval: share of the steps from one check to the next.

    Returns:
        Steps before the last one, in their order. Each is the next multiple of `CHUNK`.
    """
    shares = start_from + check_interval * np.arange(np.ceil((1 - start_from) / check_interval))
    chunks = {-(-round(share * steps) // CHUNK) for share in shares}
    return tuple(CHUNK * each for each in sorted(chunks) if 0 < CHUNK * each < steps)


def bin_edges(steps: int, bins: int, every: int | None) -> np.ndarray:
    """The edges of the bins of steps: bin b holds the steps edges[b] + 1 ... edges[b + 1], counted from 1.

    Args:
        steps: number of training steps.
        bins: number of bins, at most one per step.
        every: distance of the snapshots, if it is fixed, else None: bins of the same number of steps, whatever
            `steps` is.

    Returns:
        The edges, from 0 to `steps`, of shape (bins + 1,).
    """
    if every is not None:
        return np.append(np.arange(0, steps, -(-every // BINS_PER_SNAPSHOT)), steps)
    bins = min(bins, steps)
    return np.arange(bins + 1) * steps // bins


class Recorder:
    """The minimum, mean and maximum of every series of one run, in bins of steps.

    NaN and infinity enter the statistics of their bin like any other value.

    Args:
        steps: number of training steps.
        bins: number of bins, at most one per step.
        series: names of the series.
        every: distance of the snapshots, if it is fixed; see `bin_edges`.
    """

    def __init__(self, steps: int, bins: int, series: tuple[str, ...], every: int | None = None) -> None:
        self.series = series
        edges = bin_edges(steps, bins, every)
        self._first, self._last = edges[:-1] + 1, edges[1:]  # steps of each bin, counted from 1
        bins = len(edges) - 1
        self._min = np.full((bins, len(series)), np.inf)
        self._sum = np.zeros((bins, len(series)))
        self._max = np.full((bins, len(series)), -np.inf)
        self.steps_done = 0

    def add(self, values: np.ndarray) -> None:
        """Add the values of the next steps.

        Args:
            values: shape (steps, series).
        """
        steps = np.arange(self.steps_done + 1, self.steps_done + 1 + len(values))
        bins = np.searchsorted(self._last, steps)
        for b in np.unique(bins):
            here = values[bins == b].astype(np.float64)
            self._min[b] = np.minimum(self._min[b], here.min(axis=0))
            self._max[b] = np.maximum(self._max[b], here.max(axis=0))
            with np.errstate(invalid="ignore"):  # the mean of inf and -inf is NaN
                # Steps are added one by one, so that rounding does not depend on their division into calls.
                self._sum[b] = np.add.reduce([self._sum[b], *here], axis=0)
        self.steps_done += len(values)

    def curves(self) -> Tree:
        """The bins with at least one step.

        Returns:
            The names `series`, the arrays `first_step` and `last_step` (bins,), counted from 1, and the arrays `min`,
            `mean` and `max` (bins, series).
        """
        seen = self._first <= self.steps_done
        first, last = self._first[seen], np.minimum(self._last[seen], self.steps_done)
        mean = self._sum[seen] / (last - first + 1)[:, None]
        bounds = {"min": self._min[seen], "mean": mean, "max": self._max[seen]}
        return {"series": list(self.series), "first_step": first, "last_step": last, **bounds}

    def state(self) -> Tree:
        """A copy of the state, from which `restore` continues. Later steps do not change it."""
        arrays = {"min": self._min.copy(), "sum": self._sum.copy(), "max": self._max.copy()}
        return {**arrays, "steps_done": self.steps_done}

    def restore(self, state: Tree) -> None:
        """Continue, with a new recorder, from a state that the method `state` returned.

        The state may be that of a shorter run, which has the first of the bins only.
        """
        for array, name in ((self._min, "min"), (self._sum, "sum"), (self._max, "max")):
            array[: len(state[name])] = state[name]
        self.steps_done = state["steps_done"]
