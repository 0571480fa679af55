"""The published training loop of a fully connected GAN, statement by statement: which of them raise an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ganbench.architectures.fc import FC
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.random_streams import stream_seed
from ganbench.data import DataSpec
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.nn.initialization import seeded

BATCH = 16  # examples, written out in the listing
RATE = 1e-3  # of gradient descent
LATENT, PRINTED_LATENT = 50, 5  # numbers that the generator takes, and that the listing draws
NETWORKS = FC(
    latent_size=LATENT,
    hidden_sizes=(200, 400, 1000),
    discriminator_hidden_sizes=(1000, 400, 200),
    scale_hidden_sizes=False,
    dropout=0.1,
    discriminator_activation="relu",
)
SPEC = DataSpec(shape=(1, 28, 28), bounded=True, train=BATCH, modes=0)


@dataclass(frozen=True)
class Listing(Diagnostic):
    """The loop trains the discriminator on a generated batch with the label 0 and a real one with the label 1, then the
    generator on a generated batch with the label 1, by PyTorch's BCELoss of a sigmoid. Its networks have one output an
    example, (16, 1), its labels are integers, (16,), its latent points have 5 numbers where its generator takes 50, and
    all batches have 16 examples by decree, also the last one of a data set that 16 does not divide.

    Every such statement is executed by itself, with everything else right, and is 1 if PyTorch raises the error that
    is its fault and 0 if it accepts it; any other error is raised. The corrected loop, with labels of the outputs' own
    shape and type and latent points of 50 numbers, is then executed for `steps` steps of gradient descent on
    random images.
    """

    steps: Annotated[int, Interval(ge=1, le=10_000)] = 10
    """Number of steps of the corrected loop."""

    of: ClassVar[Literal["runs", "study"]] = "study"

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def fails(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, f"1 if {what} raise an error, otherwise 0.", "none", 0, 1)

        return {
            "printed_labels_fail": fails("Labels as printed", "integer labels (16,) for outputs (16, 1)"),
            "flat_labels_fail": fails("Labels without an axis", "labels (16,) of the right type for outputs (16, 1)"),
            "integer_labels_fail": fails("Integer labels", "integer labels (16, 1) for outputs (16, 1)"),
            "printed_latent_fail": fails("Latent points", "latent points of 5 numbers for a generator of 50"),
            "last_batch_fail": fails(
                "Labels of a small batch", "labels (16, 1) for the outputs (15, 1) of a last batch"
            ),
            "corrected_runs": MetricInfo(
                "Corrected loop runs",
                "1 if the corrected loop ends with finite losses and with changed networks, otherwise 0.",
                "high",
                0,
                1,
            ),
        }

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        with seeded(stream_seed(0, "listing")):
            generator = NETWORKS.generator(SPEC)
            discriminator = nn.Sequential(NETWORKS.discriminator(SPEC), nn.Sigmoid(), nn.Unflatten(0, (-1, 1)))
            images, loss = torch.rand(BATCH, *SPEC.shape) * 2 - 1, nn.BCELoss()

            def judged(labels: Tensor, count: int = BATCH) -> Callable[[], Tensor]:
                return lambda: loss(discriminator(images[:count]), labels)

            integers = torch.zeros(BATCH, dtype=torch.int64)
            values = {
                "printed_labels_fail": raises(ValueError, judged(integers)),
                "flat_labels_fail": raises(ValueError, judged(integers.float())),
                "integer_labels_fail": raises(RuntimeError, judged(integers[:, None])),
                "printed_latent_fail": raises(RuntimeError, lambda: generator(torch.randn(BATCH, PRINTED_LATENT))),
                "last_batch_fail": raises(ValueError, judged(integers[:, None].float(), BATCH - 1)),
                "corrected_runs": self._trains(generator, discriminator, images),
            }
        return DiagnosticResult({name: np.asarray(float(value)) for name, value in values.items()})

    def _trains(self, generator: nn.Module, discriminator: nn.Module, images: Tensor) -> bool:
        """Whether the corrected loop changes both networks with finite losses."""
        before = [nn.utils.parameters_to_vector(each.parameters()).clone() for each in (generator, discriminator)]
        loss, losses = nn.BCELoss(), []

        def step(network: nn.Module, *judged: tuple[Tensor, float]) -> None:
            total = torch.stack([loss(output, torch.full_like(output, label)) for output, label in judged]).sum()
            weights = list(network.parameters())
            with torch.no_grad():
                for weight, gradient in zip(weights, torch.autograd.grad(total, weights), strict=True):
                    weight -= RATE * gradient
            losses.append(total.detach())

        for _ in range(self.steps):
            fake = generator(torch.randn(len(images), LATENT)).detach()
            step(discriminator, (discriminator(fake), 0.0), (discriminator(images), 1.0))
            step(generator, (discriminator(generator(torch.randn(len(images), LATENT))), 1.0))
        after = [nn.utils.parameters_to_vector(each.parameters()) for each in (generator, discriminator)]
        changed = all(not torch.equal(*pair) for pair in zip(before, after, strict=True))
        return changed and bool(torch.stack(losses).isfinite().all())


def raises(kind: type[Exception], statement: Callable[[], object]) -> bool:
    """Whether a statement raises an error of this kind; any other error is raised."""
    try:
        statement()
    except kind:
        return True
    return False
