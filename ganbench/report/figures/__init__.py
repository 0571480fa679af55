"""The figures of a study: one module per kind, each with a CAPTION (how to read it) and a function `draw`."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.analysis.contenders import contenders
from ganbench.report.figures import failure_rate, losses, outcomes, progress, quality, samples, style
from ganbench.report.outputs import CONTENDER_FIGURES, STUDY_FIGURES, figure_name

KINDS = {
    "outcomes": outcomes,
    "failure-rate": failure_rate,
    "quality": quality,
    "losses": losses,
    "progress": progress,
    "samples": samples,
}

CAPTIONS = {kind: module.CAPTION for kind, module in KINDS.items()}


def draw(collected: Collected, kind: str, contender: str | None = None) -> Figure:
    """Draw one figure.

    Args:
        collected: the study.
        kind: a member of `STUDY_FIGURES`, or of `CONTENDER_FIGURES` together with a contender.
        contender: slug of the contender, for the figures that have one each.
    """
    if collected.runs.empty:
        return style.nothing("The study has no runs.")
    return KINDS[kind].draw(collected) if contender is None else KINDS[kind].draw(collected, contender)


def write(collected: Collected, folder: Path) -> None:
    """Draw every figure of a study and write the files of `ganbench.report.outputs.figure_files` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(kind, None) for kind in STUDY_FIGURES]
    wanted += [(kind, contender) for contender in contenders(collected) for kind in CONTENDER_FIGURES]
    for kind, contender in wanted:
        with style.applied():
            style.save(draw(collected, kind, contender), folder, figure_name(kind, contender))
