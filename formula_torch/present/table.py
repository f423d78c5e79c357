"""A table of strings, and what renders it. Renderers see neither fits nor tensors."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabulate import tabulate

__all__ = ["RENDERERS", "Summary", "Table"]

Row = tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of strings under an optional header.

    Parameters
    ----------
    rows : tuple of tuples of str
        The first column holds labels.
    header : tuple of str, optional
        Without a header the columns are pairs of label and value.
    """

    rows: tuple[Row, ...]
    header: Row | None = None

    @property
    def data(self) -> list[list[str]]:
        """Header and rows as lists."""
        return [list(row) for row in (*((self.header,) if self.header else ()), *self.rows)]

    @property
    def width(self) -> int:
        """Least width of the text, in characters."""
        if self.header is None:
            left, right = _pair_widths(self.rows)
            return left + 3 + right
        return sum(_grid_widths(self))

    def as_text(self, width: int | None = None) -> str:
        """Plain text, stretched to `width`."""
        return _text(self, width or self.width)

    def as_html(self) -> str:
        """HTML table."""
        return self._tabulated("html")

    def as_latex_tabular(self) -> str:
        """LaTeX tabular with booktabs rules."""
        return self._tabulated("latex_booktabs")

    def _tabulated(self, style: str) -> str:
        rows = [list(row) for row in self.rows]
        pairs = ["left", "right", "left", "right"]
        align = pairs if self.header is None else ["left", *["right"] * (len(self.header) - 1)]
        return tabulate(rows, self.header or (), tablefmt=style, disable_numparse=True, colalign=align)

    def as_csv(self) -> str:
        """Comma-separated values."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(self.data)
        return text.getvalue()

    def __str__(self) -> str:
        return self.as_text()

    # In a console, `fit.summary()` at the prompt shows the table.
    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.as_html()


# Those of statsmodels' coefficient table: coef, std err, t, p, and the two bounds.
_LEAST_WIDTHS = (10, 11, 11, 11, 12, 12, 5)


def _pair_widths(rows: Sequence[Row]) -> tuple[int, int]:
    """Width of each half of a table of label and value pairs."""
    halves = [[len(r[i]) + 1 + len(r[i + 1]) for r in rows] for i in (0, 2)]
    return max(halves[0]), max(halves[1])


def _grid_widths(table: Table) -> list[int]:
    columns = list(zip(*table.data, strict=True))
    first = max(map(len, columns[0]))
    return [first, *(max(max(map(len, c)) + 2, least) for c, least in zip(columns[1:], _LEAST_WIDTHS, strict=False))]


def _text(table: Table, width: int) -> str:
    if table.header is None:
        half = max(_pair_widths(table.rows)[0], (width - 3) // 2)
        rest = width - 3 - half
        return "\n".join(_pair(r[0], r[1], half) + "   " + _pair(r[2], r[3], rest) for r in table.rows)
    widths = _grid_widths(table)
    widths[0] += max(width - sum(widths), 0)
    lines = [
        row[0].ljust(widths[0]) + "".join(v.rjust(w) for v, w in zip(row[1:], widths[1:], strict=True))
        for row in table.data
    ]
    return "\n".join([lines[0], "-" * max(width, sum(widths)), *lines[1:]])


def _pair(label: str, value: str, width: int) -> str:
    return label + value.rjust(width - len(label))


@dataclass(frozen=True, repr=False)
class Summary:
    """Tables under a title, with notes.

    Parameters
    ----------
    title : str
    tables : tuple of Table
    notes : tuple of str
    """

    title: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]

    def as_text(self) -> str:
        """Plain text with statsmodels' look."""
        return RENDERERS["text"](self)

    def as_html(self) -> str:
        """HTML fragment."""
        return RENDERERS["html"](self)

    def as_latex(self) -> str:
        """LaTeX: one tabular after another."""
        return RENDERERS["latex"](self)

    def as_csv(self) -> str:
        """Comma-separated values, tables separated by empty lines."""
        return "\n".join(table.as_csv() for table in self.tables)

    def __str__(self) -> str:
        return self.as_text()

    # In a console, `fit.summary()` at the prompt shows the table.
    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.as_html()


def _render_text(summary: Summary) -> str:
    width = max(78, *(table.width for table in summary.tables))
    rule = "=" * width
    lines = [summary.title.center(width).rstrip(), rule]
    for table in summary.tables:
        lines += [table.as_text(width), rule]
    if summary.notes:
        lines += ["", "Notes:", *(f"[{i}] {note}" for i, note in enumerate(summary.notes, 1))]
    return "\n".join(lines)


def _render_html(summary: Summary) -> str:
    notes = "<br/>".join(f"[{i}] {_escape_html(note)}" for i, note in enumerate(summary.notes, 1))
    tables = "\n".join(table.as_html() for table in summary.tables)
    return f"<div><b>{_escape_html(summary.title)}</b>\n{tables}\n<p>Notes:<br/>{notes}</p></div>"


def _escape_html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_LATEX = {c: "\\" + c for c in "&%$#_{}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def _render_latex(summary: Summary) -> str:
    tables = "\n\n\\medskip\n\n".join(table.as_latex_tabular() for table in summary.tables)
    notes = "\\\\\n".join(
        f"[{i}] " + "".join(_LATEX.get(c, c) for c in note) for i, note in enumerate(summary.notes, 1)
    )
    title = "".join(_LATEX.get(c, c) for c in summary.title)
    return f"\\begin{{center}}\n\\textbf{{{title}}}\n\n{tables}\n\\end{{center}}\n\nNotes:\\\\\n{notes}\n"


RENDERERS: dict[str, Callable[[Summary], str]] = {"text": _render_text, "html": _render_html, "latex": _render_latex}
