"""Optimizers against PyTorch's optimisers and closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganbench.core import registry

RATES = (0.1, 0.01, 0.3)


def optimizer(name: str, **options):
    member = registry.find("optimizer", name)
    return member.build(member.complete(options))


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def drawn_gradients(steps: int, members: int = 3, size: int = 4, seed: int = 0) -> Tensor:
    """Gradients (steps, K, P), of very different sizes."""
    drawn = torch.randn(steps, members, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn * torch.logspace(-6, 3, size, dtype=torch.float64)


def path(rule, gradients: Tensor, rate: Tensor) -> Tensor:
    """Parameters after every step, (steps, K, P), from ones."""
    theta = torch.ones_like(gradients[0])
    state, points = rule.init(theta), []
    for grad in gradients:
        theta, state = rule.step(theta, grad, state, rate)
        points.append(theta)
    return torch.stack(points)


def reference(optimiser, gradients: Tensor, change=lambda group: None) -> Tensor:
    """The same by an optimiser of PyTorch of every member's own."""
    members = []
    for k, rate in enumerate(RATES):
        theta = torch.ones_like(gradients[0, k]).requires_grad_()
        own = optimiser([theta], lr=rate)
        change(own.param_groups[0])
        points = []
        for grad in gradients[:, k]:
            theta.grad = grad.clone()
            own.step()
            points.append(theta.detach().clone())
        members.append(torch.stack(points))
    return torch.stack(members, 1)


CASES = {
    "adam": (
        optimizer("adam", beta1=0.8, beta2=0.99, epsilon=1e-6),
        lambda p, lr: torch.optim.Adam(p, lr=lr, betas=(0.8, 0.99), eps=1e-6),
        {},
    ),
    "adam without momentum": (
        optimizer("adam", beta1=0.0),
        lambda p, lr: torch.optim.Adam(p, lr=lr, betas=(0.0, 0.999)),
        {},
    ),
    "rmsprop": (optimizer("rmsprop"), torch.optim.RMSprop, {}),
    "rmsprop at 0.9": (optimizer("rmsprop", alpha=0.9), lambda p, lr: torch.optim.RMSprop(p, lr=lr, alpha=0.9), {}),
    "sgd": (optimizer("sgd"), torch.optim.SGD, {}),
    "momentum": (optimizer("sgd", momentum=0.9), lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9), {}),
    # PyTorch refuses negative momentum in its constructor only.
    "negative momentum": (optimizer("sgd", momentum=-0.5), torch.optim.SGD, {"momentum": -0.5}),
}


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**31))
def test_optimizers_are_those_of_pytorch(case, seed):
    rule, optimiser, changes = CASES[case]
    gradients = drawn_gradients(40, seed=seed)
    found, expected = (
        path(rule, gradients, column(*RATES)),
        reference(optimiser, gradients, lambda g: g.update(changes)),
    )
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_adam_is_algorithm_1_of_its_paper():
    gradients, beta1, beta2, epsilon = drawn_gradients(200).numpy(), 0.5, 0.999, 1e-8
    theta, mean, square = np.ones((3, 4)), np.zeros((3, 4)), np.zeros((3, 4))
    found = path(optimizer("adam"), drawn_gradients(200), column(*RATES)).numpy()
    for t, grad in enumerate(gradients, start=1):
        mean, square = beta1 * mean + (1 - beta1) * grad, beta2 * square + (1 - beta2) * grad**2
        step = mean / (1 - beta1**t) / (np.sqrt(square / (1 - beta2**t)) + epsilon)
        theta = theta - np.array(RATES)[:, None] * step
        np.testing.assert_allclose(found[t - 1], theta, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.4])
@pytest.mark.parametrize("decay_exponent", [0.5, 1.0])
def test_learning_rates_fall_as_powers_of_the_step(momentum, decay_exponent):
    gradients, rate = drawn_gradients(30), column(*RATES)
    velocity, theta = torch.zeros(3, 4).double(), torch.ones(3, 4).double()
    found = path(optimizer("sgd", momentum=momentum, decay_exponent=decay_exponent), gradients, rate)
    for k, grad in enumerate(gradients, start=1):
        velocity = momentum * velocity + grad
        theta = theta - rate / k**decay_exponent * velocity
        torch.testing.assert_close(found[k - 1], theta, rtol=1e-13, atol=1e-13)


def test_summable_squared_rates_bound_the_growth_of_simultaneous_descent():
    """On xy with rates a / k the radius grows by prod sqrt(1 + a^2 / k^2), which tends to sqrt(sinh(pi a) / (pi a))."""
    rule, steps, a = optimizer("sgd", decay_exponent=1.0), 2000, column(0.5, 1.0, 2.0)
    x, y = torch.ones(3, 1).double(), torch.zeros(3, 1).double()
    states = rule.init(x), rule.init(y)
    for _ in range(steps):
        (x, one), (y, other) = rule.step(x, -y, states[0], a), rule.step(y, x, states[1], a)
        states = one, other
    growth, k = (x**2 + y**2).sqrt().numpy(), np.arange(1, steps + 1)
    np.testing.assert_allclose(growth, np.sqrt(1 + (a.numpy() / k) ** 2).prod(1, keepdims=True), rtol=1e-12)
    limit = np.sqrt(np.sinh(np.pi * a.numpy()) / (np.pi * a.numpy()))
    assert (growth < limit).all()
    np.testing.assert_allclose(growth, limit, rtol=2e-3)
    assert limit[1, 0] == pytest.approx(1.917, abs=5e-4)


def test_a_state_holds_nothing_that_is_not_used():
    theta = torch.ones(2, 3)
    assert optimizer("sgd").init(theta) == {}
    assert set(optimizer("sgd", momentum=-0.5).init(theta)) == {"velocity"}
    assert set(optimizer("sgd", decay_exponent=1.0).init(theta)) == {"steps"}


REAL = [
    (n, o) for n, m in registry.components("optimizer").items() for o, x in m.options.items() if x.annotation == "float"
]


@pytest.mark.parametrize(("name", "option"), REAL)
def test_options_may_differ_from_member_to_member(name, option):
    gradients, rate, values = drawn_gradients(20), column(*RATES), (0.0, 0.3, 0.9)
    found = path(replace(optimizer(name), **{option: column(*values)}), gradients, rate)
    for k, value in enumerate(values):
        alone = path(optimizer(name, **{option: value}), gradients[:, [k]], rate[[k]])
        torch.testing.assert_close(found[:, [k]], alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", sorted(registry.components("optimizer")))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_kept(name, dtype):
    rule = replace(optimizer(name), decay_exponent=0.5, momentum=0.5) if name == "sgd" else optimizer(name)
    theta = torch.ones(2, 3, dtype=dtype)
    after, state = rule.step(theta, theta, rule.init(theta), torch.full((2, 1), 0.1, dtype=dtype))
    assert after.dtype == dtype
    assert all(value.dtype == dtype for key, value in state.items() if key != "steps")


@pytest.mark.parametrize("name", sorted(registry.components("optimizer")))
def test_steps_can_be_differentiated_twice(name):
    """In the parameters and in the gradients of several steps, through the state that they share."""
    rule, rates = optimizer(name), column(0.1, 0.03)
    generator = torch.Generator().manual_seed(2)
    theta, grad = (torch.randn(2, 3, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(2))

    def stepped(theta, grad):
        state = rule.init(theta)
        for k in range(3):
            theta, state = rule.step(theta, (k + 1) * grad + theta**2, state, rates)
        return theta

    assert torch.autograd.gradcheck(stepped, (theta, grad))
    assert torch.autograd.gradgradcheck(stepped, (theta, grad))


@pytest.mark.parametrize(("name", "slope"), [("adam", 1e8), ("rmsprop", 1e8), ("sgd", 1.0)])
def test_the_derivative_of_a_step_at_a_gradient_of_zero(name, slope):
    """Of g / (|g| + epsilon) it is 1 / epsilon; the first step of RMSProp has its |g| times a constant."""
    rule, rate = optimizer(name), column(0.1)
    zero = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    after, _ = rule.step(torch.ones(1, 2, dtype=torch.float64), zero, rule.init(zero.detach()), rate)
    (found,) = torch.autograd.grad(after.sum(), zero)
    torch.testing.assert_close(found, torch.full_like(found, -0.1 * slope), rtol=1e-12, atol=0)
