"""Data sets of a user's own, as files: images as bytes, with labels and without, of one seed."""

from __future__ import annotations

from pathlib import Path

SOURCE = '''"""Small images of bars, as bytes or as numbers."""
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.core.pixels import floats
from ganbench.data import Dataset, DataSpec, Examples


@dataclass(frozen=True)
class Bars(Dataset):
    stored: bool = True
    labels: bool = False

    @property
    def judge(self):
        return "classifier(min_accuracy=0.5, max_steps=40)" if self.labels else "random_features(features=8)"

    @property
    def spec(self):
        dtype = "uint8" if self.stored else "float32"
        return DataSpec(shape=(1, 8, 8), bounded=True, train=96, modes=2 if self.labels else 0, dtype=dtype)

    def load(self):
        random = np.random.default_rng(0)
        modes = np.arange(128) % 2
        images = random.integers(0, 90, (128, 1, 8, 8), dtype=np.uint8)
        images[modes == 0, :, 1] = 250
        images[modes == 1, :, 5] = 250
        images = images if self.stored else floats(images)
        kept = modes if self.labels else None
        split = (None, None) if kept is None else (kept[:96], kept[96:])
        return Examples(images[:96], split[0], images[96:], split[1])
'''


def write_bars(folder: Path) -> Path:
    """Write the file of the data set `bars`."""
    path = folder / "bars.py"
    path.write_text(SOURCE)
    return path


def study(path: Path | str, results: Path, **options) -> dict:
    """A study of one small network pair on the data set."""
    return {
        "study": "bars",
        "results": str(results / "results"),
        "grid": [
            {
                "dataset": {"name": str(path), **options},
                "architecture": {"name": "dcgan", "base_channels": 4},
                "learning_rate": 1.0e-3,
                "seed": [0, 1],
            }
        ],
        "train": {"steps": 30, "batch_size": 8, "snapshots": {"count": 3}},
        "evaluate": {"samples": 64, "samples_kept": 4},
    }
