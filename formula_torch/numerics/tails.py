"""Tail probabilities and quantiles from ``scipy.special`` (``scipy.stats`` costs a second to import)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

__all__ = [
    "chi2_quantile",
    "chi2_sf",
    "f_quantile",
    "f_sf",
    "f_sf_each",
    "norm_cdf",
    "norm_two_sided",
    "t_quantile",
    "t_two_sided",
]


def t_two_sided(t: Any, df: float) -> Any:
    """P(|T| >= |t|) for Student's t with `df` degrees of freedom (``inf``: the normal)."""
    if np.isinf(df):
        return norm_two_sided(t)
    return 2 * special.stdtr(df, -np.abs(t))


def t_quantile(p: float, df: float) -> float:
    """Return the `p` quantile of Student's t (``inf``: the normal)."""
    return float(special.ndtri(p) if np.isinf(df) else special.stdtrit(df, p))


def norm_two_sided(z: Any) -> Any:
    """P(|Z| >= |z|) for the standard normal."""
    return 2 * special.ndtr(-np.abs(z))


def norm_cdf(z: float) -> float:
    """P(Z <= z) for the standard normal."""
    return float(special.ndtr(z))


def f_sf(f: float, df_num: float, df_denom: float) -> float:
    """P(F >= f) for the F distribution (``inf`` denominator: chi-squared over its degrees of freedom)."""
    if np.isinf(df_denom):
        return chi2_sf(df_num * f, df_num)
    return float(special.fdtrc(df_num, df_denom, f))


def f_sf_each(f: np.ndarray, df_num: float, df_denom: float) -> np.ndarray:
    """P(F >= f) for each of several values."""
    return np.asarray(special.fdtrc(df_num, df_denom, f))


def chi2_sf(x: float, df: float) -> float:
    """P(X >= x) for the chi-squared distribution."""
    return float(special.chdtrc(df, x))


def f_quantile(p: float, df_num: float, df_denom: float) -> float:
    """Return the `p` quantile of the F distribution (``inf`` denominator: chi-squared over its degrees of freedom)."""
    if np.isinf(df_denom):
        return chi2_quantile(p, df_num) / df_num
    return float(special.fdtri(df_num, df_denom, p))


def chi2_quantile(p: float, df: float) -> float:
    """Return the `p` quantile of the chi-squared distribution."""
    return float(special.chdtri(df, 1 - p))
