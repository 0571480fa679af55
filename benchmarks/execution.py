"""How fast steps are when executed eagerly, traced, compiled or from a CUDA graph, and from where on each repays."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.sheets import Sheet
from benchmarks.throughput import Rates
from benchmarks.workers import FORMS
from ganbench.engine.execution import EAGER, GRAPH, TRACED

HANDED = "by hand"


def forms(device: str) -> tuple[str, ...]:
    """The forms of execution that a device has, the engine's own choice and the opponent's step."""
    return ("fused", *(form for form in FORMS if form != GRAPH or device != "cpu"), HANDED)


def sheet(rates: Sequence[Rates]) -> Sheet:
    """Forms side by side, with what each takes before its first repeated step."""
    kinds = [form for form in FORMS if form in rates[0].turns]
    once = [kind for kind in kinds if kind != EAGER]
    result = Sheet(
        "Steps executed eagerly, traced, compiled",
        [
            *("case", "runs", *(f"{kind} (of eager)" for kind in kinds), "auto picks", "auto / by hand"),
            *(f"start-up {kind}, s" for kind in once),
            *(f"{kind} repays from, steps" for kind in once),
        ],
        "Of fused packs, in runs x steps per second; in brackets the gain over eager steps, as medians of turns. "
        "Start-up is what a form adds to a process until its first chunk is done, of the processor's seconds on a CPU, "
        "with nothing compiled before; a form repays where that is less than what its steps save, against eager steps "
        "or, for those compiled or captured, against traced ones.",
    )
    for row in rates:
        cells = [f"{row.rate(kind):,.0f} ({row.rate(kind) / row.rate(EAGER):.2f})" for kind in kinds]
        picked, gain = row.peaks["fused"].form, row.rate("fused") / row.rate(HANDED)
        added = [f"{max(0.0, row.start_seconds[kind] - row.start_seconds[EAGER]):.1f}" for kind in once]
        repaid = [repays(row, kind, EAGER if kind == TRACED else TRACED) for kind in once]
        result.add(row.case.name, row.members, *cells, picked, f"{gain:.2f}", *added, *repaid)
    return result


def repays(row: Rates, form: str, over: str) -> str:
    """The steps after which what a form takes at first is made up by what each of its steps saves."""
    saved = row.members / row.rate(over) - row.members / row.rate(form)  # seconds of a step of the pack
    cost = max(0.0, row.start_seconds[form] - row.start_seconds[over])
    return "never" if saved <= 0 else f"{cost / saved:,.0f}"
