"""A page of HTML, read for tests, and words that would harm one."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from repository import PACKAGE

HOSTILE = "<script>alert('x')</script> & \"q\" $\\frac{a}{$ </style> {{ 7*7 }} | _^"


class Page(HTMLParser):
    """Tags, addresses and text of a page, and its scripts, whose text is none of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs).get("type"), ""))
        if tag not in ("meta", "img", "link", "br", "input", "source"):
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        else:
            self.words.append(data)

    @property
    def foreign(self) -> list[str]:
        """What the page loads, leads to or runs that is not its own: its own are embedded pictures, places of the page,
        files of figures, the script of every page, and data in JSON."""
        own = r"data:image/.+|#[\w-]*|[\w./-]+\.(svg|png)"
        found = [address for address in self.addresses if not re.fullmatch(own, address, re.DOTALL)]
        for kind, text in self.scripts:
            if kind == "application/json":
                json.loads(text)
            elif kind is not None or text != (PACKAGE / "report" / "report.js").read_text(encoding="utf-8"):
                found.append(text)
        return found + [tag for tag in self.tags if tag in ("link", "iframe", "object", "base", "form", "embed")]
