"""Examples of trained runs for diagnostics: the engine's implementation of `RunExamples`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ganbench.core.dotted_names import under
from ganbench.core.errors import GanbenchError
from ganbench.data import Examples
from ganbench.engine.sampler import Sampler
from ganbench.games import Buffers, Member, subset
from ganbench.games.gan import GAN
from ganbench.judges import JudgedExamples
from ganbench.nn.evaluation_inputs import latent_points
from ganbench.numerics.run_examples import RunExamples

Judging = Callable[[np.ndarray], JudgedExamples | None]


class TrainedExamples(RunExamples):
    """The examples of runs whose snapshots are known.

    Args:
        game, members: the game of the runs, and the K runs.
        generators: the generators' parameters at all snapshots, (K, S, P).
        buffers_at: both networks' buffers at the snapshot with an index, (K, ...) by name.
        real: the data set as it is stored.
        judging: what judges examples, see `Scorer.judged`; None without a judge.
    """

    def __init__(
        self,
        game: GAN,
        members: Sequence[Member],
        generators: Tensor,
        buffers_at: Callable[[int], Buffers],
        real: Examples,
        judging: Judging | None,
    ) -> None:
        self.latent_size, self.real = game.architecture.latent_size, real
        self._game, self._members, self._judging = game, members, judging
        self._generators, self._buffers_at = generators, buffers_at
        self._sampler = Sampler(game.architecture, game.data, game.batch_size, generators.device)

    def generated(self, run: int, snapshot: int, latent: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        theta = self._generators[run, snapshot].cpu().numpy()
        kept = under("generator", self._buffers_at(snapshot))
        buffers = {name: values[run].cpu().numpy() for name, values in kept.items()}
        points = torch.as_tensor(latent, dtype=torch.float32)
        given = None if labels is None else torch.as_tensor(labels)
        return self._sampler.at(theta, buffers, self._members[run].seed, points, given)

    def latent_points(self, run: int, count: int) -> np.ndarray:
        return latent_points(self._members[run].seed, count, self.latent_size).numpy()

    def judged(self, examples: np.ndarray) -> JudgedExamples | None:
        if self._judging is None:
            raise GanbenchError(
                "a diagnostic that judges examples must have the class attribute needs_judge: ClassVar[bool] = True."
            )
        return self._judging(examples)

    def seen(self, run: int) -> np.ndarray:
        member, available = self._members[run], len(self.real.train)
        seed = member.seed if self._game.subset_seed is None else self._game.subset_seed
        return subset(seed, available if member.n_train is None else member.n_train, available)
