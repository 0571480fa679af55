"""What is trained in the benchmarks: networks on data, as the default study trains them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch

from ganbench.core import registry
from ganbench.data import DataSpec
from ganbench.engine.train import Training
from ganbench.games import Game, Member, TrainingExamples

LEARNING_RATE = 2e-4
NOISE = 256  # examples of noise
SHARED = {"objective": "non_saturating", "regularizer": "none", "dynamics": "alternating", "optimizer": "adam"}


def build(family: str, name: str, **options: Any) -> Any:
    """A component, without the checks of its options that a study's go through."""
    return registry.components(family)[name].build(options)


@dataclass(frozen=True)
class Case:
    """Networks on a data set. Built from the registry alone: a machine with a GPU may lack what reads study files."""

    name: str
    architecture: str
    dataset: str
    steps: int  # of a whole run
    options: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    method: dict[str, str] = field(default_factory=dict)  # by family, what is not as in SHARED
    shape: tuple[int, ...] | None = None  # of an example, for noise in place of a data set

    @property
    def parts(self) -> dict[str, str]:
        """By family: the member that the case is made of."""
        return {"game": "gan", "dataset": self.dataset, "architecture": self.architecture, **SHARED, **self.method}

    @property
    def data(self) -> DataSpec:
        if self.shape is not None:
            return DataSpec(self.shape, bounded=True, train=NOISE, modes=10)
        return build("dataset", self.dataset).spec

    @property
    def networks(self) -> Any:
        """The architecture."""
        return build("architecture", self.architecture, **self.options)

    def game(self, device: torch.device | str = "cpu") -> Game:
        """The game, as the engine wants it."""
        return registry.components("game")["gan"].build(
            {},
            data=self.data,
            architecture=self.networks,
            examples=TrainingExamples.placed(self.examples(), torch.device(device), torch.float32),
            batch_size=self.batch_size,
            **{family: build(family, self.parts[family]) for family in ("objective", "regularizer")},
        )

    def training(self, steps: int) -> Training:
        """How it trains, for this many steps."""
        return Training(
            **{family: build(family, self.parts[family]) for family in ("dynamics", "optimizer")},
            steps=steps,
            dtype=torch.float32,
            snapshots=(0, steps),
            curve_bins=200,
        )

    def members(self, count: int) -> list[Member]:
        n_train = len(self.examples())
        return [Member(seed, n_train, LEARNING_RATE) for seed in range(count)]

    def examples(self) -> np.ndarray:
        return _examples(self.dataset) if self.shape is None else _noise(self.shape)


@cache
def _examples(dataset: str) -> np.ndarray:
    data = registry.components("dataset")[dataset].build({})
    try:
        return data.load().train
    except ModuleNotFoundError:  # of the package that has them: noise of their shape trains as fast
        return _noise(data.spec.shape, data.spec.train)


def _noise(shape: tuple[int, ...], count: int = NOISE) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, *shape)).astype(np.float32)


def _by_name(*cases: Case) -> dict[str, Case]:
    return {case.name: case for case in cases}


# The three methods of the default study.
CONTENDERS = _by_name(
    Case("mlp", "mlp", "ring8", steps=6000),
    Case("fc", "fc", "digits", steps=2500),
    Case("dcgan", "dcgan", "digits", steps=2500, options={"base_channels": 16}),
)

# Networks of many sizes, to see from where on fusing no longer pays.
SIZES = _by_name(
    *(Case(f"mlp({w})", "mlp", "ring8", steps=6000, options={"width": w}) for w in (32, 64, 128, 256, 384)),
    *(
        Case(f"fc({w})", "fc", "digits", steps=2500, options={"hidden_sizes": (w, 2 * w, 4 * w)})
        for w in (128, 256, 512)
    ),
    *(Case(f"dcgan({f})", "dcgan", "digits", steps=2500, options={"base_channels": f}) for f in (8, 16, 32)),
)
CASES = CONTENDERS | SIZES
