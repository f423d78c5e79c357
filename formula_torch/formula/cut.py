"""Evaluated expressions cut to the rows that are used, and how each is encoded."""

from __future__ import annotations

from typing import Any

import numpy as np

from formula_torch.data import Frame, all_finite
from formula_torch.errors import DataError
from formula_torch.formula.contrasts import resolve_contrast
from formula_torch.formula.conventions import Conventions
from formula_torch.formula.encode import Encoding, Levels, Monomial, Numbers
from formula_torch.formula.values import Basis, Coded

__all__ = ["Cut"]


class Cut:
    """Cuts evaluated arrays to the kept rows, once each, and refuses infinite values."""

    def __init__(self, frame: Frame, keep: np.ndarray | None, conventions: Conventions) -> None:
        self.frame, self.keep, self.conventions = frame, keep, conventions
        self.n_rows = frame.n_rows if keep is None else int(keep.sum())
        self.columns: dict[str, np.ndarray] = {}

    def rows(self, array: np.ndarray) -> np.ndarray:
        """Cut an array, shape (n_all,) or (n_all, columns), to the kept rows, contiguous."""
        if self.keep is not None:
            array = array[self.keep]
        return array if array.strides == (array.itemsize,) else np.ascontiguousarray(array)

    def numbers(self, array: np.ndarray, text: str) -> np.ndarray:
        """Cut numbers to the kept rows; raises where one is infinite."""
        array = self.rows(array)
        if not all_finite(array) and np.isinf(array).any():
            self._refuse_infinite(array, text)
        return array

    def _refuse_infinite(self, array: np.ndarray, text: str) -> None:
        position = int(np.nonzero(np.isinf(array))[0][0])
        row = position if self.keep is None else int(np.flatnonzero(self.keep)[position])
        label = row if self.frame.index is None else self.frame.index[row]
        raise DataError(f"`{text}` is {array[position]} in row {label!r}; infinite values cannot be used.")

    def column(self, name: str) -> np.ndarray:
        """Return a column of the data as numbers of the kept rows."""
        if name not in self.columns:
            column = self.frame.column(name)
            read = self.rows(column.numbers) if column.finite else self.numbers(column.numbers, name)
            self.columns[name] = read
        return self.columns[name]

    def encode(self, value: Any, text: str, hints: list[str]) -> tuple[Encoding, Any]:
        """Return how an expression's value becomes columns, and the value of the kept rows."""
        if isinstance(value, Monomial):
            return value, {name: self.column(name) for name in value.columns}
        if isinstance(value, Coded):
            factor = value.factor if self.keep is None else value.factor.take(self.keep)
            if not self.conventions.unused_levels:
                factor = factor.compact()
            if factor.numeric_text:
                hints.append(
                    f"`{text}` holds numbers stored as text; it is treated as a factor of {len(factor.levels)} levels."
                )
            return Levels(text, factor.levels, resolve_contrast(value.contrast), self.conventions), factor
        if isinstance(value, Basis):
            columns = tuple(self.numbers(c, text) for c in value.columns)
            return Numbers(text, value.labels), Basis(columns, value.labels)
        return Numbers(text, None), self.numbers(value, text)
