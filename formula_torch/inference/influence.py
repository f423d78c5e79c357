"""What leaving out one observation would change, in closed form.

With the leverage h_i and the weighted residual r_i = w_i^1/2 e_i, leaving row i out
changes the sum of squares to ssr - r_i^2 / (1 - h_i) and the coefficients by
(X'WX)^-1 x_i w_i e_i / (1 - h_i) (Cook and Weisberg 1982, *Residuals and Influence
in Regression*, section 2.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from formula_torch.numerics.tails import f_sf_each, t_two_sided

__all__ = ["Deletion", "squares_without"]

EPS = float(np.finfo(np.float64).eps)
# Where less than this share of ssr is left without a row, ssr - r^2 / (1 - h) has lost six digits.
CANCELLED = 1e-6
# Residuals that are this share of the one left out are rounding noise.
NOISE = 8 * EPS


@dataclass(frozen=True, eq=False)
class Deletion:
    """Statistics of a linear regression without each of its rows (one copy, where rows have counts).

    All are NaN where the leverage is 1: without that row a coefficient cannot be estimated.

    Parameters
    ----------
    residuals : array, shape (n,)
        r_i, times the root of analytic weights.
    leverage : array, shape (n,)
        h_i, the diagonal of the hat matrix.
    ssr : float
    n_obs : float
    rank : int
    condition : float
        Of the columns: what it costs the leverage in digits.
    corrected : mapping
        Sums of squares without the rows `cancelled`, added up from residuals.
    """

    residuals: np.ndarray
    leverage: np.ndarray
    ssr: float
    n_obs: float
    rank: int
    condition: float = 1.0
    corrected: Mapping[int, float] = field(default_factory=dict)

    @property
    def df_resid(self) -> float:
        """Residual degrees of freedom of all rows."""
        return self.n_obs - self.rank

    @cached_property
    def indispensable(self) -> np.ndarray:
        """True for rows of leverage 1, shape (n,)."""
        return self.leverage >= 1 - 16 * EPS * (self.rank + self.condition)

    @cached_property
    def spare(self) -> np.ndarray:
        """1 - h, NaN for leverage 1, shape (n,)."""
        return np.where(self.indispensable, np.nan, 1 - self.leverage)

    @property
    def press(self) -> np.ndarray:
        """Deleted residuals r / (1 - h): the error of predicting each row from the others."""
        return self.residuals / self.spare

    @cached_property
    def _left(self) -> np.ndarray:
        return np.maximum(self.ssr - self.residuals**2 / self.spare, 0.0)

    @property
    def cancelled(self) -> list[int]:
        """Rows without which the others fit so much better that the closed form loses its digits."""
        return np.flatnonzero(self._left < CANCELLED * self.ssr).tolist() if self.df_resid > 1 else []

    @cached_property
    def variance(self) -> np.ndarray:
        """Error variance without each row, (ssr - r^2 / (1 - h)) / (df_resid - 1); NaN where that is 0 / 0."""
        left = self._left.copy()
        left[list(self.corrected)] = list(self.corrected.values())
        return left / (self.df_resid - 1) if self.df_resid > 1 else np.full_like(left, np.nan)

    @cached_property
    def internal(self) -> np.ndarray:
        """Studentised residuals r / (s (1 - h)^1/2), with the error variance of all rows."""
        return self.residuals / np.sqrt(self.ssr / self.df_resid * self.spare)

    @cached_property
    def external(self) -> np.ndarray:
        """Studentised residuals r / (s_(i) (1 - h)^1/2), with the error variance of the other rows.

        Student's t with df_resid - 1 degrees of freedom; infinite where the others fit perfectly.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.residuals / np.sqrt(self.variance * self.spare)

    @property
    def external_pvalues(self) -> np.ndarray:
        """Two-sided p-values of `external`."""
        return np.asarray(t_two_sided(self.external, self.df_resid - 1))

    @cached_property
    def cooks(self) -> np.ndarray:
        """Cook's distance, internal^2 h / (1 - h) / rank."""
        return self.internal**2 * self.leverage / self.spare / max(self.rank, 1)

    @property
    def cooks_pvalues(self) -> np.ndarray:
        """P(F >= D) with rank and df_resid degrees of freedom: a scale for D, not a test."""
        return f_sf_each(self.cooks, self.rank, self.df_resid)

    @property
    def reach(self) -> np.ndarray:
        """(h / (1 - h))^1/2, the factor from studentised residuals to changes of fitted values."""
        return np.sqrt(self.leverage / self.spare)

    @property
    def cov_ratio(self) -> np.ndarray:
        """Determinant of the classical covariance without each row, over that with it."""
        return (self.variance / (self.ssr / self.df_resid)) ** self.rank / self.spare


def squares_without(row: int, residuals: np.ndarray, press: float, counts: np.ndarray | None) -> float:
    """Sum of squared residuals without one copy of a row; 0 where they are rounding noise.

    Parameters
    ----------
    row : int
    residuals : array, shape (n,)
        Of all rows about the coefficients without that one.
    press : float
        Its own.
    counts : array, shape (n,), or None
    """
    weights = np.ones_like(residuals) if counts is None else counts.copy()
    weights[row] -= 1
    squares = float(weights @ residuals**2)
    return squares if squares > weights.sum() * (NOISE * press) ** 2 else 0.0
