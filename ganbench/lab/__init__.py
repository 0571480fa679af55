"""A laboratory of two players, for notebooks: games, paths, fields and their numbers in a few lines.

    from ganbench import lab
    played = lab.play("bilinear", "extragradient", learning_rate=0.1, start=[2.0, 0.5], steps=100)
    played.trajectory      # (members, steps + 1, parameters), NumPy float64
    played.losses["x"]     # (members, steps + 1)
    played.frame()         # the same as a table

Games, dynamics and optimizers are the very objects that studies train with. They are given by name, as a mapping
with options, `{"name": "consensus", "gamma": 0.5}`, as a signature, `"consensus(gamma=0.5)"`, or as an object.
Everything is computed for all members at once: seeds, starts, learning rates and real-valued options of the dynamics
and of the optimizer may have one value for each member.

Mistakes raise `ganbench.core.errors.GanbenchError`, which names the cause, the value received and what would be valid.
"""

from ganbench.lab.equilibria import FixedPoint
from ganbench.lab.games import game
from ganbench.lab.simulation import play
from ganbench.lab.spectra import spectral_radius, spectrum
from ganbench.lab.trajectory import Trajectory
from ganbench.lab.vector_field import Field, draw_field, field, fixed_points

__all__ = [
    "Field",
    "FixedPoint",
    "Trajectory",
    "draw_field",
    "field",
    "fixed_points",
    "game",
    "play",
    "spectral_radius",
    "spectrum",
]
