"""The rule that stops a run in training: it judges the curves so far, as if the run had ended there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganbench.analysis.curves import curve_columns
from ganbench.analysis.outcome_catalogue import detectors
from ganbench.analysis.outcomes import Finding, RunEvidence
from ganbench.core.tree import Tree
from ganbench.study.sections import Outcome


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """Stops a run for the first outcome that holds at several checks in a row.

    An answer is a function of the curves alone. A check sees the bins that ended before it, which later steps do not
    change: whatever it found, the curves of later steps show again. So nothing is kept from check to check, and a
    run that goes on from a checkpoint is stopped where it would have been.

    Attributes:
        outcomes: the outcomes for which a run is stopped; of several that hold, the first one counts.
        checks: the steps after which it checks a run.
        patience: the number of checks in a row at which an outcome must hold.
        settings: the thresholds.
        probabilities: whether the recorded outputs are probabilities of being real, and not scores of a critic.
    """

    outcomes: tuple[str, ...]
    checks: tuple[int, ...]
    patience: int
    settings: Outcome
    probabilities: bool

    def __call__(self, curves: Tree) -> Finding | None:
        """Judge a run after one of the checks.

        Args:
            curves: its curves up to the step of the check, as a `Recorder` gives them.

        Returns:
            What it is stopped for, as the last check found it; None if it goes on.
        """
        return self.after(int(curves["last_step"][-1]), curves)

    def stops(self, curves: Tree) -> bool:
        """Whether a run would have been stopped at any check so far.

        Args:
            curves: its curves, as a `Recorder` gives them.
        """
        return any(self.after(check, curves) for check in self.checks if check <= curves["last_step"][-1])

    def after(self, step: int, curves: Tree) -> Finding | None:
        """Judge a run after a step, as `__call__` does or did there.

        Args:
            step: the step.
            curves: its curves up to the step or a later one, as a `Recorder` gives them.
        """
        checks = [check for check in self.checks if check <= step]
        if step not in checks or len(checks) < self.patience:
            return None
        found = self._found(curves, step)
        held = set(found)
        for check in reversed(checks[-self.patience : -1]):
            if not held:
                return None
            held &= set(self._found(curves, check))
        return next((found[name] for name in self.outcomes if name in held), None)

    def _found(self, curves: Tree, check: int) -> dict[str, Finding]:
        """The findings of a check, by outcome."""
        count = int(np.searchsorted(curves["last_step"], check))  # the bin that ends at it may have further steps
        if not count:
            return {}
        bins = ("first_step", "last_step", "min", "mean", "max")
        columns = curve_columns(curves | {name: curves[name][:count] for name in bins})
        players = [name.removesuffix("_loss") for name in curves["series"] if name.endswith("_loss")]
        run = RunEvidence(
            steps=int(curves["last_step"][count - 1]),
            settings=self.settings,
            diverged=None,
            initial_norms=dict.fromkeys(players, np.nan),
            curves=columns,
            snapshots={"step": np.empty(0)},
            modes=0,
            probabilities=self.probabilities,
        )
        findings = [finding for detector in detectors() for finding in detector.check_curves(run)]
        return {finding.outcome: finding for finding in findings if finding.outcome in self.outcomes}
