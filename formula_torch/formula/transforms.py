"""Transforms of one variable that remember: scaling, cutting, and what factors are made of."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from formula_torch.data import Factor
from formula_torch.errors import FormulaError
from formula_torch.formula.values import Coded, Logical, to_factor, to_numbers

__all__ = ["C", "center", "cut", "factor", "ifelse", "relevel", "scale", "standardize"]

State = dict[str, Any]


def center(x: np.ndarray, *, state: State) -> np.ndarray:
    """Subtract the mean of the non-missing values."""
    return scale(x, scale=False, state=state)


def standardize(x: np.ndarray, center: bool = True, rescale: bool = True, ddof: int = 0, *, state: State) -> np.ndarray:
    """Subtract the mean and divide by the standard deviation over n, as patsy's."""
    return scale(x, center=center, scale=rescale, ddof=ddof, state=state)


def scale(x: np.ndarray, center: Any = True, scale: Any = True, ddof: int = 1, *, state: State) -> np.ndarray:
    """Subtract the mean and divide by the standard deviation over n - 1, as R's.

    Numbers given for `center` or `scale` are used as they are. Without centring the
    divisor is the root of the sum of squares over n - 1, as R's.
    """
    if "center" not in state:
        seen = x[~np.isnan(x)]
        middle = float(seen.mean()) if center is True and seen.size else float(center or 0)
        state["center"] = middle
        state["scale"] = _spread(seen - middle, ddof) if scale is True else float(scale or 1)
    return (x - state["center"]) / state["scale"]


def _spread(deviation: np.ndarray, ddof: int) -> float:
    spread = float(np.sqrt(np.sum(deviation**2) / max(deviation.size - ddof, 1)))
    if spread == 0:
        raise FormulaError("the variable is constant: its standard deviation is zero, so it cannot be scaled.")
    return spread


def C(x: Any, contrast: Any = None, levels: Sequence[Any] | None = None) -> Coded:  # noqa: N802 - the formula's name
    """Treat as categories, with a contrast and an order of levels if given."""
    return Coded(_ordered(to_factor(x), levels), contrast)


def factor(x: Any, levels: Sequence[Any] | None = None, labels: Sequence[Any] | None = None) -> Coded:
    """Treat as categories; `labels` rename the levels, as R's."""
    found = _ordered(to_factor(x), levels)
    if labels is not None:
        found = found.compact() if levels is None else found
        if len(labels) != len(found.levels):
            raise FormulaError(f"factor has {len(found.levels)} levels {found.levels} but {len(labels)} labels.")
        found = Factor(found.codes, tuple(labels))
    return Coded(found)


def _ordered(found: Factor, levels: Sequence[Any] | None) -> Factor:
    if levels is None:
        return found
    unknown = [level for level in levels if level not in found.levels]
    if len(unknown) == len(levels):
        raise FormulaError(f"none of the levels {list(levels)} is in the data; it has {list(found.levels)}.")
    return found.recode(tuple(levels))


def relevel(x: Any, ref: Any) -> Coded:
    """Move the level `ref` to the front: the reference of treatment coding."""
    found = to_factor(x)
    if ref not in found.levels:
        raise FormulaError(f"relevel: {ref!r} is not a level; the levels are {list(found.levels)}.")
    return Coded(found.recode((ref, *(level for level in found.levels if level != ref))))


def cut(
    x: np.ndarray,
    breaks: Any,
    labels: Sequence[Any] | None = None,
    include_lowest: bool = False,
    right: bool = True,
    dig_lab: int = 3,
    *,
    state: State,
) -> Factor:
    """Cut into intervals, closed on the right, labelled as R's: ``(0,10]``.

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
    names = tuple(labels) if labels is not None else _interval_labels(edges, right, include_lowest, dig_lab)
    if len(names) != bins:
        raise FormulaError(f"cut makes {bins} intervals but has {len(names)} labels.")
    return Factor(codes.astype(np.int32), names)


def _equal_breaks(x: np.ndarray, bins: float) -> list[float]:
    low, high = float(np.nanmin(x)), float(np.nanmax(x))
    if bins < 2 or low == high:
        raise FormulaError("cut needs at least 2 intervals and values that differ.")
    edges = np.linspace(low, high, int(bins) + 1)
    edges[[0, -1]] += np.array([-1, 1]) * (high - low) / 1000
    return [float(edge) for edge in edges]


def _interval_labels(edges: np.ndarray, right: bool, include_lowest: bool, digits: int) -> tuple[str, ...]:
    """R's labels: the fewest significant digits, from `digits` up, that tell the breaks apart."""
    shown: list[str] = []
    for significant in range(digits, max(12, digits) + 1):
        shown = [f"{edge:.{significant}g}" for edge in edges]
        if len(set(shown)) == len(shown):
            break
    left, end = ("(", "]") if right else ("[", ")")
    names = [f"{left}{a},{b}{end}" for a, b in itertools.pairwise(shown)]
    if include_lowest:
        first, last = names[0], names[-1]
        names[0] = "[" + first[1:] if right else first
        names[-1] = last if right else last[:-1] + "]"
    return tuple(names)


def ifelse(condition: Any, yes: Any, no: Any) -> np.ndarray:
    """Choose elementwise; missing where the condition is."""
    if not isinstance(condition, Logical):
        condition = Logical(np.asarray(to_numbers(condition), dtype=np.float64))
    chosen = np.where(condition.values != 0, np.asarray(_branch(yes)), np.asarray(_branch(no)))
    text = chosen.dtype.kind in "UO"
    chosen = chosen.astype(object if text else np.float64)
    chosen[np.isnan(condition.values)] = None if text else np.nan
    return chosen


def _branch(value: Any) -> Any:
    if isinstance(value, str):
        return value
    try:
        return to_numbers(value)
    except FormulaError:
        found = to_factor(value)
        return np.array([*found.levels, None], dtype=object)[found.codes]
