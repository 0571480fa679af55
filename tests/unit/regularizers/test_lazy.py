"""Penalties that are computed every few steps: against loops by hand, in every form of steps, and when resumed."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
import torch
from building import CPU, every_step, gan, part, toy, training

from ganbench.engine import replays, step
from ganbench.engine.train import train
from ganbench.games import CHUNK, Match, Member
from ganbench.pipeline.resources import timing
from ganbench.regularizers.r1 import R1

RING = part("dataset", "ring8", examples=64)
MEMBERS = [Member(0, 40, 1e-3), Member(1, 64, 5e-4)]
LAZY = "r1(gamma=2, every=3)", "r2(gamma=1, every=4)"


def networks(regularizer, **changes):
    given = {"data": RING.spec, "architecture": part("architecture", "mlp", width=6, depth=1)} | changes
    return gan(RING.load().train, regularizer=regularizer, **given)


def combined(*regularizers):
    return part("regularizer", "combined", regularizers=list(regularizers))


@pytest.mark.parametrize("execution", ["eager", "traced"])
@pytest.mark.parametrize("every", [1, 3])
def test_the_dirac_gan_with_a_lazy_penalty_is_its_closed_form(every, execution):
    """Wasserstein losses: psi <- psi - h (theta + k gamma psi [k divides t]), theta <- theta + h psi."""
    gamma, rate, steps = 0.4, 0.1, 11
    penalty = part("regularizer", "r1", gamma=gamma, every=every)
    game = toy("dirac", objective=part("objective", "wasserstein"), regularizer=penalty, initial_parameters=(1.0, 0.5))
    how = every_step(steps, execution=execution)
    kept = train(game, how, [Member(0, None, rate), Member(1, None, rate)], device=CPU)[0]
    assert kept["about"]["execution"] == execution
    psi, theta = 1.0, 0.5
    for t in range(steps):
        weight = every * gamma if t % every == 0 else 0.0
        psi, theta = psi - rate * (theta + weight * psi), theta + rate * psi
        found = [kept["snapshots"][player][t + 1, 0] for player in ("discriminator", "generator")]
        np.testing.assert_allclose(found, [psi, theta], rtol=1e-12)


def test_a_penalty_that_is_not_due_is_not_computed(monkeypatch):
    """Neither eagerly, nor among the operations of a trace."""
    calls, traces, known, trace = [], [], R1.penalty, step.trace
    monkeypatch.setattr(R1, "penalty", lambda self, *given: calls.append(1) or known(self, *given))
    monkeypatch.setattr(step, "trace", lambda *given: traces.append(trace(*given)) or traces[-1])
    game, steps = networks(part("regularizer", "r1", every=4)), 14
    train(game, training(steps, execution="eager"), MEMBERS, device=CPU)
    assert len(calls) == ceil(steps / 4)
    train(game, training(steps, execution="traced"), MEMBERS, device=CPU)
    due, other = (each.operations for each in traces)
    train(networks(part("regularizer", "none")), training(steps, execution="traced"), MEMBERS, device=CPU)
    assert other == traces[2].operations < due


def test_traced_steps_have_the_bits_of_eager_ones_with_several_periods(monkeypatch):
    """Three phases come up, each with a trace of its own."""
    game, steps = networks(combined(*LAZY)), 2 * CHUNK
    found = {
        form: train(game, training(steps, execution=form, curve_bins=steps), MEMBERS, device=CPU)
        for form in ("eager", "traced")
    }
    for one, other in zip(*found.values(), strict=True):
        np.testing.assert_array_equal(one["curves"]["mean"], other["curves"]["mean"])
        for player in game.players:
            np.testing.assert_array_equal(one["snapshots"][player], other["snapshots"][player])
    assert found["traced"][0]["about"]["execution"] == "traced"


@pytest.mark.parametrize(
    ("every", "form"),
    [(2, "traced"), (7, "traced"), (40, "traced"), pytest.param(40, "compiled", marks=pytest.mark.slow)],
)
def test_resuming_keeps_the_phase_bit_for_bit(every, form):
    game, states = networks(part("regularizer", "r1", gamma=5, every=every)), {}
    how = training(3 * CHUNK, execution=form)
    whole = train(game, how, MEMBERS, device=CPU, at_chunk=lambda now: states.setdefault(now.step, now.state()))
    for stop in (CHUNK, 2 * CHUNK):
        again = train(game, how, MEMBERS, device=CPU, resume=states[stop])
        for one, other in zip(whole, again, strict=True):
            np.testing.assert_array_equal(one["curves"]["mean"], other["curves"]["mean"])
            for player in game.players:
                np.testing.assert_array_equal(one["snapshots"][player], other["snapshots"][player])


def test_a_lazy_phase_whose_trace_gives_something_else_leaves_all_steps_eager(monkeypatch):
    class Wrong(replays.Replay):
        def __call__(self, inputs):
            first, *others = super().__call__(inputs)
            return [1.1 * first if self.wrong else first, *others]

        def __init__(self, trace):
            super().__init__(trace)
            self.wrong = trace.operations == most

    operations, trace = [], step.trace
    monkeypatch.setattr(step, "trace", lambda *given: operations.append(trace(*given)) or operations[-1])
    game, how = networks(part("regularizer", "r1", every=5)), training(CHUNK, execution="traced")
    right = train(game, how, MEMBERS, device=CPU)
    most = max(each.operations for each in operations)
    monkeypatch.setattr(replays, "Replay", Wrong)
    found = train(game, how, MEMBERS, device=CPU)
    assert found[0]["about"]["execution"] == "eager"
    for one, other in zip(right, found, strict=True):
        np.testing.assert_array_equal(one["snapshots"]["generator"], other["snapshots"]["generator"])


@pytest.mark.parametrize(
    ("regularizers", "index"),
    [
        (("r1(every=5)", "weight_decay"), 0),  # the phase of step 0, which comes again in step 5
        (("r1(every=2)", "wgan_gp(every=5)"), 3),  # that of step 5, when the form is settled already
    ],
)
def test_the_compiled_form_of_every_phase_is_compared_with_eager_steps(regularizers, index, monkeypatch):
    """Here one is wrong. In the order in which phases come up, it is the one of this index."""

    class Wrong(replays.Replay):
        def __init__(self, trace, inputs):
            super().__init__(trace)
            self.wrong = trace.operations == operations[index]

        def __call__(self, inputs):
            first, *others = super().__call__(inputs)
            return [1.1 * first if self.wrong else first, *others]

    traces, trace = [], step.trace
    monkeypatch.setattr(step, "trace", lambda *given: traces.append(trace(*given)) or traces[-1])
    game = networks(combined(*regularizers))
    right = train(game, training(CHUNK, execution="traced"), MEMBERS, device=CPU)
    operations = [each.operations for each in traces]
    assert operations.count(operations[index]) == 1
    monkeypatch.setattr(replays, "Compiled", Wrong)
    found = train(game, training(CHUNK, execution="compiled"), MEMBERS, device=CPU)
    assert found[0]["about"] == {"execution": "traced", "execution_why": "a step compiled gives something else"}
    for one, other in zip(right, found, strict=True):
        for player in game.players:
            np.testing.assert_array_equal(one["snapshots"][player], other["snapshots"][player])


def test_all_batches_of_a_step_are_in_its_phase(monkeypatch):
    calls, known = [], R1.penalty
    monkeypatch.setattr(R1, "penalty", lambda self, *given: calls.append(1) or known(self, *given))
    how = training(8, dynamics=part("dynamics", "alternating", discriminator_steps=3), execution="eager")
    train(networks(part("regularizer", "r1", every=4)), how, MEMBERS, device=CPU)
    assert len(calls) == 2 * 3


def test_members_that_leave_the_pack_do_not_shift_the_phase():
    game = toy("dirac", objective=part("objective", "wasserstein"), regularizer=part("regularizer", "r1", every=7))
    game = replace(game, initial_parameters=(1.0, 0.5))
    members = [Member(0, None, 0.05), Member(1, None, 1e80), Member(2, None, 1e90)]
    how = training(3 * CHUNK, optimizer=part("optimizer", "sgd"), execution="traced")
    together, alone = train(game, how, members, device=CPU)[0], train(game, how, members[:1], device=CPU)[0]
    assert together["diverged"] is None
    for player in game.players:
        np.testing.assert_allclose(together["snapshots"][player], alone["snapshots"][player], rtol=1e-12)


def test_outside_of_training_the_penalty_is_that_of_every_step():
    """A diagnostic sees the mean of the phases: the mean of their losses over a period is the loss without a phase."""
    lazy, plain = (networks(combined(*regularizers)) for regularizers in (LAZY, ("r1(gamma=2)", "r2(gamma=1)")))
    found, expected = (Match(game, MEMBERS, CPU, torch.float64) for game in (lazy, plain))
    players, batch = found.init(), found.draw(0, 1)[0]
    losses = [found.in_phase(lazy.phase(t)).loss("discriminator", players, batch)[0] for t in range(12)]
    torch.testing.assert_close(
        found.loss("discriminator", players, batch), expected.loss("discriminator", players, batch)
    )
    torch.testing.assert_close(sum(losses) / 12, expected.loss("discriminator", players, batch)[0])
    assert not torch.allclose(losses[0], losses[1])
    assert found.in_phase(lazy.phase(1)).game.networks is lazy.networks, "a phase builds no networks again"
    found.buffers = {"of": torch.ones(2)}
    assert found.in_phase(lazy.phase(1)).buffers is found.buffers
    same = found.in_phase(lazy.phase(0)).game
    assert same.in_phase(same.phase(5)) is same


def test_an_estimate_counts_how_often_each_phase_comes(monkeypatch):
    monkeypatch.setattr(timing, "_phase_seconds", lambda game, *given: 9.0 if game.regularizer.due else 1.0)
    game = toy("dirac", regularizer=part("regularizer", "r1", every=4))
    assert timing.step_seconds(game, training(100), MEMBERS[:1], CPU) == pytest.approx((9 + 3 * 1) / 4)
