"""Condition numbers of generators: against linear ones in closed form, NumPy, and differences of examples."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from playing import CPU, diverged, look, make_game, networks, part, play
from torch import nn

from ganbench.architectures import Architecture
from ganbench.diagnostics import Trajectories, conditioning
from ganbench.diagnostics.conditioning import jacobians, spread
from ganbench.engine.components import build_game
from ganbench.games import Match, Member, TrainingExamples
from ganbench.numerics.generator import TrainedGenerator


def untrained(name: str, dataset: str, seeds: int = 2, dtype: torch.dtype = torch.float64, **options) -> Trajectories:
    """The runs of an architecture at their start and after a made-up step."""
    data, architecture = part("dataset", dataset), part("architecture", name, **options)
    return of_architecture(architecture, data, seeds, dtype)


def of_architecture(architecture: Architecture, data, seeds: int, dtype: torch.dtype = torch.float64) -> Trajectories:
    components = {"dataset": data, "architecture": architecture}
    components |= {"objective": part("objective", "non_saturating"), "regularizer": part("regularizer", "none")}
    known = data.load()
    game = build_game(
        *("gan", {}, components),
        examples=TrainingExamples.placed(known.train, CPU, dtype),
        batch_size=8,
        labels=None if known.train_modes is None else torch.from_numpy(known.train_modes),
    )
    match = Match(game, [Member(seed, 100, 1e-3) for seed in range(seeds)], CPU, dtype)
    path = {player: torch.stack([theta, 1.5 * theta], dim=1) for player, theta in match.init().items()}
    dynamics, optimizer = part("dynamics", "simultaneous"), part("optimizer", "sgd")
    return Trajectories(match, dynamics, optimizer, match.rates(), np.array([0, 5]), path)


def generator_of(trajectories: Trajectories, member: int, snapshot: int) -> TrainedGenerator:
    return conditioning._generator(trajectories, trajectories.match.game, member, snapshot)


@pytest.mark.parametrize(("latent", "outputs"), [(3, 2), (2, 2), (1, 2)])
def test_a_linear_generator_has_the_condition_number_of_its_matrix(latent, outputs):
    """G(z) = W z + b: J = W everywhere, at the second snapshot 1.5 W, whose condition number is the same."""
    trajectories = untrained("mlp", "ring8", latent_size=latent, generator_depth=0)
    found = look(trajectories, "conditioning", latents=3)
    for k, theta in enumerate(trajectories.path["generator"][:, 0]):
        matrix = theta[: latent * outputs].view(outputs, latent).numpy()
        # W W' has the eigenvalues of W'W but for zeros, which are the singular directions.
        expected = np.log(np.linalg.cond(matrix.T @ matrix if latent <= outputs else matrix @ matrix.T))
        for when in ("start", "end", "mean"):
            assert found.values[f"log_condition_{when}"][k] == pytest.approx(expected, rel=1e-9, abs=1e-9)
            assert found.values[f"singular_share_{when}"][k] == pytest.approx(max(0, 1 - outputs / latent))


def test_matrices_of_known_stretches():
    """Against NumPy's ranks and condition numbers, with singular directions among them."""
    random = np.random.default_rng(0)
    turned = [np.linalg.qr(random.normal(size=(6, 6)))[0] for _ in range(4)]
    stretches = np.array([[8.0, 4.0, 2.0, 1.0], [1.0, 1.0, 1.0, 0.0], [5.0, 1e-9, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    found = np.stack(
        [(q[:, :4] * s) @ np.linalg.qr(random.normal(size=(4, 4)))[0] for q, s in zip(turned, stretches, strict=True)]
    )
    ranks = [np.linalg.matrix_rank(each) for each in found]
    assert ranks == [4, 3, 2, 0]
    condition, share = spread(found)
    assert condition == pytest.approx(np.mean([2 * np.log(8), 0.0, 2 * np.log(5e9)]), rel=1e-6)
    assert share == pytest.approx(1 - np.mean(ranks) / 4)
    assert spread(found[:1])[0] == pytest.approx(np.log(np.linalg.cond(found[0].T @ found[0])), rel=1e-9)
    nothing, all_ = spread(found[3:])
    assert np.isnan(nothing)
    assert all_ == 1, "a constant generator ignores its latent point"
    assert np.isnan(spread(np.full((1, 2, 2), np.inf))).all()


@pytest.mark.parametrize(
    ("name", "dataset", "options"),
    [
        ("mlp", "ring8", {"latent_size": 5, "activation": "tanh"}),
        ("fc", "digits", {"latent_size": 7}),
        ("dcgan", "digits", {"base_channels": 4, "latent_size": 6}),
        ("dcgan", "digits", {"base_channels": 4, "latent_size": 6, "generator_norm": "instance"}),
    ],
)
def test_the_jacobian_is_that_of_differences_of_examples(name, dataset, options):
    """Of each example in its own latent point, the rest of the batch fixed."""
    trajectories = untrained(name, dataset, **options)
    generator = generator_of(trajectories, 1, 1)
    assert generator.depends_on_batch == (name == "dcgan" and "generator_norm" not in options)
    (batch,) = generator.inputs(8)
    with torch.no_grad():
        (found,) = jacobians(generator, [batch], 1)
        for index in range(batch.shape[1]):
            away = torch.zeros_like(batch)
            away[0, index] = 1e-6
            difference = (generator(batch + away) - generator(batch - away))[0].flatten() / 2e-6
            torch.testing.assert_close(found[:, index], difference, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_points_moved_together_or_in_batches_of_their_own_have_their_own_jacobians(norm):
    """What `look` averages is what each latent point has alone, in the batch that starts with it."""
    trajectories = untrained("dcgan", "digits", seeds=1, base_channels=4, latent_size=6, generator_norm=norm)
    found, generator = look(trajectories, "conditioning", latents=3, max_snapshots=1), generator_of(trajectories, 0, 0)
    (every,) = generator.inputs(3 + 8 - 1 if norm == "batch" else 3)
    alone = torch.cat([jacobians(generator, [every[start : start + 8]], 1) for start in range(3)])
    expected = spread(alone.numpy())
    assert found.values["log_condition_start"][0] == pytest.approx(expected[0], rel=1e-9)
    assert found.arrays["singular_share"][0].tolist() == [expected[1]] == [0]


def test_latent_points_are_moved_a_few_at_a_time(monkeypatch):
    """As many as a user asks for, with the memory of a few; the numbers are those of all at once."""
    trajectories, seen = untrained("fc", "digits", seeds=1, latent_size=5), []

    def counted(*given):
        found = jacobians(*given)
        seen.append(len(found))
        return found

    monkeypatch.setattr(conditioning, "jacobians", counted)
    whole = look(trajectories, "conditioning", latents=5, max_snapshots=1)
    monkeypatch.setattr(conditioning, "TOGETHER", 2)
    parts = look(trajectories, "conditioning", latents=5, max_snapshots=1)
    assert seen == [5, 2, 2, 1]
    for column, values in whole.values.items():
        np.testing.assert_allclose(parts.values[column], values, rtol=1e-9, atol=1e-12)


def test_stretches_below_the_rounding_of_single_precision_are_measured_in_runs_of_it():
    """G(z) = W z + b with 64 pixels: W stretches its first direction by 1 and its second by 1e-6."""
    trajectories = untrained("mlp", "digits", seeds=1, dtype=torch.float32, latent_size=2, generator_depth=0)
    matrix = torch.zeros(64, 2)
    matrix[0, 0], matrix[1, 1] = 1.0, 1e-6
    trajectories.path["generator"][0, :, :128] = matrix.flatten()
    found = look(trajectories, "conditioning", latents=2)
    assert found.values["log_condition_mean"][0] == pytest.approx(2 * np.log(1e6), rel=1e-6)
    assert found.values["singular_share_mean"][0] == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [("dcgan", {"base_channels": 4}), ("sngan", {"base_channels": 2, "generator_spectral_norm": True})],
)
def test_single_precision_has_the_numbers_of_double(name, options):
    exact, rounded = (
        look(untrained(name, "digits", dtype=dtype, latent_size=6, **options), "conditioning", latents=2)
        for dtype in (torch.float64, torch.float32)
    )
    for column, values in exact.values.items():
        np.testing.assert_allclose(rounded.values[column], values, rtol=1e-5, atol=1e-9)


def test_directions_that_no_unit_passes_on_are_singular():
    """100 latent numbers, 64 pixels, and between them ReLUs, of which about half are dead at a point."""
    trajectories = untrained("fc", "digits", seeds=1)
    found, generator = look(trajectories, "conditioning", latents=2, max_snapshots=1), generator_of(trajectories, 0, 0)
    ranks = [np.linalg.matrix_rank(each.numpy()) for each in jacobians(generator, generator.inputs(2), 2)]
    assert found.values["singular_share_start"][0] == pytest.approx(1 - np.mean(ranks) / 100)
    assert 0.36 < found.values["singular_share_start"][0] < 0.8
    assert np.isfinite(found.values["log_condition_start"][0])


def test_a_run_that_diverged_is_measured_as_far_as_it_came():
    trajectories = play(networks(), rates=(0.05, 0.1), steps=4)
    whole, broken = look(trajectories, "conditioning"), look(diverged(trajectories, 1, 3), "conditioning")
    assert np.isnan(broken.values["log_condition_end"]).tolist() == [False, True]
    np.testing.assert_array_equal(broken.arrays["log_condition"][0], whole.arrays["log_condition"][0])
    np.testing.assert_array_equal(broken.arrays["log_condition"][1, :3], whole.arrays["log_condition"][1, :3])
    assert np.isnan(broken.arrays["singular_share"][1, 3:]).all()


def test_it_is_of_networks_alone():
    assert "take a GAN" in part("diagnostic", "conditioning").unsupported(make_game("dirac"))


@dataclass(frozen=True)
class Branching(Architecture):
    """A generator that reads a value, and keeps running statistics."""

    latent_size: int = 3

    def unsupported(self, data):
        return None

    def generator(self, data):
        class Layer(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear, self.norm = nn.Linear(3, 2), nn.BatchNorm1d(2)

            def forward(self, z):
                made = self.norm(self.linear(z))
                return 2 * made if bool((made.sum() > -1e9).item()) else made

        return Layer()

    def discriminator(self, data):
        return nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))


def test_a_network_that_reads_values_and_keeps_statistics_is_differentiated_too():
    trajectories = of_architecture(Branching(), part("dataset", "ring8"), seeds=1)
    variance = torch.tensor([4.0, 9.0], dtype=torch.float64)
    trajectories.match.buffers["generator.norm.running_var"] = variance[None]
    trajectories = replace(
        trajectories,
        buffers={
            name: value[:, None].expand(-1, 2, *value.shape[1:]) for name, value in trajectories.match.buffers.items()
        },
    )
    generator = generator_of(trajectories, 0, 0)
    assert not generator.depends_on_batch, "running statistics are no other examples"
    (found,) = jacobians(generator, generator.inputs(1), 1)
    weight = generator.parameters[:6].view(2, 3)
    torch.testing.assert_close(found, 2 * weight / torch.sqrt(variance + 1e-5)[:, None], rtol=1e-9, atol=0)
