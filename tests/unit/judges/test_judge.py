"""The judge of labelled images: how long it trains, and when it gives up."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from ganbench.core.errors import GanbenchError
from ganbench.data import Examples
from ganbench.judges.classifier import ClassifierJudge
from ganbench.judges.random_features import RandomFeaturesJudge


def examples(count: int, *, shuffled: bool = False) -> Examples:
    """Images that are dark in one half or the other, which is their class unless the labels are shuffled."""
    random = np.random.default_rng(0)

    def part(size: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(size) % 2
        images = random.normal(0, 0.1, (size, 1, 8, 8)).astype(np.float32)
        images[labels == 0, :, :4] -= 0.8
        images[labels == 1, :, 4:] -= 0.8
        return images, random.permutation(labels) if shuffled else labels

    return Examples(*part(count), *part(100))


def steps(judge: ClassifierJudge, known: Examples) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    judge.fit(known, lambda *step: told.append(step))
    return told


def test_training_takes_no_longer_where_there_are_more_examples():
    judge = ClassifierJudge(max_steps=20, target_accuracy=2.0, min_accuracy=0.5)
    few, many = (steps(judge, examples(count)) for count in (100, 3000))
    assert few == many == [(step, 20) for step in range(1, 21)]


def test_training_ends_when_enough_are_right_and_does_the_same_twice():
    judge = ClassifierJudge(max_steps=100)
    known = examples(200)
    first, again = judge.fit(known), judge.fit(known)
    assert first["steps"] < 100
    assert first["accuracy"] >= judge.target_accuracy
    assert np.array_equal(first["theta"], again["theta"])
    assert replace(judge, target_accuracy=2.0).fit(known)["steps"] == 100


def test_what_cannot_be_learned_is_given_up_halfway_with_numbers():
    told: list[tuple[int, int]] = []
    message = r"after 20 of 40 steps on 200 examples the classifier is right on \d+\.\d% of the held-out examples, and "
    with pytest.raises(GanbenchError, match=message + r"counting modes needs 97% \(it was right on [\d.%, ]+\)"):
        ClassifierJudge(max_steps=40).fit(examples(200, shuffled=True), lambda *step: told.append(step))
    assert told[-1] == (20, 40)


def test_too_little_at_the_end_is_refused():
    with pytest.raises(GanbenchError, match=re.escape("after 40 of 40 steps")):
        ClassifierJudge(max_steps=40, min_accuracy=0.995, target_accuracy=2.0).fit(nearly())


def nearly() -> Examples:
    """Examples of which one of a hundred held-out ones has a wrong label."""
    known = examples(200)
    labels = known.heldout_modes.copy()
    labels[0] = 1 - labels[0]
    return replace(known, heldout_modes=labels)


def test_a_look_of_an_untrained_judge_is_a_look():
    judge, known = ClassifierJudge(), examples(20)
    look = judge.judge(judge.untrained(known), known.train)
    assert look.features.shape == (20, judge.features)
    assert look.modes == 2


@pytest.mark.parametrize("judge", [ClassifierJudge(max_steps=10, min_accuracy=0.0), RandomFeaturesJudge()])
def test_a_judge_leaves_pytorchs_global_random_numbers_alone(judge):
    known, before = examples(20), torch.get_rng_state()
    judge.judge(judge.fit(known), known.train)
    assert torch.equal(torch.get_rng_state(), before)
