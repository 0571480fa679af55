"""Conditional batch normalisation: the batch is normalised as one, and each example scaled by its label."""

from __future__ import annotations

import torch
from torch.nn.functional import batch_norm

from ganbench.nn.conditional_norm import ConditionalBatchNorm2d


def test_every_example_has_the_scales_and_shifts_of_its_label():
    torch.manual_seed(0)
    layer, x, labels = ConditionalBatchNorm2d(3, 5), torch.randn(4, 3, 2, 2), torch.tensor([4, 0, 4, 1])
    torch.testing.assert_close(layer(x, labels), batch_norm(x, None, None, training=True))
    torch.nn.init.normal_(layer.affine.weight)
    outputs, table = layer(x, labels), layer.affine.weight
    for example, label in enumerate(labels.tolist()):
        # Normalisation of the whole batch with the scales of one label is right for its examples.
        whole = batch_norm(x, None, None, table[label, :3], table[label, 3:], training=True)
        torch.testing.assert_close(outputs[example], whole[example])
