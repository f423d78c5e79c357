"""Transforms of one variable that remember: scaling, cutting, and what factors are made of."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from formula_torch.data import Column, Factor
from formula_torch.errors import FormulaError
from formula_torch.formula.values import Basis, Coded, Logical, to_factor, to_numbers

__all__ = [
    "C",
    "as_character",
    "cbind",
    "center",
    "cut",
    "factor",
    "ifelse",
    "interaction",
    "is_na",
    "relevel",
    "scale",
    "standardize",
]

State = dict[str, Any]
Numeric = np.ndarray | Basis


def center(x: Numeric, *, state: State) -> Numeric:
    """Subtract the mean of the non-missing values."""
    return scale(x, scale=False, state=state)


def standardize(x: Numeric, center: bool = True, rescale: bool = True, ddof: int = 0, *, state: State) -> Numeric:
    """Subtract the mean and divide by the standard deviation over n (about the mean in any case), as patsy's."""
    if not center and rescale and "center" not in state and isinstance(x, np.ndarray):
        seen = x[~np.isnan(x)]
        state.update(center=0.0, scale=_spread(seen - seen.mean(), ddof))
    return scale(x, center=center, scale=rescale, ddof=ddof, state=state)


def scale(x: Numeric, center: Any = True, scale: Any = True, ddof: int = 1, *, state: State) -> Numeric:
    """Subtract the mean and divide by the standard deviation over n - 1, as R's.

    Numbers given for `center` or `scale` are used as they are. Without centring the
    divisor is the root of the sum of squares over n - 1, as R's. The columns of a basis
    are scaled one by one.
    """
    if isinstance(x, Basis):
        labelled = zip(x.labels, x.columns, strict=True)
        parts = [_scaled(column, center, scale, ddof, state.setdefault(label, {})) for label, column in labelled]
        return Basis(tuple(parts), x.labels)
    return _scaled(x, center, scale, ddof, state)


def _scaled(x: np.ndarray, center: Any, scale: Any, ddof: int, state: State) -> np.ndarray:
    if "center" not in state:
        seen = x[~np.isnan(x)]
        middle = float(seen.mean()) if center is True and seen.size else float(center or 0)
        if scale is not True and scale is not False and not scale:
            raise FormulaError("a variable cannot be divided by scale=0; scale=False leaves it undivided.")
        state["center"] = middle
        state["scale"] = _spread(seen - middle, ddof) if scale is True else float(scale or 1)
    return (x - state["center"]) / state["scale"]


def _spread(deviation: np.ndarray, ddof: int) -> float:
    if not deviation.size:
        return 1.0
    spread = float(np.sqrt(np.sum(deviation**2) / max(deviation.size - ddof, 1)))
    if spread == 0:
        raise FormulaError("the variable is constant: its standard deviation is zero, so it cannot be scaled.")
    return spread


def C(x: Any, contrast: Any = None, levels: Sequence[Any] | None = None) -> Coded:  # noqa: N802 - the formula's name
    """Treat as categories, with a contrast and an order of levels if given."""
    return Coded(_ordered(to_factor(x), levels), contrast)


def factor(x: Any, levels: Sequence[Any] | None = None, labels: Sequence[Any] | None = None, *, state: State) -> Coded:
    """Treat as categories; `labels` rename the levels, as R's. New data may lack some of them."""
    if "levels" in state:
        found, known = _extended(to_factor(x), state["levels"]), len(state["levels"])
        return Coded(found if labels is None else Factor(found.codes, (*labels, *found.levels[known:])))
    found = _ordered(to_factor(x), levels)
    found = found if labels is None or levels is not None else found.compact()
    if labels is not None and len(labels) != len(found.levels):
        raise FormulaError(f"factor has {len(found.levels)} levels {found.levels} but {len(labels)} labels.")
    state["levels"] = found.levels
    return Coded(found if labels is None else Factor(found.codes, tuple(labels)))


def _extended(found: Factor, known: tuple[Any, ...]) -> Factor:
    """Express a factor in the levels that were learned, followed by any that are new."""
    return found.recode((*known, *(level for level in found.levels if level not in known)))


def _ordered(found: Factor, levels: Sequence[Any] | None) -> Factor:
    if levels is None:
        return found
    unknown = [level for level in levels if level not in found.levels]
    if len(unknown) == len(levels):
        raise FormulaError(f"none of the levels {list(levels)} is in the data; it has {list(found.levels)}.")
    return found.recode(tuple(levels))


def relevel(x: Any, ref: Any, *, state: State) -> Coded:
    """Move the level `ref` to the front: the reference of treatment coding. New data may lack it."""
    found = to_factor(x)
    if "levels" in state:
        return Coded(_extended(found, state["levels"]))
    first = _reference(ref, found.compact().levels)
    state["levels"] = (first, *(level for level in found.levels if level != first))
    return Coded(found.recode(state["levels"]))


def _reference(ref: Any, levels: tuple[Any, ...]) -> Any:
    """The level that `ref` names; a whole number is a position, as in R, unless it could be a level too."""
    named = [level for level in levels if level == ref or str(level) == ref]
    placed = levels[ref - 1] if isinstance(ref, int) and 1 <= ref <= len(levels) else None
    if named and isinstance(ref, int) and placed != named[0]:
        raise FormulaError(
            f"relevel: ref={ref} may be the level {ref} or the level in place {ref}; write ref='{ref}' for the level."
        )
    if not named and placed is None:
        raise FormulaError(f"relevel: {ref!r} is not a level; the levels are {list(levels)}.")
    return named[0] if named else placed


def cut(
    x: np.ndarray,
    breaks: Any,
    labels: Sequence[Any] | bool | None = None,
    include_lowest: bool = False,
    right: bool = True,
    dig_lab: int = 3,
    *,
    state: State,
) -> Factor | np.ndarray:
    """Cut into intervals, closed on the right, labelled as R's: ``(0,10]``; ``labels=FALSE`` numbers them.

    A whole number of `breaks` asks for so many intervals of equal width over the
    range learned from the data.
    """
    if "breaks" not in state:
        state["breaks"] = _equal_breaks(x, breaks) if isinstance(breaks, (int, float)) else sorted(map(float, breaks))
    edges = np.array(state["breaks"])
    bins = len(edges) - 1
    codes = np.asarray(np.searchsorted(edges, x, side="left" if right else "right")) - 1
    if include_lowest:
        codes[x == (edges[0] if right else edges[-1])] = 0 if right else bins - 1
    codes[(codes < 0) | (codes >= bins) | np.isnan(x)] = -1
    if labels is False:
        return np.where(codes < 0, np.nan, codes + 1.0)
    names = tuple(labels) if isinstance(labels, Sequence) else _interval_labels(edges, right, include_lowest, dig_lab)
    if len(names) != bins:
        raise FormulaError(f"cut makes {bins} intervals but has {len(names)} labels.")
    return Factor(codes.astype(np.int32), names)


def _equal_breaks(x: np.ndarray, bins: float) -> list[float]:
    low, high = float(np.nanmin(x)), float(np.nanmax(x))
    if not 2 <= bins <= max(len(x), 2) or low == high:
        raise FormulaError("cut needs at least 2 intervals, at most as many as rows, and values that differ.")
    edges = np.linspace(low, high, int(bins) + 1)
    edges[[0, -1]] += np.array([-1, 1]) * (high - low) / 1000
    return [float(edge) for edge in edges]


def _interval_labels(edges: np.ndarray, right: bool, include_lowest: bool, digits: int) -> tuple[str, ...]:
    """R's labels: the fewest significant digits, from `digits` up, that tell the breaks apart."""
    shown: list[str] = []
    for significant in range(digits, max(12, digits) + 1):
        shown = [f"{edge:.{significant}g}".replace("inf", "Inf") for edge in edges]
        if len(set(shown)) == len(shown):
            break
    left, end = ("(", "]") if right else ("[", ")")
    names = [f"{left}{a},{b}{end}" for a, b in itertools.pairwise(shown)]
    if include_lowest:
        first, last = names[0], names[-1]
        names[0] = "[" + first[1:] if right else first
        names[-1] = last if right else last[:-1] + "]"
    return tuple(names)


def as_character(x: Any) -> Factor:
    """Read values as text: a factor whose levels are sorted as text."""
    found = to_factor(x)
    texts = tuple(str(level) for level in found.levels)
    return Factor(found.codes, texts).recode(tuple(sorted(set(texts))))


def interaction(*factors: Any) -> Factor:
    """Combine factors into one with a level for each combination, ``a.b``; the first varies fastest."""
    codes, levels = np.zeros(1, dtype=np.int64), [""]
    for found in map(to_factor, factors):
        missing = (codes < 0) | (found.codes < 0)
        codes = np.where(missing, -1, codes + found.codes.astype(np.int64) * len(levels))
        levels = [f"{before}.{level}" if before else str(level) for level in found.levels for before in levels]
    return Factor(codes.astype(np.int32), tuple(levels))


def cbind(*columns: Any) -> Basis:
    """Put columns side by side, as successes and failures of a binomial response."""
    read = tuple(np.asarray(to_numbers(column), dtype=np.float64) for column in columns)
    return Basis(read, tuple(str(i + 1) for i in range(len(read))))


def ifelse(condition: Any, yes: Any, no: Any) -> np.ndarray:
    """Choose elementwise; missing where the condition is."""
    if not isinstance(condition, Logical):
        condition = Logical(np.asarray(to_numbers(condition), dtype=np.float64))
    chosen = np.where(condition.values != 0, np.asarray(_branch(yes)), np.asarray(_branch(no)))
    text = chosen.dtype.kind in "UO"
    chosen = chosen.astype(object if text else np.float64)
    chosen[np.isnan(condition.values)] = None if text else np.nan
    return chosen


def is_na(x: Any) -> Logical:
    """True where a value is missing (and false elsewhere, so that the row stays)."""
    missing = np.isnan(to_numbers(x)) if not isinstance(x, Column) or x.kind != "category" else x.factor.codes < 0
    return Logical(missing.astype(np.float64))


def _branch(value: Any) -> Any:
    if isinstance(value, str):
        return value
    try:
        return to_numbers(value)
    except FormulaError:
        found = to_factor(value)
        return np.array([*found.levels, None], dtype=object)[found.codes]
