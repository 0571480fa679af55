"""The figures of a study: one module per kind, each with a CAPTION (how to read it) and a function `draw`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.report.figures import (
    basins,
    failure_rate,
    losses,
    lyapunov,
    outcomes,
    path,
    path_angle,
    progress,
    quality,
    rotation,
    samples,
    slices,
    spectrum,
    style,
    update_map,
    vector_field,
)
from ganbench.report.outputs import FIGURE_FORMATS, PICTURED, figure_files, figure_name

KINDS = {
    "outcomes": outcomes,
    "failure-rate": failure_rate,
    "quality": quality,
    "losses": losses,
    "progress": progress,
    "samples": samples,
    "path": path,
    "vector_field": vector_field,
    "spectrum": spectrum,
    "update_map": update_map,
    "basins": basins,
    "slices": slices,
    "path_angle": path_angle,
    "lyapunov": lyapunov,
    "rotation": rotation,
}

CAPTIONS = {kind: module.CAPTION for kind, module in KINDS.items()}


def draw(collected: Collected, kind: str, of: str | None = None) -> Figure:
    """Draw one figure.

    Args:
        collected: the study.
        kind: a member of `KINDS`.
        of: slug of the method or name of the experiment that the figure is of, if it is of one.
    """
    shown = collected if kind in PICTURED else collected.gans
    if shown.runs.empty:
        return style.nothing("The study has no runs of this kind.")
    return KINDS[kind].draw(shown) if of is None else KINDS[kind].draw(shown, of)


def write(
    collected: Collected,
    folder: Path,
    shown: Iterable[tuple[str, str | None]],
    report: Callable[[int], object] | None = None,
) -> None:
    """Draw figures and write the files of `ganbench.report.outputs.figure_files` into `folder`, and remove figures of
    former ones: what is no longer measured must not lie beside what is.

    Args:
        collected: the study.
        folder: where to; made if it is not there.
        shown: the figures, as `ganbench.report.outputs.figures` lists them.
        report: told after every figure how many are drawn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shown = list(shown)
    wanted = set(figure_files(shown))
    for older in [file for format in FIGURE_FORMATS for file in folder.glob(f"*.{format}")]:
        if older.name not in wanted:
            older.unlink()
    for count, (kind, of) in enumerate(shown, start=1):
        with style.applied():
            figure = draw(collected, kind, of)
            if collected.missing is not None:  # pictures travel without their folder
                style.title(figure, f"{figure.get_suptitle()} (partial: {collected.share})".strip())
            style.save(figure, folder, figure_name(kind, of))
        if report is not None:
            report(count)
