"""Recorded series of a run as detectors of outcomes read them: one definition for detectors and for claims."""

from __future__ import annotations

import pandas as pd

from ganbench.analysis.outcomes import RunEvidence
from ganbench.analysis.outcomes._run import Series
from ganbench.study.sections import Outcome


def recorded_series(curves: pd.DataFrame) -> dict[str, Series]:
    """Read the series of one run, all cut before the first bin in which a value of any is not finite.

    Args:
        curves: the run's rows of the table `curves`.

    Returns:
        By name, the series; all have the same bins. Empty if the first bin is not finite.
    """
    nothing = {"diverged": None, "initial_norms": {}, "snapshots": {"step": ()}, "modes": None}
    return RunEvidence(steps=0, settings=Outcome(), curves=curves, **nothing).series
