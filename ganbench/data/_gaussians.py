"""Equal mixtures of isotropic Gaussians, for the synthetic data sets."""

from __future__ import annotations

import numpy as np

from ganbench.core.random_streams import stream
from ganbench.data import Examples


def mixture(name: str, centres: np.ndarray, sigma: float, examples: int) -> Examples:
    """Draw x = centre[k] + sigma * noise, with k uniform over the centres and noise standard normal.

    Args:
        name: name of the data set, which has a random stream of its own.
        centres: one row per mode, (modes, d).
        sigma: standard deviation of every mode in every direction.
        examples: number of training examples; a quarter as many more are held out.
    """
    random = stream(0, name)
    parts = {}
    for part, count in (("train", examples), ("heldout", examples // 4)):
        modes = random.integers(len(centres), size=count)
        noise = random.standard_normal((count, centres.shape[1]))
        parts[part] = (centres[modes] + sigma * noise).astype(np.float32)
        parts[f"{part}_modes"] = modes
    return Examples(**parts, facts={"centres": centres, "sigma": np.array(sigma)})
