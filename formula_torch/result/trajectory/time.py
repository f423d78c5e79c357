"""Which variable of a formula is time."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import numpy as np

from formula_torch.data import suggest
from formula_torch.errors import DataError, FormulaError, UnknownNameError
from formula_torch.formula.derivative import readers
from formula_torch.formula.encode import Encoding, Levels, Monomial
from formula_torch.formula.recipe import Recipe

__all__ = ["asked_time", "inferred_time"]


def asked_time(recipe: Recipe, times: Any, given: Container[str] = ()) -> tuple[str, np.ndarray | None]:
    """Read ``times=``: the variable that moves, and its values where they were given.

    Parameters
    ----------
    recipe : Recipe
    times : sequence of numbers, str, dict or None
        Values of the variable inferred; a variable; a variable with its values.
    given : container of str
        Variables that are held, so that none of them moves.

    Raises
    ------
    UnknownNameError
        The formula does not read such a column.
    FormulaError
        Several numeric columns, or none.
    DataError
        Values that are no numbers.
    """
    if isinstance(times, Mapping):
        if len(times) != 1:
            raise ValueError(f"times= takes one variable, and got {len(times)}.")
        ((name, values),) = times.items()
    elif isinstance(times, str):
        name, values = times, None
    else:
        name, values = inferred_time(recipe, given), times
    known = readers(recipe)
    if name not in known:
        raise UnknownNameError(
            f"times=: `{name}` is not read by the formula {recipe.formula.text!r}{suggest(name, known)}"
        )
    return name, None if values is None else _numbers(name, values)


def _numbers(name: str, values: Any) -> np.ndarray:
    found = np.atleast_1d(np.asarray(values))
    if found.dtype.kind not in "iuf" or found.ndim != 1 or not found.size or not np.isfinite(found).all():
        raise DataError(f"times of `{name}` must be a list of finite numbers, not {values!r}.")
    return found


def inferred_time(recipe: Recipe, given: Container[str] = ()) -> str:
    """Find the one numeric variable, or among several the one that the formula has a polynomial or spline in.

    Raises
    ------
    FormulaError
        There are several, or none.

    Examples
    --------
    >>> from formula_torch.formula.learn import learn
    >>> data = {"y": [1.0, 2.0, 4.0, 3.0], "x": [1.0, 2.0, 3.0, 3.0], "t": [0.0, 1.0, 2.0, 3.0]}
    >>> inferred_time(learn("y ~ x + poly(t, 2)", data).recipe)
    't'
    """
    free = {name: keys for name, keys in readers(recipe).items() if name not in given}
    encodings = {name: [recipe.encodings[key] for key in keys] for name, keys in free.items()}
    numeric = [name for name, own in encodings.items() if any(map(_is_numeric, own))]
    bent = [name for name in numeric if any(_bends(encoding, name) for encoding in encodings[name])]
    for found in (numeric, bent):
        if len(found) == 1:
            return found[0]
    if not numeric:
        raise FormulaError(
            f"the formula {recipe.formula.text!r} has no numeric column over which a curve could be read; "
            "times={'name': [...]} names another."
        )
    names = bent or numeric
    raise FormulaError(
        f"the formula {recipe.formula.text!r} has several numeric columns ({', '.join(f'`{n}`' for n in names)}); "
        f"say which is time: times={names[0]!r}, or times={{{names[0]!r}: [...]}}."
    )


def _is_numeric(encoding: Encoding) -> bool:
    """Numbers, or a factor whose levels are numbers."""
    if not isinstance(encoding, Levels):
        return True
    return all(isinstance(level, (int, float)) and not isinstance(level, bool) for level in encoding.levels)


def _bends(encoding: Encoding, name: str) -> bool:
    """Whether a term is a power of a variable, or has several columns: a polynomial or spline."""
    if isinstance(encoding, Monomial) and any(product.count(name) > 1 for product in encoding.products):
        return True
    return not isinstance(encoding, Levels) and encoding.labels is not None
