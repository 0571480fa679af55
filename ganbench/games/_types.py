"""What games, dynamics and diagnostics hand to one another."""

from __future__ import annotations

from torch import Tensor

Players = dict[str, Tensor]
"""The parameters of both players, {player: (K, P)}; P differs from player to player."""

LearningRates = dict[str, Tensor]
"""The learning rates of both players, {player: (K, 1)}."""

Batch = dict[str, Tensor]
"""All random numbers that a loss may use, {name: (K, ...)}: indices of examples, latent points, a regularizer's noise.
Empty for a game without random numbers."""

Aux = dict[str, Tensor]
"""Auxiliary quantities that are recorded beside a loss, {quantity: (K,)}: a discriminator's mean output, for
example."""

Buffers = dict[str, Tensor]
"""What a game's networks keep from one loss to the next beside the parameters, {name: (K, ...)}: running statistics of
a normalisation, for example. Empty for most games."""
