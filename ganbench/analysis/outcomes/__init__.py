"""Outcomes of runs: one file per detector, each a pure function of what was recorded of a run.

A detector is a file of this folder with one public class that derives from `Detector`; its position among the others is
the severity of its outcomes, and nothing else is edited to add one. Detectors read `RunEvidence`: the series of every
step (dense), the metrics of the snapshots (sparse), what real data score (nulls), and the thresholds of the study's
section `outcome`. They never guess: what they need and do not find makes them answer `NotJudged`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ganbench.analysis.outcomes._run import Finding, RunEvidence

__all__ = ["Detector", "Finding", "Kind", "NotJudged", "OutcomeInfo", "RunEvidence", "margin"]

Kind = Literal["failure", "open", "success"]


@dataclass(frozen=True, kw_only=True)
class OutcomeInfo:
    """The description of one outcome.

    Attributes:
        name: slug, which tables, claims (with underscores) and figures use.
        what: one clause on what became of such a run.
        kind: "failure"; "success"; or "open", where the budget of steps ended before either was decided.
        severity: position in the order by which one of several outcomes is primary, the largest first; unique.
        needs: by columns of metrics without which it is not judged of runs that train networks on data, the metric of
            the package that fills it.
    """

    name: str
    what: str
    kind: Kind
    severity: int
    needs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NotJudged:
    """Why an outcome could not be judged.

    Attributes:
        reason: a clause.
        impossible: whether a run of this kind cannot have the outcome, so that nothing is missing.
        cut_short: whether the run diverged, or was stopped, before the outcome could show, so that no measurement is
            missing either.
    """

    reason: str
    impossible: bool = False
    cut_short: bool = False


class Detector(ABC):
    """A detector has `outcomes` and judge(), a pure function of the evidence that returns the findings, none or one for
    each of its outcomes, or `NotJudged`. The base class checks nothing else of a run, and a detector calls no other.

    Attributes:
        outcomes: the outcomes that it detects.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]]

    @abstractmethod
    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        """Judge one run.

        Args:
            run: what was recorded of it.

        Returns:
            The findings; none where the outcomes were looked for and not seen.
        """

    def check_curves(self, run: RunEvidence) -> Sequence[Finding]:
        """Find outcomes of a run in training that trains networks on data. A detector overrides this method if its
        outcomes show in the recorded series, whatever the metrics will be.

        Args:
            run: what was recorded so far, without snapshots, as if it had been asked for no further steps.

        Returns:
            The findings; none by default.
        """
        return ()


def margin(value: float, threshold: float) -> float:
    """Confidence by the distance of a value beyond a threshold: 1 - threshold / (2 value).

    It is 0.5 at the threshold, 0.75 at twice, and 0.95 at ten times the threshold. For values that must lie below a
    threshold, exchange the two.
    """
    if not value > threshold:
        return 0.5
    return 1 - threshold / (2 * value)
