"""Standard errors, statistics and intervals by Student's t, each for one estimate."""

from __future__ import annotations

from typing import Any

import numpy as np

from formula_torch.errors import check_share
from formula_torch.numerics.tails import t_quantile

__all__ = ["standard_errors", "t_interval", "t_ratio"]


def standard_errors(variances: np.ndarray) -> np.ndarray:
    """Root of variances, shape (m,); NaN where one is negative, as after clustering in two ways."""
    return np.sqrt(np.where(variances >= 0, variances, np.nan))


def t_ratio(distance: Any, error: np.ndarray) -> Any:
    """Distance from the null value over the standard error, shape (m,); NaN where the error is zero."""
    return distance / np.where(error > 0, error, np.nan)


def t_interval(estimate: Any, error: Any, alpha: float, df: float) -> tuple[Any, Any]:
    """Bounds of the intervals: estimate less and plus the quantile of t times its error.

    Parameters
    ----------
    estimate, error : array or Series, shape (m,)
    alpha : float
        One less the confidence level.
    df : float
        Degrees of freedom of t; infinite for the normal.

    Returns
    -------
    low, high : as `estimate`

    Raises
    ------
    ValueError
        `alpha` does not lie between 0 and 1.

    Examples
    --------
    >>> low, high = t_interval(np.array([1.0]), np.array([0.5]), 0.05, np.inf)
    >>> [round(float(bound[0]), 4) for bound in (low, high)]
    [0.02, 1.98]
    """
    check_share("alpha", alpha)
    reach = t_quantile(1 - alpha / 2, df) * error
    return estimate - reach, estimate + reach
