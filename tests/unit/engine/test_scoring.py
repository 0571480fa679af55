"""The real examples that generated ones are compared with, and labels of generated ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganbench.engine import scoring
from ganbench.nn.evaluation_inputs import balanced_labels


@pytest.mark.parametrize("count", [50, 100, 101, 120, 199, 1000])
def test_a_reference_has_as_many_examples_as_it_may(count, monkeypatch):
    """60,000 examples were thinned to 30,000, by every second one, where 50,000 were allowed."""
    monkeypatch.setattr(scoring, "MAX_REFERENCE", 100)
    kept = scoring.reference_examples(np.arange(count))
    gaps = np.diff(kept)
    assert len(kept) == min(count, 100)
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1, "they are not evenly spaced"
    assert kept[0] == 0


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("parts", [2, 4, 5, 8, 10])
def test_labels_are_balanced_in_a_sample_and_in_its_parts(classes, parts):
    """Every eighth example had one of five labels out of ten, and an extrapolated distance was of such parts."""
    labels = balanced_labels(6000, classes)
    assert labels[:classes].tolist() == list(range(classes))
    assert torch.bincount(labels).tolist() == [6000 // classes] * classes
    for start in range(parts):
        expected = 6000 / parts / classes
        counts = torch.bincount(labels[start::parts], minlength=classes)
        assert (counts - expected).abs().max() <= 1.5 * expected**0.5, "random labels would be as even"
