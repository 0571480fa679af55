"""The initial parameters of a game with few of them."""

from __future__ import annotations

import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.core.member import Member
from ganbench.core.random_streams import stream_seed


def drawn_or_given(
    given: tuple[float, ...], member: Member, parameters: dict[str, tuple[str, ...]]
) -> dict[str, Tensor]:
    """The initial parameters of a game with few of them.

    Args:
        given: the values of all parameters; empty to draw them from a standard normal distribution.
        member: the run in whose random stream they are drawn.
        parameters: the names of each player's parameters.

    Returns:
        The parameters of each player, (P,), in double precision.

    Raises:
        GanbenchError: the start does not have one value for each parameter, or a value is not finite.
    """
    sizes = [len(names) for names in parameters.values()]
    if given:
        values = torch.tensor(given, dtype=torch.float64)
        if len(values) != sum(sizes) or not values.isfinite().all():
            names = ", ".join(name for names in parameters.values() for name in names)
            raise GanbenchError(
                f"initial_parameters must have {sum(sizes)} finite values ({names}), but is {tuple(given)}."
            )
    else:
        generator = torch.Generator().manual_seed(stream_seed(member.seed, "init"))
        values = torch.randn(sum(sizes), generator=generator, dtype=torch.float64)
    return dict(zip(parameters, values.split(sizes), strict=True))
