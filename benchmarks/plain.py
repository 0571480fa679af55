"""One run, written the way a PyTorch user would write it: no members, no games, no vectors of parameters.

The same arithmetic as the engine's step - alternating Adam on the non-saturating loss, latent points drawn anew for
each player - so that the two differ in how they run, not in what they compute. It records less than the engine does:
the losses of every 25th step, and no norms.
"""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from benchmarks.cases import LEARNING_RATE, Case

LOG_EVERY = 25


class PlainRun:
    """A GAN in training."""

    def __init__(self, case: Case, seed: int, device: torch.device) -> None:
        torch.manual_seed(seed)
        architecture, data = case.networks, case.data
        self.generator = architecture.generator(data).to(device)
        self.discriminator = architecture.discriminator(data).to(device)
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.999))
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.999))
        self.examples = torch.from_numpy(case.examples()).to(device)
        self.batch, self.latent_size, self.device = case.batch_size, architecture.latent_size, device
        self.log: list[tuple[float, float]] = []

    def train(self, steps: int) -> None:
        ones, zeros = torch.ones(self.batch, device=self.device), torch.zeros(self.batch, device=self.device)
        for step in range(steps):
            chosen = torch.randint(len(self.examples), (self.batch,), device=self.device)
            real = self.examples[chosen]

            with torch.no_grad():
                fake = self.generator(torch.randn(self.batch, self.latent_size, device=self.device))
            loss_d = cross_entropy(self.discriminator(real), ones) + cross_entropy(self.discriminator(fake), zeros)
            self.optimizer_d.zero_grad()
            loss_d.backward()
            self.optimizer_d.step()

            fake = self.generator(torch.randn(self.batch, self.latent_size, device=self.device))
            loss_g = cross_entropy(self.discriminator(fake), ones)
            self.optimizer_g.zero_grad()
            loss_g.backward()
            self.optimizer_g.step()

            if step % LOG_EVERY == 0:
                self.log.append((loss_d.item(), loss_g.item()))
