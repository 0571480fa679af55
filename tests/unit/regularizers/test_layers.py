"""Regularizers of single layers: those that the page on own methods shows, and orthogonal weights in training."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from building import gan, part, train_together_and_alone, training
from documentation import blocks

from ganbench.contracts import trials
from ganbench.contracts.losses_and_optimizers import regularizer_fault
from ganbench.contracts.trials import games
from ganbench.contracts.trials.checks import LeftOpen, Subject
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.games import Member
from ganbench.nn.weights import Weights
from ganbench.regularizers import Regularizer

DOUBLE = torch.float64
SHAPES = {"0.weight": (2, 1, 1, 2), "0.bias": (2,), "2.weight": (1, 2), "2.bias": (1,)}


@cache
def shown() -> list[type[Regularizer]]:
    """The regularizers of the page, in its order: clipped kernels, a last layer of length 1, orthogonality."""
    found = []
    for text in blocks("python", "docs/how-to/own-method.md"):
        scope = {}
        exec(compile(text, "docs/how-to/own-method.md", "exec"), scope)
        methods = {name: scope[name] for name in ("project", "weight_penalty") if name in scope}
        fields = {"__annotations__": {"limit": float, "beta": float}, "limit": 0.5, "beta": 2.0}
        found.append(dataclass(frozen=True)(type("Shown", (Regularizer,), methods | fields)))
    return found


def of_two() -> Weights:
    """Parameters of two runs; the last layer's weights have the lengths 5 and 13."""
    rows = [[0.25, -3.0, 1.0, 0.5, 9.0, 9.0, 3.0, 4.0, 9.0], [0.125, 1.0, -1.0, 0.5, 9.0, 9.0, 5.0, -12.0, 9.0]]
    return Weights(torch.tensor(rows, dtype=DOUBLE), SHAPES)


def test_the_regularizers_of_the_page_are_their_formulas():
    weights = of_two()
    clipped, normalised, orthogonal = (kind() for kind in shown())
    assert [regularizer_fault(each) for each in (clipped, normalised, orthogonal)] == [None] * 3
    found = weights.replaced(clipped.project("discriminator", weights)).vector.tolist()
    assert found == [[0.25, -0.5, 0.5, 0.5, 9, 9, 3, 4, 9], [0.125, 0.5, -0.5, 0.5, 9, 9, 5, -12, 9]]
    assert clipped.project("generator", weights) == {}
    found = weights.replaced(normalised.project("discriminator", weights)).vector
    torch.testing.assert_close(found[:, 6:8], torch.tensor([[3 / 5, 4 / 5], [5 / 13, -12 / 13]], dtype=DOUBLE))
    assert torch.equal(found[:, :6], weights.vector[:, :6])
    # The filters (1/4, -3), (1, 1/2) and (1/8, 1), (-1, 1/2) have the products -5/4 and 3/8; the linear layer has one.
    penalty = orthogonal.weight_penalty("generator", weights)
    assert penalty.tolist() == [2.0 * 2 * (5 / 4) ** 2, 2.0 * 2 * (3 / 8) ** 2]
    shipped = part("regularizer", "orthogonal", strength=2.0)
    assert torch.equal(penalty, shipped.weight_penalty("generator", weights))


def test_the_gradient_of_orthogonality_is_that_of_a_loop_over_pairs_of_filters():
    theta = of_two().vector.requires_grad_()
    shipped = part("regularizer", "orthogonal", strength=0.3)
    (found,) = torch.autograd.grad(shipped.weight_penalty("generator", Weights(theta, SHAPES)).sum(), theta)
    expected = torch.zeros_like(found)
    for k in range(2):
        for first, size, rows in ((0, 2, 2), (6, 2, 1)):  # of the kernel and of the matrix: where, and its values
            row = [theta[k, first + size * i : first + size * (i + 1)].detach() for i in range(rows)]
            for i in range(rows):
                for j in range(rows):
                    if i != j:  # (w_i . w_j)^2, once for (i, j) and once for (j, i)
                        expected[k, first + size * i : first + size * (i + 1)] += 0.3 * 4 * (row[i] @ row[j]) * row[j]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("architecture", "players", "named"),
    [
        (("sngan", {"conditioning": "projection"}), "generator", "generator's 'blocks.0.norms.0.affine.weight'"),
        (("dcgan", {"discriminator_norm": "weight"}), "both", "discriminator's '0.parametrizations.weight.original0'"),
        (("stylegan2", {}), "discriminator", "discriminator's 'first.weight'"),
        (("r3gan", {}), "generator", "generator's 'basis'"),
    ],
)
def test_orthogonality_is_of_the_weights_of_layers_alone(architecture, players, named):
    """Equal gains of all labels, of 64 channels, have products of 64, and lengths of filters have no direction."""
    name, options = architecture
    data = DataSpec((1, 16, 16), True, 4, 2)
    orthogonal = part("regularizer", "orthogonal", players=players)
    network = part("architecture", name, base_channels=2, latent_size=2, **options)
    with pytest.raises(GanbenchError, match=re.escape(f"but the {named} is none as it stands")):
        gan(torch.zeros(4, 1, 16, 16), data=data, architecture=network, regularizer=orthogonal, labels=[0, 1, 0, 1])


@pytest.mark.parametrize("discriminator_norm", ["none", "spectral"])
def test_orthogonality_is_of_the_weights_that_spectral_normalisation_divides(discriminator_norm):
    data = DataSpec((1, 16, 16), True, 4, 0)
    orthogonal = part("regularizer", "orthogonal", players="both")
    network = part("architecture", "sngan", base_channels=2, latent_size=2, discriminator_norm=discriminator_norm)
    state = torch.random.get_rng_state()
    game = gan(torch.zeros(4, 1, 16, 16), data=data, architecture=network, regularizer=orthogonal)
    assert game.regularizer.unsupported(game) is None
    assert torch.equal(torch.random.get_rng_state(), state), "nobody else's numbers are drawn"


@pytest.mark.parametrize("which", ["kernels", "last layer", "orthogonal"])
def test_layers_of_a_pack_are_those_of_each_run_alone(which):
    """Trained together and alone; and in the end the parameters are where the projection leaves them."""
    digits = part("dataset", "digits")
    regularizer = {
        "kernels": lambda: shown()[0](limit=0.02),
        "last layer": lambda: shown()[1](),
        "orthogonal": lambda: part("regularizer", "orthogonal", strength=1.0, players="both", every=2),
    }[which]()
    plain = {"generator_norm": "none", "discriminator_norm": "none"}  # no biases whose gradient is nothing but rounding
    small = part("architecture", "tiny_dcgan", base_channels=2, discriminator_base_channels=2, latent_size=3, **plain)
    game = gan(digits.load().train[:32] / 127.5 - 1, data=digits.spec, architecture=small, regularizer=regularizer)
    members = [Member(0, 32, 0.01), Member(1, 32, 0.02)]
    trained = train_together_and_alone(game, members, training(4, snapshots=(0, 4)))
    for tree in trained:
        for player in game.players:
            end = game.weights(player, torch.from_numpy(tree["snapshots"][player][-1:]))
            kernels = [values for values in end.values() if values.dim() == 5]
            if which == "kernels":
                largest = max(values.abs().max() for values in kernels)
                assert largest == 0.02 if player == "discriminator" else largest > 0.02, "the generator's are free"
                assert max(values.abs().max() for values in end.values()) > 0.02, "other parameters are free"
            elif which == "last layer":
                last = [values for values in end.values() if values.dim() > 2][-1]
                torch.testing.assert_close(last.flatten(2).norm(dim=2), torch.ones(last.shape[:2], dtype=DOUBLE))


LAST = '''"""The biases of one layer, without their mean."""

from dataclasses import dataclass

from ganbench.regularizers import Regularizer


@dataclass(frozen=True)
class Centred(Regularizer):
    def project(self, player, weights):
        return {"9.bias": weights["9.bias"] - weights["9.bias"].mean(1, keepdim=True)}
'''


def test_a_trial_leaves_open_what_is_made_for_other_networks(tmp_path):
    """With the names that its own networks have, since these are what a wrong name is for."""
    path = tmp_path / "centred.py"
    path.write_text(LAST)
    component = trials.read(path)
    methods, _, training = trials.CHECKS["regularizer"](Subject(component, games.built(component)))
    assert methods.fault() is None
    with pytest.raises(
        LeftOpen, match=r"unknown parameter '9.bias'.*Valid: 1.bias, .*5.weight\); `ganbench check` tries"
    ):
        training.fault()
