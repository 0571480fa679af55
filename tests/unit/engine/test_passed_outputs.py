"""A generator that takes something of the discriminator's pass over the real batch: the indices of its max pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from building import CPU, gan, part, training
from safetensors.torch import save_model
from torch import nn
from torch.nn import functional as F

from ganbench.architectures import Architecture, initial_module
from ganbench.contracts.networks import architecture_fault
from ganbench.core.dotted_names import under
from ganbench.engine.modules import resize_buffers, trained_module
from ganbench.engine.sampler import Sampler
from ganbench.engine.train import train
from ganbench.games import Match, Member
from ganbench.nn.evaluation_inputs import latent_points
from ganbench.nn.network import Network

DIGITS = part("dataset", "digits")
MEMBERS = [Member(0, 200, 1e-3), Member(1, 100, 5e-4)]
BATCH = 6


class Pooling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.head = nn.Conv2d(1, 3, 3, padding=1), nn.Linear(3 * 16, 1)

    def forward(self, x):
        pooled, indices = F.max_pool2d(self.convolution(x).relu(), 2, return_indices=True)
        return {"logits": self.head(pooled.flatten(1))[:, 0], "indices": indices}


class Pooled(Pooling):
    """Pooling that gives something else than its indices."""

    def __init__(self, changed) -> None:
        super().__init__()
        self.changed = changed

    def forward(self, x):
        outputs = super().forward(x)
        return outputs | {"indices": self.changed(outputs["indices"])}


class Unpooling(nn.Module):
    def __init__(self, latent_size: int) -> None:
        super().__init__()
        self.first, self.convolution = nn.Linear(latent_size, 3 * 16), nn.Conv2d(3, 1, 3, padding=1)
        self.register_buffer(
            "indices", (2 * torch.arange(4) + 16 * torch.arange(4)[:, None]).expand(1, 3, 4, 4).clone()
        )

    def forward(self, z):
        where = self.indices[torch.arange(len(z)) % len(self.indices)].flatten(2)
        values = self.first(z).view(len(z), 3, 16)
        unpooled = torch.zeros(len(z), 3, 64, dtype=z.dtype).scatter(2, where, values)
        return self.convolution(unpooled.view(len(z), 3, 8, 8)).tanh()


@dataclass(frozen=True)
class Unpool(Architecture):
    """Small networks with one pooling and one unpooling."""

    passed_to_generator: ClassVar[tuple[str, ...]] = ("indices",)

    latent_size: int = 5

    def generator(self, data):
        return Unpooling(self.latent_size)

    def discriminator(self, data):
        return Pooling()


class Forgetful(Unpool):
    def discriminator(self, data):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))


class Coarser(Unpool):
    """Whose discriminator pools to another size than the generator unpools."""

    def discriminator(self, data):
        return Pooled(lambda indices: indices[:, :, :2])


class Halved(Unpool):
    """Whose discriminator passes on numbers of another type."""

    def discriminator(self, data):
        return Pooled(lambda indices: indices.to(torch.int32))


class Misspelt(Unpool):
    passed_from = "generated"


class Kept(Unpool):
    """Which needs nothing of its discriminator."""

    passed_from = "start"

    def discriminator(self, data):
        return Forgetful().discriminator(data)


class Noisy(nn.Module):
    """A constant that is drawn at random."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 64)
        self.register_buffer("scale", torch.randn(5))

    def forward(self, z):
        return self.layer(z * self.scale).tanh().view(-1, 1, 8, 8)


class Drawn(Kept):
    passed_to_generator = ()

    def generator(self, data):
        return Noisy()


class DrawnAndNamed(Drawn):
    passed_to_generator = ("scale",)


class Bufferless(Unpool):
    def generator(self, data):
        return nn.Sequential(nn.Linear(5, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))


def game(**changes):
    architecture = changes.pop("architecture", Unpool())
    return gan(DIGITS.load().train, data=DIGITS.spec, architecture=architecture, batch_size=BATCH, **changes)


def by_hand(match: Match, member: Member, steps: int) -> dict[str, nn.Module]:
    """Both networks after a plain loop, in which the generator is handed the indices of the last real batch."""
    bce, played = F.binary_cross_entropy_with_logits, match.game
    modules = {p: initial_module(played.architecture, p, played.data, member.seed).double() for p in match.players}
    discriminator, generator = modules["discriminator"], modules["generator"]
    adam = {p: torch.optim.Adam(each.parameters(), member.learning_rate, (0.5, 0.999)) for p, each in modules.items()}
    ones, zeros = torch.ones(BATCH, dtype=torch.float64), torch.zeros(BATCH, dtype=torch.float64)
    for step in range(steps):
        (batch,) = match.draw(step, 1)
        real = discriminator(played.examples.read(batch)[0])
        generator.indices = real["indices"]
        fake = discriminator(generator(batch["latent.discriminator"][0]).detach())
        adam["discriminator"].zero_grad()
        (bce(real["logits"], ones) + bce(fake["logits"], zeros)).backward()
        adam["discriminator"].step()
        adam["generator"].zero_grad()
        bce(discriminator(generator(batch["latent.generator"][0]))["logits"], ones).backward()
        adam["generator"].step()
    return modules


def test_networks_that_pass_something_on_are_vectorised():
    assert game().unvectorised is None


def test_the_generator_has_the_indices_of_the_last_real_batch():
    played, how = game(), training(30)
    together = train(played, how, MEMBERS, device=CPU)
    for member, result in zip(MEMBERS, together, strict=True):
        (alone,) = train(played, how, [member], device=CPU)
        hand = by_hand(Match(played, [member], CPU, torch.float64), member, how.steps)
        for player, module in hand.items():
            found = result["snapshots"][player]
            assert np.abs(found[-1] - found[0]).max() > 1e-3, "it trains"
            np.testing.assert_allclose(found, alone["snapshots"][player], rtol=0, atol=1e-10)
            np.testing.assert_allclose(found[-1], Network.vector(module).numpy(), rtol=0, atol=1e-10)
        kept = result["buffers"]["generator.indices"]
        assert kept.shape == (len(how.snapshots), BATCH, 3, 4, 4)
        np.testing.assert_array_equal(kept[-1], hand["generator"].indices.numpy())
        assert not np.array_equal(kept[0], kept[-1])


@pytest.mark.parametrize(
    "dynamics", ["simultaneous", "extragradient", pytest.param("unrolled", marks=pytest.mark.slow)]
)
def test_it_goes_on_bit_for_bit_and_fuses_under_other_dynamics(dynamics):
    played, states = game(), {}
    how = training(30, dynamics=part("dynamics", dynamics))
    whole = train(played, how, MEMBERS, device=CPU, at_chunk=lambda now: states.setdefault(now.step, now.state()))
    resumed = train(played, how, MEMBERS, device=CPU, resume=states[25])
    for member, one, other in zip(MEMBERS, whole, resumed, strict=True):
        (alone,) = train(played, how, [member], device=CPU)
        for player in played.players:
            np.testing.assert_array_equal(one["snapshots"][player], other["snapshots"][player])
            np.testing.assert_allclose(one["snapshots"][player], alone["snapshots"][player], rtol=0, atol=1e-10)
        np.testing.assert_array_equal(one["buffers"]["generator.indices"], other["buffers"]["generator.indices"])


def test_accumulated_parts_of_a_batch_pass_on_their_own():
    played = game(accumulation_steps=2)
    (result,) = train(played, training(30), MEMBERS[:1], device=CPU)
    assert result["buffers"]["generator.indices"].shape[1:] == (BATCH, 3, 4, 4)
    assert np.isfinite(result["snapshots"]["generator"]).all()


def test_it_is_evaluated_and_exported_with_what_training_left(tmp_path):
    played = game(dtype=torch.float32)
    (result,) = train(played, training(30, dtype=torch.float32), MEMBERS[:1], device=CPU)
    theta = result["snapshots"]["generator"][-1]
    buffers = {name: values[-1] for name, values in under("generator", result["buffers"]).items()}
    made = Sampler(played.architecture, DIGITS.spec, BATCH, CPU).examples(theta, buffers, 0, 20)
    module = trained_module(played.architecture, "generator", DIGITS.spec, theta, buffers)
    with torch.no_grad():
        expected = module(latent_points(0, 20, played.architecture.latent_size)).numpy()
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)

    save_model(module, str(tmp_path / "generator.safetensors"))
    other = initial_module(played.architecture, "generator", DIGITS.spec, 7)
    assert other.indices.shape != module.indices.shape
    resize_buffers(other, {"indices": module.indices.shape})
    assert other.indices.shape == module.indices.shape


def test_what_cannot_be_passed_on_is_one_sentence():
    assert architecture_fault(Unpool(), DIGITS.spec) is None
    assert architecture_fault(Forgetful(), DIGITS.spec) == (
        "its discriminator has no output 'indices', which it is to pass on; it has logits"
    )
    assert architecture_fault(Bufferless(), DIGITS.spec) == (
        "its generator has no buffer 'indices', which it is to pass on; it has none"
    )
    for architecture, given in ((Coarser(), "(3, 2, 4) of torch.int64"), (Halved(), "(3, 4, 4) of torch.int32")):
        assert architecture_fault(architecture, DIGITS.spec) == (
            f"its discriminator has an output 'indices' with {given} for each example, but the generator's buffer of "
            "this name, which it is to fill, has (3, 4, 4) of torch.int64"
        )
    assert architecture_fault(Misspelt(), DIGITS.spec) == (
        "its generator has a `passed_from` of 'generated'; valid: 'real', 'fake' and 'start'"
    )
    assert architecture_fault(Kept(), DIGITS.spec) is None


def test_constants_drawn_at_random_are_the_run_s_own_if_they_are_named_and_refused_otherwise():
    assert architecture_fault(Drawn(), DIGITS.spec) == (
        "its generator draws its buffer 'scale' at random, but no pass changes it, so that every run would have that "
        "of seed 0; a generator may name it in passed_to_generator, with passed_from = 'start'"
    )
    assert architecture_fault(DrawnAndNamed(), DIGITS.spec) is None
    played = game(architecture=DrawnAndNamed())
    for member, result in zip(MEMBERS, train(played, training(5), MEMBERS, device=CPU), strict=True):
        own = initial_module(played.architecture, "generator", DIGITS.spec, member.seed).scale
        kept = torch.from_numpy(result["buffers"]["generator.scale"])
        torch.testing.assert_close(kept.float(), own.expand(len(kept), 5), rtol=1e-6, atol=0)
