"""Architectures, one file each: pairs of networks.

The modules are ordinary ones, for one run; `ganbench check` tests these rules. What a network keeps from one forward
pass to the next is in buffers: running statistics, the vectors of `torch.nn.utils.parametrizations.spectral_norm`.
Buffers belong to the run: they are part of its snapshots and checkpoints. Random numbers come from those functions of
PyTorch that are answered from the run's own stream, which `ganbench.nn.random_numbers.ANSWERS` lists: dropout, also of
whole channels and of attention, `rand`, `randn`, `rand_like`, `randn_like`, `bernoulli`, `normal_` and `uniform_`.
Initial parameters come from PyTorch's global stream, which is seeded for them. Every parameter is float32, requires a
gradient and gets one. Outputs have the inputs' precision, float32 or float64.

Networks of a conditional architecture take labels, (batch,) of int64 from 0, as a second input: the modes of the data
set. Real examples have their own; those of generated examples are drawn from the run's own stream, uniformly, for each
player's loss as its latent points are. In evaluation they are 0, 1, 2 ... in turn, so that all are equally frequent.
That is right for data whose classes are equally frequent; of others `ganbench check` says what their labels give away.

A generator may take something of the discriminator's pass over the last real or generated batch, such as the indices of
its pooling: the discriminator gives it as a further output, and the generator has a buffer of the same name, in which
the run keeps the output of the last pass, (batch, ...). In evaluation the buffer has what training left there, whatever
the number of latent points. What the generator has there when it is built serves for the first generated batch, from
which a run starts that passes on what generated batches give. Other buffers that no pass changes are constants: the
same for all runs.

A discriminator may judge groups of examples: `packing_degree` of them, one after the other in the batch, have one
logit, and one of every other output. `packing_degree` then must divide the batch; the discriminator takes no labels,
and nothing of its pass goes to the generator. All examples of a group are real, or all are generated. A penalty takes
the gradient in the whole group: |grad D|^2 is the sum over its examples.

Members of a pack are computed together where PyTorch's vmap can do that. It cannot where a module branches on values
(`.item()`, `if` of a tensor; `torch.where` is the remedy); such networks are computed one member after the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ganbench.core.formatting import join_words
from ganbench.core.random_streams import stream_seed
from ganbench.data import DataSpec
from ganbench.nn.evaluation_inputs import balanced_labels
from ganbench.nn.initialization import seeded

MAX_LABEL_DISTANCE = 0.05  # of shares of classes from equal ones, of which nothing is said
CONDITIONAL = (set(), {"generator"}, {"generator", "discriminator"})  # players whose networks may take labels
PASSED_FROM = ("real", "fake", "start")  # what may fill the generator's buffers


class Architecture(ABC):
    """An architecture has `latent_size`, an integer, and generator(data) and discriminator(data), which return an
    nn.Module for one run: a function of its inputs, its parameters, its buffers and PyTorch's random numbers, in the
    precision of its inputs.

    A subclass is a frozen dataclass whose fields are its options, `latent_size` among them or a property, and
    `packing_degree` if it is to be chosen.

    Attributes:
        conditional: the players whose networks take labels: none, ("generator",) or ("generator", "discriminator").
        passed_to_generator: names of outputs of the discriminator that the generator has as buffers.
        passed_from: the examples whose outputs these are: `real`, or `fake` for generated ones. With `start` there are
            no such outputs: a run's generator keeps the buffers that its seed gave it, as random constants.
        probability_only: whether the logits are those of a class probability and nothing else, so that they cannot
            serve objectives that take a critic's score.
        objective_needs: outputs of the discriminator that the objective must take, such as `class_logits`, since
            nothing else trains the layers that give them.
    """

    latent_size: int
    """Number of standard normal values that the generator takes for one example: coordinates of its latent point z."""
    conditional: ClassVar[tuple[str, ...]] = ()
    passed_to_generator: ClassVar[tuple[str, ...]] = ()
    passed_from: ClassVar[str] = "real"
    probability_only: ClassVar[bool] = False
    packing_degree: ClassVar[int] = 1
    """Number m of examples that the discriminator judges together (PacGAN, Lin et al. 2018); above 1 without labels
    only."""
    objective_needs: ClassVar[tuple[str, ...]] = ()

    def unsupported(self, data: DataSpec) -> str | None:
        """Whether the networks can be built for a data set.

        Args:
            data: the data set.

        Returns:
            None if they can; otherwise a sentence that names the data sets they can be built for.
        """
        return None

    def caution(self, data: DataSpec) -> str | None:
        """What limits the networks on a data set that they can be built for, as a clause; None if nothing does.

        `ganbench check` prints it as a note.

        Args:
            data: the data set.
        """
        return None

    @abstractmethod
    def generator(self, data: DataSpec) -> nn.Module:
        """The generator, with initial parameters from PyTorch's global random generator.

        Args:
            data: the data set.

        Returns:
            A module from latent points (batch, latent_size), and labels if it is conditional, to examples
            (batch, *data.shape).
        """

    @abstractmethod
    def discriminator(self, data: DataSpec) -> nn.Module:
        """The discriminator, with initial parameters from PyTorch's global random generator.

        Args:
            data: the data set.

        Returns:
            A module from examples (batch, *data.shape), and labels if it is conditional, to logits
            (batch / packing_degree,). It may give more: a tuple of logits, `class_logits`
            (batch / packing_degree, data.modes) and `features` (batch / packing_degree, ...), or a dict with these and
            other names. Objectives say what they need.
        """


def labels_fault(architecture: Architecture, data: DataSpec) -> str | None:
    """Why an architecture cannot be given labels, as a clause; None if it can, or needs none.

    Args:
        architecture: the architecture.
        data: the data set whose modes are the labels.
    """
    players = architecture.conditional
    if not isinstance(players, tuple | list) or set(players) not in CONDITIONAL:
        return f"its `conditional` must be (), ('generator',) or ('generator', 'discriminator'), but is {players!r}"
    if players and not data.modes:
        return "it is conditional, but the data set has no labels"
    return None


def labels_caution(labels: np.ndarray, classes: int) -> str | None:
    """What the labels of unequally frequent classes give away, as a clause; None if next to nothing.

    Generated examples have the labels of all classes alike. Told one of either kind, real or generated, whoever goes by
    its label alone is right with the probability (1 + d) / 2, where d is the total variation distance between the
    shares of the classes in the data and equal ones.

    Args:
        labels: the labels of the training examples, (n,) of int64.
        classes: the number of classes.
    """
    shares = np.bincount(labels, minlength=classes) / len(labels)
    distance = np.abs(shares - 1 / classes).sum() / 2
    if distance <= MAX_LABEL_DISTANCE:
        return None
    return (
        f"generated examples have the labels of all classes alike, but of the training examples {shares.max():.1%} are "
        f"of one class and {shares.min():.1%} of another, so that labels alone tell real from generated ones with a "
        f"probability of {(1 + distance) / 2:.2f}, and a generator that is perfect in every class does not score as "
        "real data do; take as many examples of each class, or an architecture without labels"
    )


def packing_fault(architecture: Architecture, batch_size: int | None = None) -> str | None:
    """Why an architecture's discriminator cannot judge groups of examples, as a clause; None if it can.

    Args:
        architecture: the architecture.
        batch_size: number of examples that pass a network together; None for any.
    """
    degree = architecture.packing_degree
    if not isinstance(degree, int) or isinstance(degree, bool) or degree < 1:
        return (
            "its packing_degree must be a whole number of at least 1, the examples that share a logit, but is "
            f"{degree!r}"
        )
    if degree == 1:
        return None
    if "discriminator" in architecture.conditional:
        return (
            f"its discriminator takes labels, but with packing_degree={degree} it judges {degree} examples together, "
            "whose labels may differ; take packing_degree=1, or a discriminator without labels"
        )
    if architecture.passed_to_generator:
        return (
            f"its discriminator passes outputs on to the generator, but with packing_degree={degree} it has none for "
            "each example; take packing_degree=1"
        )
    if batch_size is not None and batch_size % degree:
        less, more = batch_size // degree * degree, -(-batch_size // degree) * degree
        valid = f"{less} or {more}" if less else f"{more}"
        return (
            f"with packing_degree={degree} its discriminator judges {degree} examples together, but a batch of "
            f"{batch_size} examples cannot be divided into such groups; take {valid} examples"
        )
    return None


def objective_refusal(architecture: Architecture, objective: Any) -> str | None:
    """Why an architecture's outputs cannot serve an objective, as a clause; None if they can.

    Args:
        architecture: the architecture.
        objective: one of `ganbench.objectives`.
    """
    name = type(objective).__name__
    if untrained := [output for output in architecture.objective_needs if output not in objective.needs]:
        return (
            f"its discriminator gives {join_words(untrained)}, which objective {name} does not take, so that the "
            "layers that give it would never train; choose an objective that takes it, such as auxiliary_classifier, "
            "or a discriminator without it"
        )
    if not architecture.probability_only or objective.probability:
        return None
    return (
        f"its discriminator gives the probability of a class, but objective {name} takes a critic's score; choose an "
        "objective of probabilities, such as non_saturating, minimax or binary_cross_entropy, or a discriminator with "
        "one logit"
    )


def initial_module(architecture: Architecture, player: str, data: DataSpec, seed: int) -> nn.Module:
    """A player's network with the initial parameters of the run with this seed."""
    with seeded(stream_seed(seed, f"init-{player}")):
        return getattr(architecture, player)(data)


def trial_inputs(architecture: Architecture, player: str, data: DataSpec, count: int) -> tuple[Tensor, ...]:
    """A batch to try a player's network on, on the CPU: standard normal values, and labels if it is conditional.

    Args:
        architecture, player, data: the architecture, the player, and the data set.
        count: number of outputs: of examples, or of groups of examples that a discriminator judges together.
    """
    shape = data.shape if player == "discriminator" else (architecture.latent_size,)
    count = count * architecture.packing_degree if player == "discriminator" else count
    x = torch.randn((count, *shape), generator=torch.Generator().manual_seed(0), device="cpu")
    return (x, balanced_labels(count, data.modes)) if player in architecture.conditional else (x,)
