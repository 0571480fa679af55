"""The engine against plain PyTorch and its own promises: members apart, resume bit-exact, divergence kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ganbench.core import registry
from ganbench.core.record import SERIES, Recorder
from ganbench.engine.train import Member, Training, snapshot_steps, train
from ganbench.games.gan import Gan, initial_module, subset
from ganbench.nn.network import Network

CPU = torch.device("cpu")


def part(family: str, name: str, **options):
    member = registry.find(family, name)
    return member.build(member.complete(options))


def training(
    dataset: str = "ring8", architecture: str = "mlp", *, steps: int = 60, options=None, **changes
) -> Training:
    data = part("dataset", dataset, **({"examples": 500} if dataset == "ring8" else {}))
    base = Training(
        data=data.spec,
        architecture=part("architecture", architecture, **(options or {})),
        objective=part("objective", "non_saturating"),
        regularizer=part("regularizer", "none"),
        dynamics=part("dynamics", "alternating"),
        update=part("update", "adam"),
        steps=steps,
        batch_size=8,
        dtype=torch.float64,
        snapshots=snapshot_steps(steps, 4, "even"),
        curve_bins=20,
    )
    return replace(base, **changes)


@pytest.fixture(scope="module")
def ring() -> np.ndarray:
    return part("dataset", "ring8", examples=500).load().train


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return part("dataset", "digits").load().train


# Rates at which training is not chaotic within the tests' steps: chaos would blow rounding up to any size.
MEMBERS = [Member(0, 100, 1e-3), Member(1, 500, 5e-4), Member(2, 37, 1e-4), Member(3, 500, 2e-4)]


def assert_same(one: dict, other: dict, tolerance: float) -> None:
    """The results of two trainings agree: curves and networks, steps and outcomes."""
    assert one["diverged"] == other["diverged"]
    assert one["steps_done"] == other["steps_done"]
    for group in ("curves", "snapshots"):
        for name, values in one[group].items():
            np.testing.assert_allclose(values, other[group][name], rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize(
    ("dataset", "architecture", "options"),
    [("ring8", "mlp", {"width": 16}), ("digits", "fc", {}), ("digits", "dcgan", {"features": 4})],
)
def test_a_pack_of_many_equals_packs_of_one(dataset, architecture, options, request):
    examples = request.getfixturevalue("ring" if dataset == "ring8" else "digits")
    shared = training(dataset, architecture, options=options, steps=300)
    together = train(shared, MEMBERS, examples, device=CPU)
    for member, result in zip(MEMBERS, together, strict=True):
        assert_same(result, train(shared, [member], examples, device=CPU)[0], 1e-9)


@settings(max_examples=5, deadline=None)
@given(order=st.permutations(range(4)))
def test_the_order_of_members_does_not_matter(order):
    shared, examples = training(options={"width": 8}, steps=30), part("dataset", "ring8", examples=500).load().train
    straight = train(shared, MEMBERS, examples, device=CPU)
    shuffled = train(shared, [MEMBERS[k] for k in order], examples, device=CPU)
    for place, k in enumerate(order):
        assert_same(shuffled[place], straight[k], 1e-12)


@pytest.mark.parametrize("stop", [25, 50])
@pytest.mark.parametrize("update", ["adam", "sgd"])
def test_resume_is_bit_exact(ring, stop, update):
    shared = training(steps=110, dtype=torch.float32, update=part("update", update))
    states = {}
    whole = train(
        shared, MEMBERS, ring, device=CPU, at_chunk=lambda step, alive, state: states.setdefault(step, state())
    )
    resumed = train(shared, MEMBERS, ring, device=CPU, resume=states[stop])
    for one, other in zip(whole, resumed, strict=True):
        for group in ("curves", "snapshots"):
            for name, values in one[group].items():
                assert np.array_equal(values, other[group][name], equal_nan=True), name


class _Explode(nn.Module):
    """A generator that overflows once its parameters have moved far enough."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(x).exp()


class _ExplodingArchitecture:
    latent_size = 2

    def generator(self, data):
        return _Explode()

    def discriminator(self, data):
        return nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))


def test_a_diverged_member_is_dated_frozen_and_harms_nobody(ring):
    shared = training(steps=200, architecture="mlp", update=part("update", "sgd"))
    shared = replace(shared, architecture=_ExplodingArchitecture())
    calm, wild = Member(0, 100, 1e-6), Member(1, 100, 10.0)
    counts = []
    results = train(shared, [calm, wild], ring, device=CPU, at_chunk=lambda step, alive, state: counts.append(alive))
    assert results[0]["diverged"] is None
    step, cause = results[1]["diverged"]
    assert 1 <= step < 200
    assert "became" in cause
    assert results[1]["steps_done"] == step
    assert not np.isfinite(results[1]["curves"]["max"][-1]).all(), "the bin of the divergence must show it"
    assert np.isfinite(results[1]["snapshots"]["generator"]).all()
    assert results[1]["snapshots"]["step"].max() < step
    assert counts[-1] == 1, "a diverged member must leave the pack"
    assert_same(results[0], train(shared, [calm], ring, device=CPU)[0], 1e-12)
    assert results[1]["diverged"] == train(shared, [wild], ring, device=CPU)[0]["diverged"]


def test_a_pack_in_which_everyone_diverged_ends(ring):
    shared = replace(training(steps=5000, update=part("update", "sgd")), architecture=_ExplodingArchitecture())
    results = train(shared, [Member(k, 100, 10.0) for k in range(3)], ring, device=CPU)
    assert all(result["diverged"] and result["steps_done"] < 5000 for result in results)


def test_training_equals_a_plain_pytorch_loop(ring):
    """Alternating Adam on the non-saturating loss, written the usual way with modules, optimisers and BCE."""
    shared, member = training(steps=40, options={"width": 12}), Member(5, 200, 2e-3)
    modules = {
        player: initial_module(shared.architecture, player, shared.data, member.seed).double() for player in Gan.players
    }
    discriminator, generator = modules.values()
    optimisers = [torch.optim.Adam(m.parameters(), lr=2e-3, betas=(0.5, 0.999)) for m in (discriminator, generator)]
    game = Gan(
        shared.architecture,
        shared.objective,
        shared.regularizer,
        shared.data,
        torch.from_numpy(ring).double(),
        [5],
        [200],
        8,
    )
    losses = []
    for step in range(shared.steps):
        batch = game.draw(step, 1)[0]
        real, fake = discriminator(batch.real[0]), discriminator(generator(batch.latent["discriminator"][0]).detach())
        loss_d = binary_cross_entropy_with_logits(real, torch.ones_like(real))
        loss_d = loss_d + binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        optimisers[0].zero_grad()
        loss_d.backward()
        optimisers[0].step()
        fake = discriminator(generator(batch.latent["generator"][0]))
        loss_g = binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
        optimisers[1].zero_grad()
        loss_g.backward()
        optimisers[1].step()
        losses.append((loss_d.item(), loss_g.item()))
    result = train(replace(shared, curve_bins=shared.steps), [member], ring, device=CPU)[0]
    np.testing.assert_allclose(result["curves"]["mean"][:, :2], losses, rtol=1e-10)
    np.testing.assert_allclose(
        result["snapshots"]["generator"][-1], Network.vector(generator).numpy(), rtol=1e-9, atol=1e-12
    )


def test_runs_differ_by_seed_and_repeat_themselves(ring):
    shared = training(steps=20)
    first, again, other = (train(shared, [Member(seed, 100, 1e-3)], ring, device=CPU)[0] for seed in (0, 0, 1))
    assert np.array_equal(first["snapshots"]["generator"], again["snapshots"]["generator"])
    assert not np.allclose(first["snapshots"]["generator"][0], other["snapshots"]["generator"][0])


def test_a_run_sees_only_its_training_examples_each_once_an_epoch(ring):
    shared = training()
    examples = torch.arange(500, dtype=torch.float64).reshape(500, 1).expand(500, 2).contiguous()
    game = Gan(shared.architecture, shared.objective, shared.regularizer, shared.data, examples, [0, 7], [40, 24], 8)
    steps = 15  # three epochs of 40 and five of 24
    seen = torch.stack([game.draw(step, 1)[0].real[:, :, 0] for step in range(steps)], dim=1).reshape(2, -1).int()
    for k, (seed, n_train) in enumerate([(0, 40), (7, 24)]):
        epochs = seen[k].reshape(-1, n_train).sort(dim=1).values.numpy()
        assert (epochs == np.sort(subset(seed, n_train, 500))).all()
    assert set(subset(0, 10, 500)) < set(subset(0, 40, 500)), "smaller subsets lie in larger ones"


def test_latent_points_are_fresh_at_every_step_and_for_every_player(ring):
    shared = training()
    game = Gan(
        shared.architecture,
        shared.objective,
        shared.regularizer,
        shared.data,
        torch.from_numpy(ring).double(),
        [0],
        [9],
        8,
    )
    drawn = torch.stack([z for step in range(60) for z in game.draw(step, 1)[0].latent.values()])
    assert len(drawn.reshape(-1, drawn.shape[-1]).unique(dim=0)) == 60 * 2 * 8
    assert abs(drawn.mean()) < 0.05
    assert abs(drawn.std() - 1) < 0.05


@settings(max_examples=30, deadline=None)
@given(steps=st.integers(1, 200), bins=st.integers(1, 60), cuts=st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_recorder_keeps_extremes_and_means_of_every_bin(steps, bins, cuts):
    values = np.random.default_rng(steps).normal(size=(steps, 2))
    recorder = Recorder(steps, bins, 2)
    start = 0
    for cut in [*cuts, steps]:
        recorder.add(values[start : start + cut])
        start = min(start + cut, steps)
        if start == steps:
            break
    curves = recorder.curves()
    assert recorder.steps_done == steps
    assert curves["first_step"][0] == 1
    assert curves["last_step"][-1] == steps
    assert (curves["first_step"][1:] == curves["last_step"][:-1] + 1).all()
    for b, (first, last) in enumerate(zip(curves["first_step"], curves["last_step"], strict=True)):
        here = values[first - 1 : last]
        np.testing.assert_allclose(curves["min"][b], here.min(axis=0))
        np.testing.assert_allclose(curves["mean"][b], here.mean(axis=0))
        np.testing.assert_allclose(curves["max"][b], here.max(axis=0))


def test_recorder_shows_a_nan_for_what_it_is():
    recorder = Recorder(10, 2, 1)
    recorder.add(np.array([[1.0], [2.0], [np.nan]]))
    curves = recorder.curves()
    assert np.isnan(curves["mean"][0, 0])
    assert list(curves["last_step"]) == [3]


@pytest.mark.parametrize("spacing", ["log", "even"])
@pytest.mark.parametrize(("steps", "count"), [(1, 2), (7, 9), (2000, 9), (100_000, 20)])
def test_snapshots_hold_the_first_and_the_last_networks(steps, count, spacing):
    places = snapshot_steps(steps, count, spacing)
    assert places[0] == 0
    assert places[-1] == steps
    assert len(places) <= count
    assert list(places) == sorted(set(places))


def test_every_series_is_recorded_and_finite(ring):
    result = train(training(steps=30), [Member(0, 100, 1e-3)], ring, device=CPU)[0]
    assert result["curves"]["mean"].shape == (20, len(SERIES))
    assert np.isfinite(result["curves"]["mean"]).all()


def test_k_discriminator_steps_use_batches_of_their_own(ring):
    shared = training(steps=30, dynamics=part("dynamics", "alternating", discriminator_steps=3))
    assert shared.dynamics.draws == 3
    result = train(shared, MEMBERS[:2], ring, device=CPU)
    assert_same(result[1], train(shared, [MEMBERS[1]], ring, device=CPU)[0], 1e-10)


def test_double_and_single_precision_start_alike(ring):
    double = train(training(steps=5), [Member(0, 100, 1e-3)], ring, device=CPU)[0]["snapshots"]["generator"][0]
    single = train(training(steps=5, dtype=torch.float32), [Member(0, 100, 1e-3)], ring, device=CPU)[0]
    assert np.array_equal(double.astype(np.float32), single["snapshots"]["generator"][0])
