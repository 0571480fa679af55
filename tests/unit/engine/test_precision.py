"""Precisions of training: what is rounded and what is not, in a pack as in a run alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from building import CPU, gan, part, training
from torch import nn
from torch.func import vmap
from torch.nn import functional as F

from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.engine.precision import PRECISIONS, check_precision, lowered_products, set_numeric_mode
from ganbench.engine.train import train
from ganbench.games import Match, Member

IMAGES = DataSpec(shape=(1, 8, 8), bounded=True, train=40, modes=2)
EXAMPLES = np.random.default_rng(0).uniform(-1, 1, (40, 1, 8, 8)).astype(np.float32)


def images_game(regularizer: str = "none", dtype: torch.dtype = torch.float32):
    return gan(
        EXAMPLES,
        data=IMAGES,
        architecture=part("architecture", "dcgan", base_channels=4),
        regularizer=part("regularizer", regularizer),
        dtype=dtype,
    )


def lowered(steps: int = 20, **changes):
    return training(steps, dtype=torch.float32, products="bfloat16", **changes)


def test_only_the_factors_of_products_are_rounded():
    """A product of numbers of 8 bits is exact in single precision, so rounding factors by hand gives the same."""
    x, w = torch.randn(5, 7), torch.randn(3, 7)
    images, kernel = torch.randn(2, 3, 6, 6), torch.randn(4, 3, 3, 3)
    with lowered_products("bfloat16", CPU):
        linear, convolved, added = F.linear(x, w), F.conv2d(images, kernel), x + x
        assert (x @ w.T).dtype == linear.dtype == convolved.dtype == torch.float32
        assert torch.equal(F.linear(x.double(), w.double()), x.double() @ w.double().T)
    assert torch.equal(linear, F.linear(x.bfloat16(), w.bfloat16()).float())
    assert torch.equal(convolved, F.conv2d(images.bfloat16(), kernel.bfloat16()).float())
    assert torch.equal(added, 2 * x)
    np.testing.assert_allclose(linear, x.bfloat16().double() @ w.bfloat16().double().T, rtol=2**-8)


def test_within_vmap_convolutions_are_lowered_as_they_are_alone():
    images, kernels = torch.randn(3, 2, 3, 6, 6), torch.randn(3, 4, 3, 3, 3)
    with lowered_products("bfloat16", CPU):
        together = vmap(F.conv2d)(images, kernels)
        alone = torch.stack([F.conv2d(x, w) for x, w in zip(images, kernels, strict=True)])
    np.testing.assert_allclose(together, alone, atol=2**-7 * alone.abs().max())
    assert not torch.allclose(together, vmap(F.conv2d)(images, kernels), rtol=1e-4)


@pytest.mark.parametrize(
    ("dynamics", "regularizer"),
    [("alternating", "none"), ("alternating", "r1"), ("alternating", "wgan_gp"), ("consensus", "none")],
)
def test_parameters_stay_in_single_precision_and_follow_the_exact_run(dynamics, regularizer):
    """Second derivatives too: penalties on gradients, and dynamics that differentiate them."""
    game, members = images_game(regularizer), [Member(0, 40, 1e-3), Member(1, 40, 1e-3)]
    how = {"dynamics": part("dynamics", dynamics)}
    rounded = train(game, lowered(3, **how), members, device=CPU)
    exact = train(game, training(3, dtype=torch.float32, **how), members, device=CPU)
    for ours, theirs in zip(rounded, exact, strict=True):
        for player in game.players:
            assert ours["snapshots"][player].dtype == np.float32
            moved = theirs["snapshots"][player][-1] - theirs["snapshots"][player][0]
            apart = np.linalg.norm(ours["snapshots"][player][-1] - theirs["snapshots"][player][-1])
            assert 0 < apart < 0.5 * np.linalg.norm(moved)


def test_the_gradient_is_that_of_the_rounded_products():
    """Against PyTorch's autocast, alone and without vmap, where it sees convolutions."""
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 1))
    x = torch.from_numpy(EXAMPLES[:6])

    def gradient() -> torch.Tensor:
        loss = F.softplus(module(x).float()).mean()
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(module.parameters()))])

    exact = gradient()
    with lowered_products("bfloat16", CPU):
        ours = gradient()
    with torch.autocast("cpu", torch.bfloat16):
        theirs = gradient()
    assert not torch.allclose(ours, exact, rtol=1e-5)
    np.testing.assert_allclose(ours, theirs, atol=2**-6 * exact.abs().max())


def test_a_pack_and_an_interrupted_run_give_the_numbers_of_runs_alone():
    game, members = images_game(), [Member(0, 40, 1e-3), Member(1, 40, 1e-3)]
    states = []
    together = train(game, lowered(30), members, device=CPU, at_chunk=lambda progress: states.append(progress.state()))
    alone = [train(game, lowered(1), [member], device=CPU)[0] for member in members]
    for ours, theirs in zip(together, alone, strict=True):
        first = np.abs(ours["curves"]["mean"][0] - theirs["curves"]["mean"][0])
        assert (first <= 2**-7 * (1 + np.abs(theirs["curves"]["mean"][0]))).all()
    again = train(game, lowered(30), members, device=CPU, resume=states[0])
    for ours, theirs in zip(again, together, strict=True):
        for player in game.players:
            assert np.array_equal(ours["snapshots"][player], theirs["snapshots"][player])


def test_losses_are_in_the_precision_of_the_parameters():
    match = Match(images_game("r1"), [Member(0, 40, 0.1)], CPU, torch.float32)
    players, (batch,) = match.init(), match.draw(0, 1)
    with lowered_products("bfloat16", CPU):
        loss, _ = match.loss("discriminator", players, batch)
    assert loss.dtype == torch.float32


def test_tf32_needs_a_gpu_and_sets_flags_for_its_block_alone(monkeypatch):
    with pytest.raises(GanbenchError, match=r"train\.precision: 'tf32' needs an NVIDIA GPU .* computes on cpu; choose"):
        check_precision("tf32", CPU)
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(GanbenchError, match=r"compute capability 8\.0"):
        check_precision("tf32", gpu)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    for precision in PRECISIONS:
        check_precision(precision, gpu)
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [each.allow_tf32 for each in flags]
    with lowered_products("tf32", gpu):
        assert all(each.allow_tf32 for each in flags)
    assert [each.allow_tf32 for each in flags] == before
    with lowered_products("tf32", CPU):
        assert [each.allow_tf32 for each in flags] == before


@pytest.fixture
def flags():
    """Flags of a GPU's arithmetic, (place, name), which are put back."""
    cudnn = torch.backends.cudnn
    flags = [(cudnn, "deterministic"), (cudnn, "benchmark"), (cudnn, "allow_tf32")]
    flags += [(torch.backends.cuda.matmul, "allow_tf32")]
    before = [getattr(*flag) for flag in flags]
    yield flags
    for (place, name), value in zip(flags, before, strict=True):
        setattr(place, name, value)


def test_the_numeric_mode_of_jobs(flags):
    """Float32 in float32, by algorithms that do not depend on their speed."""
    for value in (True, False):
        for place, name in flags:
            setattr(place, name, value)
        set_numeric_mode()
        assert [getattr(*flag) for flag in flags] == [True, False, False, False]
