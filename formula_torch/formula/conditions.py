"""Truth values in formulas: comparisons, membership, and R's logic of missing values."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from formula_torch.errors import FormulaError
from formula_torch.formula.values import Logical, to_factor, to_numbers

__all__ = ["compare", "conjunction", "disjunction", "negation"]

_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}


def _truth(value: Any) -> np.ndarray:
    numbers = np.asarray(to_numbers(value), dtype=np.float64)
    return np.where(np.isnan(numbers), np.nan, (numbers != 0).astype(np.float64))


def negation(value: Any) -> Logical:
    """Not, missing where the value is."""
    return Logical(1.0 - _truth(value))


def conjunction(*values: Any) -> Logical:
    """And; missing only where the answer depends on it, as in R: FALSE & NA is FALSE."""
    return _combine(0.0, values)


def disjunction(*values: Any) -> Logical:
    """Or; missing only where the answer depends on it, as in R: TRUE | NA is TRUE."""
    return _combine(1.0, values)


def _combine(decisive: float, values: tuple[Any, ...]) -> Logical:
    truths = np.broadcast_arrays(*map(_truth, values))
    decided = np.any([t == decisive for t in truths], axis=0)
    unknown = np.any([np.isnan(t) for t in truths], axis=0)
    return Logical(np.where(decided, decisive, np.where(unknown, np.nan, 1.0 - decisive)))


def compare(op: ast.cmpop, left: Any, right: Any) -> Logical:
    """Compare numbers, or categories with text; missing where a side is."""
    if isinstance(op, (ast.In, ast.NotIn)):
        if not isinstance(right, (list, str, int, float)):
            raise FormulaError("on the right of %in% stands a list of values: g %in% c('a', 'b').")
        return _member(left, right if isinstance(right, list) else [right], isinstance(op, ast.In))
    if isinstance(right, str) or isinstance(left, str):
        if isinstance(left, str):
            left, right = right, left
        if not isinstance(op, (ast.Eq, ast.NotEq)):
            raise FormulaError("categories can be compared with == and != only.")
        return _member(left, [right], isinstance(op, ast.Eq))
    if type(op) not in _COMPARE:
        raise FormulaError(f"the comparison {type(op).__name__} is not part of the formula language.")
    a, b = np.broadcast_arrays(*(np.asarray(to_numbers(v), dtype=np.float64) for v in (left, right)))
    missing = np.isnan(a) | np.isnan(b)
    return Logical(np.where(missing, np.nan, _COMPARE[type(op)](a, b)))


def _member(value: Any, wanted: list[Any], positive: bool) -> Logical:
    found = to_factor(value)
    if found.levels and any(isinstance(w, str) for w in wanted) and not any(isinstance(v, str) for v in found.levels):
        raise FormulaError(f"numbers or truth values are compared with the text {wanted}; leave out the quotes.")
    table = np.array([float((level in wanted) == positive) for level in found.levels] + [np.nan])
    return Logical(table[found.codes])
