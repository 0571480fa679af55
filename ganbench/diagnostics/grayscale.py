"""Grey levels of colour images: the ways that read them in place of SciPy's imread, which is gone."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game

if TYPE_CHECKING:
    from PIL.Image import Image

WEIGHTS = 0.299, 0.587, 0.114  # of red, green and blue: luma of ITU-R BT.601
WAYS = {"as_gray": {"as_gray": True}, "legacy": {"as_gray": True, "format": "PNG-PIL"}, "mode": {"mode": "F"}}
MISSPELT = ("as_grey", "as_greyscale", "flatten")


@dataclass(frozen=True)
class Grayscale(Diagnostic):
    """A PNG file with `levels`^3 colours, all combinations of evenly spaced levels of red, green and blue, is read as
    grey levels.

    SciPy's `imread(..., flatten=True)` (until SciPy 1.1) gave `convert("F")` of Pillow, floating-point numbers, which
    stand for it here: the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B. ganbench reads `convert("L")`, bytes.

    imageio's `imread` took `as_gray=True` for PNG files until version 2.27 (2023); since then it refuses it, and names
    `mode="F"` instead. Its older plug-in of Pillow, PNG-PIL, still takes it. Numbers of imageio are NaN where it is not
    installed: ganbench needs it for nothing else.
    """

    levels: Annotated[int, Interval(ge=2, le=128)] = 64
    """Number of evenly spaced levels of red, green and blue, of which the file has all combinations."""

    of: ClassVar[Literal["runs", "study"]] = "study"

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def flag(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, f"1 if {what}, else 0.", "none", 0, 1)

        def gap(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, f"Largest difference of {what}, of 255 levels.", "low", 0, None)

        return {
            "scipy_imread": flag("scipy.misc.imread", "SciPy has imread"),
            "as_gray_accepted": flag("as_gray, accepted", "imageio's imread takes as_gray=True for a PNG file"),
            "as_gray_gap": gap("as_gray", "what imageio's imread gives with as_gray=True, to convert('F')"),
            "legacy_gap": gap(
                "as_gray, older plug-in", "what it gives with as_gray=True and format='PNG-PIL', to convert('F')"
            ),
            "mode_gap": gap("mode='F'", "what it gives with mode='F', to convert('F')"),
            "misspelt_refused": MetricInfo(
                "Misspelt, refused", f"Share of the arguments {', '.join(MISSPELT)} that imageio's imread refuses.",
                "high", 0, 1
            ),
            "formula_gap": gap("Formula", "convert('F') to the luma of ITU-R BT.601 in double precision"),
            "bytes_gap": gap("Bytes", "convert('L') to convert('F')"),
        }  # fmt: skip

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        image = colours(self.levels)
        flattened = np.asarray(image.convert("F"))

        def gap(levels: np.ndarray) -> float:
            alike = np.shape(levels) == flattened.shape
            return float(np.abs(np.asarray(levels, dtype=np.float64) - flattened).max()) if alike else np.inf

        values = dict.fromkeys(self.columns(None), np.nan)
        values |= {
            "scipy_imread": float(_scipy_has_imread()),
            "formula_gap": gap(np.asarray(image) @ np.array(WEIGHTS)),
            "bytes_gap": gap(np.asarray(image.convert("L"))),
        }
        if imread := _imageio_imread():
            with tempfile.TemporaryDirectory(prefix="ganbench-") as folder:
                path = Path(folder) / "colours.png"
                image.save(path)
                read = {name: _read(imread, path, **how) for name, how in WAYS.items()}
                values |= {f"{name}_gap": gap(levels) for name, levels in read.items() if levels is not None}
                values["as_gray_accepted"] = float(read["as_gray"] is not None)
                values["misspelt_refused"] = np.mean([_read(imread, path, **{name: True}) is None for name in MISSPELT])
        return DiagnosticResult({name: np.asarray(value, dtype=np.float64) for name, value in values.items()})


def colours(levels: int) -> Image:
    """An image with all combinations of evenly spaced levels of red, green and blue, levels^2 by levels pixels."""
    from PIL import Image as images

    each = np.linspace(0, 255, levels).round().astype(np.uint8)
    return images.fromarray(np.stack(np.meshgrid(each, each, each), axis=-1).reshape(levels**2, levels, 3))


def _read(imread: Callable[..., np.ndarray], path: Path, **how: Any) -> np.ndarray | None:
    """What imageio reads; None if it refuses the arguments."""
    try:
        return imread(path, **how)
    except TypeError:
        return None


def _imageio_imread() -> Callable[..., np.ndarray] | None:
    try:
        from imageio.v2 import imread
    except ImportError:
        return None
    return imread


def _scipy_has_imread() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the whole of scipy.misc
        try:
            from scipy import misc
        except ImportError:
            return False
        return hasattr(misc, "imread")
