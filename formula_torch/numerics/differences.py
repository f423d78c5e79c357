"""Derivatives of elementwise functions by differences of fourth order, each row with a step that suits it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["Elementwise", "differentiate"]

# From points, shape (m,), and the rows they belong to, shape (m,), to values, shape (columns, m).
Elementwise = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Weights of f(x + j h), times 12 h: nodes -4..0, -2..2 and 0..4 (Fornberg 1988, Math. Comp. 51:699-706).
_WEIGHTS = np.array([[3, -16, 36, -48, 25], [1, -8, 0, 8, -1], [-25, 48, -36, 16, -3]]) / 12.0
_FIRST_NODE = np.array([-4, -2, 0])
_BACKWARD, _CENTRAL, _FORWARD = range(3)

# Truncation h^4 and rounding eps / h balance near eps^(1/5); a power of two keeps x + h exact.
_FIRST_STEP = 2.0**-10
_SHRINK = 8.0
_MOST_STEPS = 13
# Two steps that agree to this, or to the rounding of the values over the step, have found the derivative.
_AGREEMENT = 1e-10
_ROUNDING = 64 * np.finfo(np.float64).eps
# Below this many units in the last place of x a step says nothing.
_LEAST_ULPS = 64


def differentiate(function: Elementwise, x: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Differentiate an elementwise function at `x`, never evaluating it outside ``[low, high]``.

    Five-point differences with steps that shrink eightfold, row by row, until two agree:
    so ``log`` next to zero and a spline next to a knot get the small steps they need.
    Near the ends of the range the points lie on one side.

    Parameters
    ----------
    function : callable
        From points, shape (m,), and their rows, shape (m,), to values, shape (columns, m).
    x : array, shape (n,)
    low, high : float
        Where the function is known to be defined; equal where nothing is known.

    Returns
    -------
    slope : array, shape (columns, n)
    found : bool array, shape (n,)
        False where no two steps agree: the function jumps there, or its slope is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> slope, found = differentiate(lambda points, rows: np.log(points)[None], np.array([1e-3, 1.0]), 1e-3, 1.0)
    >>> np.round(slope, 6).tolist(), found.tolist()
    ([[1000.0, 1.0]], [True, True])
    """
    if not low < high:
        low, high = -np.inf, np.inf
    step = _first_step(x, low, high)
    here = function(x, np.arange(len(x)))
    slope, size = _five_points(function, x, np.arange(len(x)), here, step, low, high)
    done = np.zeros(slope.shape, dtype=bool)
    rows = np.arange(len(x))
    for _ in range(_MOST_STEPS):
        if not rows.size:
            break
        step[rows] /= _SHRINK
        now, _ = _five_points(function, x[rows], rows, here[:, rows], step[rows], low, high)
        before, known = slope[:, rows], done[:, rows]
        with np.errstate(invalid="ignore"):
            gap = np.abs(now - before)
            near = gap <= _AGREEMENT * np.abs(now)
            noise = gap <= _ROUNDING * size[:, rows] / step[rows]
        # Where the two agree only within rounding, the larger step has the smaller rounding.
        slope[:, rows] = np.where(known | (noise & ~near), before, now)
        done[:, rows] = known | near | noise
        unsettled = ~done[:, rows].all(axis=0)
        rows = rows[unsettled & (step[rows] > _LEAST_ULPS * _SHRINK * np.spacing(np.abs(x[rows])))]
    return slope, np.asarray(done.all(axis=0))


def _first_step(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Powers of two near eps^(1/5) of the range, shape (n,); of the values where there is no range."""
    scale = np.full(len(x), high - low) if np.isfinite(high - low) else np.where(x == 0, 1.0, np.abs(x))
    return _FIRST_STEP * 2.0 ** np.floor(np.log2(scale))


def _five_points(
    function: Elementwise,
    x: np.ndarray,
    rows: np.ndarray,
    here: np.ndarray,
    step: np.ndarray,
    low: float,
    high: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate of the slope, and size of the values it was made of, both of shape (columns, m)."""
    side = np.where(x - 2 * step < low, _FORWARD, np.where(x + 2 * step > high, _BACKWARD, _CENTRAL))
    total, size = np.zeros_like(here), np.abs(here)
    for j in range(5):
        value = function(x + (_FIRST_NODE[side] + j) * step, rows)
        # Relative to f(x): the weights sum to zero only before rounding.
        total += _WEIGHTS[side, j] * (value - here)
        size = np.maximum(size, np.abs(value))
    return total / step, size
