"""Pages: HTML files that load nothing, with style, script and figures inside."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import jinja2

from ganbench.core.atomic_files import atomic_write
from ganbench.report.figure_info import figure_infos
from ganbench.report.file_names import figure_name
from ganbench.report.pictures import embed, full_file, seen_in, size_on_page

HERE = Path(__file__).parent
PAGE = 2_900_000  # bytes of a page
PICTURES = 900_000  # bytes of its pictures, however long its text is


def write_page(name: str, context: Mapping[str, object], figures: Sequence[dict], out: Path) -> None:
    """Write a page, with figures in the bytes that its text leaves to them.

    Args:
        name: the template.
        context: what it shows.
        figures: those of its items that are figures, which `Figures` made; their pictures are added.
        out: HTML file to write.
    """
    script = asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page = template(name)
    given = {**context, "style": asset("report.css"), "script": script, "script_digest": digest}
    text = len(page.render(given).encode())
    forms = embed([item["path"] for item in figures], max(PICTURES, PAGE - text))
    for item, form in zip(figures, forms, strict=True):
        item |= {"source": form.source, "still": form.still}
    with atomic_write(out) as new:
        new.write_text(page.render(given), encoding="utf-8")


class Figures:
    """The figures of a page as items for its template, each with a link to its file.

    Args:
        folder: folder of the figures' files.
        beside: folder of the page, to which links are relative.
    """

    def __init__(self, folder: Path, beside: Path) -> None:
        self.folder, self.base = folder, Path(os.path.relpath(folder, beside)).as_posix()
        self.items: list[dict] = []

    def __call__(self, kind: str, of: str | None = None) -> dict:
        """The item of a figure of a study, a method or an experiment, with its `kind`."""
        info = figure_infos()[kind]
        item = self.add(figure_name(kind, of), info.title, info.caption)
        item["kind"] = kind
        return item

    def add(self, name: str, title: str, caption: str) -> dict:
        """The item of a figure, without its picture; of a figure with nothing in it, its title and the reason.

        The item's `place` is the id of its heading, `seen` what the picture shows, in words.

        Args:
            name: name of its files, without the suffix.
            title: its title.
            caption: how to read it.
        """
        seen, nothing = seen_in(self.folder / name)
        if nothing:
            return {"title": title, "nothing": seen}
        width, height = size_on_page(self.folder / name)
        item = {"title": title, "caption": caption, "width": width, "height": height, "source": "", "still": ""}
        item |= {"path": self.folder / name, "file": self.link(name), "nothing": "", "place": f"figure-{name}"}
        item["seen"] = seen
        self.items.append(item)
        return item

    def link(self, name: str) -> str:
        """The address of a figure's file, relative to the page."""
        return quote(f"{self.base}/{full_file(self.folder / name)}".removeprefix("./"))


def template(name: str) -> jinja2.Template:
    """A template of this folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "separators": (",", ":"),
        "ensure_ascii": False,
        "allow_nan": False,
    }
    return environment.get_template(name)


def asset(name: str) -> str:
    """The text of a file of this folder that is part of every page: its style or its script."""
    return (HERE / name).read_text(encoding="utf-8")
