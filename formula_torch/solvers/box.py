"""Bounds on coefficients: how they are written, and least squares of a small matrix within them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.linalg import solve_triangular

from formula_torch.data import suggest
from formula_torch.errors import DataError, UnknownNameError
from formula_torch.numerics.arrays import as_tensor
from formula_torch.numerics.threads import threads_for

__all__ = ["Box", "Corner", "box_least_squares"]

# A column of unit length no farther than this from the span of the free ones adds nothing to them.
DEPENDENT = 1e-12
# Rounding of a product with a column of unit length, in units of what is summed.
ROUNDING = 1e-14


@dataclass(frozen=True, eq=False)
class Box:
    """Lower and upper bounds of k coefficients.

    Parameters
    ----------
    low, high : array, shape (k,)
        Infinite where there is none.
    """

    low: np.ndarray
    high: np.ndarray

    @staticmethod
    def of(bounds: Mapping[str, Any], names: Sequence[str]) -> Box:
        """Read bounds by name.

        Parameters
        ----------
        bounds : dict of str to (low, high)
            None, or an infinite number, is no bound; equal bounds fix a coefficient.
        names : sequence of str
            Coefficients, in order.

        Raises
        ------
        UnknownNameError
            A name is not a coefficient.
        DataError
            Not a mapping to pairs of numbers, or no number lies between a pair.

        Examples
        --------
        >>> box = Box.of({"x": (0, None)}, ["Intercept", "x"])
        >>> box.low.tolist(), box.high.tolist()
        ([-inf, 0.0], [inf, inf])
        """
        if not isinstance(bounds, Mapping):
            raise DataError("bounds= maps names of coefficients to pairs, such as bounds={'x': (0, None)}.")
        low, high = np.full(len(names), -math.inf), np.full(len(names), math.inf)
        for name, pair in bounds.items():
            if name not in names:
                raise UnknownNameError(
                    f"bounds=: `{name}` is not a coefficient{suggest(str(name), names)}{_all(names)}"
                )
            j = list(names).index(name)
            low[j], high[j] = _pair(name, pair)
        return Box(low, high)

    @property
    def fixed(self) -> dict[int, float]:
        """Coefficients whose bounds are equal, with their value."""
        return {int(j): float(self.low[j]) for j in np.flatnonzero(self.low == self.high)}

    def nearest(self, values: np.ndarray) -> np.ndarray:
        """Return the values within the bounds that are nearest to some, shape (k,); NaN counts as 0."""
        return np.clip(np.nan_to_num(values), self.low, self.high)

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Which values lie outside, bool of shape (k,); NaN counts as 0."""
        known = np.nan_to_num(values)
        return (known < self.low) | (known > self.high)

    def of_columns(self, columns: Sequence[int]) -> Box:
        """Return the bounds of some coefficients."""
        return Box(self.low[list(columns)], self.high[list(columns)])

    def scaled(self, scales: np.ndarray, free: int | None) -> Box:
        """Return the bounds of coefficients divided by positive `scales`; coefficient `free` has none."""
        low, high = self.low / scales, self.high / scales
        if free is not None:
            low[free], high[free] = -math.inf, math.inf
        return Box(low, high)


def _all(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > 12 else ""
    return f" The coefficients are {', '.join(f'`{n}`' for n in names[:12])}{more}."


def _pair(name: str, pair: Any) -> tuple[float, float]:
    """Read (low, high), None for no bound."""
    wanted = f"bounds= of `{name}` must be a pair (low, high) of numbers or None, such as (0, None), not {pair!r}."
    if isinstance(pair, (str, bytes)) or not isinstance(pair, Iterable):
        raise DataError(wanted)
    ends = list(pair)
    if len(ends) != 2:
        raise DataError(wanted)
    try:
        low = -math.inf if ends[0] is None else float(ends[0])
        high = math.inf if ends[1] is None else float(ends[1])
    except (TypeError, ValueError):
        raise DataError(wanted) from None
    if math.isnan(low) or math.isnan(high):
        raise DataError(f"{wanted} NaN is not a bound.")
    if low > high or low == math.inf or high == -math.inf:
        raise DataError(f"bounds= of `{name}`: no number lies between {low:g} and {high:g}.")
    return low, high


@dataclass(frozen=True, eq=False)
class Corner:
    """Where a quadratic function is least within a box.

    Parameters
    ----------
    values : array, shape (k,)
    free : array of bool, shape (k,)
        Which values no bound holds; those of dependent columns need not be free.
    undetermined : list of int
        Values at a bound that could leave it at no loss, as their columns depend on free ones.
    """

    values: np.ndarray
    free: np.ndarray
    undetermined: list[int]


def box_least_squares(matrix: np.ndarray, target: np.ndarray, box: Box, free: np.ndarray) -> Corner:
    """Minimise ||target - matrix b|| within bounds, exactly.

    An active-set method (Stark and Parker 1995, Computational Statistics 10:129-141; Lawson and Hanson 1974, ch. 23),
    warm: first values that lie outside when all are free are held, then one after another is freed that gains
    most, and those that meet a bound on the way are held. Each round ends lower than the one before, at the
    least point of one of finitely many faces.

    Parameters
    ----------
    matrix : array, shape (m, k)
        A root of the quadratic form; its columns may be dependent.
    target : array, shape (m,)
    box : Box
    free : array of bool, shape (k,)
        Independent columns to begin with.

    Examples
    --------
    >>> box = Box(np.zeros(2), np.full(2, np.inf))
    >>> matrix = np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> box_least_squares(matrix, np.array([1.0, -1.0]), box, np.ones(2, dtype=bool)).values.tolist()
    [1.0, 0.0]
    """
    lengths = np.linalg.norm(matrix, axis=0)
    lengths[lengths == 0] = 1.0
    problem = _Problem(matrix / lengths, target, Box(box.low * lengths, box.high * lengths))
    with threads_for(float(matrix.size) * len(lengths)):
        here = problem.warm(free.copy())
        # Each free column was gained once or twice; a fault of rounding is left to the caller, who looks at the rows.
        for _ in range(20 * len(lengths) + 100):
            further = problem.freed(here)
            if further is None:
                break
            here = further
    b = here.values
    # Back by the very numbers of the bounds.
    values = np.where(b == problem.box.low, box.low, np.where(b == problem.box.high, box.high, b / lengths))
    at_bound = ~here.free & ((values == box.low) | (values == box.high))
    return Corner(values, here.free, np.flatnonzero(at_bound & (problem.distances(here) <= DEPENDENT)).tolist())


@dataclass(frozen=True, eq=False)
class _Point:
    """Values whose free ones are best given the others.

    Parameters
    ----------
    values : array, shape (k,)
    free : array of bool, shape (k,)
    span : array, shape (m, free)
        Orthonormal columns that span the free ones.
    """

    values: np.ndarray
    free: np.ndarray
    span: np.ndarray


@dataclass(frozen=True, eq=False)
class _Problem:
    """The matrix with columns of unit length."""

    matrix: np.ndarray
    target: np.ndarray
    box: Box

    def least(self, b: np.ndarray, free: np.ndarray) -> _Point:
        """Put the free values of b at their best, bounds or none."""
        # torch keeps to one thread where numpy would wake all.
        q, r = (x.numpy() for x in torch.linalg.qr(as_tensor(self.matrix[:, free])))
        values = b.copy()
        values[free] = solve_triangular(r, q.T @ (self.target - self.matrix[:, ~free] @ b[~free]), check_finite=False)
        return _Point(values, free, q)

    def warm(self, free: np.ndarray) -> _Point:
        """Hold what lies outside until nothing does."""
        b = self.box.nearest(np.zeros(len(free)))
        while True:
            found = self.least(b, free)
            out = free & self.box.outside(found.values)
            if not out.any():
                return found
            b[out], free = self.box.nearest(found.values)[out], free & ~out

    def freed(self, here: _Point) -> _Point | None:
        """Free the held value that gains most, or return None where none gains."""
        b, rest = here.values, self.target - self.matrix @ here.values
        gain = self.matrix.T @ rest
        noise = ROUNDING * (np.linalg.norm(self.target) + np.abs(b).sum())
        room = np.where(gain > 0, b < self.box.high, b > self.box.low)
        gains = np.where(~here.free & room & (self.distances(here) > DEPENDENT), np.abs(gain), 0.0)
        j = int(np.argmax(gains)) if len(gains) else 0
        if not len(gains) or gains[j] <= noise:
            return None
        free = here.free.copy()
        free[j] = True
        found = self.walked(b, free)
        # A gain that is rounding ends where it began.
        return None if (found.free == here.free).all() and found.values[j] == b[j] else found

    def walked(self, b: np.ndarray, free: np.ndarray) -> _Point:
        """Go to the least point of the free values, and hold those that meet a bound on the way."""
        while True:
            goal = self.least(b, free)
            out = free & self.box.outside(goal.values)
            if not out.any():
                return goal
            bound = self.box.nearest(goal.values)
            shares = np.full(len(b), math.inf)
            shares[out] = (bound[out] - b[out]) / (goal.values[out] - b[out])
            hit = shares == shares.min()
            b = b + shares.min() * np.where(free, goal.values - b, 0.0)
            b[hit], free = bound[hit], free & ~hit

    def distances(self, here: _Point) -> np.ndarray:
        """Distances of the columns from the span of the free ones, shape (k,)."""
        rest = self.matrix
        for _ in range(2):
            rest = rest - here.span @ (here.span.T @ rest)
        return np.linalg.norm(rest, axis=0)
