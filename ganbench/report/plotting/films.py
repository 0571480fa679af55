"""Looping pictures: figures that are drawn frame by frame and stored as animated PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from PIL.PngImagePlugin import PngInfo

FRAME_MS, LAST_MS = 400, 3000  # how long a frame is shown, and the last before the film begins again
TITLE = {"x": 0.01, "ha": "left"}  # place of a figure's title, at its left edge
BAR = "#6b7278"
COLOURS = 128  # of the palette, which all frames share
WHITE_TOLERANCE = 8  # levels from white in each channel, within which a colour of the palette becomes white
SAMPLED = 100_000  # pixels of each frame from which the palette is made


@dataclass
class Film:
    """A figure of several frames of one size.

    Attributes:
        count: number of frames, at least 1.
        draw: draws the frame of an index; one by one, since the figures of all frames take much memory.
        title: title of every frame.
    """

    count: int
    draw: Callable[[int], Figure]
    title: str = ""

    @property
    def still(self) -> Figure:
        """The last frame."""
        return self.frame(self.count - 1)

    @property
    def frames(self) -> Iterator[Figure]:
        """All frames."""
        return map(self.frame, range(self.count))

    def frame(self, index: int) -> Figure:
        """The frame of an index, with the title, and at the lower edge a bar that grows from frame to frame."""
        figure = self.draw(index)
        figure.suptitle(self.title, **TITLE)
        done = (index + 1) / self.count
        bar = Line2D([0.01, 0.01 + 0.98 * done], [0.008, 0.008], color=BAR, linewidth=2.5, solid_capstyle="butt")
        figure.add_artist(bar).set_in_layout(False)
        return figure


def save_film(film: Film, path: Path, seen: str = "") -> None:
    """Write a film as an animated PNG (APNG) that loops, with a description of what is seen in it.

    Paper, and a viewer that knows no APNG, show the first frame of the file. That is the last one of the film: where a
    loop is entered makes no difference to those who see it run.

    PNG has one palette for all frames. It is made of pixels of all of them, and no frame is dithered, since the noise
    of that would take most of the file. The same figures give the same bytes.
    """
    *before, last = (_picture(figure) for figure in film.frames)
    pictures = [last, *before]
    pixels = [np.asarray(picture).reshape(-1, 3) for picture in pictures]
    sample = np.concatenate([each[:: max(1, len(each) // SAMPLED)] for each in pixels])
    palette = Image.fromarray(sample[None]).quantize(COLOURS - 1)
    # Its colours are means of similar ones, so that white paper would be a little grey. White is added, and what is
    # nearly white becomes white, since Pillow looks for the nearest colour by the first bits of each channel.
    colours = np.array([*palette.getpalette()[: 3 * (COLOURS - 1)], 255, 255, 255]).reshape(-1, 3)
    colours[(colours > 255 - WHITE_TOLERANCE).all(axis=1)] = 255
    palette.putpalette(colours.ravel().tolist())
    first, *others = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    lasting = [LAST_MS] + [FRAME_MS] * len(others)
    about = PngInfo()
    if seen:
        about.add_text("Description", seen)
    first.save(path, "PNG", save_all=True, append_images=others, duration=lasting, loop=0, pnginfo=about)


def _picture(figure: Figure) -> Image.Image:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")
