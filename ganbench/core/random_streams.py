"""Named random streams, determined by the seed of a run, the name of the stream and a counter.

Streams are stateless: chunk 17 of the latent points of seed 3 is drawn without drawing chunks 0 to 16. So a run draws
the same numbers in every pack, and resuming a run requires no state of a generator.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream_seed(seed: int, name: str, counter: int = 0) -> int:
    """The seed of a stream, an integer of 63 bits. It is a SHA-256 hash, so that streams are unrelated.

    Args:
        seed: seed of the run.
        name: name of the stream.
        counter: number of the chunk.
    """
    key = hashlib.sha256(f"ganbench/{seed}/{name}/{counter}".encode()).digest()
    return int.from_bytes(key[:8], "big") >> 1


def stream(seed: int, name: str, counter: int = 0) -> np.random.Generator:
    """A NumPy generator at the start of a stream, see `stream_seed`."""
    return np.random.default_rng(stream_seed(seed, name, counter))
