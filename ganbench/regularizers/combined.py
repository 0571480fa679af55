"""Several regularizers together, such as R1 and R2: the sum of their penalties, and all their other changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

from torch import Generator, Tensor

from ganbench.core import registry
from ganbench.core.dotted_names import prefixed, under
from ganbench.core.random_streams import stream_seed
from ganbench.nn.sample import Outputs, Sample
from ganbench.nn.weights import Weights
from ganbench.regularizers import Discriminator, Noise, Phase, Regularizer, State


@dataclass(frozen=True)
class Combined(Regularizer):
    """Penalties are added, and the others act one after the other in the order of their names, whatever their order in
    `regularizers`. Every part draws random numbers of its own, which depend on the run and on the part alone, and has
    its own `every`.

    With T the changes that the other parts make to examples, such as augmentation, a penalty of each example's gradient
    is that of D(T(x)) in x, through T, at the unchanged x, as in the code of Karras et al. (2020) and of Zhao et al.
    (2020). T has the random numbers of the real examples, or of the generated ones for a penalty at these (r2); for
    points between both, those of the real ones. Other penalties, such as consistency, are given the examples T(x).
    """

    regularizers: tuple[str | dict, ...] = ("r1", "r2")
    """Its parts, two or more different regularizers. A study writes them as a sum, `r1(gamma=10) + r2(gamma=10)`, or as
    a list, each as a study writes a regularizer: `regularizers: [r1, {name: r2, gamma: [1, 10]}]` are two."""

    composed_of: ClassVar[str] = "regularizers"

    @cached_property
    def parts(self) -> dict[str, Any]:
        """The regularizers, by the names of their files."""
        options = registry.combining("regularizer").complete({"regularizers": self.regularizers})["regularizers"]
        infos = [(registry.find("regularizer", part["name"]), part) for part in options]
        return {info.name: info.build({name: part[name] for name in info.options}) for info, part in infos}

    def _any(self, flag: str) -> bool:
        return any(getattr(part, flag) for part in self.parts.values())

    @property
    def per_example(self) -> bool:
        return self._any("per_example")

    @property
    def images(self) -> bool:
        return self._any("images")

    @property
    def uses_step(self) -> bool:
        return self._any("uses_step")

    @property
    def series(self) -> tuple[str, ...]:
        return tuple(name for part in self.parts.values() for name in part.series)

    def unsupported(self, game: Any) -> str | None:
        refusals = ((name, part.unsupported(game)) for name, part in self.parts.items())
        return next((f"its part {name}: {why}" for name, why in refusals if why), None)

    def draw(self, generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Noise:
        # A stream for each part: the numbers of one must not depend on how many another takes.
        seeds = {name: stream_seed(generator.initial_seed(), name) for name in self.parts}
        return self._named(
            lambda name, part: part.draw(Generator().manual_seed(seeds[name]), count, shape, like),
        )

    def start(self) -> State:
        return self._named(lambda _, part: part.start())

    def update(self, noise: Noise, real: Outputs, fake: Outputs) -> State:
        return self._named(lambda name, part: part.update(_of(name, noise), real, fake))

    def recorded(self, state: State) -> dict[str, Tensor]:
        every = [part.recorded(_of(name, state)) for name, part in self.parts.items()]
        return {name: value for each in every for name, value in each.items()}

    def perturb(self, examples: Tensor, kind: str, noise: Noise) -> Tensor:
        return self._changed(examples, kind, noise)

    @property
    def penalises(self) -> bool:
        return self._any("penalises")

    def penalty(self, discriminator: Discriminator, real: Sample, fake: Sample, noise: Noise) -> Tensor | None:
        found = []
        for name, part in self.parts.items():
            if not part.penalises:  # nor are examples changed for it
                continue
            if part.per_example:
                given = self._through_others(name, discriminator, noise), real, fake
            else:
                given = (
                    discriminator,
                    *(
                        replace(sample, points=self._changed(sample.points, kind, noise, but=name))
                        for kind, sample in (("real", real), ("fake", fake))
                    ),
                )
            found.append(part.penalty(*given, _of(name, noise)))
        return _sum(found)

    def _through_others(self, name: str, discriminator: Discriminator, noise: Noise) -> Discriminator:
        """The discriminator of examples that all parts but one change first."""
        kind = self.parts[name].gradient_at

        def through(points: Tensor, *labels: Tensor) -> Tensor:
            return discriminator(self._changed(points, kind, noise, but=name), *labels)

        return through

    def _changed(self, examples: Tensor, kind: str, noise: Noise, but: str = "") -> Tensor:
        """Examples as all parts change them, but for one."""
        for name, part in self.parts.items():
            if name != but:
                examples = part.perturb(examples, kind, _of(name, noise))
        return examples

    def weight_penalty(self, player: str, weights: Weights) -> Tensor | None:
        return _sum(part.weight_penalty(player, weights) for part in self.parts.values())

    def project(self, player: str, weights: Weights) -> Mapping[str, Tensor]:
        for part in self.parts.values():
            weights = weights.replaced(part.project(player, weights))
        return weights

    def phase(self, step: int) -> Phase:
        return tuple(part.phase(step) for part in self.parts.values())

    def in_phase(self, phase: Phase) -> Any:
        if not any(phase):
            return self
        combined = copy(self)
        parts = zip(self.parts.items(), phase, strict=True)
        combined.__dict__["parts"] = {name: part.in_phase(each) for (name, part), each in parts}
        return combined

    def _named(self, of_part: Callable[[str, Any], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The tensors of all parts, by the name of the part and their own."""
        each = [prefixed(name, of_part(name, part)) for name, part in self.parts.items()]
        return {name: value for values in each for name, value in values.items()}


def _of(part: str, values: Noise) -> Noise:
    """The tensors of a part by their own names, and those that all parts share."""
    return under(part, values) | {name: value for name, value in values.items() if "." not in name}


def _sum(penalties: Any) -> Tensor | None:
    given = [penalty for penalty in penalties if penalty is not None]
    return sum(given[1:], given[0]) if given else None
