"""What became of a run: every outcome that holds, the primary one, and what could not be judged.

Failures are results: every failure is named, and a failure that was not measured never counts as absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ganbench.analysis.columns import UNDETERMINED
from ganbench.analysis.outcome_catalogue import catalogue, detectors
from ganbench.analysis.outcomes import Finding, NotJudged, RunEvidence
from ganbench.core.formatting import join_words

ESSENTIAL = ("collapsed",)  # a success needs these failures ruled out even where a study does not ask for all


@dataclass(frozen=True)
class RunOutcomes:
    """What became of a run.

    Attributes:
        primary: the finding that stands for the run; of `UNDETERMINED`, if none can.
        findings: the outcomes that hold, the most severe first.
        not_judged: by each outcome that could not be judged, the reason.
        judged: the outcomes that were looked for, the most severe first.
    """

    primary: Finding
    findings: tuple[Finding, ...]
    not_judged: dict[str, NotJudged]
    judged: tuple[str, ...]

    @property
    def failure_onset(self) -> int | None:
        """The step since which the first of all failures holds, whichever is the most severe; None without one."""
        infos = catalogue()
        onsets = [finding.onset for finding in self.findings if infos[finding.outcome].kind == "failure"]
        return min(onsets, default=None)


def classify_run(run: RunEvidence) -> RunOutcomes:
    """Classify one run with all detectors.

    Several outcomes may hold. The most severe one is primary (see `outcome_catalogue`). A failure that is possible but
    was not measured leaves the primary outcome undetermined, unless another failure was found: with the setting
    `needs_all` any such failure, otherwise only those of `ESSENTIAL`. Failures that are impossible for a kind of run,
    such as a collapse of a game without data, do not count.

    A run that diverged or was stopped early is judged by what was recorded before. A failure that shows there holds; of
    any other it is not known whether it would have come, and it is not judged, for that reason unless it is impossible.
    Outcomes that are no failures do not hold. What a run was stopped for holds.

    Args:
        run: what was recorded of the run.
    """
    found: list[Finding] = []
    not_judged: dict[str, NotJudged] = {}
    for detector in detectors():
        answer = detector.judge(run)
        if isinstance(answer, NotJudged):
            not_judged |= {info.name: answer for info in detector.outcomes}
        else:
            found += answer
    infos = catalogue()
    if run.stopped is not None and run.stopped.outcome not in {finding.outcome for finding in found}:
        found.append(run.stopped)
        not_judged.pop(run.stopped.outcome, None)
    if run.cut_short:
        how = "was stopped" if run.diverged is None else "diverged"
        why = NotJudged(f"the run {how} at step {run.last_step}", cut_short=True)
        seen = {finding.outcome for finding in found}
        failures = [name for name, info in infos.items() if info.kind == "failure" and name not in seen]
        # That a metric has no value there may be for want of an end, and says nothing more.
        impossible = {name: answer for name, answer in not_judged.items() if answer.impossible}
        not_judged |= dict.fromkeys(failures, why) | impossible
    found.sort(key=lambda finding: -infos[finding.outcome].severity)
    not_judged = {name: not_judged[name] for name in infos if name in not_judged}
    judged = tuple(name for name in infos if name not in not_judged)
    return RunOutcomes(_primary(run, found, not_judged), tuple(found), not_judged, judged)


def _primary(run: RunEvidence, found: list[Finding], not_judged: dict[str, NotJudged]) -> Finding:
    infos = catalogue()
    if found and infos[found[0].outcome].kind == "failure":
        return found[0]
    missing = {
        name: why.reason
        for name, why in not_judged.items()
        if infos[name].kind == "failure" and not why.impossible and (run.settings.needs_all or name in ESSENTIAL)
    }
    if missing:
        reasons = join_words([f"{name} was not judged, since {reason}" for name, reason in missing.items()])
        return Finding(UNDETERMINED, run.steps, f"trained all {run.steps} steps; {reasons}", 0.0)
    if found:
        return found[0]
    unknown = {name: why.reason for name, why in not_judged.items() if not why.impossible}
    unsettled = [reason for name, reason in unknown.items() if infos[name].kind != "failure"]
    reasons = list(dict.fromkeys(unsettled or unknown.values()))
    why = join_words(reasons) if reasons else "it shows none of the outcomes"
    return Finding(UNDETERMINED, run.steps, f"trained all {run.steps} steps; {why}", 0.0)


def outcome_rows(outcomes: RunOutcomes) -> Iterator[dict[str, object]]:
    """Rows of the table `run_outcomes`, without the run: what holds, most severe first, then what was not judged."""
    primary = outcomes.primary
    found = outcomes.findings if primary in outcomes.findings else (primary, *outcomes.findings)
    for finding in found:
        yield {
            "outcome": finding.outcome,
            "primary": finding == primary,
            "judged": finding.outcome != UNDETERMINED,
            "onset": finding.onset,
            "confidence": finding.confidence if finding.outcome != UNDETERMINED else None,
            "evidence": finding.evidence,
        }
    for name, why in outcomes.not_judged.items():
        yield {
            "outcome": name,
            "primary": False,
            "judged": False,
            "onset": None,
            "confidence": None,
            "evidence": f"not judged: {why.reason}",
        }
