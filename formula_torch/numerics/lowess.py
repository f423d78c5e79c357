"""Locally weighted straight lines: the smooth through a cloud of points."""

from __future__ import annotations

import numpy as np

__all__ = ["lowess", "lowess_curve"]

# Curves are computed at this many points at most, from this many (averaged) rows at most.
CURVE_POINTS = 200
CURVE_ROWS = 1_000


def lowess(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, at: np.ndarray, share: float = 2 / 3, rounds: int = 3
) -> np.ndarray:
    """Smooth y over x by local lines with tricube weights, made robust by bisquare weights of the residuals.

    Cleveland (1979), J. American Statistical Association 74:829-836. Between the points `at`
    the curve is taken as straight.

    Parameters
    ----------
    x, y, weights : array, shape (n,)
    at : array, shape (m,)
        Where to compute the curve, in increasing order, from the least x to the largest.
    share : float
        Of the rows that a local line sees.
    rounds : int
        Of reweighting; 0 does not resist outliers.

    Returns
    -------
    array, shape (m,)

    Examples
    --------
    >>> x = np.arange(20.0)
    >>> lowess(x, 1 + 2 * x, np.ones(20), np.array([0.0, 9.5, 19.0])).round(6).tolist()
    [1.0, 20.0, 39.0]
    """
    near = _nearness(x, at, share)
    robust = np.ones_like(y)
    for _ in range(rounds):
        residuals = y - np.interp(x, at, _local_lines(x, y, near * (weights * robust), at))
        reach = 6 * np.median(np.abs(residuals))
        if reach <= 1e-12 * np.abs(y).max():
            break
        robust = np.clip(1 - (residuals / reach) ** 2, 0, None) ** 2
    return _local_lines(x, y, near * (weights * robust), at)


def _nearness(x: np.ndarray, at: np.ndarray, share: float) -> np.ndarray:
    """Tricube weights of rows at each point, shape (m, n)."""
    distance = np.abs(at[:, None] - x)
    nth = min(max(int(share * len(x) + 1e-10), 2), len(x)) - 1
    width = np.partition(distance, nth, axis=1)[:, nth, None]
    # Where so many rows are tied that the width is zero, these alone are seen.
    relative = np.divide(distance, width, out=(distance > 0).astype(np.float64), where=width > 0)
    return np.clip(1 - relative**3, 0, None) ** 3


def _local_lines(x: np.ndarray, y: np.ndarray, weights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weighted straight lines, each taken at its point, shape (m,); a mean where x hardly varies."""
    total = weights.sum(axis=1)
    total = np.where(total > 0, total, np.nan)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    moved = x - mean_x[:, None]
    spread = (weights * moved**2).sum(axis=1) / total
    slope = (weights * moved) @ y / total
    varies = np.sqrt(spread) > 1e-3 * np.ptp(x)
    return mean_y + np.divide(slope, spread, out=np.zeros_like(slope), where=varies) * (at - mean_x)


def lowess_curve(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None, rounds: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Smooth any number of rows, at no more points than a picture shows.

    Many rows are first averaged over 1,000 neighbours in x; that leaves the curve and takes the noise.

    Returns
    -------
    at, smooth : array, shape (m,)
        Empty where x has fewer than four values: there is no curve through three.
    """
    given = np.ones_like(x) if weights is None else weights
    if len(x) > CURVE_ROWS:
        x, y, given = _averaged(x, y, given)
    values = np.unique(x)
    if len(values) < 4:
        return np.zeros(0), np.zeros(0)
    chosen = np.linspace(0, len(values) - 1, min(len(values), CURVE_POINTS)).round().astype(np.intp)
    at = values[chosen]
    return at, lowess(x, y, given, at, rounds=rounds)


def _averaged(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted means of consecutive rows in the order of x, with the weight behind each."""
    order = np.argsort(x, kind="stable")
    starts = np.linspace(0, len(x), CURVE_ROWS, endpoint=False).astype(np.intp)
    total = np.add.reduceat(weights[order], starts)
    means = [np.add.reduceat((weights * v)[order], starts) / total for v in (x, y)]
    return means[0], means[1], total
