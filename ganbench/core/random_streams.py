"""Named random streams, each a function of a run's seed, the stream's name and a counter - and of nothing else.

Streams keep no state: chunk 17 of the latent points of seed 3 can be drawn without drawing chunks 0 to 16. So a run
draws the same numbers whatever its neighbours in the pack, and a resumed run needs no generator state.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream_seed(seed: int, name: str, counter: int = 0) -> int:
    """A 63-bit seed for the stream `name` of the run with this seed, by SHA-256, so that no two streams are related."""
    key = hashlib.sha256(f"ganbench/{seed}/{name}/{counter}".encode()).digest()
    return int.from_bytes(key[:8], "big") >> 1


def stream(seed: int, name: str, counter: int = 0) -> np.random.Generator:
    """A NumPy generator at the start of the stream."""
    return np.random.default_rng(stream_seed(seed, name, counter))
