"""Tables of texts as LaTeX: escaped, aligned, and broken over pages."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

PREAMBLE = (
    "% Needs \\usepackage{booktabs, longtable} and, with pdfLaTeX, \\usepackage[T1]{fontenc};"
    " names that are not in Latin letters need LuaLaTeX or XeLaTeX.\n"
)
WIDE = 34  # characters beyond which the texts of a column are broken into lines
ESCAPED = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        # After the end of a row, either would be read as an argument of it.
        "[": "{[}",
        "*": "{*}",
        "∞": r"$\infty$",
        "–": "--",
        "×": r"$\times$",
        "…": r"\ldots{}",
    }
)


def escaped(text: str) -> str:
    """A text in which no character means anything to LaTeX, in one line."""
    return " ".join(text.split()).translate(ESCAPED)


def long_table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str, label: str) -> str:
    """A table as a `longtable` environment with rules of booktabs.

    Args:
        heads: The texts above the columns.
        rows: The texts of every row, as many as heads.
        caption: What the table shows.
        label: Its label, of letters, digits, hyphens and colons.
    """
    frame = pd.DataFrame([[escaped(cell) for cell in row] for row in rows], columns=range(len(heads)), dtype=object)
    columns = [[row[index] for row in rows] for index in range(len(heads))]
    text = frame.to_latex(
        index=False,
        escape=False,
        longtable=True,
        header=[escaped(head) for head in heads],
        caption=escaped(caption),
        label=label,
        column_format="".join(map(_alignment, columns)),
    )
    # pandas repeats the whole caption on every further page.
    again = f"\\multicolumn{{{len(heads)}}}{{l}}{{\\tablename\\ \\thetable{{}} (continued)}}"
    return text.replace(f"\\caption[]{{{escaped(caption)}}}", again)


def _alignment(cells: Sequence[str]) -> str:
    """Numbers to the right, texts to the left, and long texts in lines."""
    if max(map(len, cells), default=0) > WIDE:
        return "p{5cm}"
    return "r" if any(cells) and all(cell[:1] in "0123456789-–<>∞" for cell in cells) else "l"
