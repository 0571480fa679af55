"""Parameters by name: those of the module, as views of a vector, and others in their place."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganbench.core.errors import GanbenchError
from ganbench.nn.network import Network
from ganbench.nn.weights import Weights

SHAPES = {"kernel": (2, 1), "scale": ()}


def of_two() -> Weights:
    return Weights(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), SHAPES)


def test_names_and_tensors_are_those_of_the_modules():
    modules = [nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.LazyLinear(1)) for _ in range(3)]
    for module in modules:
        module(torch.zeros(1, 2, 5, 5))
    weights = Weights(torch.stack([Network.vector(module) for module in modules]), Network(modules[0]).shapes)
    assert list(weights) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    for k, module in enumerate(modules):
        for name, parameter in module.named_parameters():
            assert torch.equal(weights[name][k], parameter)
    assert all(value.data_ptr() >= weights.vector.data_ptr() for value in weights.values())
    weights.vector.zero_()
    assert not any(value.any() for value in weights.values()), "tensors are views, and no copies"


def test_others_take_the_place_of_those_that_they_are_named_after():
    weights = of_two()
    new = weights.replaced({"scale": torch.tensor([-3.0, -6.0])})
    assert new.vector.tolist() == [[1, 2, -3], [4, 5, -6]]
    assert new["kernel"].tolist() == [[[1], [2]], [[4], [5]]]
    assert weights.vector.tolist() == [[1, 2, 3], [4, 5, 6]], "in place of a copy's, not in the vector itself"
    assert weights.map(torch.neg).vector.tolist() == [[-1, -2, -3], [-4, -5, -6]]
    assert weights.replaced({}).vector is weights.vector
    assert weights.replaced(new) is new


def test_a_name_or_a_shape_that_no_parameter_has_is_refused():
    weights = of_two()
    with pytest.raises(GanbenchError, match=r"^unknown parameter 'kernels'. Did you mean 'kernel'\? Valid: kernel, "):
        weights["kernels"]
    assert weights.get("bias") is None
    with pytest.raises(GanbenchError, match="unknown parameter 'bias'"):
        weights.replaced({"bias": torch.zeros(2)})
    with pytest.raises(GanbenchError, match=r"'kernel' has the shape \(2, 2, 1\), but \(2, 1\) is given for it"):
        weights.replaced({"kernel": torch.zeros(2, 1)})
