"""The numbers of parameters of games, for which no parameter needs a name."""

from __future__ import annotations

import pytest
from playing import look, networks, play

from ganbench.engine.fusing import parameters
from ganbench.numerics.jacobians import parameter_count, split


def test_networks_are_trained_and_looked_at_without_a_name_for_every_parameter(monkeypatch):
    """The names of a large DCGAN's parameters take half a gigabyte."""
    game = networks()

    def refused(self):
        raise AssertionError("names of parameters are made to be shown")

    monkeypatch.setattr(type(game), "parameters", property(refused))
    with pytest.raises(AssertionError):
        _ = game.parameter_names
    played = play(game, steps=2)
    assert sum(game.sizes.values()) == parameters(game) == parameter_count(played.match) == played.theta.shape[2]
    assert split(played.match, played.theta[:, 0])["generator"].shape == (1, game.sizes["generator"])
    for diagnostic in ("path", "spectrum", "slices"):
        look(played, diagnostic)
