"""Statistics of the residuals that a regression table shows beneath itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from formula_torch.numerics.tails import chi2_sf

__all__ = ["ResidualStatistics", "residual_statistics"]

BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class ResidualStatistics:
    """Serial correlation and normality of residuals.

    Parameters
    ----------
    durbin_watson : float
        Sum of squared differences of neighbours over the sum of squares (about 2 if uncorrelated).
    omnibus, omnibus_p : float
        D'Agostino and Pearson's K2 of skewness and kurtosis, chi-squared with 2 degrees of freedom.
    jarque_bera, jarque_bera_p : float
    skew, kurtosis : float
        Third and fourth standardised moments (the normal has 0 and 3).
    """

    durbin_watson: float
    omnibus: float
    omnibus_p: float
    jarque_bera: float
    jarque_bera_p: float
    skew: float
    kurtosis: float


def residual_statistics(residuals: np.ndarray, counts: np.ndarray | None = None) -> ResidualStatistics:
    """Compute all of them.

    Parameters
    ----------
    residuals : array, shape (n,)
        Whitened: times the root of analytic weights.
    counts : array, shape (n,), optional
        Frequency weights; the result is that of the repeated rows.
    """
    n = float(len(residuals) if counts is None else counts.sum())
    total, squares, steps = _sums(residuals, counts)
    if squares == 0 or n < 2:
        return ResidualStatistics(*[math.nan] * 7)
    rms = math.sqrt(squares / n)
    m2, m3, m4 = (moment / n for moment in _central_sums(residuals, counts, total / n, rms))
    skew, kurtosis = (m3 / m2**1.5, m4 / m2**2) if m2 > 0 else (math.nan, math.nan)
    jarque_bera = n / 6 * (skew**2 + (kurtosis - 3) ** 2 / 4)
    omnibus = _skew_z(skew, n) ** 2 + _kurtosis_z(kurtosis, n) ** 2 if n >= 8 else math.nan
    return ResidualStatistics(
        steps / squares, omnibus, chi2_sf(omnibus, 2), jarque_bera, chi2_sf(jarque_bera, 2), skew, kurtosis
    )


def _blocks(residuals: np.ndarray, counts: np.ndarray | None) -> Iterator[tuple[np.ndarray, np.ndarray | float]]:
    """Cut into blocks that stay in the cache while several sums are taken."""
    for start in range(0, len(residuals), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        yield residuals[part], 1.0 if counts is None else counts[part]


def _sums(residuals: np.ndarray, counts: np.ndarray | None) -> tuple[float, float, float]:
    """Sum, sum of squares, and sum of squared differences of neighbours."""
    total = squares = steps = 0.0
    last = residuals[:1]
    for r, m in _blocks(residuals, counts):
        total += float(np.sum(m * r))
        squares += float(np.sum(m * r * r))
        steps += float(np.sum(np.diff(r, prepend=last) ** 2))
        last = r[-1:]
    return total, squares, steps


def _central_sums(
    residuals: np.ndarray, counts: np.ndarray | None, mean: float, unit: float
) -> tuple[float, float, float]:
    """Sums of the second to fourth powers of deviations from `mean`, in multiples of `unit`."""
    second = third = fourth = 0.0
    for r, m in _blocks(residuals, counts):
        deviation = (r - mean) / unit
        squared = deviation * deviation
        weighted = m * squared
        second += float(np.sum(weighted))
        third += float(np.sum(weighted * deviation))
        fourth += float(np.sum(weighted * squared))
    return second, third, fourth


def _skew_z(skew: float, n: float) -> float:
    """Transform to a standard normal (D'Agostino 1970, Biometrika 57:679-681)."""
    y = skew * math.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    beta2 = 3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    w2 = -1 + math.sqrt(2 * (beta2 - 1))
    delta, alpha = 1 / math.sqrt(math.log(math.sqrt(w2))), math.sqrt(2 / (w2 - 1))
    return delta * math.asinh(y / alpha) if y else 0.0


def _kurtosis_z(kurtosis: float, n: float) -> float:
    """Transform to a standard normal (Anscombe and Glynn 1983, Biometrika 70:227-234)."""
    expected = 3 * (n - 1) / (n + 1)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (kurtosis - expected) / math.sqrt(variance)
    root_beta = (
        6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) * math.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    )
    a = 6 + 8 / root_beta * (2 / root_beta + math.sqrt(1 + 4 / root_beta**2))
    denominator = 1 + x * math.sqrt(2 / (a - 4))
    cube = np.cbrt((1 - 2 / a) / denominator) if denominator else math.nan
    return float((1 - 2 / (9 * a) - cube) / math.sqrt(2 / (9 * a)))
