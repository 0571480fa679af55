"""Mode coverage: how many modes are reached, how evenly, by how many good examples, and which one dominates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric


@dataclass(frozen=True)
class ModeCoverage(Metric):
    """Counts of high-quality examples per mode (Srivastava et al. 2017; Lin et al. 2018).

    One lucky example makes a mode count as reached; `modes_covered` asks for a tenth of the mode's fair share as well.

    Of the histograms over modes, q of all generated examples and p of the real ones, `mode_reverse_kl` is KL(q, p) =
    sum q ln(q / p), the reverse KL divergence (Lin et al. 2018): it weighs each mode by its generated examples, so a
    missing mode of many adds little. `mode_forward_kl` is KL(p, q) = sum p ln(p / q), and weighs it by its real ones. A
    mode that no example fell on would make that infinite, though its probability may be just below 1 / n: so each mode
    has half an example more, the estimate of a distribution that is least wrong, in this divergence, over all
    distributions (Krichevsky and Trofimov 1981). A perfect generator has about (modes - 1) / 2n of both.

    `dominant_mode` over the snapshots of a run shows whether a collapsed generator stays or moves from mode to mode.
    """

    min_mode_share: Annotated[float, Interval(gt=0, le=1)] = 0.1
    """Least number of high-quality examples of a mode that `modes_covered` counts, as a share of those that the real
    data's share of the mode would give it."""

    cost: ClassVar[str] = "a count of M"
    columns: ClassVar[dict[str, MetricInfo]] = {
        "modes": MetricInfo(
            title="Modes reached",
            what="number of modes with at least one high-quality generated example",
            best="high",
            lower=0.0,
            upper=None,
            unit="modes",
            source="Srivastava et al. 2017",
        ),
        "modes_covered": MetricInfo(
            title="Modes covered",
            what="number of modes with at least the share `min_mode_share`, a tenth unless the study says otherwise, "
            "of the high-quality examples that the real data's share of the mode would give it",
            best="high",
            lower=0.0,
            upper=None,
            unit="modes",
        ),
        "high_quality": MetricInfo(
            title="High-quality share",
            what="share of generated examples that the judge places in a mode beyond doubt",
            best="high",
            lower=0.0,
            upper=1.0,
            source="Srivastava et al. 2017",
        ),
        "mode_reverse_kl": MetricInfo(
            title="Reverse KL of the mode histogram",
            what="Kullback-Leibler divergence KL(q, p) = sum q ln(q / p), in nats, of the histogram q of all generated "
            "examples over modes from the histogram p of the real ones; 0 is best",
            best="low",
            lower=0.0,
            upper=None,
            unit="nats",
            source="Srivastava et al. 2017; Lin et al. 2018",
        ),
        "mode_forward_kl": MetricInfo(
            title="Forward KL of the mode histogram",
            what="Kullback-Leibler divergence KL(p, q) = sum p ln(p / q), in nats, of the histogram p of the real "
            "examples over modes from the histogram q of all generated ones, with half an example added to each mode; "
            "0 is best, and missing modes raise it most",
            best="low",
            lower=0.0,
            upper=None,
            unit="nats",
            source="Krichevsky and Trofimov 1981",
        ),
        "dominant_mode": MetricInfo(
            title="Dominant mode",
            what="index of the mode that more than half of all generated examples fall on, whatever their quality; -1 "
            "where no mode has that many",
            best="none",
            # Not NaN: a run without a dominant mode is not a run without a value.
            lower=-1.0,
            upper=None,
        ),
        "dominant_share": MetricInfo(
            title="Share of the largest mode",
            what="share of all generated examples that fall on the mode with the most of them, whatever their quality; "
            "1 is collapse onto one mode",
            best="low",
            lower=0.0,
            upper=1.0,
        ),
    }

    def unsupported(self, data: DataSpec) -> str | None:
        if not data.modes:
            return "mode coverage needs data with labels and a judge that tells their modes apart"
        return None

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        """`share` (modes,) of every mode in the real examples."""
        return {"share": real.mode_shares[0]}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        real = reference["share"]
        n, modes = len(generated), generated.modes
        every, good = generated.mode_counts
        share = every / n
        largest = int(share.argmax())
        return {
            "modes": float((good > 0).sum()),
            "modes_covered": float((good >= np.maximum(self.min_mode_share * real * n, 1)).sum()),
            "high_quality": float(generated.confident.mean()),
            "mode_reverse_kl": _kl(share, real),
            "mode_forward_kl": _kl(real, (share * n + 0.5) / (n + 0.5 * modes)),
            "dominant_mode": float(largest if share[largest] > 0.5 else -1),
            "dominant_share": float(share[largest]),
        }


def _kl(share: np.ndarray, reference: np.ndarray) -> float:
    """Kullback-Leibler divergence, in nats, of one histogram from another; 0 ln 0 = 0.

    By Python's logarithm: NumPy has several, for different processors, which differ in the last bit.
    """
    pairs = zip(share.tolist(), reference.tolist(), strict=True)
    return math.fsum(here * math.log(here / there) if there else math.inf for here, there in pairs if here)
