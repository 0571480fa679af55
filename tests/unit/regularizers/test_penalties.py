"""Penalties around real examples and of filters, and noise that decays, against formulas by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from building import CPU, every_step, gan, part, toy

from ganbench.architectures import initial_module
from ganbench.core.errors import GanbenchError
from ganbench.engine.train import train
from ganbench.games import Match, Member
from ganbench.nn.sample import Sample
from ganbench.nn.weights import Weights

DOUBLE = torch.float64


@pytest.mark.parametrize("between", [True, False])
def test_the_penalty_of_dragan_is_its_formula_around_real_examples(between):
    """For D(x) = x^T A x / 2, whose gradient is A x; noise is in proportion to the spread of the whole batch."""
    real, fake = torch.randn(2, 3, 6, 2, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    a = torch.tensor([[2.0, -1.0], [-1.0, 3.0]], dtype=DOUBLE)
    dragan = part("regularizer", "dragan", gamma=0.7, target=0.4, scale=0.3, between=between)
    each = [dragan.draw(torch.Generator().manual_seed(k), 1, (6, 2), real[:0]) for k in range(3)]
    noise = {name: torch.cat([numbers[name] for numbers in each]) for name in each[0]}
    assert noise["shift"].shape == (3, 6, 2)
    assert noise["mix"].shape == (3, 6, 1)
    assert noise["shift"].min() >= 0, "the authors' noise only adds"
    spread = np.array([points.std() for points in real.numpy()])  # NumPy's, as in the authors' code
    shift = 0.3 * torch.from_numpy(spread)[:, None, None] * noise["shift"]
    around = real + (noise["mix"] if between else 1.0) * shift
    expected = 0.7 * ((around @ a).norm(dim=-1) - 0.4).square().mean(1)

    def judge(points):
        return (points @ a * points).sum(-1) / 2

    found = dragan.penalty(judge, Sample(real), Sample(fake), noise)
    torch.testing.assert_close(found, expected)
    assert torch.equal(found, dragan.penalty(judge, Sample(real), Sample(real), noise)), (
        "generated examples are no part"
    )


def test_the_penalty_of_dragan_is_that_of_the_dirac_gan():
    """D(x) = psi x has the gradient psi everywhere: gamma (|psi| - 1)^2."""
    match = Match(
        toy("dirac", regularizer=part("regularizer", "dragan", gamma=3), initial_parameters=(0.4, 2.0)),
        [Member(0, None, 0.1)],
        CPU,
        DOUBLE,
    )
    plain = Match(toy("dirac", initial_parameters=(0.4, 2.0)), match.members, CPU, DOUBLE)
    players, batch = match.init(), match.draw(0, 1)[0]
    loss, bare = (each.loss("discriminator", players, batch)[0].item() for each in (match, plain))
    assert loss - bare == pytest.approx(3 * 0.6**2)


def test_the_penalties_of_orthogonal_filters_are_their_formulas_and_gradients():
    """W W^T of ((1, 2), (3, 4)) is ((5, 11), (11, 25)). The gradient of |M|^2 with M = W W^T o (1 - I) is 4 M W."""
    numbers = torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=DOUBLE)
    theta = torch.cat([numbers, torch.ones(1, 2, dtype=DOUBLE), numbers], dim=1).requires_grad_()
    weights = Weights(theta, {"weight": (2, 2), "bias": (2,), "filters": (2, 1, 1, 2)})
    orthogonal = part("regularizer", "orthogonal", strength=0.5)
    assert orthogonal.weight_penalty("discriminator", weights) is None
    assert orthogonal.weight_penalty("generator", Weights(numbers, {"bias": (4,)})) is None
    penalty = orthogonal.weight_penalty("generator", weights)
    assert penalty.tolist() == [0.5 * 2 * 2 * 11**2]
    (gradient,) = torch.autograd.grad(penalty.sum(), theta)
    off = torch.tensor([[0.0, 11.0], [11.0, 0.0]], dtype=DOUBLE)
    expected = (0.5 * 4 * off @ numbers.view(2, 2)).flatten()
    torch.testing.assert_close(gradient[0], torch.cat([expected, torch.zeros(2, dtype=DOUBLE), expected]))
    full = part("regularizer", "orthogonal", strength=0.5, kind="full", players="both")
    for player in ("discriminator", "generator"):
        assert full.weight_penalty(player, weights).tolist() == [0.5 * 2 * (2 * 11**2 + 4**2 + 24**2)]
    rotation = Weights(torch.tensor([[0.6, 0.8, -0.8, 0.6]], dtype=DOUBLE), {"weight": (2, 2)})
    assert full.weight_penalty("generator", rotation).item() == pytest.approx(0, abs=1e-30)
    with pytest.raises(GanbenchError, match="Orthogonal: it is for networks, but this game's players have none"):
        toy("dirac", regularizer=orthogonal)


@pytest.mark.parametrize("every", [1, 3])
def test_orthogonal_filters_of_networks_are_those_of_their_modules(every):
    """Against the modules' own parameters, for two runs at once, and as a part of both players' losses."""
    ring = part("dataset", "ring8", examples=20)
    orthogonal = part("regularizer", "orthogonal", strength=1.0, players="both", every=every)
    architecture = part("architecture", "mlp", width=6, depth=2)
    game = gan(ring.load().train, data=ring.spec, architecture=architecture, regularizer=orthogonal)
    members = [Member(0, 20, 0.1), Member(3, 20, 0.1)]
    match = Match(game, members, CPU, DOUBLE)
    without = Match(replace(game, regularizer=part("regularizer", "none")), members, CPU, DOUBLE)
    players, batch = match.init(), match.draw(0, 1)[0]
    for player in game.players:
        expected = []
        for member in members:
            module = initial_module(game.architecture, player, game.data, member.seed).double()
            matrices = [weight.detach() for weight in module.parameters() if weight.dim() > 1]
            products = [matrix @ matrix.T for matrix in matrices]
            expected.append(sum((each - each.diag().diag()).square().sum() for each in products))
        bare = without.loss(player, players, batch)[0]
        for step in range(4):
            found = match.in_phase(game.phase(step)).loss(player, players, batch)[0] - bare
            due = every if step % every == 0 else 0
            torch.testing.assert_close(found, due * torch.stack(expected))


@pytest.mark.parametrize("parts", [1, 2])
def test_instance_noise_decays_along_a_straight_line(parts):
    noise = part("regularizer", "instance_noise", sigma=0.8, decay_steps=40)
    game = toy("dirac", regularizer=noise, initial_parameters=(0.5, 0.5), noise_samples=3)
    object.__setattr__(game, "accumulation_steps", parts)
    match = Match(game, [Member(seed, None, 0.1) for seed in range(2)], CPU, DOUBLE)
    for step, expected in ((0, 0.8), (10, 0.6), (39, 0.02), (40, 0.0), (100, 0.0)):
        for batch in match.draw(step, 2):
            for piece in match.parts(batch):
                numbers = {name.removeprefix("noise."): value for name, value in piece.items()}
                shown = noise.perturb(piece["real"], "fake", numbers)
                torch.testing.assert_close(shown, piece["real"] + expected * numbers["fake"])
    steady = Match(
        toy("dirac", regularizer=part("regularizer", "instance_noise", sigma=0.8)), match.members, CPU, DOUBLE
    )
    assert "noise.step" not in steady.draw(7, 1)[0]


def test_noise_that_decays_is_traced_with_the_step_as_a_number_of_it():
    noise = part("regularizer", "instance_noise", sigma=2.0, decay_steps=9)
    game = toy("dirac", regularizer=noise, initial_parameters=(0.5, 0.5))
    members = [Member(seed, None, 0.1) for seed in range(2)]
    found = [train(game, every_step(12, execution=form), members, device=CPU) for form in ("eager", "traced")]
    assert found[1][0]["about"]["execution"] == "traced"
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one["snapshots"]["discriminator"], other["snapshots"]["discriminator"])
    steady = toy("dirac", regularizer=part("regularizer", "instance_noise", sigma=2.0), initial_parameters=(0.5, 0.5))
    (kept,) = train(steady, every_step(12), members[:1], device=CPU)
    path, still = (each["snapshots"]["discriminator"] for each in (found[0][0], kept))
    np.testing.assert_array_equal(path[1], still[1])  # with the same numbers and the same sigma in step 0
    assert not np.array_equal(path[2], still[2])
