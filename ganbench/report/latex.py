"""Tables of texts as LaTeX: escaped, aligned, and broken over pages."""

from __future__ import annotations

from collections.abc import Sequence

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
        heads: the texts above the columns.
        rows: the texts of every row, as many as heads.
        caption: what the table shows.
        label: its label, of letters, digits, hyphens and colons.
    """
    columns = [[row[index] for row in rows] for index in range(len(heads))]
    head = [r"\toprule", _row(heads), r"\midrule"]
    lines = [
        f"\\begin{{longtable}}{{{''.join(map(_alignment, columns))}}}",
        f"\\caption{{{escaped(caption)}}} \\label{{{label}}} \\\\",
        *(*head, r"\endfirsthead"),
        f"\\multicolumn{{{len(heads)}}}{{l}}{{\\tablename\\ \\thetable{{}} (continued)}} \\\\",
        *(*head, r"\endhead", r"\midrule", r"\endfoot", r"\bottomrule", r"\endlastfoot"),
        *map(_row, rows),
        r"\end{longtable}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"{' & '.join(map(escaped, cells))} \\\\"


def _alignment(cells: Sequence[str]) -> str:
    """Numbers to the right, texts to the left, and long texts in lines."""
    if max(map(len, cells), default=0) > WIDE:
        return "p{5cm}"
    return "r" if any(cells) and all(cell[:1] in "0123456789-–<>∞" for cell in cells) else "l"
