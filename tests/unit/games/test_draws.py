"""The random numbers of steps: how many are drawn together, and drawing them ahead in a thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from building import CPU, gan, part, players, toy, training

from ganbench.data import DataSpec
from ganbench.engine.train import train
from ganbench.games import CHUNK, Game, Match, Member, _draws
from ganbench.games._draws import Draws

PLANE = DataSpec(shape=(2,), bounded=False, train=64, modes=3)
PHOTOS = DataSpec(shape=(3, 64, 64), bounded=True, train=8, modes=2)
EXAMPLES = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
MEMBERS = [Member(0, 20, 1e-3), Member(0, 20, 1e-2), Member(3, 24, 1e-3)]


def networks(**parts) -> Game:
    noise = part("regularizer", "instance_noise")
    return gan(EXAMPLES, data=PLANE, architecture=part("architecture", "mlp", width=8), regularizer=noise, **parts)


def photos() -> Game:
    """64 images of 64 pixels a batch, with as much noise as both kinds of examples have numbers."""
    examples, noise = np.zeros((8, *PHOTOS.shape), np.float32), part("regularizer", "instance_noise")
    architecture = part("architecture", "dcgan", base_channels=4)
    return gan(examples, data=PHOTOS, architecture=architecture, regularizer=noise, batch_size=64, dtype=torch.float32)


@pytest.fixture
def ahead(monkeypatch):
    monkeypatch.setattr(_draws, "drawn_ahead", lambda device: True)


def threads() -> list[threading.Thread]:
    """The threads that draw random numbers, when they have had time to end."""
    found = [each for each in threading.enumerate() if each.name.startswith("random-numbers")]
    for each in found:
        each.join(10)
    return [each for each in found if each.is_alive()]


# How many are drawn together ------------------------------------------------------------------------------------------


def equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("room", "together"), [(CHUNK, CHUNK), (CHUNK - 1, 5), (5, 5), (4, 1), (0, 1)])
@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_step_s_batches_are_those_of_its_part_of_all_steps(monkeypatch, room, together, accumulated):
    game, per_step = networks(accumulation_steps=accumulated), 3
    assert game.numbers_per_batch == 2 * 8 * game.architecture.latent_size + 2 * 8 * 2 + 8 * 2 // 4
    monkeypatch.setattr(_draws, "MAX_NUMBERS", room * game.numbers_per_batch * per_step * accumulated)
    match = Match(game, MEMBERS, CPU, torch.float64)
    assert match.steps_together(per_step) == together
    count = together * per_step * accumulated
    for step in (0, 1, 7, CHUNK - 1, CHUNK, 3):  # back again: any step can be drawn at any time
        chunk, offset = divmod(step, together)
        batches = match.draw(step, per_step)
        assert len(batches) == per_step
        for k, member in enumerate(MEMBERS):
            drawn = game.draw(member, chunk, count, torch.float64)
            if accumulated > 1:
                drawn = {name: values.unflatten(0, (-1, accumulated)) for name, values in drawn.items()}
            for i, batch in enumerate(batches):
                mine = {name: values[offset * per_step + i] for name, values in drawn.items()}
                assert equal({name: values[k] for name, values in batch.items()}, mine)


def test_numbers_drawn_together_are_few_whatever_the_game():
    game = photos()
    draws = Draws(game, [Member(0, 8, 1e-3)], CPU, torch.float32)
    assert draws.steps_together(1) == 1, "25 steps of it would be 157 MB of one run"
    draws.of_step(0, 1)
    assert sum(values.numel() for values in draws._drawn.values()) <= game.numbers_per_batch <= _draws.MAX_NUMBERS
    many = toy("gaussian", samples=1_000_000)
    assert Match(many, players(0.1), CPU, torch.float64).steps_together(1) == 1


@pytest.mark.parametrize("make", [toy, networks])
def test_a_small_game_s_numbers_are_drawn_for_a_chunk(make):
    assert Match(make(), MEMBERS, CPU, torch.float64).steps_together(2) == CHUNK


def test_examples_take_the_room_that_they_would_in_a_file():
    """Else the random streams of a run would depend on whether its examples fit into a GPU's memory."""
    game = gan(np.zeros((8, *PHOTOS.shape), np.uint8), data=PHOTOS, architecture=part("architecture", "dcgan"))
    assert game.numbers_per_batch >= 8 * 3 * 64 * 64 // 4


# Ahead, in a thread ---------------------------------------------------------------------------------------------------


def snapshots(game: Game, **changes) -> list[np.ndarray]:
    return [run["snapshots"]["generator"] for run in train(game, training(60, **changes), MEMBERS, device=CPU)]


def test_numbers_drawn_ahead_are_the_same_numbers(ahead, monkeypatch):
    game, drawn = networks(), []
    draw = type(game).draw

    def noted(self, member, chunk, *rest):
        drawn.append((member.seed, chunk, threading.current_thread() is threading.main_thread()))
        return draw(self, member, chunk, *rest)

    monkeypatch.setattr(type(game), "draw", noted)
    whole = snapshots(game)
    assert threads() == []
    assert drawn == [(seed, chunk, chunk == 0) for chunk in range(4) for seed in (0, 3)], "each once, one part ahead"
    monkeypatch.setattr(_draws, "drawn_ahead", lambda device: False)
    for one, other in zip(whole, snapshots(networks()), strict=True):
        assert np.array_equal(one, other)


def test_steps_in_another_order_than_expected_get_their_own_numbers(ahead):
    match, plain = Match(networks(), MEMBERS, CPU, torch.float64), networks()
    for step in (0, 1, 5 * CHUNK, 2, 3, CHUNK):
        chunk, offset = divmod(step, CHUNK)
        batch = match.draw(step, 1)[0]
        drawn = plain.draw(MEMBERS[2], chunk, CHUNK, torch.float64)
        assert equal({name: values[2] for name, values in batch.items()}, {n: v[offset] for n, v in drawn.items()})
    assert threads() == []


def test_looks_at_single_steps_draw_nothing_ahead(ahead):
    match = Match(networks(), MEMBERS, CPU, torch.float64)
    for step, expected in ((0, None), (30, None), (31, 2), (33, 2)):
        match.draw(step, 1)
        ahead_of_it = match._source._next
        assert (ahead_of_it and ahead_of_it[0][0]) == expected
    assert threads() == []


class Unread(Exception):
    pass


@dataclass(frozen=True)
class Failing(type(toy())):
    """A game whose numbers of later steps cannot be had, as of a file on a lost disk."""

    def draw(self, member, chunk, count, dtype):
        if chunk == 1:
            raise Unread(threading.current_thread().name)
        return {}


def test_an_error_of_the_thread_reaches_training_at_the_step_that_needs_the_numbers(ahead):
    done = []
    with pytest.raises(Unread, match="random-numbers"):
        train(Failing(), training(60), players(0.1), device=CPU, at_chunk=lambda progress: done.append(progress.step))
    assert done == [CHUNK]
    assert threads() == []


def test_an_interrupted_training_leaves_no_thread(ahead):
    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(networks(), training(60), MEMBERS, device=CPU, at_chunk=interrupt)
    assert threads() == []


def test_a_cpu_s_only_core_is_left_to_training():
    assert not _draws.drawn_ahead(CPU)
    assert _draws.drawn_ahead(torch.device("cuda", 0))
    match = Match(networks(), MEMBERS, CPU, torch.float64)
    match.draw(0, 1)
    assert match._source._next is None
