"""The core of every result: named coefficients and their covariance."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.formula.recipe import Recipe
from formula_torch.formula.sample import Sample
from formula_torch.inference.moments import Covariance
from formula_torch.numerics.intervals import standard_errors, t_interval, t_ratio
from formula_torch.numerics.tails import t_two_sided
from formula_torch.result.call import Call
from formula_torch.result.rows import Rows, needed

__all__ = ["Estimates"]


@dataclass(frozen=True, eq=False, repr=False)
class Estimates(ABC):
    """Named coefficients with a covariance, and what the result holds of its data.

    Parameters
    ----------
    recipe : Recipe
    coefficients : array, shape (k,)
        NaN for aliased columns.
    covariance : Covariance
    sample : Sample
    call : Call
    rows : Rows or None
        The user's columns, shared; None once removed.
    offset : str, bool or None
        The offset argument: a column's name, True for an array, None without.
    null_space : array, shape (aliased, k)
        Combinations of columns that are zero on the data, of unit size.
    notes : tuple of str
        Sentences for the foot of the summary.
    exposure : str, bool or None
        The exposure argument, as `offset`.
    """

    recipe: Recipe
    coefficients: np.ndarray
    covariance: Covariance
    sample: Sample
    call: Call
    rows: Rows | None
    offset: str | bool | None
    null_space: np.ndarray
    notes: tuple[str, ...]
    exposure: str | bool | None = field(default=None, kw_only=True)

    # -- coefficients -----------------------------------------------------------------------------

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Coefficient names."""

    @property
    def _dropped(self) -> str:
        """Aliased coefficients as a message lists them, the first four."""
        return ", ".join(f"`{name}`" for name in self.params.index[self.params.isna()][:4])

    def _series(self, values: Any) -> pd.Series:
        return pd.Series(np.array(values, dtype=np.float64), index=list(self.names))

    @property
    def params(self) -> pd.Series:
        """Coefficients, shape (k,); NaN for columns dropped as dependent."""
        return self._series(self.coefficients)

    @property
    def estimated(self) -> np.ndarray:
        """Coefficients that the data determine, shape (k,); NaN for aliased columns, and those held at a bound."""
        return self.coefficients

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the coefficients, shape (k,)."""
        return self._series(standard_errors(np.diag(self.covariance.matrix)))

    @property
    def tvalues(self) -> pd.Series:
        """Coefficients over their standard errors; NaN where the error is zero."""
        return self._series(t_ratio(self.coefficients, self.bse.to_numpy()))

    @property
    def positive(self) -> np.ndarray:
        """Parameters that cannot be zero, as standard deviations, bool of shape (k,)."""
        return np.zeros(len(self.names), dtype=bool)

    @property
    def exponentiable(self) -> np.ndarray:
        """Coefficients that may be exponentiated: not standard deviations, nor cutpoints; bool of shape (k,)."""
        return ~self.positive

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of the hypotheses that a coefficient is zero; NaN where it cannot be."""
        found = t_two_sided(self.tvalues.to_numpy(), self.covariance.df)
        return self._series(np.where(self.positive, np.nan, found))

    @property
    def use_t(self) -> bool:
        """Whether tests use Student's t rather than the normal."""
        return bool(np.isfinite(self.covariance.df)) or bool(np.isnan(self.covariance.df))

    @property
    @abstractmethod
    def df_resid(self) -> float:
        """Residual degrees of freedom."""

    @property
    def df_denom(self) -> float:
        """Degrees of freedom of t and F, also where the normal is preferred to them."""
        if math.isfinite(self.covariance.df):
            return self.covariance.df
        return self.df_resid if self.covariance.df_denom is None else self.covariance.df_denom

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the coefficients, shape (k, k); NaN for aliased columns."""
        return pd.DataFrame(self.covariance.matrix.copy(), index=list(self.names), columns=list(self.names))

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence intervals of the coefficients.

        Parameters
        ----------
        alpha : float
            One less the confidence level.

        Returns
        -------
        DataFrame, shape (k, 2)
            Columns 0 (lower) and 1 (upper), as statsmodels.

        Raises
        ------
        ValueError
            `alpha` does not lie between 0 and 1.
        """
        low, high = t_interval(self.params, self.bse, alpha, self.covariance.df)
        if self.positive.any():
            # Through the logarithm, whose error is std. error / estimate.
            logs, errors = np.log(self.params[self.positive]), (self.bse / self.params)[self.positive]
            bounds = t_interval(logs, errors, alpha, self.covariance.df)
            low[self.positive], high[self.positive] = (np.exp(bound) for bound in bounds)
        return pd.DataFrame({0: low, 1: high})

    @property
    def used(self) -> pd.Series:
        """True for the rows of the data that the model used, shape (n_total,)."""
        rows = self.held_rows("used")
        return pd.Series(rows.sample.used.copy(), index=rows.frame.index)

    # -- rows -------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def fittedvalues(self) -> pd.Series:
        """Fitted values of the rows used, on the user's index."""

    def held_rows(self, what: str) -> Rows:
        """Return the rows of the data.

        Parameters
        ----------
        what : str
            What they are needed for, as the error says it.

        Raises
        ------
        DataRemovedError
            The result was unpickled, or its rows removed.
        """
        return needed(self.rows, what)

    def _row_series(self, values: Any) -> pd.Series:
        return pd.Series(np.asarray(values), index=self.sample.index)
