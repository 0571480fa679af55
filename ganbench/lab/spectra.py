"""Eigenvalues of the flow at a point of a game, and the spectral radius of a training step there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ganbench.diagnostics import DiagnosticResult
from ganbench.games import Match
from ganbench.lab.component_specs import ComponentSpec
from ganbench.lab.simulation import play


def spectrum(game: ComponentSpec | Match, at: Any = None) -> np.ndarray:
    """Eigenvalues of -J at a point, the growth rates of the flow theta' = -F, for every member: (members, n) complex,
    largest real part first. All P eigenvalues up to 600 parameters, the outer ones beyond.

    Args:
        game: its name, signature or mapping, or what `lab.game` made.
        at: the point, as a start of `lab.play`; the members' own starts unless given.

    Raises:
        GanbenchError: the game has no second derivatives, or `at` is no point of it.
    """
    arrays = _at_point("spectrum", game, at, "simultaneous", "sgd", {"learning_rate": 1.0}).arrays
    return arrays["eigenvalues_real"] + 1j * arrays["eigenvalues_imag"]


def spectral_radius(
    game: ComponentSpec | Match,
    dynamics: Any = "simultaneous",
    *,
    optimizer: Any = "sgd",
    learning_rate: float | Sequence[float] | np.ndarray = 0.1,
    generator_learning_rate: float | Sequence[float] | np.ndarray | None = None,
    at: Any = None,
) -> np.ndarray:
    """Spectral radius of the Jacobian of one training step, a map of players and optimizer states: (members,).

    Below 1, a fixed point at this place is locally attracting, and small distances to it shrink by this factor per step
    asymptotically. NaN where a step has no derivative, as a step of Adam at a gradient of 0.

    Args:
        game, dynamics, optimizer, learning_rate, generator_learning_rate: as of `lab.play`.
        at: the point, as a start of `lab.play`; the members' own starts unless given.

    Raises:
        GanbenchError: as `lab.play`.
    """
    rates = {"learning_rate": learning_rate, "generator_learning_rate": generator_learning_rate}
    return _at_point("step_map", game, at, dynamics, optimizer, rates).values["spectral_radius"]


def _at_point(
    diagnostic: str, game: ComponentSpec | Match, at: Any, dynamics: Any, optimizer: Any, rates: Any
) -> DiagnosticResult:
    """Results of a diagnostic at one point, from a trajectory without steps."""
    trajectory = play(game, dynamics, optimizer=optimizer, **rates, steps=0, start=at)
    return trajectory.measure(diagnostic)
