"""Steps of published GANs, by formulas written out here with PyTorch's modules and optimizers: DCGAN as Radford et al.
(2016) train it, SNGAN as Miyato et al. (2018) do, and the R1-regularized steps of Mescheder et al. (2018).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from building import CPU, gan, part, training
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganbench.architectures import Architecture, initial_module
from ganbench.engine.train import train
from ganbench.games import Match, Member
from ganbench.nn.network import Network

STEPS, BATCH = 12, 8
DIGITS = part("dataset", "digits")


class SNGAN(Architecture):
    """A small SNGAN: running batch normalisation in the generator, PyTorch's spectral norm in the discriminator."""

    latent_size = 6

    def generator(self, data: Any) -> nn.Module:
        return nn.Sequential(
            nn.Linear(self.latent_size, 4 * 4 * 4),
            nn.Unflatten(1, (4, 4, 4)),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.ConvTranspose2d(4, 1, 4, 2, 1),
            nn.Tanh(),
        )

    def discriminator(self, data: Any) -> nn.Module:
        return nn.Sequential(
            spectral_norm(nn.Conv2d(1, 4, 3, 2, 1)),
            nn.LeakyReLU(0.1),
            nn.Flatten(),
            spectral_norm(nn.Linear(4 * 4 * 4, 1)),
            nn.Flatten(0),
        )


def bce(logits: Tensor, target: float) -> Tensor:
    """-y ln sigma(a) - (1 - y) ln(1 - sigma(a)), the mean over examples."""
    p = logits.sigmoid()
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()


def non_saturating(real: Tensor | None, fake: Tensor) -> Tensor:
    return bce(fake, 1) if real is None else bce(real, 1) + bce(fake, 0)


def hinge(real: Tensor | None, fake: Tensor) -> Tensor:
    return -fake.mean() if real is None else (1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()


def r1(weight: float):
    """weight E ||grad_x D(x)||^2, of each real example by itself."""

    def penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
        real = real.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
        return weight * gradient.flatten(1).square().sum(1).mean()

    return penalty


PUBLISHED = {
    "dcgan": {
        "architecture": part("architecture", "dcgan", base_channels=4, latent_size=6),
        "loss": non_saturating,
        "objective": part("objective", "non_saturating"),
        "optimizer": part("optimizer", "adam", beta1=0.5, beta2=0.999),
        "by_torch": lambda parameters: torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999)),
    },
    "sngan": {
        "architecture": SNGAN(),
        "loss": hinge,
        "objective": part("objective", "hinge"),
        "optimizer": part("optimizer", "adam", beta1=0.0, beta2=0.9),
        "by_torch": lambda parameters: torch.optim.Adam(parameters, lr=2e-4, betas=(0.0, 0.9)),
        "discriminator_steps": 5,
        "schedule": part("schedule", "linear"),
    },
    "gan-stability": {
        "architecture": part("architecture", "dcgan", base_channels=4, latent_size=6, discriminator_norm="none"),
        "loss": non_saturating,
        "objective": part("objective", "non_saturating"),
        "regularizer": part("regularizer", "r1", gamma=10.0),
        "penalty": r1(10.0 / 2),
        "optimizer": part("optimizer", "rmsprop", alpha=0.99),
        "by_torch": lambda parameters: torch.optim.RMSprop(parameters, lr=2e-4, alpha=0.99),
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_steps_of_a_published_gan(name):
    how, member = PUBLISHED[name], Member(5, 200, 2e-4)
    several = how.get("discriminator_steps", 1)
    game = gan(
        DIGITS.load().train,
        data=DIGITS.spec,
        architecture=how["architecture"],
        objective=how["objective"],
        regularizer=how.get("regularizer"),
        batch_size=BATCH,
    )
    dynamics = part("dynamics", "alternating", discriminator_steps=several)
    schedule = how.get("schedule", part("schedule", "constant"))
    shared = training(STEPS, dynamics=dynamics, optimizer=how["optimizer"], schedule=schedule)
    (result,) = train(game, shared, [member], device=CPU)

    match = Match(game, [member], CPU, torch.float64)
    modules = {each: initial_module(game.architecture, each, game.data, member.seed).double() for each in game.players}
    discriminator, generator = modules["discriminator"], modules["generator"]
    optimizers = {each: how["by_torch"](module.parameters()) for each, module in modules.items()}
    schedulers = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / STEPS if "schedule" in how else 1.0)
        for optimizer in optimizers.values()
    ]
    for step in range(STEPS):
        batches = match.draw(step, several)
        for batch in batches:
            real = game.examples.read(batch)[0]
            fake = generator(batch["latent.discriminator"][0]).detach()
            loss = how["loss"](discriminator(real), discriminator(fake))
            if "penalty" in how:
                loss = loss + how["penalty"](discriminator, real)
            optimizers["discriminator"].zero_grad()
            loss.backward()
            optimizers["discriminator"].step()
        optimizers["generator"].zero_grad()
        how["loss"](None, discriminator(generator(batches[-1]["latent.generator"][0]))).backward()
        optimizers["generator"].step()
        for scheduler in schedulers:
            scheduler.step()

    for player, module in modules.items():
        found = result["snapshots"][player][-1]
        assert not np.array_equal(found, result["snapshots"][player][0])
        np.testing.assert_allclose(found, Network.vector(module).numpy(), rtol=0, atol=1e-10)
        buffers = dict(module.named_buffers(remove_duplicate=False))
        for key, values in result["buffers"].items():
            owner, _, of_module = key.partition(".")
            if owner == player:
                np.testing.assert_allclose(values[-1], buffers[of_module].numpy(), rtol=0, atol=1e-10, err_msg=key)
