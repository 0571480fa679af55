"""Examples of trained runs, generated and real, as diagnostics see them."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ganbench.data import Examples
from ganbench.judges import JudgedExamples


class RunExamples(ABC):
    """What the generators of K runs make of latent points, and the real examples that they were trained on.

    All examples are numbers as judges, metrics and pictures see them, images in [-1, 1]; real ones are kept as they are
    stored, for `ganbench.core.pixels.floats`. A run is an index from 0 to K - 1, and a snapshot an index into
    `Trajectories.steps`; -1 is the last.

    Attributes:
        latent_size: number of coordinates of a latent point, which is standard normal in training unless the
            architecture says otherwise.
        real: the data set: all training examples, of which a run may have seen a part, and the held-out ones.
    """

    latent_size: int
    real: Examples

    @abstractmethod
    def generated(self, run: int, snapshot: int, latent: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Examples of a run's generator in evaluation mode, with the buffers of the snapshot.

        Where a layer normalises by the batch, examples come in batches of the size of training, in the order of their
        latent points, and depend on each other; a last batch is filled up with the first points.

        Args:
            run, snapshot: the run and the snapshot.
            latent: latent points, (n, latent_size).
            labels: labels of a conditional generator, (n,) of int64; 0, 1, 2 ... in turn if None.

        Returns:
            Examples, (n, *shape), float32; NaN at snapshots that the run did not reach.
        """

    @abstractmethod
    def latent_points(self, run: int, count: int) -> np.ndarray:
        """Latent points (count, latent_size) of the run, float32, drawn as those for its evaluation: the same at every
        snapshot, and others for each seed."""

    @abstractmethod
    def judged(self, examples: np.ndarray) -> JudgedExamples | None:
        """Examples as the judge of the data set sees them, with features and, where it tells them apart, modes.

        Only a diagnostic of the class attribute `needs_judge: ClassVar[bool] = True` has a judge.

        Args:
            examples: generated or real examples, (n, *shape): numbers, or as they are stored.

        Returns:
            The judged examples; None if one of them is not finite, or so large that the judge's features overflow.
        """

    @abstractmethod
    def seen(self, run: int) -> np.ndarray:
        """Indices of those of `real.train` that the run could see, (n_train,): of all, the subset of its seed."""
