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
    """Stops a run for the first outcome that holds at several looks in a row.

    An answer is a function of the curves alone. A look sees the bins that ended before it, which later steps do not
    change: whatever it found, the curves of later steps show again. So nothing is kept from look to look, and a run
    that goes on from a checkpoint is stopped where it would have been.

    Attributes:
        outcomes: the outcomes for which a run is stopped; of several that hold, the first one counts.
        looks: the steps after which one looks.
        in_a_row: the number of looks in a row at which an outcome must hold.
        settings: the thresholds.
        probabilities: whether the recorded outputs are probabilities of being real, and not scores of a critic.
    """

    outcomes: tuple[str, ...]
    looks: tuple[int, ...]
    in_a_row: int
    settings: Outcome
    probabilities: bool

    def __call__(self, curves: Tree) -> Finding | None:
        """Judge a run after one of the looks.

        Args:
            curves: its curves up to the step of the look, as a `Recorder` gives them.

        Returns:
            What it is stopped for, as the last look found it; None if it goes on.
        """
        return self.after(int(curves["last_step"][-1]), curves)

    def stops(self, curves: Tree) -> bool:
        """Whether a run would have been stopped at any look so far.

        Args:
            curves: its curves, as a `Recorder` gives them.
        """
        return any(self.after(look, curves) for look in self.looks if look <= curves["last_step"][-1])

    def after(self, step: int, curves: Tree) -> Finding | None:
        """Judge a run after a step, as `__call__` does or did there.

        Args:
            step: the step.
            curves: its curves up to the step or a later one, as a `Recorder` gives them.
        """
        looks = [look for look in self.looks if look <= step]
        if step not in looks or len(looks) < self.in_a_row:
            return None
        found = self._found(curves, step)
        held = set(found)
        for look in reversed(looks[-self.in_a_row : -1]):
            if not held:
                return None
            held &= set(self._found(curves, look))
        return next((found[name] for name in self.outcomes if name in held), None)

    def _found(self, curves: Tree, look: int) -> dict[str, Finding]:
        """The findings of a look, by outcome."""
        count = int(np.searchsorted(curves["last_step"], look))  # the bin that ends at the look may have further steps
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
        findings = [finding for detector in detectors() for finding in detector.look(run)]
        return {finding.outcome: finding for finding in findings if finding.outcome in self.outcomes}
