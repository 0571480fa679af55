"""Last layers of networks: activations of generators, and heads of discriminators, which give logits."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class RescaledSigmoid(nn.Module):
    """2 sigmoid(a) - 1 = tanh(a / 2): the sigmoid of networks for images in [0, 1], for images in [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x.sigmoid() - 1


# By name, the last layer of a generator of bounded examples: into (-1, 1) or, for `sigmoid`, into (0, 1).
BOUNDED: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "rescaled_sigmoid": RescaledSigmoid,
}


class ClassDifference(nn.Module):
    """The logit of a softmax over two classes: the second unit's score less the first's.

    With the scores (s0, s1) of generated and of real, the softmax gives real the probability
    exp(s1) / (exp(s0) + exp(s1)) = sigmoid(s1 - s0). So the cross-entropy of the two classes is the binary one of this
    logit, and every objective that is a function of a logit works on it.
    """

    def forward(self, scores: Tensor) -> Tensor:
        """Logits (batch,) of scores (batch, 2)."""
        return scores[:, 1] - scores[:, 0]


def head_layers(units: int, kind: str) -> list[nn.Module]:
    """The last layers of a discriminator, from features (batch, units) to logits (batch,).

    Args:
        units: number of features.
        kind: `logit` for one unit; `softmax` for two, one of each class, and their difference.
    """
    if kind == "softmax":
        return [nn.Linear(units, 2), ClassDifference()]
    return [nn.Linear(units, 1), nn.Flatten(0)]
