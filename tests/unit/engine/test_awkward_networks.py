"""Ordinary PyTorch networks of every kind through the engine: trained, killed and resumed, evaluated, exported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from awkward_networks import LAYERS, RANDOM, network
from building import CPU, gan, part, training
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ganbench.architectures import Architecture, initial_module
from ganbench.core import result_files
from ganbench.core.dotted_names import under
from ganbench.core.tree import Tree
from ganbench.engine.diagnose import trajectories_of
from ganbench.engine.modules import trained_module
from ganbench.engine.sampler import Sampler
from ganbench.engine.train import TrainingProgress, train
from ganbench.games import CHUNK, Match, Member
from ganbench.games.gan import GAN
from ganbench.nn.evaluation_inputs import latent_points
from ganbench.nn.network import Network

RING = part("dataset", "ring8", examples=256)
MEMBERS = [Member(0, 256, 1e-3), Member(1, 40, 5e-4)]
BATCH = 8
QUICK = ("dropout", "running batch norm")
EVERY = [layer if layer in QUICK else pytest.param(layer, marks=pytest.mark.slow) for layer in LAYERS]


@dataclass(frozen=True)
class Awkward(Architecture):
    """Both networks with a layer of the kind."""

    layer: str
    latent_size: int = 2

    def generator(self, data):
        return network(self.layer, self.latent_size, 2)

    def discriminator(self, data):
        return nn.Sequential(network(self.layer, 2, 1), nn.Flatten(0))


def game_of(layer: str, dtype: torch.dtype = torch.float64) -> GAN:
    return gan(RING.load().train, data=RING.spec, architecture=Awkward(layer), batch_size=BATCH, dtype=dtype)


def assert_same(one: Tree, other: Tree, tolerance: float) -> None:
    """Two results of training agree: curves, networks and their buffers. A tolerance of 0 is bit for bit."""
    assert one["diverged"] is None
    assert one["steps_done"] == other["steps_done"]
    for group in ("curves", "snapshots", "buffers"):
        assert one[group].keys() == other[group].keys()
        for name in one[group].keys() - {"series"}:
            np.testing.assert_allclose(
                one[group][name], other[group][name], rtol=tolerance, atol=tolerance, err_msg=name, strict=True
            )


def by_hand(game: GAN, member: Member, steps: int) -> dict[str, nn.Module]:
    """Both networks after a loop as any article's code has it: alternating Adam on the non-saturating loss.

    Of ganbench it has the run's initial parameters, its batches and its latent points.
    """
    networks = {
        player: initial_module(game.architecture, player, game.data, member.seed).double() for player in game.players
    }
    discriminator, generator = networks["discriminator"], networks["generator"]
    adam = {
        player: torch.optim.Adam(module.parameters(), member.learning_rate, betas=(0.5, 0.999))
        for player, module in networks.items()
    }
    real, fake = torch.ones(BATCH, dtype=torch.float64), torch.zeros(BATCH, dtype=torch.float64)
    numbers = Match(game, [member], CPU, torch.float64)
    for step in range(steps):
        (batch,) = numbers.draw(step, 1)
        examples = game.examples.read(batch)[0]
        generated = generator(batch["latent.discriminator"][0]).detach()
        loss = binary_cross_entropy_with_logits(discriminator(examples), real)
        loss = loss + binary_cross_entropy_with_logits(discriminator(generated), fake)
        adam["discriminator"].zero_grad()
        loss.backward()
        adam["discriminator"].step()
        loss = binary_cross_entropy_with_logits(discriminator(generator(batch["latent.generator"][0])), real)
        adam["generator"].zero_grad()
        loss.backward()
        adam["generator"].step()
    return networks


@pytest.mark.parametrize("layer", EVERY)
def test_a_pack_equals_its_runs_alone_and_a_loop_written_by_hand(layer):
    game, how = game_of(layer), training(CHUNK + 5)
    together = train(game, how, MEMBERS, device=CPU)
    for member, result in zip(MEMBERS, together, strict=True):
        assert_same(result, train(game, how, [member], device=CPU)[0], 1e-10)
        moved = result["snapshots"]["generator"]
        assert np.abs(moved[-1] - moved[0]).max() > 1e-3, "it trains"
        if layer in RANDOM:
            continue
        for player, module in by_hand(game, member, how.steps).items():
            theirs = Network.vector(module).numpy()
            np.testing.assert_allclose(result["snapshots"][player][-1], theirs, rtol=1e-10, atol=1e-10)
            ours, known = under(player, result["buffers"]), dict(module.named_buffers(remove_duplicate=False))
            assert set(ours) == set(game.networks[player].buffers)
            for name, values in ours.items():
                np.testing.assert_allclose(values[-1], known[name].numpy(), rtol=1e-10, atol=1e-10, err_msg=name)


class Killed(Exception):
    """The end of a process."""


@pytest.mark.parametrize("layer", EVERY)
def test_a_run_that_is_killed_goes_on_bit_for_bit(layer, tmp_path):
    game, how = game_of(layer, torch.float32), training(CHUNK + 3, dtype=torch.float32)
    path = tmp_path / "checkpoint.h5"

    def die(progress: TrainingProgress) -> None:
        with result_files.create_file(path, "resume") as file:
            result_files.write_tree(file.create_group("saved"), progress.state())
        raise Killed

    with pytest.raises(Killed):
        train(game, how, MEMBERS, device=CPU, at_chunk=die)
    with result_files.open_file(path, "resume") as file:
        state = result_files.read_tree(file["saved"])
    assert 0 < state["step"] < how.steps
    resumed = train(game, how, MEMBERS, device=CPU, resume=state)
    for one, other in zip(train(game, how, MEMBERS, device=CPU), resumed, strict=True):
        assert_same(one, other, 0)


@pytest.mark.parametrize("layer", LAYERS)
def test_evaluation_draws_what_the_module_draws(layer):
    """At every snapshot, twice the same, whoever has drawn from PyTorch's stream meanwhile."""
    game, how = game_of(layer, torch.float32), training(30, dtype=torch.float32)
    (result,) = train(game, how, MEMBERS[:1], device=CPU)
    sampler = Sampler(game.architecture, game.data, BATCH, CPU)
    for index, theta in enumerate(result["snapshots"]["generator"]):
        buffers = {name: values[index] for name, values in under("generator", result["buffers"]).items()}
        drawn = sampler.examples(theta, buffers, 0, 40)
        torch.rand(3)
        assert np.array_equal(drawn, sampler.examples(theta, buffers, 0, 40))
        module = trained_module(game.architecture, "generator", game.data, theta, buffers)
        size = 40 if layer == "branching" else BATCH  # which takes one branch for the whole batch
        with torch.no_grad():
            points = torch.cat([module(part) for part in latent_points(0, 40, 2).split(size)])
        if layer not in ("noise", "counted"):  # which draw noise, and count calls, in evaluation too
            np.testing.assert_allclose(drawn, points.numpy(), rtol=1e-5, atol=1e-6)


def test_buffers_move_under_dynamics_that_perturb_copies():
    game = game_of("running batch norm")
    dynamics = part("dynamics", "gaussian_smoothing", perturbations=2)
    (result,) = train(game, training(10, dynamics=dynamics), MEMBERS[:1], device=CPU)
    for name, values in result["buffers"].items():
        assert not np.array_equal(values[0], values[-1]), name


@pytest.mark.parametrize(
    ("dynamics", "losses"), [(part("dynamics", "unrolled", unrolling_steps=2), 1), (part("dynamics", "runge_kutta"), 2)]
)
def test_a_look_ahead_leaves_no_trace_in_the_buffers(dynamics, losses):
    """After one step they are those that the losses at the step's own point leave."""
    game, sgd = game_of("running batch norm"), part("optimizer", "sgd")
    (result,) = train(game, training(1, dynamics=dynamics, optimizer=sgd), MEMBERS[:1], device=CPU)
    match = Match(game, MEMBERS[:1], CPU, torch.float64)
    match.keeps_buffers = True
    players, (batch,) = match.init(), match.draw(0, 1)
    for player in match.players[:losses]:
        match.loss(player, players, batch)
    for name, values in match.buffers.items():
        np.testing.assert_allclose(result["buffers"][name][-1], values[0], rtol=1e-12, err_msg=name)


def test_a_diagnostic_of_parameters_alone_has_the_initial_buffers():
    """As in the laboratory, which keeps no buffers, and where the time of an observation is estimated."""
    game, how = game_of("spectral norm"), training(10)
    (result,) = train(game, how, MEMBERS[:1], device=CPU)
    at = [result["snapshots"]]
    where = {"device": CPU, "dtype": torch.float64}
    trajectories = trajectories_of(game, how.dynamics, how.optimizer, MEMBERS[:1], at, how.snapshots, **where)
    initial = Match(game, MEMBERS[:1], CPU, torch.float64).buffers
    for match in (trajectories.match, trajectories.match_at(-1)):
        assert match.buffers.keys() == initial.keys()
        assert all(torch.equal(match.buffers[name], value) for name, value in initial.items())
