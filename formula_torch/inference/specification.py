"""Statistics of tests that a regression is rightly specified, from what auxiliary regressions leave unexplained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from formula_torch.numerics.tails import chi2_sf, f_sf, norm_cdf, norm_two_sided

__all__ = [
    "ALTERNATIVES",
    "SpecificationTest",
    "chi2_test",
    "durbin_watson_test",
    "explained_tests",
    "lagged",
    "restriction_tests",
    "table_of",
]


@dataclass(frozen=True)
class SpecificationTest:
    """One test.

    Parameters
    ----------
    test : str
    statistic : float
    df : float
        Degrees of freedom: of chi-squared, or the first of F; NaN for the normal.
    df_denom : float
        The second of F; NaN for the others.
    p_value : float
    """

    test: str
    statistic: float
    df: float = math.nan
    df_denom: float = math.nan
    p_value: float = math.nan


def table_of(tests: Iterable[SpecificationTest]) -> pd.DataFrame:
    """One row a test: test, statistic, df, df_denom, p_value."""
    return pd.DataFrame([asdict(test) for test in tests])


def chi2_test(name: str, statistic: float, df: float) -> SpecificationTest:
    """Test by a statistic that is chi-squared under the null hypothesis."""
    return SpecificationTest(name, statistic, float(df), math.nan, chi2_sf(statistic, df))


def _f_test(name: str, explained: float, left: float, df: float, df_denom: float) -> SpecificationTest:
    f = explained / df / (left / df_denom) if left > 0 else math.inf
    return SpecificationTest(f"{name}, F", f, float(df), float(df_denom), f_sf(f, df, df_denom))


def explained_tests(name: str, total: float, left: float, n: float, rank: int) -> list[SpecificationTest]:
    """Return n R^2 and F of a regression with a constant: of what should be unpredictable.

    Parameters
    ----------
    name : str
    total, left : float
        Sums of squares about the mean, and of the residuals.
    n : float
    rank : int
        Of the columns, the constant included.
    """
    lm = chi2_test(name, n * (1 - left / total), rank - 1)
    return [lm, _f_test(name, total - left, left, rank - 1, n - rank)]


def restriction_tests(
    name: str, restricted: float, left: float, df: int, df_denom: float, *, score: float | None = None
) -> list[SpecificationTest]:
    """Chi-squared and F that further columns are not needed.

    Parameters
    ----------
    name : str
    restricted, left : float
        Sums of squared residuals without and with them.
    df : int
        How many they are.
    df_denom : float
        Degrees of freedom left with them.
    score : float, optional
        n for the score test n R^2; by default the Wald test df F.
    """
    f = _f_test(name, restricted - left, left, df, df_denom)
    statistic = df * f.statistic if score is None else score * (1 - left / restricted)
    return [chi2_test(name, statistic, df), f]


def lagged(series: np.ndarray, lag: int, order: np.ndarray | None = None) -> np.ndarray:
    """Values `lag` places earlier, 0 before the first, shape (n,).

    Parameters
    ----------
    series : array, shape (n,)
    lag : int
    order : int array, shape (n,), optional
        Positions of the rows in order of time; by default they stand in order.
    """
    places = np.arange(len(series)) if order is None else order
    out = np.zeros_like(series)
    out[places[lag:]] = series[places[: len(series) - lag]]
    return out


# From a standard normal d - E d to p-values; d is small where neighbours are alike.
ALTERNATIVES: dict[str, Callable[[float], float]] = {
    "greater": norm_cdf,
    "two-sided": norm_two_sided,
    "less": lambda z: norm_cdf(-z),
}


def durbin_watson_test(residuals: np.ndarray, q: np.ndarray, alternative: str) -> SpecificationTest:
    """Sum of squared steps over the sum of squares, and its normal approximation.

    d = e'Ae / e'e has the mean P / (n - k) and the variance 2 (Q - P mean) / ((n - k)(n - k + 2)), where
    P = tr MA and Q = tr (MA)^2 with M = 1 - qq' (Durbin and Watson 1950, Biometrika 37:409-428).

    Parameters
    ----------
    residuals : array, shape (n,)
        In order of time.
    q : array, shape (n, rank)
        An orthonormal basis of the columns.
    alternative : {"greater", "two-sided", "less"}
        Autocorrelation above zero, other than zero, below zero.
    """
    n, rank = q.shape
    steps = np.diff(q, axis=0)
    twice = np.diff(steps, axis=0, prepend=0, append=0)
    inner = steps.T @ steps
    p = 2 * (n - 1) - np.trace(inner)
    squares = 2 * (3 * n - 4) - 2 * np.sum(twice**2) + np.sum(inner**2)
    mean = p / (n - rank)
    variance = 2 / ((n - rank) * (n - rank + 2)) * (squares - p * mean)
    d = float(np.sum(np.diff(residuals) ** 2) / np.sum(residuals**2))
    z = (d - mean) / math.sqrt(variance) if variance > 0 else math.nan
    return SpecificationTest("Durbin-Watson", d, p_value=float(ALTERNATIVES[alternative](z)))
