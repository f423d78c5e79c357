"""The rows at which a fitted line is drawn: one column varies, the others are held at a typical value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import suggest
from formula_torch.errors import DataError, FormulaError
from formula_torch.formula.derivative import readers
from formula_torch.present.plots.canvas import PALETTE
from formula_torch.result.population import Population
from formula_torch.result.variation import Variation, check_used, scenarios, variations

__all__ = ["Reference", "reference"]

# More levels than this have no room side by side.
MOST_LEVELS = 40
GRID_POINTS = 200


@dataclass(frozen=True, eq=False)
class Reference:
    """What a picture of a fitted line varies and holds.

    Parameters
    ----------
    population : Population
        The rows of the fit.
    typical : Population
        One row: every column at its mean or most frequent value, or where `at` sets it.
    x : Variation
    by : Variation or None
        Always with levels.
    given : tuple of str
        Columns that `at` sets.
    """

    population: Population
    typical: Population
    x: Variation
    by: Variation | None
    given: tuple[str, ...]

    @property
    def lines(self) -> tuple[Any, ...]:
        """Levels that have a line each; one None without `by`."""
        return (None,) if self.by is None else self.by.levels or ()

    def line_of_rows(self) -> np.ndarray:
        """Position of the line each row of the data belongs to, shape (n,); -1 for none."""
        if self.by is None:
            return np.zeros(len(self.population.table), dtype=np.intp)
        return positions(self.population, self.by.name, self.lines)

    def places(self) -> np.ndarray:
        """Values of x to compute the line at, or positions of levels, shape (m,)."""
        if self.x.levels is not None:
            return np.arange(len(self.x.levels), dtype=np.float64)
        drawn = self.population.frame.column(self.x.name).numbers[self.line_of_rows() >= 0 if self.categorical else ...]
        evenly = np.linspace(drawn.min(), drawn.max(), GRID_POINTS)
        # Where x is skewed, the curve bends where the data lie.
        return np.unique(np.concatenate([evenly, np.quantile(drawn, np.linspace(0, 1, GRID_POINTS // 2))]))

    @property
    def categorical(self) -> bool:
        """Whether `by` sorts the rows into levels, so that rows of none belong to no line."""
        return self.by is not None and self.population.frame.column(self.by.name).kind != "number"

    def rows(self) -> pd.DataFrame:
        """Rows to predict, those of the first line first."""
        each = [self.typical if self.by is None else self.typical.set({self.by.name: line}) for line in self.lines]
        return pd.concat([self._along(typical) for typical in each], ignore_index=True)

    def _along(self, typical: Population) -> pd.DataFrame:
        if self.x.levels is not None:
            return pd.concat([typical.set({self.x.name: level}).table for level in self.x.levels])
        places = self.places()
        table = typical.table.iloc[np.zeros(len(places), dtype=np.intp)]
        return table.assign(**{self.x.name: places})

    def held(self) -> dict[str, Any]:
        """Columns that do not vary, with the value they are held at."""
        varied = {self.x.name, None if self.by is None else self.by.name}
        return {name: self.typical.table[name].iloc[0] for name in self.typical.table.columns if name not in varied}


def reference(population: Population, x: str, at: Mapping[str, Any] | None, by: Any) -> Reference:
    """Read what to vary and what to hold.

    Raises
    ------
    UnknownNameError
        The formula does not read a column.
    DataError
        Too many levels, or a value that is none.
    ValueError
        A column is named twice, or `at` has several values for one.
    """
    varied = _variation(population, x, "plot_fit")
    if varied.levels is not None and len(varied.levels) > MOST_LEVELS:
        raise DataError(
            f"`{x}` has {len(varied.levels)} levels, too many for one picture; plot_coefficients(terms={x!r}) draws "
            "its coefficients."
        )
    lines = None if by is None else _lines(population, by)
    settings = dict(at or {})
    names = [x, *([] if lines is None else [lines.name]), *settings]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"`{twice}` can be in one only of x, by= and at=.")
    typical = _typical(population)
    if settings:
        found = scenarios(population, settings)
        if len(found) > 1:
            raise ValueError("at= takes one value for each column; by= draws a line for each of several.")
        typical = typical.set(found[0])
    return Reference(population, typical, varied, lines, tuple(settings))


def _variation(population: Population, name: str, where: str) -> Variation:
    """Read a column of the formula: its levels, or None where it is a number."""
    check_used(population, name, where)
    try:
        found = variations(population, name)[0]
    except FormulaError:
        # A number of which the formula makes a factor of fewer values, as cut(x, 3): the line has steps.
        return Variation(name, None)
    # In the order of the data, wherever the reference stands.
    return found if found.levels is None else Variation(name, population.frame.column(name).factor.compact().levels)


def _lines(population: Population, by: str | Mapping[str, Sequence[Any]]) -> Variation:
    """Read ``by=``: a column, and the levels that have a line each."""
    chosen = by if isinstance(by, Mapping) else {by: None}
    if len(chosen) != 1:
        raise ValueError(f"by= takes one column, and got {len(chosen)}.")
    ((name, values),) = chosen.items()
    found = _variation(population, name, "by=")
    if values is not None:
        levels = _known(found, values)
    else:
        column = population.frame.column(name)
        levels = tuple(np.unique(column.numbers).tolist()) if found.levels is None else found.levels
    if len(levels) > len(PALETTE):
        example = [levels[i] for i in (0, len(levels) // 2, -1)]
        what = "levels" if found.levels else "values"
        raise DataError(
            f"`{name}` has {len(levels)} {what}; by= draws a line for each of at most {len(PALETTE)}. Choose some: "
            f"by={{{name!r}: {example}}}."
        )
    return Variation(name, levels)


def _known(found: Variation, values: Sequence[Any]) -> tuple[Any, ...]:
    """Levels asked for, which are there."""
    asked = (values,) if isinstance(values, str) else tuple(values)
    for value in asked:
        if found.levels is not None and value not in found.levels:
            near = suggest(str(value), map(str, found.levels))
            shown = "" if near.endswith("?") else f" Its levels are {', '.join(map(repr, found.levels[:8]))}, ..."
            raise DataError(f"by=: `{found.name}` has no level {value!r}{near}{shown}")
    if not asked:
        raise ValueError(f"by= names no level of `{found.name}`.")
    return asked


def _typical(population: Population) -> Population:
    """One row with the weighted mean of numbers and the most frequent category."""
    table, weights = population.table, population.weights.numpy()
    row = {}
    for name in table.columns:
        column = population.frame.column(name)
        if column.kind == "number" and _is_number(population, name):
            row[name] = pd.Series([np.average(column.numbers, weights=weights)])
        else:
            codes = column.factor.codes
            most = np.bincount(codes[codes >= 0], weights=weights[codes >= 0]).argmax()
            row[name] = table[name].iloc[[int(np.flatnonzero(codes == most)[0])]].reset_index(drop=True)
    one = population.take(np.zeros(1, dtype=np.intp))
    return replace(one, table=pd.DataFrame(row))


def _is_number(population: Population, name: str) -> bool:
    return name not in readers(population.recipe) or _variation(population, name, "plot_fit").levels is None


def positions(population: Population, name: str, levels: Sequence[Any]) -> np.ndarray:
    """Position of each row's value among some levels, shape (n,); -1 where it is none of them."""
    column = population.frame.column(name)
    if column.kind == "number":
        places = np.full(len(column.numbers), -1, dtype=np.intp)
        for i, level in enumerate(levels):
            places[column.numbers == level] = i
        return places
    return column.factor.recode(tuple(levels)).codes.astype(np.intp)
