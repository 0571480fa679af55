"""What a network computes, asked at parameters that hide nothing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ganbench.core.errors import out_of_memory
from ganbench.nn.network import Network

DISTURBANCE = 0.1  # standard deviation of what is added to parameters


def disturbed(theta: Tensor, seed: int = 0) -> Tensor:
    """Parameters, each with normal noise of standard deviation `DISTURBANCE`.

    Initial gains, scales and last layers of 0 hide what they multiply; a probe of what a network computes sees all of
    it at disturbed parameters.

    Args:
        theta: parameters of any shape.
        seed: seed of the noise, the same on every device and in every precision.
    """
    noise = torch.randn(theta.shape, generator=torch.Generator().manual_seed(seed), device="cpu")
    return theta + DISTURBANCE * noise.to(theta.device, theta.dtype)


def mixes_examples(network: Network, theta: Tensor, *inputs: Tensor) -> bool:
    """Whether the outputs for an example, or a group of them, depend on others of the batch, in a pure module.

    Args:
        network: the network.
        theta: parameters (P,); those that are zero at first hide what they multiply, so all are disturbed.
        inputs: (examples, ...) each, of two examples, or two groups, at least.
    """
    like = next(network.module.parameters(), theta)
    theta = disturbed(theta.cpu()).to(like.device, like.dtype)[None]
    inputs = [x.to(like.device, like.dtype if x.is_floating_point() else x.dtype)[None] for x in inputs]
    outputs = len(inputs[0][0]) // network.packing
    half = outputs // 2
    halves = slice(None, half), slice(half, None)
    first = half * network.packing
    halves_in = slice(None, first), slice(first, None)
    try:
        # Without modes, whose lower precision would hide what mixing is.
        with torch.no_grad(), torch._C.DisableTorchFunction():
            whole = tree_leaves(network(theta, *inputs))
            alone = [tree_leaves(network(theta, *(x[:, part] for x in inputs))) for part in halves_in]
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        return True  # it takes batches of some sizes only
    return any(
        one.shape[1:2] != (outputs,) or not torch.allclose(one[:, part], other, rtol=1e-3, atol=1e-5)
        for part, values in zip(halves, alone, strict=True)
        for one, other in zip(whole, values, strict=True)
    )
