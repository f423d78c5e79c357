"""Covariance estimators: frozen values that turn moments into a covariance matrix.

Scaling: matrices are of unscaled sums over rows; the estimator applies the scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["COVARIANCES", "IID", "Covariance", "Estimator", "Moments"]


@dataclass(frozen=True, eq=False)
class Moments:
    """What an estimator sees of a fitted model.

    Parameters
    ----------
    bread : array, shape (k, k)
        Inverse of the unscaled information, (X'WX)^-1; NaN for aliased columns.
    scale : float
        Error variance, ssr / df_resid.
    df_resid : float
    """

    bread: np.ndarray
    scale: float
    df_resid: float


@dataclass(frozen=True, eq=False)
class Covariance:
    """A covariance matrix with the degrees of freedom its tests use.

    Parameters
    ----------
    matrix : array, shape (k, k)
    df : float
        Degrees of freedom of t; infinite for the normal.
    label : str
        As the summary prints it.
    note : str
    """

    matrix: np.ndarray
    df: float
    label: str
    note: str


class Estimator(Protocol):
    """Anything that turns moments into a covariance."""

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients."""
        ...


@dataclass(frozen=True)
class IID:
    """Independent errors of one variance: s2 (X'WX)^-1, t with n - k degrees of freedom."""

    def __call__(self, moments: Moments) -> Covariance:
        """Estimate the covariance of the coefficients."""
        return Covariance(
            moments.scale * moments.bread,
            moments.df_resid if moments.df_resid > 0 else math.nan,
            "nonrobust",
            "Standard Errors assume that the covariance matrix of the errors is correctly specified.",
        )


COVARIANCES: dict[str, Callable[[], Estimator]] = {"iid": IID}
