"""One run of a study: a point of its grid, by every name that tables, selectors and claims have for its values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ganbench.core.member import Member
from ganbench.core.registry import CHOICES
from ganbench.study.blocks import Train
from ganbench.study.choices import Choice
from ganbench.study.train_axes import COLUMNS, used_options


@dataclass(frozen=True)
class Run:
    """One point of the grid."""

    choices: tuple[Choice, ...]  # in the order of CHOICES, one of each family that the run uses
    n_train: int | None  # None for games without a data set
    learning_rate: float
    seed: int
    train: Train
    method: str  # slug of the method: game, data set, architecture, and every other choice that the study varies
    block: str | None = None  # label of the run's block of the grid
    variant: str | None = None  # training options that the study varies in this method: `train(batch_size=64)`
    generator_learning_rate: float | None = None  # the second player's; None for learning_rate

    def choice(self, family: str) -> Choice | None:
        """Find the run's choice of a family; None where the run has no component of this family."""
        return next((choice for choice in self.choices if choice.family == family), None)

    @property
    def id(self) -> str:
        """Readable identifier, unique in the study."""
        examples = "" if self.n_train is None else f"-n{self.n_train}"
        own = "" if self.generator_learning_rate is None else f"-lrg{self.generator_learning_rate!r}"
        return f"{self.method}{examples}-lr{self.learning_rate!r}{own}-s{self.seed}"

    @property
    def member(self) -> Member:
        """What distinguishes the run from others of its pack with the same components."""
        own = self.generator_learning_rate
        return Member(self.seed, self.n_train, self.learning_rate, generator_learning_rate=own)

    @property
    def axes(self) -> dict[str, Any]:
        """The run's values of the grid's axes, as the tables show them."""
        labels = {choice.family: choice.text for choice in self.choices}
        return {
            **dict.fromkeys(CHOICES),
            **labels,
            "block": self.block,
            "train": self.variant,
            "n_train": self.n_train,
            "learning_rate": self.learning_rate,
            "generator_learning_rate": self.generator_learning_rate,
            "seed": self.seed,
        }

    @property
    def point(self) -> dict[str, Any]:
        """The values that selectors match: the axes, the method and the training options, as the tables show them."""
        options = {COLUMNS[name]: value for name, value in self.training.items() if name in COLUMNS}
        return {**self.axes, "method": self.method, **options}

    @property
    def training(self) -> dict[str, Any]:
        """The options of training that the run has a use for."""
        return dict(used_options(self.train, batches=self.n_train is not None))

    @property
    def flat_options(self) -> dict[str, Any]:
        """All options of the run's components, `<family>_<option>`, and of its training, `train_<option>`."""
        return self._component_options | flatten_options("train", self.training)

    @property
    def options(self) -> dict[str, float]:
        """The numeric options of the run by the names that claims use: `<family>_<option>`, `<option>` of training."""
        return {
            name: value
            for name, value in (self._component_options | self.training).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }

    @property
    def _component_options(self) -> dict[str, Any]:
        return {
            f"{choice.family}_{name}": value for choice in self.choices for name, value in choice.flat_options.items()
        }

    @property
    def variables(self) -> dict[str, float]:
        """The numbers of the run that are known before it starts, by the names that claims use."""
        first, second = self.member.learning_rates
        numbers = {"learning_rate": first, "generator_learning_rate": second, "seed": self.seed}
        examples = {} if self.n_train is None else {"n_train": self.n_train}
        return {**self.options, **numbers, **examples, "time": self.train.steps * self.learning_rate}

    @property
    def config(self) -> dict[str, Any]:
        """The run's slice of the configuration: everything that can change its numbers."""
        parts = {
            choice.family: {"name": choice.component.name, "options": choice.options_by_name} for choice in self.choices
        }
        train = {name: value for name, value in self.training.items() if name not in ("epochs", "images")}
        return {**parts, **asdict(self.member), "train": train}


def flatten_options(prefix: str, options: dict[str, Any]) -> dict[str, Any]:
    """Flatten nested options into one level of names, such as `train_snapshots_count`.

    Args:
        prefix: the first part of every name.
        options: the options; mappings among their values are flattened too.
    """
    found: dict[str, Any] = {}
    for name, value in options.items():
        key = f"{prefix}_{name}"
        found |= flatten_options(key, value) if isinstance(value, dict) else {key: value}
    return found
