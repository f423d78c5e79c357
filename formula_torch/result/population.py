"""The rows over which effects are averaged, as they are or with some columns set to values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import DataError, DataRemovedError
from formula_torch.formula.derivative import Derivative, derivative, offset_readers, readers
from formula_torch.formula.recipe import Recipe
from formula_torch.formula.sample import log_exposure, row_values
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.estimates import Estimates
from formula_torch.result.rows import Rows

__all__ = ["Population", "fitted_frame", "fitted_population", "new_population", "population_of"]


@dataclass(frozen=True, eq=False)
class Population:
    """Rows of the data with their weights, and the recipe that makes a design of them.

    Parameters
    ----------
    recipe : Recipe
    table : DataFrame
        The columns the formula reads, and the offset's where that is a column.
    weights : Tensor, shape (n,)
    offset : str or array of shape (n,) or None
        The offset that is not part of the formula.
    ends : dict
        Column to the range of values the model was fitted on.
    exposure : str or array of shape (n,) or None
        Its logarithm is part of the offset; a column is a variable as others are.
    """

    recipe: Recipe
    table: pd.DataFrame
    weights: Tensor
    offset: str | np.ndarray | None
    ends: Mapping[str, tuple[float, float]]
    exposure: str | np.ndarray | None = None

    @cached_property
    def frame(self) -> Frame:
        """The columns."""
        return as_frame(self.table)

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns on which the mean response depends, those of offsets last."""
        own = [given for given in (self.offset, self.exposure) if isinstance(given, str)]
        return tuple(dict.fromkeys([*readers(self.recipe), *sorted(offset_readers(self.recipe)), *own]))

    def set(self, values: Mapping[str, Any]) -> Population:
        """Return the same rows with some columns set to one value each."""
        table = self.table
        for name, value in values.items():
            column = self.frame.column(name)
            if column.kind in ("number", "bool"):
                table = table.assign(**{name: np.full(len(table), _plain(name, value, self.table[name].dtype))})
                continue
            table = table.assign(**{name: _constant(value, self.table[name].dtype, table.index)})
        return replace(self, table=table)

    def take(self, order: np.ndarray) -> Population:
        """Return the rows in another order, or some of them."""
        offset, exposure = (g[order] if isinstance(g, np.ndarray) else g for g in (self.offset, self.exposure))
        weights = self.weights[torch.from_numpy(order)]
        return replace(self, table=self.table.iloc[order], weights=weights, offset=offset, exposure=exposure)

    def design(self) -> Design:
        """Return the design of the rows, with the whole offset.

        Raises
        ------
        DataError
            A row has no prediction: a value is missing, or a term cannot be computed.
        """
        n = len(self.table)
        design = self.recipe.apply(self.table)
        for own in (self._values(self.offset), self._log_exposure()):
            design = replace(design, offset=_sum(design.offset, own))
        lost = torch.isnan(design.matvec(np.zeros(design.k)))
        if design.offset is not None:
            lost |= torch.isnan(design.offset)
        if lost.any():
            raise DataError(
                f"{int(lost.sum())} of {n} rows have no prediction (first: row {int(lost.nonzero()[0])}): a value is "
                "missing there, or a term of the formula cannot be computed."
            )
        return design

    def derivative(self, name: str) -> Derivative:
        """Return the derivative of the design, and of the whole offset, in one column."""
        found = derivative(self.recipe, self.frame, name, **dict(zip(("low", "high"), self._range(name), strict=True)))
        ones = torch.ones(len(self.table), dtype=torch.float64)
        if isinstance(self.offset, str) and self.offset == name:
            found = replace(found, offset=_sum(found.offset, ones))
        if isinstance(self.exposure, str) and self.exposure == name:
            found = replace(found, offset=_sum(found.offset, ones / as_tensor(self.frame.column(name).numbers)))
        return found

    def _range(self, name: str) -> tuple[float, float]:
        return self.ends.get(name, (np.nan, np.nan))

    def _values(self, given: str | np.ndarray | None) -> Tensor | None:
        if given is None:
            return None
        return as_tensor(self.frame.column(given).numbers if isinstance(given, str) else given)

    def _log_exposure(self) -> Tensor | None:
        values = self._values(self.exposure)
        return None if values is None else as_tensor(log_exposure(values.numpy()))


def fitted_population(fit: Estimates) -> Population:
    """Return the rows of a fit, with its weights.

    Raises
    ------
    DataRemovedError
        The fit no longer holds them.
    """
    rows = fit.rows
    if rows is None:
        raise DataRemovedError(
            "this result no longer holds the rows it was fitted on; pass newdata=, the rows to average over."
        )
    rows.verify()
    frame, weights, trials = rows.used_frame(), rows.weight_values(), fit.recipe.read(rows.used_frame()).trials
    if trials is not None:
        weights = trials if weights is None else weights * trials
    offset, exposure = _of_rows(rows, rows.offset, "offset"), _of_rows(rows, rows.exposure, "exposure")
    return population_of(fit.recipe, frame, weights, offset, frame, exposure)


def _of_rows(rows: Rows, given: Any, what: str) -> str | np.ndarray | None:
    """A column's name, or the values of the rows used."""
    if given is None or isinstance(given, str):
        return given
    return row_values(given, rows.frame, what)[rows.sample.used]


def new_population(fit: Estimates, newdata: Any) -> Population:
    """Return new rows, each with a weight of one.

    Raises
    ------
    DataError
        The fit has an offset that new rows cannot have, or there is no row.
    UnknownNameError
        A column is missing.
    """
    for given, what in ((fit.offset, "offset"), (fit.exposure, "exposure")):
        if given is True:
            raise DataError(
                f"the model was fitted with an array as {what}, which newdata do not have; give the {what} as a "
                f"column when fitting: {what}='name'."
            )
    frame = as_frame(newdata)
    if not frame.n_rows:
        raise DataError("newdata have no rows: there is nothing to average over.")
    fitted = None if fit.rows is None else fit.rows.used_frame()
    return population_of(fit.recipe, frame, None, _name(fit.offset), fitted, _name(fit.exposure))


def _name(given: str | bool | None) -> str | None:
    return given if isinstance(given, str) else None


def fitted_frame(fit: Estimates, names: Sequence[str]) -> Frame:
    """Return the rows used with columns that the formula need not read: as held, or of the user's table.

    Raises
    ------
    UnknownNameError
        A column is not held, and the table is gone or has none of this name.
    DataError
        The table has changed since the fit.
    """
    rows = fit.held_rows("by=")
    frame = rows.frame_with(names, fit.call.find_table, "pass newdata= with that column")
    return frame.filter(rows.sample.used)


def population_of(
    recipe: Recipe,
    frame: Frame,
    weights: np.ndarray | None,
    offset: str | np.ndarray | None,
    fitted: Frame | None,
    exposure: str | np.ndarray | None = None,
) -> Population:
    """Return rows as a population.

    Parameters
    ----------
    recipe : Recipe
    frame : Frame
    weights : array, shape (n,), or None
        None: one each.
    offset : str or array of shape (n,) or None
    fitted : Frame or None
        The rows of the fit, for the ranges of the columns.
    exposure : str or array of shape (n,) or None
    """
    own = [given for given in (offset, exposure) if isinstance(given, str)]
    needed = [*readers(recipe), *sorted(offset_readers(recipe)), *own]
    unread = [name for name in recipe.columns if name in frame.names]
    columns = {name: frame.column(name).to_pandas() for name in dict.fromkeys([*needed, *unread])}
    table = pd.DataFrame(columns, index=pd.RangeIndex(frame.n_rows), copy=False)
    given = torch.ones(frame.n_rows, dtype=torch.float64) if weights is None else as_tensor(weights)
    ends = {} if fitted is None else {name: _ends(fitted, name) for name in needed}
    return Population(recipe, table, given, offset, ends, exposure)


def _ends(frame: Frame, name: str) -> tuple[float, float]:
    column = frame.column(name)
    if column.kind != "number" or not frame.n_rows:
        return np.nan, np.nan
    return float(np.nanmin(column.numbers)), float(np.nanmax(column.numbers))


def _constant(value: Any, dtype: Any, index: pd.Index) -> pd.Series:
    """One category in every row, in the column's own type where that holds it."""
    known = isinstance(dtype, pd.CategoricalDtype) and value in dtype.categories
    levels = pd.CategoricalDtype([value]) if not known else dtype
    codes = np.full(len(index), list(levels.categories).index(value))
    return pd.Series(pd.Categorical.from_codes(codes.tolist(), dtype=levels), index=index)


def _plain(name: str, value: Any, dtype: Any) -> bool | int | float:
    """The value in the column's own type where that can hold it: 1 and 1.0 differ as text."""
    if isinstance(value, (str, bytes)) or not np.isscalar(value):
        raise DataError(f"`{name}` holds numbers or truth values, and cannot be set to {value!r}.")
    if pd.api.types.is_bool_dtype(dtype):
        if value not in (0, 1):
            raise DataError(f"`{name}` holds truth values, and cannot be set to {value!r}.")
        return bool(value)
    number = float(value)  # type: ignore[arg-type]
    return int(number) if pd.api.types.is_integer_dtype(dtype) and number.is_integer() else number


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other
