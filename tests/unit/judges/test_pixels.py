"""The judge of pixels and coordinates: distances of the numbers themselves, of data of any shape, labelled or not."""

from __future__ import annotations

import numpy as np
import pytest
from building import part

from ganbench.contracts.data import judge_fault
from ganbench.core.pixels import floats
from ganbench.data import Examples
from ganbench.judges import judge_stored
from ganbench.study.choices import parse_choice
from ganbench.study.judging import needs_weights


@pytest.mark.parametrize("shape", [(2,), (1,), (1, 8, 8), (3, 12, 20), (1, 64, 64)])
def test_it_judges_examples_of_any_shape_by_themselves(shape):
    train, heldout = np.random.default_rng(0).uniform(-1, 1, (2, 30, *shape)).astype(np.float32)
    judge = part("judge", "pixels")
    state = judge.fit(Examples(train, None, heldout, None))
    assert judge_fault(judge, state, heldout, 0) is None
    features = judge.judge(state, train).features
    assert features.var(axis=0).mean() == pytest.approx(1)
    assert features.shape[1] == np.prod([min(size, 16) for size in shape[1:]]) * shape[0]


def test_distances_are_those_of_pixels_in_one_unit():
    train = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8)).astype(np.uint8)
    judge = part("judge", "pixels")
    features = judge_stored(judge, judge.fit(Examples(train, None, train, None)), train).features
    plain = floats(train).reshape(40, -1)
    ratio = np.linalg.norm(features[1:] - features[0], axis=1) / np.linalg.norm(plain[1:] - plain[0], axis=1)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_larger_images_are_averaged_down():
    image = np.kron(np.array([[0.0, 1.0], [-1.0, 0.5]]), np.ones((16, 16)))[None, None].astype(np.float32)
    judge = part("judge", "pixels", max_image_size=2)
    judged = judge.judge({"mean": np.zeros(4), "scale": np.ones(4)}, image)
    assert judged.features.tolist() == [[0.0, 1.0, -1.0, 0.5]]
    assert judged.stored.shape == image.shape


def test_only_inception_needs_weights():
    needing = [
        name
        for name in ("classifier", "inception", "mixture", "pixels", "random_features")
        if needs_weights(parse_choice("judge", name))
    ]
    assert needing == ["inception"]
