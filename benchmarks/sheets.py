"""Tables for the terminal and, the same ones, for a Markdown file."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from rich.console import Console

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass
class Sheet:
    """A table with a title and a note; without columns, the note says why."""

    title: str
    columns: list[str]
    note: str = ""
    rows: list[list[str]] = field(default_factory=list)

    def add(self, *cells: Any) -> None:
        self.rows.append([str(cell) for cell in cells])

    def print(self, console: Console) -> None:
        if not self.columns:
            console.print(f"[italic]{self.title}[/italic]\n{self.note}")
            return
        from rich.table import Table

        table = Table(title=self.title, title_justify="left", caption=self.note or None, caption_justify="left")
        for index, column in enumerate(self.columns):
            table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)

    def markdown(self, measured: str = "") -> str:
        """The table with its title, its note and how it was `measured`."""
        head = "\n\n".join(each for each in (f"## {self.title}", self.note, measured) if each)
        if not self.columns:
            return f"{head}\n"
        lines = [self.columns, ["---", *["---:"] * (len(self.columns) - 1)], *self.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"{head}\n\n{table}\n"


def device_name(device: str) -> str:
    """The GPU's name, or the processor's with the number of cores."""
    if device != "cpu":
        return torch.cuda.get_device_name(device)
    try:
        text = Path("/proc/cpuinfo").read_text()
        model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    except OSError:
        model = None
    name = model.group(1) if model else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def heading(device: str) -> str:
    """What the numbers were measured on and with."""
    parts = [f"Python {platform.python_version()}", f"PyTorch {torch.__version__}", platform.system()]
    if device != "cpu":
        parts.append(f"CUDA {torch.version.cuda}")
    return f"Measured {datetime.now(UTC):%Y-%m-%d} with {', '.join(parts)}."


def save(sheets: list[Sheet], device: str, folder: Path | None = None, *, keep: bool = True) -> Path:
    """Write the Markdown file of this device; of a file that is there, tables of other titles are kept if told so."""
    folder = folder or RESULTS
    path = folder / f"{re.sub(r'[^a-z0-9]+', '-', device_name(device).lower()).strip('-')}.md"
    kept = _sections(path.read_text()) if keep and path.exists() else {}
    measured = {sheet.title: sheet.markdown(heading(device)) for sheet in sheets}
    folder.mkdir(exist_ok=True)
    path.write_text("\n".join([f"# {device_name(device)}\n", *(kept | measured).values()]))
    return path


def _sections(text: str) -> dict[str, str]:
    """The tables of a file, by title."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0].removeprefix("## "): part.rstrip("\n") + "\n" for part in parts}
