"""The style of every figure, distinguishable with any colour vision, and reproducible files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from ganbench.analysis.columns import OUTCOMES, UNDETERMINED
from ganbench.core.atomic_files import atomic_write
from ganbench.core.formatting import format_number
from ganbench.report.file_names import FIGURE_FORMATS, NOTHING
from ganbench.report.plotting.films import TITLE, Film, save_film

# After Okabe and Ito (2008), "Color universal design": told apart by people with any common colour vision. The failures
# take its strong colours, but for blue: what did not fail stays in the background, in blues and sand. All are dark
# enough to be seen on white: they have the contrast of 3 with it that the WCAG ask of graphics.
# A new outcome without a colour of its own gets that of undetermined runs.
_OUTCOMES = {
    "converged": ("#658ecf", "o"),
    "still-improving": ("#00a2c1", ">"),
    "not-learned-yet": ("#a98c60", "<"),
    "diverged": ("#802500", "*"),
    "unstable": ("#c65c00", "X"),
    "discriminator-won": ("#aa4499", "^"),
    "generator-won": ("#332288", "v"),
    "cycling": ("#cc6677", "h"),
    "collapsed": ("#d08306", "s"),
    "memorizing": ("#117733", "p"),
    "partly-collapsed": ("#7e5601", "D"),
    "forgetting": ("#391326", "d"),
    "relapsing": ("#8c24f3", "8"),
    "checkerboard-artifacts": ("#769033", "H"),
    "undetermined": ("#949494", "P"),
}
_ORDER = [*_OUTCOMES, *(name for name in OUTCOMES if name not in _OUTCOMES)]
OUTCOME_COLOURS = {name: _OUTCOMES.get(name, _OUTCOMES[UNDETERMINED])[0] for name in _ORDER}
OUTCOME_MARKERS = {name: _OUTCOMES.get(name, _OUTCOMES[UNDETERMINED])[1] for name in _ORDER}
PLAYER_COLOURS = {"discriminator_loss": "#332288", "generator_loss": "#2a9d8f"}
PLAYER_NAMES = {"discriminator_loss": "discriminator", "generator_loss": "generator"}

WIDEST_LEGEND = 6  # entries side by side
MAX_SAID = 700  # characters of what is seen in a figure, which is read out in one piece

INK = "#2b2f33"
QUIET = "#6b7278"
FAINT = "#e4e7ea"
GOOD, BAD, ODD = "#2a9d8f", "#d55e00", "#aa4499"  # runs that settle, runs that diverge, runs that do neither
REFERENCE = {"color": QUIET, "linestyle": (0, (4, 3)), "linewidth": 1.0}

_RC = {
    "axes.edgecolor": QUIET,
    "axes.formatter.useoffset": False,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "figure.facecolor": "white",
    "figure.titlesize": 11,
    "figure.titleweight": "bold",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so that every machine draws the same letters
    "font.size": 9,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "image.interpolation": "none",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.constrained_layout.hspace": 0.04,
    "savefig.dpi": 150,
    "svg.fonttype": "path",
    "svg.hashsalt": "ganbench",  # element ids are random without it
    "text.color": INK,
    "text.parse_math": False,  # names come from users; a dollar sign in one is a dollar sign
    "xtick.color": QUIET,
    "xtick.labelsize": 8,
    "xtick.major.width": 0.7,
    "ytick.color": QUIET,
    "ytick.labelsize": 8,
    "ytick.major.width": 0.7,
}


@contextmanager
def applied() -> Iterator[None]:
    """A block in which figures are drawn and saved in this style; settings outside it are unchanged."""
    with mpl.rc_context({**sns.axes_style("whitegrid"), **_RC}):
        yield


def save(figure: Figure | Film, folder: Path, name: str) -> None:
    """Write a figure in every format; of a film the last frame as SVG, and all as animated PNG. The same data give the
    same bytes: no date goes into the file. A figure is laid out once, which takes as long as to draw it: as PNG, whose
    letters, fitted to pixels, are the wider ones. Its file holds what is seen in it, which `describe` noted; that of a
    figure of `nothing` has the reason, and a comment that there is nothing else."""
    still = figure.still if isinstance(figure, Film) else figure
    about = {"Description": still.get_label() or None, "Comment": still.get_gid()}
    for format in sorted(FIGURE_FORMATS):
        metadata = {"Date": None} if format == "svg" else about
        with atomic_write(folder / f"{name}.{format}") as new:
            if format == "png" and isinstance(figure, Film):
                save_film(figure, new, still.get_label())
            else:
                still.savefig(new, format=format, metadata=metadata)
                still.set_layout_engine("none")


def heading(axes: Axes, text: str, *, above: float, bold: bool = True) -> None:
    """Text over a row or block of panels, at the left edge of its first.

    Args:
        axes: the first panel.
        text: the heading.
        above: distance from the panel's top, points; the panel's own title takes about 16.
        bold: whether to set it in bold.
    """
    anchor = {"xy": (0, 1), "xycoords": "axes fraction", "xytext": (0, above), "textcoords": "offset points"}
    font = {"fontsize": 9.5, "fontweight": "bold" if bold else "normal", "ha": "left", "va": "bottom"}
    # A narrow blank keeps the height free; the text itself must not widen the column of its panel.
    axes.annotate(" ", **anchor, **font)
    axes.annotate(text, **anchor, **font).set_in_layout(False)


def title(figure: Figure | Film, text: str) -> None:
    """The figure's title, at its left edge."""
    if isinstance(figure, Film):
        figure.title = text
    else:
        figure.suptitle(text, **TITLE)


def title_of(figure: Figure | Film) -> str:
    """The figure's title."""
    return figure.title if isinstance(figure, Film) else figure.get_suptitle()


def describe(figure: Figure, parts: Iterable[str]) -> None:
    """Note what is seen in a figure, for those who hear it read: its numbers, which no caption has.

    Args:
        figure: the figure.
        parts: what is seen of each panel or method; beyond `MAX_SAID` characters, the rest is counted.
    """
    parts = list(parts)
    said = list(parts)
    while len(said) > 1 and len("; ".join(said)) > MAX_SAID:
        said.pop()
    left = len(parts) - len(said)
    figure.set_label("; ".join(said + [f"and {left} more"] * bool(left)))


def plain_ticks(axes: Axes, which: str, *, count: int = 5) -> None:
    """Format an axis' numbers as in the tables and sentences.

    Args:
        axes: the panel.
        which: "x" or "y".
        count: about how many ticks.
    """
    axis = {"x": axes.xaxis, "y": axes.yaxis}[which]
    if axis.get_scale() == "linear":
        axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 5, 10]))
    elif axis.get_scale() == "log":
        low, high = axis.get_view_interval()
        # Less than two decades show at most one power of ten: then 2 and 5 help.
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 100 else (1.0,), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value)))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def figure_legend(figure: Figure, handles: Sequence[Artist], *, corner: str = "lower left") -> Legend:
    """A legend outside the panels, with as many entries side by side as fit into the width of the figure.

    Args:
        figure: the figure.
        handles: the entries.
        corner: the corner of the figure.
    """
    renderer, width = FigureCanvasAgg(figure).get_renderer(), figure.get_figwidth() * figure.dpi
    columns = max(1, min(len(handles), WIDEST_LEGEND))
    while True:
        legend = figure.legend(handles=handles, loc=f"outside {corner}", ncols=columns, alignment="left")
        if columns == 1 or legend.get_window_extent(renderer).width <= width:
            return legend
        legend.remove()
        columns -= 1


def outcome_legend(figure: Figure, outcomes: list[str], *, extra: list[Artist] | None = None, lines: bool) -> None:
    """Legend of the outcomes that occur, below the panels.

    Args:
        figure: the figure.
        outcomes: names of outcomes to explain.
        extra: further entries, put last.
        lines: whether outcomes are drawn as lines or as markers.
    """
    handles = [
        Line2D([], [], color=OUTCOME_COLOURS[name], linewidth=1.6, label=outcome_label(name))
        if lines
        else Line2D(
            [], [], color=OUTCOME_COLOURS[name], linestyle="", marker=OUTCOME_MARKERS[name], label=outcome_label(name)
        )
        for name in outcomes
    ]
    handles += extra or []
    figure_legend(figure, handles)


def outcome_label(outcome: str) -> str:
    """The name of an outcome in legends."""
    return f"{UNDETERMINED} (a failure was not measured)" if outcome == UNDETERMINED else outcome


def outcomes_present(outcomes: object) -> list[str]:
    """The outcomes that occur, in the order in which every figure lists them."""
    found = set(outcomes)
    return [name for name in OUTCOME_COLOURS if name in found]


def nothing(text: str) -> Figure:
    """A figure that says why there is nothing to draw: the workflow promises every figure of every method."""
    figure = Figure(figsize=(6, 1.4), layout="constrained")
    describe(figure, [text])
    figure.set_gid(NOTHING)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=QUIET, wrap=True, transform=axes.transAxes)
    return figure
