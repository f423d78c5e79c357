"""What residuals are compared with in pictures: normal quantiles, contours of Cook's distance, means in bins."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import special

__all__ = ["binned", "cooks_contour", "normal_envelope", "normal_positions"]


def normal_positions(weights: np.ndarray) -> np.ndarray:
    """Expected normal quantiles of sorted values, shape (n,).

    The i-th of n values stands at the (i - 1/2) / n quantile (Hazen); a value counted w times
    stands in the middle of its w places.

    Parameters
    ----------
    weights : array, shape (n,)
        Counts, in the order of the values.

    Examples
    --------
    >>> normal_positions(np.ones(3)).round(4).tolist()
    [-0.9674, 0.0, 0.9674]
    """
    return special.ndtri((np.cumsum(weights) - weights / 2) / weights.sum())


def normal_envelope(positions: np.ndarray, n: float, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Range of each order statistic of n independent standard normals, pointwise, shape (m,) each.

    The i-th of n uniforms is Beta(i, n + 1 - i).

    Parameters
    ----------
    positions : array, shape (m,)
        As ``normal_positions`` gives them.
    n : float
    level : float
        Chance that a value lies within.

    References
    ----------
    David and Nagaraja (2003), Order Statistics, 3rd ed., equation 2.1.3.
    """
    place = special.ndtr(positions) * n + 0.5
    low, high = (special.betaincinv(place, n + 1 - place, p) for p in ((1 - level) / 2, (1 + level) / 2))
    return special.ndtri(low), special.ndtri(high)


def cooks_contour(distance: float, leverage: np.ndarray, rank: int) -> np.ndarray:
    """Standardised residual at which Cook's distance has a value, shape (m,).

    D = r^2 h / (p (1 - h)) solved for r > 0; Cook (1977), Technometrics 19:15-18.

    Examples
    --------
    >>> cooks_contour(0.5, np.array([0.5]), 2).tolist()
    [1.0]
    """
    return np.sqrt(distance * rank * (1 - leverage) / leverage)


def binned(along: np.ndarray, residuals: np.ndarray, weights: np.ndarray | None, bins: int | None) -> pd.DataFrame:
    """Mean residuals of rows of near values, in bins of about as many rows.

    Parameters
    ----------
    along, residuals : array, shape (n,)
    weights : array, shape (n,), or None
    bins : int or None
        By default the root of n; values that tie are in one bin.

    Returns
    -------
    DataFrame
        n, mean, resid, limit: two standard errors of the mean residual; NaN for a bin of one row.

    Raises
    ------
    ValueError
        Fewer than one bin.
    """
    count = int(math.sqrt(len(along))) if bins is None else bins
    if count < 1:
        raise ValueError(f"bins={count} must be at least 1.")
    w = np.ones_like(along) if weights is None else weights
    cuts = np.unique(np.quantile(along, np.linspace(0, 1, count + 1)))
    place = np.clip(np.searchsorted(cuts, along, side="left") - 1, 0, max(len(cuts) - 2, 0))
    _, place = np.unique(place, return_inverse=True)
    n, total = np.bincount(place), np.bincount(place, w)
    resid = np.bincount(place, w * residuals) / total
    squares = np.bincount(place, (w * (residuals - resid[place])) ** 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = np.where(n > 1, 2 * np.sqrt(squares * n / (n - 1)) / total, np.nan)
    return pd.DataFrame({"n": n, "mean": np.bincount(place, w * along) / total, "resid": resid, "limit": limit})
