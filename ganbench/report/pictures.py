"""Copies of figures inside a page: good to read at the width of the page, and within a budget of bytes."""

from __future__ import annotations

import base64
import heapq
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ganbench.report.file_names import NOTHING

# A vector drawing is sharper than pixels, but with thousands of curves its file is larger, and slow to draw.
MAX_SVG = 600_000
CSS_PIXELS = 96  # per inch
FILM = 4  # pictures that a film counts for where bytes are shared out
SCALES = ((1.0, 65), (0.64, 60), (0.45, 40))  # sizes in pixels of the file's own, with WebP's quality
COLOURS = 64  # of a picture without loss; they cover the range of its colours, or small swatches would share one
MAX_EXACT = 1_500_000  # pixels beyond which the search for a palette takes seconds
MEDIA = {"svg": "image/svg+xml", "png": "image/png", "webp": "image/webp"}


@dataclass(frozen=True)
class Form:
    """One form in which a page can hold a figure.

    Attributes:
        source: the picture as an address that holds it.
        still: the last frame of a film as such an address; empty for a picture.
        counts: number of pictures that it counts for.
    """

    source: str
    still: str = ""
    counts: int = 1

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return len(self.source) + len(self.still)


def embed(figures: Sequence[Path], budget: int) -> list[Form]:
    """Choose the form of every figure of a page, so that all fit a budget.

    Every figure starts with its best form: the film, if it is one, then the vector drawing, then pixels, ever fewer.
    While the page is over its budget, the figure that takes most bytes for a picture, a film counting as four, takes
    its next smaller form. So there is in effect one limit for all: a figure that needs little loses nothing to others,
    and those that need much get the same. Where all have their smallest form, the budget is exceeded: no figure goes.

    Args:
        figures: paths of the figures, without the suffix.
        budget: bytes for all of them.

    Returns:
        The forms, in the order of the figures.
    """
    ladders = [_smaller_and_smaller(figure) for figure in figures]
    chosen = [next(ladder) for ladder in ladders]
    films = [place for place, form in enumerate(chosen) if form.still]
    total = sum(form.size for form in chosen)
    largest = [(-form.size / form.counts, place) for place, form in enumerate(chosen)]
    heapq.heapify(largest)
    while total > budget and largest:
        _, first = heapq.heappop(largest)
        together, films = (films, []) if first in films else ([first], films)
        for place in together:
            if (form := next(ladders[place], None)) is not None:
                total += form.size - chosen[place].size
                chosen[place] = form
                heapq.heappush(largest, (-form.size / form.counts, place))
    return chosen


def _file(figure: Path, format: str) -> Path:
    """The file of a figure, whose name may end like a suffix: "losses-digits-dcgan-r1-gamma-0.5"."""
    return figure.with_name(f"{figure.name}.{format}")


def size_on_page(figure: Path) -> tuple[int, int]:
    """Width and height of a figure in CSS pixels, as its vector drawing has them."""
    with Image.open(_file(figure, "png")) as image:
        width, height = (
            round(pixels * CSS_PIXELS / dots)
            for pixels, dots in zip(image.size, image.info.get("dpi", (150, 150)), strict=True)
        )
    return width, height


def seen_in(figure: Path) -> tuple[str, bool]:
    """What is seen in a figure, as its file says it, or ""; and whether that is only why there is nothing to draw."""
    with Image.open(_file(figure, "png")) as image:
        return image.info.get("Description", ""), image.info.get("Comment") == NOTHING


def full_file(figure: Path) -> str:
    """Name of the file to open for all details: the film, the vector drawing, or pixels where that is too large."""
    with Image.open(_file(figure, "png")) as image:
        film = getattr(image, "is_animated", False)
    vector = _file(figure, "svg")
    return f"{figure.name}.png" if film or vector.stat().st_size > MAX_SVG else vector.name


def address(data: bytes, format: str) -> str:
    """A picture as an address that holds it."""
    return f"data:{MEDIA[format]};base64,{base64.b64encode(data).decode('ascii')}"


def _smaller_and_smaller(figure: Path) -> Iterator[Form]:
    """The forms of a figure, without those that are no smaller than one before them."""
    least = None
    for form in _forms(figure):
        if least is None or form.size < least:
            least = form.size
            yield form


def _forms(figure: Path) -> Iterator[Form]:
    """All forms of a figure, the best one first. They are made one by one, as they are asked for."""
    with Image.open(_file(figure, "png")) as image:
        frames = getattr(image, "n_frames", 1)
        image.seek(frames - 1)
        last = image.convert("RGB")
    if frames > 1:
        film = address(_file(figure, "png").read_bytes(), "png")
        yield Form(film, address(_pixels(last, *SCALES[0]), "webp"), FILM)
    vector = _file(figure, "svg")
    if vector.stat().st_size <= MAX_SVG:
        yield Form(address(vector.read_bytes(), "svg"))
    for scale, quality in SCALES:
        yield Form(address(_pixels(last, scale, quality), "webp"))


def _pixels(image: Image.Image, scale: float, quality: int) -> bytes:
    """WebP of a picture: with few colours and no other loss, where that is the smaller file and no pixel goes."""
    size = tuple(max(1, round(scale * pixels)) for pixels in image.size)
    scaled = image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS)
    found = _webp(scaled, quality=quality, method=2)
    if scale == 1 and image.width * image.height <= MAX_EXACT:
        few = image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).convert("RGB")
        found = min(found, _webp(few, lossless=True, quality=50, method=2), key=len)
    return found


def _webp(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", **options)
    return file.getvalue()
