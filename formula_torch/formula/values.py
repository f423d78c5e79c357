"""What an expression can be while it is evaluated: numbers, truth values, bases, coded factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from formula_torch.data import Column, Factor, factor_of
from formula_torch.errors import FormulaError

__all__ = ["Basis", "Coded", "Logical", "to_factor", "to_numbers"]


@dataclass(frozen=True, eq=False)
class Logical:
    """Truth values with missing ones: float64 array of 0, 1 and NaN, shape (n,)."""

    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Basis:
    """Several numeric columns of one term.

    Parameters
    ----------
    columns : tuple of float64 arrays, shape (n,) each
    labels : tuple of str
        What stands in brackets after the term's text.
    """

    columns: tuple[np.ndarray, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Coded:
    """A factor with the contrast that will code it (None: treatment)."""

    factor: Factor
    contrast: Any = None


def to_numbers(value: Any) -> Any:
    """Read a value as float64 numbers (or a plain scalar).

    Raises
    ------
    FormulaError
        It holds categories or several columns.
    """
    if isinstance(value, Column):
        if value.kind == "category":
            hint = f"C({value.name})" if not value.factor.numeric_text else "pandas.to_numeric"
            raise FormulaError(f"`{value.name}` holds categories, and a number is needed here; see {hint}.")
        return value.numbers
    if isinstance(value, Logical):
        return value.values
    if isinstance(value, (Coded, Factor)):
        raise FormulaError("a factor stands where a number is needed.")
    if isinstance(value, Basis):
        if len(value.columns) == 1:
            return value.columns[0]
        raise FormulaError("a term of several columns, such as poly(x, 2), stands where one number is needed.")
    if isinstance(value, (bool, int, float, np.ndarray)):
        return value
    raise FormulaError(f"{value!r} stands where a number is needed.")


def to_factor(value: Any) -> Factor:
    """Read a value as categories.

    Raises
    ------
    FormulaError
        It is no column-like value.
    """
    if isinstance(value, Column):
        return value.factor
    if isinstance(value, Coded):
        return value.factor
    if isinstance(value, Factor):
        return value
    if isinstance(value, Logical):
        missing = np.isnan(value.values)
        return Factor(np.where(missing, -1, value.values).astype(np.int32), (False, True))
    if isinstance(value, np.ndarray):
        return factor_of(value)
    raise FormulaError(f"{value!r} cannot be read as categories.")
