"""How the arguments of a call in a formula arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from formula_torch.data import Column, Factor
from formula_torch.formula.functions import CATEGORICAL, COLUMNWISE
from formula_torch.formula.values import Basis, Coded, Logical, to_factor, to_numbers

__all__ = ["as_float", "as_plain", "reader"]


def as_float(value: Any) -> Any:
    """Integers as float64, so that powers neither wrap around nor refuse a negative exponent."""
    return float(value) if isinstance(value, (bool, int)) else value


def reader(name: str) -> Callable[[Any], Any]:
    """Return how a stateful function takes its arguments."""
    if name in CATEGORICAL:
        return lambda value: value
    return _columnwise if name in COLUMNWISE else _argument


def _argument(value: Any) -> Any:
    """What has a value for each row as numbers; numbers, names and lists as they are."""
    return to_numbers(value) if isinstance(value, (Column, Logical, Coded, Factor, Basis)) else value


def _columnwise(value: Any) -> Any:
    """The same, but a basis of several columns stays one."""
    return value if isinstance(value, Basis) else _argument(value)


def as_plain(value: Any) -> Any:
    """What a user's function receives: numbers, or levels as objects."""
    if isinstance(value, (Column, Coded, Factor)):
        if isinstance(value, Column) and value.kind in ("number", "bool"):
            return value.numbers
        found = to_factor(value)
        return np.array([*found.levels, None], dtype=object)[found.codes]
    return value.values if isinstance(value, Logical) else value
