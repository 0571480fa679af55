"""The engine against plain PyTorch and its own promises: members apart, resume bit-exact, divergence kept."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import sqrt
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from building import CPU, every_step, gan, names, part, players, refusal, toy, training
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ganbench.architectures import Architecture, initial_module
from ganbench.core import result_files
from ganbench.core.metric_info import MetricInfo
from ganbench.core.random_streams import stream
from ganbench.core.recorder import GAN_SERIES, Recorder, series_names, snapshot_steps
from ganbench.data import Examples
from ganbench.dynamics import gradient
from ganbench.engine.evaluate import evaluate
from ganbench.engine.sampler import Sampler
from ganbench.engine.scoring import Scorer
from ganbench.engine.train import train
from ganbench.games import CHUNK, Match, Member, _epochs, subset
from ganbench.games.gan import GAN
from ganbench.judges import JudgedExamples
from ganbench.nn.evaluation_inputs import latent_points
from ganbench.nn.network import Network

RING = part("dataset", "ring8", examples=500)


def networks(dataset: str = "ring8", architecture: str = "mlp", *, options=None, **changes) -> GAN:
    """Networks on a data set; single precision is the game's, as its examples' is."""
    data = RING if dataset == "ring8" else part("dataset", dataset)
    built = part("architecture", architecture, **(options or {}))
    return gan(**{"examples": data.load().train, "data": data.spec, "architecture": built} | changes)


@pytest.fixture(scope="module")
def ring() -> np.ndarray:
    return RING.load().train


# Rates at which training is not chaotic within the tests' steps: chaos would blow rounding up to any size.
MEMBERS = [Member(0, 100, 1e-3), Member(1, 500, 5e-4), Member(2, 37, 1e-4), Member(3, 500, 2e-4)]


def assert_same(one: dict, other: dict, tolerance: float) -> None:
    """The results of two trainings agree: curves and networks, steps and outcomes. A tolerance of 0 is bit for bit."""
    assert one["diverged"] == other["diverged"]
    assert one["steps_done"] == other["steps_done"]
    assert one["curves"]["series"] == other["curves"]["series"]
    for group in ("curves", "snapshots"):
        assert one[group].keys() == other[group].keys()
        for name in one[group].keys() - {"series"}:
            np.testing.assert_allclose(
                one[group][name], other[group][name], rtol=tolerance, atol=tolerance, err_msg=name, strict=True
            )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "architecture", "options"),
    [("ring8", "mlp", {"width": 16}), ("digits", "fc", {}), ("digits", "dcgan", {"base_channels": 4})],
)
def test_a_pack_of_many_equals_packs_of_one(dataset, architecture, options):
    game, shared = networks(dataset, architecture, options=options), training(300)
    together = train(game, shared, MEMBERS, device=CPU)
    for member, result in zip(MEMBERS, together, strict=True):
        assert_same(result, train(game, shared, [member], device=CPU)[0], 1e-9)


@cache
def in_order():
    game, shared = networks(options={"width": 8}), training(30)
    return game, shared, train(game, shared, MEMBERS, device=CPU)


@settings(max_examples=3)
@given(order=st.permutations(range(4)))
def test_the_order_of_members_does_not_matter(order):
    game, shared, straight = in_order()
    shuffled = train(game, shared, [MEMBERS[k] for k in order], device=CPU)
    for place, k in enumerate(order):
        assert_same(shuffled[place], straight[k], 1e-12)


def resumed(game, shared, members, stop, folder):
    """Results of a training, and of one that goes on from what it gave out at a step, kept in a file meanwhile."""
    states = {}
    whole = train(
        game,
        shared,
        members,
        device=CPU,
        at_chunk=lambda now: states.setdefault(now.step, now.state()),
    )
    path = folder / "checkpoint.h5"
    with result_files.create_file(path, "resume") as file:
        result_files.write_tree(file.create_group("saved"), states[stop])
    with result_files.open_file(path, "resume") as file:
        state = result_files.read_tree(file["saved"])
    return whole, train(game, shared, members, device=CPU, resume=state)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [25, 50])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_resume_is_bit_exact(stop, optimizer, tmp_path):
    shared = training(110, dtype=torch.float32, optimizer=part("optimizer", optimizer))
    game = networks(dtype=torch.float32)
    for one, other in zip(*resumed(game, shared, MEMBERS, stop, tmp_path), strict=True):
        assert_same(one, other, 0)


@pytest.mark.parametrize(
    ("dynamics", "optimizer"),
    [
        pytest.param(d, u, marks=pytest.mark.slow if u == "adam" else ())
        for d in names("dynamics")
        for u in ("sgd", "adam")
        if refusal(d, u) is None
    ],
)
def test_resume_is_bit_exact_whatever_the_dynamics_keep_and_whoever_has_diverged(dynamics, optimizer, tmp_path):
    # A focus, so that every method moves; at the wild rate gradient descent of any kind diverges, before the stop.
    game, wild = toy("linear", matrix=(1.0, 2.0, -2.0, 1.0)), 1e60
    shared = every_step(60, dynamics=part("dynamics", dynamics), optimizer=part("optimizer", optimizer))
    whole, again = resumed(game, shared, players(0.03, wild, 0.01), 25, tmp_path)
    for one, other in zip(whole, again, strict=True):
        assert_same(one, other, 0)
    diverged = [result["diverged"] is not None for result in whole]
    assert diverged in ([False, True, False], [False, optimizer == "sgd", False])


class _Explode(nn.Module):
    """A generator that overflows once its parameters have moved far enough."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(x).exp()


class _ExplodingArchitecture(Architecture):
    latent_size = 2

    def generator(self, data):
        return _Explode()

    def discriminator(self, data):
        return nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))


def test_a_diverged_member_is_dated_frozen_and_harms_nobody(ring):
    game = gan(ring, data=RING.spec, architecture=_ExplodingArchitecture())
    shared = training(200, optimizer=part("optimizer", "sgd"))
    calm, wild = Member(0, 100, 1e-6), Member(1, 100, 10.0)
    counts = []
    results = train(game, shared, [calm, wild], device=CPU, at_chunk=lambda now: counts.append(len(now.alive)))
    assert results[0]["diverged"] is None
    step, cause = results[1]["diverged"]
    assert 1 <= step < 200
    assert "became" in cause
    assert results[1]["steps_done"] == step
    assert not np.isfinite(results[1]["curves"]["max"][-1]).all(), "the bin of the divergence must show it"
    assert np.isfinite(results[1]["snapshots"]["generator"]).all()
    assert results[1]["snapshots"]["step"].max() < step
    assert counts[-1] == 1, "a diverged member must leave the pack"
    assert_same(results[0], train(game, shared, [calm], device=CPU)[0], 1e-12)
    assert results[1]["diverged"] == train(game, shared, [wild], device=CPU)[0]["diverged"]


def test_runs_that_go_on_after_a_neighbour_has_left_meet_their_own_examples(ring, tmp_path):
    game = gan(ring, data=RING.spec, architecture=_ExplodingArchitecture())
    members = [Member(3, 100, 1e3), Member(0, 100, 1e-6), Member(2, 37, 1e-5)]
    whole, again = resumed(game, training(75, optimizer=part("optimizer", "sgd")), members, CHUNK, tmp_path)
    assert whole[0]["diverged"][0] <= CHUNK, "before the stop"
    for one, other in zip(whole, again, strict=True):
        assert_same(one, other, 0)


def test_a_pack_in_which_everyone_diverged_ends(ring):
    game = gan(ring, data=RING.spec, architecture=_ExplodingArchitecture())
    shared = training(5000, optimizer=part("optimizer", "sgd"))
    results = train(game, shared, [Member(k, 100, 10.0) for k in range(3)], device=CPU)
    assert all(result["diverged"] and result["steps_done"] < 5000 for result in results)


def test_training_equals_a_plain_pytorch_loop(ring):
    """Alternating Adam on the non-saturating loss, written the usual way with modules, optimisers and BCE."""
    game, shared, member = networks(options={"width": 12}), training(40), Member(5, 200, 2e-3)
    modules = {
        player: initial_module(game.architecture, player, game.data, member.seed).double() for player in game.players
    }
    discriminator, generator = modules.values()
    optimisers = [torch.optim.Adam(m.parameters(), lr=2e-3, betas=(0.5, 0.999)) for m in (discriminator, generator)]
    trajectories = Match(game, [member], CPU, torch.float64)
    losses = []
    for step in range(shared.steps):
        batch = trajectories.draw(step, 1)[0]
        real = torch.from_numpy(ring).double()[batch["order"][0]]
        latent = {player: batch[f"latent.{player}"][0] for player in game.players}
        real, fake = discriminator(real), discriminator(generator(latent["discriminator"]).detach())
        loss_d = binary_cross_entropy_with_logits(real, torch.ones_like(real))
        loss_d = loss_d + binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        optimisers[0].zero_grad()
        loss_d.backward()
        optimisers[0].step()
        fake = discriminator(generator(latent["generator"]))
        loss_g = binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
        optimisers[1].zero_grad()
        loss_g.backward()
        optimisers[1].step()
        losses.append((loss_d.item(), loss_g.item()))
    result = train(game, replace(shared, curve_bins=shared.steps), [member], device=CPU)[0]
    assert result["curves"]["series"][:2] == ["discriminator_loss", "generator_loss"]
    np.testing.assert_allclose(result["curves"]["mean"][:, :2], losses, rtol=1e-10)
    np.testing.assert_allclose(
        result["snapshots"]["generator"][-1], Network.vector(generator).numpy(), rtol=1e-9, atol=1e-12
    )


def test_runs_differ_by_seed_and_repeat_themselves():
    game, shared = networks(), training(20)
    first, again, other = (train(game, shared, [Member(seed, 100, 1e-3)], device=CPU)[0] for seed in (0, 0, 1))
    assert np.array_equal(first["snapshots"]["generator"], again["snapshots"]["generator"])
    assert not np.allclose(first["snapshots"]["generator"][0], other["snapshots"]["generator"][0])


def test_a_run_sees_only_its_training_examples_each_once_an_epoch():
    examples = torch.arange(500, dtype=torch.float64).reshape(500, 1).expand(500, 2).contiguous()
    game = Match(networks(examples=examples), [Member(0, 40, 0.1), Member(7, 24, 0.1)], CPU, torch.float64)
    shown = []
    for step in range(15):  # three epochs of 40 and five of 24
        shown.append(game.game.real({}, game.draw(step, 1)[0]).points[:, :, 0])
    seen = torch.stack(shown, dim=1).reshape(2, -1).int()
    for k, (seed, n_train) in enumerate([(0, 40), (7, 24)]):
        epochs = seen[k].reshape(-1, n_train).sort(dim=1).values.numpy()
        assert (epochs == np.sort(subset(seed, n_train, 500))).all()
    assert set(subset(0, 10, 500)) < set(subset(0, 40, 500)), "smaller subsets lie in larger ones"


def test_an_epoch_of_few_examples_costs_nothing_of_the_many_that_they_are_of(monkeypatch):
    """A run's examples are chosen once, and an epoch is a permutation of those."""
    permuted = []

    class Counted:
        def __init__(self, *of):
            self.stream = stream(*of)

        def permutation(self, x):
            permuted.append(x if isinstance(x, int) else len(x))
            return self.stream.permutation(x)

    monkeypatch.setattr(_epochs, "stream", Counted)
    seed, n_train, available = 123_456, 8, 200_000  # which no other test asks for
    orders = _epochs.epochs(seed, n_train, available, 4, 40)
    assert permuted == [available] + 6 * [n_train]
    chosen = stream(seed, "subset").permutation(available)[:n_train]
    epochs = [stream(seed, "order", epoch).permutation(chosen) for epoch in range(6)]
    assert orders.dtype == np.int64
    assert (orders == np.concatenate(epochs)[4:44]).all()


def test_the_examples_come_in_another_order_in_every_epoch():
    """Orders of 40 examples that nothing connects: no two agree, and their ranks are uncorrelated."""
    examples = torch.arange(500, dtype=torch.float64).reshape(500, 1).expand(500, 2).contiguous()
    game = Match(networks(examples=examples), [Member(0, 40, 0.1)], CPU, torch.float64)
    shown = [game.game.real({}, game.draw(step, 1)[0]).points[0, :, 0] for step in range(5 * CHUNK)]
    epochs = torch.cat(shown).reshape(-1, 40)  # 25 of them, over several chunks
    assert len(epochs.unique(dim=0)) == len(epochs)
    ranks = epochs.argsort(dim=1).double()
    related = torch.corrcoef(ranks)[*torch.triu_indices(len(ranks), len(ranks), 1)]
    # Ranks of independent orders of n have a correlation of mean 0 and variance 1 / (n - 1).
    assert abs(related.mean()) < 4 / sqrt(39 * len(related))
    assert related.abs().max() < 0.9


def test_latent_points_are_fresh_at_every_step_and_for_every_player():
    game = networks()
    game = Match(game, [Member(0, 9, 0.1)], CPU, torch.float64)
    batches = [game.draw(step, 1)[0] for step in range(60)]
    drawn = torch.stack([batch[f"latent.{player}"] for batch in batches for player in game.players])
    assert len(drawn.reshape(-1, drawn.shape[-1]).unique(dim=0)) == 60 * 2 * 8
    assert abs(drawn.mean()) < 0.05
    assert abs(drawn.std() - 1) < 0.05


# Games of two numbers -------------------------------------------------------------------------------------------------


def test_a_game_of_two_numbers_is_kept_step_by_step_and_follows_its_closed_form():
    """Simultaneous steps on f = xy from (1, 0): after t of them ((1 + i rate)^t) as (x, -y)."""
    steps, rates = 200, (0.01, 0.1, 0.5, 1.0)
    results = train(toy("bilinear", initial_parameters=(1.0, 0.0)), every_step(steps), players(*rates), device=CPU)
    for rate, result in zip(rates, results, strict=True):
        assert list(result["snapshots"]["step"]) == list(range(steps + 1))
        x, y = (result["snapshots"][player][:, 0] for player in "xy")
        assert x.dtype == np.float64
        where = (1 + 1j * rate) ** np.arange(steps + 1)
        np.testing.assert_allclose(x - 1j * y, where, rtol=1e-12, atol=1e-12 * np.abs(where).max())
        radii = np.hypot(x, y)
        np.testing.assert_allclose(radii[1:] / radii[:-1], np.sqrt(1 + rate**2), rtol=1e-12)
    assert results[0]["curves"]["series"] == list(series_names(("x", "y"), ()))


def test_two_time_scales_train_fused_and_leave_the_pack_with_their_rates():
    """Simultaneous steps on f = xy are theta_t = (1 + R A)^t theta_0 with x ascending and y descending at rates R; the
    member in the middle diverges, and the last one goes on at its own rates."""
    rates, steps = ((0.1, 0.4), (1e200, 1e200), (0.5, 0.02)), 60
    members = [Member(seed, None, one, generator_learning_rate=other) for seed, (one, other) in enumerate(rates)]
    game = toy("bilinear", initial_parameters=(1.0, 0.5))
    results = train(game, every_step(steps), members, device=CPU)
    assert [result["diverged"] is None for result in results] == [True, False, True]
    for (one, other), result, member in zip(rates[::2], results[::2], members[::2], strict=True):
        matrix, theta = np.eye(2) + np.diag([one, other]) @ [[0, 1], [-1, 0]], np.array([1.0, 0.5])
        path = [theta] + [theta := matrix @ theta for _ in range(steps)]
        found = np.concatenate([result["snapshots"][player] for player in "xy"], axis=1)
        np.testing.assert_allclose(found, path, rtol=1e-10, atol=1e-10)
        assert_same(result, train(game, every_step(steps), [member], device=CPU)[0], 1e-12)


def test_what_is_recorded_of_a_game_of_two_numbers_is_what_it_says():
    """Losses and gradients of the point that a step starts from, norms of the one that it leads to."""
    steps = 30
    game, shared = toy("bilinear", initial_parameters=(3.0, 4.0)), every_step(steps, curve_bins=steps)
    (result,) = train(game, shared, players(0.1), device=CPU)
    x, y = (result["snapshots"][player][:, 0] for player in "xy")
    curves = dict(zip(result["curves"]["series"], result["curves"]["mean"].T, strict=True))
    expected = {"x_loss": -x * y, "y_loss": x * y, "x_gradient_norm": abs(y), "y_gradient_norm": abs(x)}
    for name, values in expected.items():
        np.testing.assert_allclose(curves[name], values[:-1], rtol=1e-13, err_msg=name)
    for name, values in {"x_parameter_norm": abs(x), "y_parameter_norm": abs(y)}.items():
        np.testing.assert_allclose(curves[name], values[1:], rtol=1e-13, err_msg=name)
    assert len(curves) == 6


def test_what_training_hands_out_is_the_answer_of_its_dynamics():
    game, steps = toy("bilinear", initial_parameters=(1.0, 1.0)), 40
    inner = every_step(steps, dynamics=part("dynamics", "alternating"))
    averaged = every_step(steps, dynamics=part("dynamics", "averaging", inner="alternating", kind="uniform"))
    (moving,), (mean,) = (train(game, shared, players(0.2), device=CPU) for shared in (inner, averaged))
    for player in "xy":
        path = moving["snapshots"][player][1:]
        means = path.cumsum(axis=0) / np.arange(1, steps + 1)[:, None]
        np.testing.assert_allclose(mean["snapshots"][player][1:], means, rtol=1e-12, atol=1e-14)


class _Scale:
    """A judge whose features are the examples, and a metric: their root mean square over that of the real ones."""

    fewest: ClassVar[int] = 2
    columns: ClassVar[dict[str, MetricInfo]] = {"scale": MetricInfo("Scale", "Spread of the points.", "none", 0, None)}
    tells_modes: ClassVar[bool] = True

    def judge(self, state: dict, examples: np.ndarray) -> JudgedExamples:
        modes = np.zeros(len(examples), dtype=int)
        return JudgedExamples(examples, examples.astype(float), modes, modes == 0, 1)

    def unsupported(self, data: Any) -> str | None:
        return None if data.shape == (2,) else "points of the plane only"

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> dict[str, float]:
        return {"scale": float(np.sqrt(np.mean(real.features**2)))}

    def score(self, generated: JudgedExamples, known: dict[str, float]) -> dict[str, float]:
        return {"scale": float(np.sqrt(np.mean(generated.features**2))) / known["scale"]}


def test_a_generator_is_scored_on_the_run_s_own_latent_points_at_every_snapshot(ring):
    architecture, samples, shown = part("architecture", "mlp", width=8), 1100, 7  # more than one batch of them
    scorer = Scorer.of(_Scale(), {}, [_Scale()], RING.spec, Examples(ring, None, ring, None))
    modules = [initial_module(architecture, "generator", RING.spec, seed) for seed in (0, 1)]
    thetas = [Network.vector(module).numpy() for module in modules]
    generators = np.stack([*thetas, np.full_like(thetas[0], np.nan)])
    sampler = Sampler(architecture, RING.spec, 32, CPU)
    result = evaluate(scorer, sampler, 3, generators, {}, samples, shown)
    assert result["samples"].shape == (3, shown, 2)
    with torch.no_grad():
        made = [module(latent_points(3, samples, architecture.latent_size)).numpy() for module in modules]
    for kept, score, examples in zip(result["samples"], result["metrics"]["scale"], made, strict=False):
        np.testing.assert_allclose(kept, examples[:shown], rtol=1e-5, atol=1e-6)
        assert score == pytest.approx(np.sqrt(np.mean(examples**2) / np.mean(ring**2)), rel=1e-5)
    assert np.isnan(result["metrics"]["scale"]).tolist() == [False, False, True]
    np.testing.assert_array_equal(result["mode_shares"], [[[1], [1]], [[1], [1]], [[np.nan], [np.nan]]])
    other = evaluate(scorer, sampler, 4, generators, {}, samples, shown)
    assert not np.allclose(other["samples"][0], result["samples"][0]), "runs have latent points of their own"
    assert not Scorer.of(
        _Scale(), {}, [_Scale()], replace(RING.spec, shape=(3,)), Examples(ring, None, ring, None)
    ).metrics


# What is recorded -----------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(steps=st.integers(1, 200), bins=st.integers(1, 60), cuts=st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_recorder_keeps_extremes_and_means_of_every_bin(steps, bins, cuts):
    values = np.random.default_rng(steps).normal(size=(steps, 2))
    recorder = Recorder(steps, bins, ("one", "other"))
    start = 0
    for cut in [*cuts, steps]:
        recorder.add(values[start : start + cut])
        start = min(start + cut, steps)
        if start == steps:
            break
    curves = recorder.curves()
    assert recorder.steps_done == steps
    assert curves["series"] == ["one", "other"]
    assert curves["first_step"][0] == 1
    assert curves["last_step"][-1] == steps
    assert (curves["first_step"][1:] == curves["last_step"][:-1] + 1).all()
    for b, (first, last) in enumerate(zip(curves["first_step"], curves["last_step"], strict=True)):
        here = values[first - 1 : last]
        np.testing.assert_allclose(curves["min"][b], here.min(axis=0))
        np.testing.assert_allclose(curves["mean"][b], here.mean(axis=0))
        np.testing.assert_allclose(curves["max"][b], here.max(axis=0))


@pytest.mark.parametrize("cut", [1, 32, 33, 99])
def test_recorder_gives_the_same_bits_wherever_values_are_cut(cut):
    values = np.random.default_rng(0).normal(size=(100, 2)) * 10.0 ** np.arange(-50, 50)[:, None]
    whole, parts = Recorder(100, 3, ("one", "other")), Recorder(100, 3, ("one", "other"))
    whole.add(values)
    parts.add(values[:cut])
    parts.add(values[cut:])
    for what in ("min", "mean", "max"):
        np.testing.assert_array_equal(parts.curves()[what], whole.curves()[what])


def test_recorder_shows_a_nan_for_what_it_is():
    recorder = Recorder(10, 2, ("one",))
    recorder.add(np.array([[1.0], [2.0], [np.nan]]))
    curves = recorder.curves()
    assert np.isnan(curves["mean"][0, 0])
    assert list(curves["last_step"]) == [3]


@pytest.mark.parametrize("spacing", ["log", "even"])
@pytest.mark.parametrize(("steps", "count"), [(1, 2), (60, 2), (7, 9), (2000, 9), (100_000, 20)])
def test_snapshots_hold_the_first_and_the_last_networks(steps, count, spacing):
    places = snapshot_steps(steps, count, spacing)
    assert places[0] == 0
    assert places[-1] == steps
    assert len(places) <= count
    assert list(places) == sorted(set(places))


def test_snapshots_lie_evenly_or_in_equal_ratios_from_a_hundredth_of_the_training_on():
    even, log = (np.array(snapshot_steps(100_000, 20, spacing)) for spacing in ("even", "log"))
    np.testing.assert_allclose(even, np.arange(20) * 100_000 / 19, atol=0.5)
    assert log[1] == 1000
    np.testing.assert_allclose(log[2:] / log[1:-1], 100 ** (1 / 18), rtol=1e-3)
    assert snapshot_steps(3, 9, "log") == (0, 1, 2, 3), "no step twice"


def test_every_series_is_recorded_and_finite():
    result = train(networks(), training(30), [Member(0, 100, 1e-3)], device=CPU)[0]
    assert result["curves"]["series"] == list(GAN_SERIES)
    assert result["curves"]["mean"].shape == (20, len(GAN_SERIES))
    assert np.isfinite(result["curves"]["mean"]).all()


def test_k_discriminator_steps_use_batches_of_their_own():
    game, shared = networks(), training(30, dynamics=part("dynamics", "alternating", discriminator_steps=3))
    assert shared.dynamics.batches_per_step == 3
    result = train(game, shared, MEMBERS[:2], device=CPU)
    assert_same(result[1], train(game, shared, [MEMBERS[1]], device=CPU)[0], 1e-10)


def test_double_and_single_precision_start_alike():
    double, single = (
        train(networks(dtype=dtype), training(5, dtype=dtype), [Member(0, 100, 1e-3)], device=CPU)[0]
        for dtype in (torch.float64, torch.float32)
    )
    starts = [result["snapshots"]["generator"][0] for result in (double, single)]
    assert [start.dtype for start in starts] == [np.float64, np.float32]
    assert np.array_equal(starts[0].astype(np.float32), starts[1])


def test_scheduled_steps_averages_and_accumulated_gradients_are_those_of_a_plain_loop():
    """Two networks by hand: `torch.optim.Adam` with PyTorch's scheduler, gradients of parts of the batch added up, and
    PyTorch's own moving average."""
    member, steps, parts, decay = Member(3, 100, 1e-3), 60, 4, 0.9
    game = networks(batch_size=8, accumulation_steps=parts)
    shared = training(steps, schedule=part("schedule", "cosine", end_factor=0.1), ema_decay=decay)
    (result,) = train(game, shared, [member], device=CPU)

    match = Match(game, [member], CPU, torch.float64)
    modules = {name: initial_module(game.architecture, name, game.data, member.seed).double() for name in game.players}
    optimizers = {
        name: torch.optim.Adam(module.parameters(), member.learning_rate, betas=(0.5, 0.999))
        for name, module in modules.items()
    }
    schedulers = [
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=0.1 * member.learning_rate)
        for optimizer in optimizers.values()
    ]
    average = torch.optim.swa_utils.AveragedModel(
        modules["generator"], multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay)
    )
    average.update_parameters(modules["generator"])  # the first update copies: the average begins at the start
    ones, zeros = torch.ones(8, dtype=torch.float64), torch.zeros(8, dtype=torch.float64)
    for step in range(steps):
        (batch,) = match.draw(step, 1)
        for player, optimizer in optimizers.items():
            optimizer.zero_grad()
            for i in range(parts):
                fake = modules["generator"](batch[f"latent.{player}"][0, i])
                if player == "discriminator":
                    real = modules[player](game.examples.read({"order": batch["order"][0, i]}))
                    loss = binary_cross_entropy_with_logits(real, ones)
                    loss = loss + binary_cross_entropy_with_logits(modules[player](fake), zeros)
                else:
                    loss = binary_cross_entropy_with_logits(modules["discriminator"](fake), ones)
                (loss / parts).backward()
            optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
        average.update_parameters(modules["generator"])

    np.testing.assert_allclose(
        result["snapshots"]["generator"][-1], Network.vector(modules["generator"]).numpy(), rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(
        result["average"]["generator"][-1], Network.vector(average.module).numpy(), rtol=0, atol=1e-10
    )


def test_accumulated_gradients_are_those_of_the_whole_batch(ring):
    """Where examples do not depend on one another, the mean over parts of a batch is the mean over the batch."""
    member = Member(0, 100, 1e-3)
    accumulated = Match(networks(batch_size=4, accumulation_steps=3), [member], CPU, torch.float64)
    whole = Match(networks(batch_size=12), [member], CPU, torch.float64)
    players = accumulated.init()
    (batch,) = accumulated.draw(0, 1)
    joined = {name: values.flatten(1, 2) for name, values in batch.items()}
    for player in whole.players:
        found, expected = gradient(accumulated, player, players, batch), gradient(whole, player, players, joined)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "name",
    ["extragradient", "lookahead", *(pytest.param(n, marks=pytest.mark.slow) for n in ("consensus", "unrolled"))],
)
def test_averages_and_accumulation_resume_bit_for_bit_and_fuse(name, tmp_path):
    game = networks(batch_size=4, accumulation_steps=2, options={"width": 8})
    how = {"dynamics": part("dynamics", name), "schedule": part("schedule", "linear"), "ema_decay": 0.99}
    shared = training(CHUNK + 3, **how)
    whole, again = resumed(game, shared, MEMBERS[:2], CHUNK, tmp_path)
    for member, one, other in zip(MEMBERS, whole, again, strict=False):
        assert_same(one, other, 0)
        for player in game.players:
            np.testing.assert_array_equal(one["average"][player], other["average"][player])
        (alone,) = train(game, shared, [member], device=CPU)
        assert_same(one, alone, 1e-9)
        np.testing.assert_allclose(one["average"]["generator"], alone["average"]["generator"], atol=1e-9)


def test_an_averaged_generator_is_scored_beside_the_last_one(ring):
    """With a decay of 0 the average is the last iterate, and has its scores; there are none without an average."""
    game, member = networks(options={"width": 8}), MEMBERS[0]
    scorer, sampler = (
        Scorer.of(_Scale(), {}, [_Scale()], RING.spec, Examples(ring, None, ring, None)),
        Sampler(game.architecture, game.data, 16, CPU),
    )
    for decay in (0.0, 0.9):
        (result,) = train(game, training(60, ema_decay=decay), [member], device=CPU)
        generators, average = result["snapshots"]["generator"], result["average"]["generator"]
        found = evaluate(scorer, sampler, member.seed, generators, {}, 50, 2, average)["metrics"]
        assert found.keys() == {"scale", "scale_ema"}
        assert np.array_equal(found["scale"], found["scale_ema"]) == (decay == 0.0)
        alone = evaluate(scorer, sampler, member.seed, average, {}, 50, 2)["metrics"]
        np.testing.assert_array_equal(found["scale_ema"], alone["scale"])
