"""The figures of a study: one file per figure, with a record FIGURE that says what it shows, and a function `draw`.

A new figure is a new file; `python -m ganbench.report.captions workflow/report` writes its caption for Snakemake's
report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path

from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.report.figure_info import figure_infos
from ganbench.report.file_names import FIGURE_FORMATS, figure_files, figure_name
from ganbench.report.plotting import style
from ganbench.report.plotting.films import Film


def draw(collected: Collected, kind: str, of: str | None = None) -> Figure | Film:
    """Draw one figure; a film where its record says that it is animated and there is something to show.

    Args:
        collected: the study.
        kind: name of the figure, a key of `figure_infos()`.
        of: slug of the method or name of the experiment that is drawn; None for a figure of the study.
    """
    info = figure_infos()[kind]
    shown = collected if info.scope == "experiment" else collected.gans
    if shown.runs.empty:
        return style.nothing("The study has no runs of this kind.")
    module = import_module(f"{__name__}.{kind}")
    figure = module.draw(shown) if of is None else module.draw(shown, of)
    style.title(figure, info.title_of(of))
    if isinstance(figure, Figure) and not figure.get_label():
        style.describe(figure, _panels(figure))
    return figure


def _panels(figure: Figure) -> Iterator[str]:
    """What the panels of a figure that does not describe itself say of themselves."""
    for axes in figure.axes:
        over = [words for words in (axes.get_ylabel(), axes.get_xlabel()) if words]
        if words := ": ".join(filter(None, [axes.get_title(loc="left"), " over ".join(over)])):
            yield " ".join(words.split())


def write(
    collected: Collected,
    folder: Path,
    shown: Iterable[tuple[str, str | None]],
    report: Callable[[int], object] | None = None,
) -> None:
    """Draw figures into the files of `ganbench.report.file_names.figure_files`, and remove all other figures from the
    folder: a figure of an earlier configuration must not lie beside those of this one.

    Args:
        collected: the study.
        folder: folder for the files; created if missing.
        shown: the figures, as `ganbench.report.file_names.figures` lists them.
        report: called after every figure with the number of figures drawn.
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
            if collected.missing is not None:  # a figure may be passed on without its folder
                style.title(figure, f"{style.title_of(figure)} (partial: {collected.share})".strip())
            style.save(figure, folder, figure_name(kind, of))
        if report is not None:
            report(count)
