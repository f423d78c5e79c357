"""What the two summaries of statsmodels share: tables of pairs, and the coefficients as a data frame."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from formula_torch.present.table import Summary, Table
from formula_torch.result.fit import Fit

__all__ = ["Pair", "Summary2", "coefficient_frame", "framed", "minute", "now", "side_by_side"]

Pair = tuple[str, str]


def now() -> list[Pair]:
    """Date and time, as the first summary has them."""
    moment = datetime.datetime.now()
    return [("Date:", moment.strftime("%a, %d %b %Y")), ("Time:", moment.strftime("%H:%M:%S"))]


def minute() -> Pair:
    """The date with the time, as the second summary has it."""
    return ("Date:", datetime.datetime.now().strftime("%Y-%m-%d %H:%M"))


def side_by_side(left: list[Pair], right: list[Pair]) -> Table:
    """Two columns of pairs."""
    right = right + [("", "")] * (len(left) - len(right))
    return Table(tuple((*a, *b) for a, b in zip(left, right, strict=True)))


def framed(pairs: list[Pair]) -> pd.DataFrame:
    """Put the second half of the pairs beside the first."""
    half = len(pairs) // 2
    return pd.DataFrame([(*a, *b) for a, b in zip(pairs[:half], pairs[half:], strict=True)])


def coefficient_frame(fit: Fit, xname: Sequence[str] | None, alpha: float) -> pd.DataFrame:
    """Coefficients under the columns of the second summary."""
    letter, interval = "t" if fit.use_t else "z", fit.conf_int(alpha)
    table = pd.DataFrame(
        {
            "Coef.": fit.params,
            "Std.Err.": fit.bse,
            letter: fit.tvalues,
            f"P>|{letter}|": fit.pvalues,
            f"[{alpha / 2}": interval[0],
            f"{1 - alpha / 2}]": interval[1],
        }
    )
    return table if xname is None else table.set_axis(list(xname), axis=0)


@dataclass(frozen=True, eq=False, repr=False)
class Summary2:
    """statsmodels' second summary: tables as data frames.

    Parameters
    ----------
    title : str
    tables : list of DataFrame
        Header, coefficients and, of a linear regression, diagnostics.
    notes : tuple of str
    float_format : str
        How the coefficients are printed: ``"%.4f"``.
    """

    title: str
    tables: list[pd.DataFrame]
    notes: tuple[str, ...]
    float_format: str

    @property
    def _printed(self) -> Summary:
        tables = tuple(self._numbers(t) if "Coef." in t.columns else _pairs(t) for t in self.tables)
        return Summary(self.title, tables, self.notes)

    def _numbers(self, table: pd.DataFrame) -> Table:
        cells = table.map(lambda x: self.float_format % x)
        rows = tuple((str(name), *row) for name, row in zip(cells.index, cells.to_numpy().tolist(), strict=True))
        return Table(rows, ("", *cells.columns))

    def as_text(self) -> str:
        """Plain text."""
        return self._printed.as_text()

    def as_html(self) -> str:
        """HTML fragment."""
        return self._printed.as_html()

    def as_latex(self) -> str:
        """LaTeX: one tabular after another."""
        return self._printed.as_latex()

    def __str__(self) -> str:
        return self.as_text()

    # In a console, `fit.summary2()` at the prompt shows the tables.
    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.as_html()


def _pairs(table: pd.DataFrame) -> Table:
    return Table(tuple(tuple(row) for row in table.to_numpy().tolist()))
