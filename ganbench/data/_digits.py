"""The digits of scikit-learn, split once, evenly over classes."""

from __future__ import annotations

import numpy as np

SHAPE = (8, 8)
HELD_OUT = 360  # a fifth, 36 of each class but for rounding
TRAIN = 1797 - HELD_OUT


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images (n, 8, 8), float32 in [-1, 1], and their labels (n,), int64; held-out images, and labels."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = (images / 8 - 1).reshape(-1, *SHAPE).astype(np.float32)  # grey levels 0 ... 16 to [-1, 1]
    train, heldout, train_labels, heldout_labels = train_test_split(
        images, labels.astype(np.int64), test_size=HELD_OUT, stratify=labels, random_state=0
    )
    return train, train_labels, heldout, heldout_labels
