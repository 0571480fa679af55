"""Objectives against numbers and gradients by hand, and against the formulas of another library."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from building import names, part
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from ganbench.nn.sample import Outputs, Sample

DOUBLE = torch.float64
REAL, FAKE = (2.0, -1.0, 0.5), (-3.0, 0.25, 1.5)
# ln(1 + e^a) at these logits and their negatives, to eight decimals.
SOFTPLUS_OF_MINUS_REAL = 0.12692801 + 1.31326169 + 0.47407698
SOFTPLUS_OF_FAKE, SOFTPLUS_OF_MINUS_FAKE = 0.04858735 + 0.82593942 + 1.70141328, 3.04858735 + 0.57593942 + 0.20141328
CROSS_ENTROPY = (SOFTPLUS_OF_MINUS_REAL + SOFTPLUS_OF_FAKE) / 3
# (L_D, L_G) on these logits, by hand from the formulas of torch_mimicry/modules/losses.py (kwotsin/mimicry). Its least
# squares have no factor 1/2, and what it calls the generator's minimax loss is the non-saturating one.
MIMICRY = {
    "hinge": ((0 + 2 + 0.5) / 3 + (0 + 1.25 + 2.5) / 3, -(-3 + 0.25 + 1.5) / 3),
    "wasserstein": (-1.5 / 3 - 1.25 / 3, 1.25 / 3),
    "least_squares": (((1 + 4 + 0.25) / 3 + (9 + 0.0625 + 2.25) / 3) / 2, (16 + 0.5625 + 0.25) / 3 / 2),
    "non_saturating": (CROSS_ENTROPY, SOFTPLUS_OF_MINUS_FAKE / 3),
    "binary_cross_entropy": (CROSS_ENTROPY, SOFTPLUS_OF_MINUS_FAKE / 3),
}


def on(values) -> Outputs:
    logits = torch.tensor([values], dtype=DOUBLE, requires_grad=True)
    return Outputs(logits, Sample(logits.detach()[..., None]))


def losses(objective, real: Outputs, fake: Outputs) -> tuple[float, float]:
    return objective.discriminator_loss(real, fake).item(), objective.generator_loss(real, fake).item()


@pytest.mark.parametrize("name", MIMICRY)
def test_losses_are_those_of_mimicry_computed_by_hand(name):
    assert losses(part("objective", name), on(REAL), on(FAKE)) == pytest.approx(MIMICRY[name], rel=1e-7)


def test_losses_that_mimicry_lacks_are_as_by_hand():
    """The saturating generator; pairs, whose differences f - r are -5, 1.25 and 1; means of 0.5 and -1.25 / 3."""
    assert losses(part("objective", "minimax"), on(REAL), on(FAKE)) == pytest.approx(
        (CROSS_ENTROPY, -SOFTPLUS_OF_FAKE / 3), rel=1e-7
    )
    assert losses(part("objective", "zero_sum"), on(REAL), on(FAKE)) == pytest.approx(
        (CROSS_ENTROPY, -CROSS_ENTROPY), rel=1e-7
    )
    pairs = ((0.00671535 + 1.50192930 + 1.31326169) / 3, (5.00671535 + 0.25192930 + 0.31326169) / 3)
    assert losses(part("objective", "relativistic_pairing"), on(REAL), on(FAKE)) == pytest.approx(pairs, rel=1e-7)
    mean = -1.25 / 3
    hinge = [max(0, 1 + mean - r) for r in REAL] + [max(0, 1 + f - 0.5) for f in FAKE]
    other = [max(0, 1 + 0.5 - f) for f in FAKE] + [max(0, 1 + r - mean) for r in REAL]
    average = part("objective", "relativistic_average", loss="hinge")
    assert losses(average, on(REAL), on(FAKE)) == pytest.approx((sum(hinge) / 3, sum(other) / 3), rel=1e-12)


def s(a: float) -> float:
    """The logistic function."""
    return 1 / (1 + np.exp(-a))


# Of L_D in the logits r and f of one real and one generated example, and of L_G in f.
GRADIENTS = {
    "minimax": lambda r, f: (s(r) - 1, s(f), -s(f)),
    "zero_sum": lambda r, f: (s(r) - 1, s(f), -s(f)),
    "non_saturating": lambda r, f: (s(r) - 1, s(f), s(f) - 1),
    "binary_cross_entropy": lambda r, f: (s(r) - 1, s(f), s(f) - 1),
    "least_squares": lambda r, f: (r - 1, f, f - 1),
    "hinge": lambda r, f: (-float(r < 1), float(f > -1), -1.0),
    "wasserstein": lambda r, f: (-1.0, 1.0, -1.0),
    "relativistic_pairing": lambda r, f: (-s(f - r), s(f - r), -s(r - f)),
    "relativistic_average": lambda r, f: (-2 * s(f - r), 2 * s(f - r), -2 * s(r - f)),  # a mean is the one example
    "auxiliary_classifier": lambda r, f: (s(r) - 1, s(f), s(f) - 1),
}


@pytest.mark.parametrize("name", names("objective"))
@pytest.mark.parametrize(("r", "f"), [(0.3, -0.7), (2.5, 1.5), (-4.0, -2.0)])
def test_gradients_in_the_logits_are_as_by_hand(name, r, f):
    objective, real, fake = part("objective", name), on([r]), on([f])
    class_logits = torch.tensor([[[0.2, -1.0, 0.5]]], dtype=DOUBLE, requires_grad=True)
    if objective.needs:
        labels = torch.tensor([[2]])
        real, fake = (
            Outputs(each.logits, Sample(each.sample.points, labels=labels), {"class_logits": class_logits})
            for each in (real, fake)
        )
    of_d = torch.autograd.grad(objective.discriminator_loss(real, fake).sum(), (real.logits, fake.logits))
    (of_g,) = torch.autograd.grad(objective.generator_loss(real, fake).sum(), fake.logits)
    assert [each.item() for each in (*of_d, of_g)] == pytest.approx(GRADIENTS[name](r, f), rel=1e-9)
    if objective.needs:  # the cross entropy's gradient is softmax - one, of both kinds of examples
        (found,) = torch.autograd.grad(objective.discriminator_loss(real, fake).sum(), class_logits)
        expected = 2 * (class_logits.softmax(-1) - torch.tensor([0.0, 0.0, 1.0], dtype=DOUBLE))
        torch.testing.assert_close(found, expected.detach())


@pytest.mark.parametrize("name", ["non_saturating", "minimax", "binary_cross_entropy"])
def test_labels_smoothed_on_both_sides_are_those_of_the_cross_entropy(name):
    """L_D has the labels 1 - s of real and s of generated examples, L_G none; of the latter the optimum is D = s."""
    objective, real, fake = part("objective", name, label_smoothing=0.2, two_sided_smoothing=True), on(REAL), on(FAKE)
    labels = [torch.full_like(each.logits, label) for each, label in ((real, 0.8), (fake, 0.2))]
    expected = bce(real.logits, labels[0]) + bce(fake.logits, labels[1])
    torch.testing.assert_close(objective.discriminator_loss(real, fake), expected[None])
    plain, one_sided = part("objective", name), part("objective", name, label_smoothing=0.2)
    torch.testing.assert_close(objective.generator_loss(real, fake), plain.generator_loss(real, fake))
    torch.testing.assert_close(one_sided.fake(fake.logits), plain.fake(fake.logits))
    optimum = torch.tensor([np.log(0.2 / 0.8)], dtype=DOUBLE, requires_grad=True)
    (gradient,) = torch.autograd.grad(objective.fake(optimum).sum(), optimum)
    assert gradient.item() == pytest.approx(0, abs=1e-12)
    if name == "binary_cross_entropy":
        saturating = part("objective", name, label_smoothing=0.2, two_sided_smoothing=True, saturating=True)
        torch.testing.assert_close(saturating.generator_loss(real, fake), -plain.fake(fake.logits).mean()[None])
