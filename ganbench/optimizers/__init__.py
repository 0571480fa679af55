"""Base updates, one file each: how one player turns its gradient into a step.

A member defines a frozen dataclass `Update` with two pure functions, in the manner of optax:

- `init(theta) -> Memory`: what the update remembers, for parameters of shape (K, P);
- `step(theta, gradient, memory, rate) -> (theta, memory)`: the next parameters, for learning rates of shape (K, 1).

A memory is a dict of tensors whose first axis is the member's, so that members can leave a pack. Nothing is changed in
place: dynamics that look ahead call `step` and drop what it returns.

Options that are numbers may be tensors (K, 1), one value for each member, of the parameters' precision.
"""

from __future__ import annotations

from torch import Tensor

Memory = dict[str, Tensor]
