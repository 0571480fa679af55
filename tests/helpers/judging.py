"""Judged examples without a judge, and scores of one metric in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ganbench.judges import JudgedExamples


def look(features: np.ndarray, stored: np.ndarray | None = None) -> JudgedExamples:
    """Examples with these features (n, F), which are the examples themselves unless others are given, and no modes."""
    features = np.asarray(features, dtype=np.float64)
    return JudgedExamples(features if stored is None else stored, features, None, None, 0)


def sorted_into(mode: Sequence[int], confident: Sequence[bool], modes: int) -> JudgedExamples:
    """Examples of which the modes alone are known."""
    empty = np.zeros((len(mode), 1))
    return JudgedExamples(empty, empty, np.array(mode), np.array(confident), modes)


def scores(metric: Any, generated: np.ndarray, real: np.ndarray, heldout: np.ndarray | None = None) -> dict[str, float]:
    """What a metric of features says of generated ones; the real ones serve as held-out ones where none are given."""
    return metric.score(look(generated), metric.reference(look(real), look(real if heldout is None else heldout)))


def images(examples: np.ndarray) -> JudgedExamples:
    """Images (n, channels, height, width), whose features are their pixels."""
    return look(examples.reshape(len(examples), -1), examples)
