"""Marginal effects as a value: a table, its covariance, and statsmodels' names for both."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from formula_torch.numerics.intervals import standard_errors, t_interval, t_ratio
from formula_torch.numerics.tails import t_two_sided

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["MarginalEffects"]


@dataclass(frozen=True, eq=False, repr=False)
class MarginalEffects:
    """Estimated effects (or mean responses) with delta-method errors.

    Parameters
    ----------
    what : DataFrame, m rows
        What each estimate is: term, contrast, the values of `at` and `by`.
    margeff : array, shape (m,)
        The estimates.
    jacobian : array, shape (m, k)
        Their derivatives in the coefficients.
    margeff_cov : array, shape (m, m)
        Their covariance, J V J'.
    df : float
        Degrees of freedom of t; infinite for the normal.
    level : float
        Confidence level of the table's intervals.
    label : str
        What is estimated: ``dy/dx``.
    at : str
        Where, in words.
    response : str
        Name of the response.
    covariance_type : str
        Of the coefficients.
    """

    what: pd.DataFrame
    margeff: np.ndarray
    jacobian: np.ndarray
    margeff_cov: np.ndarray
    df: float
    level: float
    label: str
    at: str
    response: str
    covariance_type: str

    @property
    def margeff_se(self) -> np.ndarray:
        """Standard errors, shape (m,)."""
        return standard_errors(np.diag(self.margeff_cov))

    @property
    def tvalues(self) -> np.ndarray:
        """Estimates over their standard errors, shape (m,); NaN where the error is zero."""
        return np.asarray(t_ratio(self.margeff, self.margeff_se))

    @property
    def pvalues(self) -> np.ndarray:
        """Two-sided p-values of the hypotheses that an effect is zero, shape (m,)."""
        return np.asarray(t_two_sided(self.tvalues, self.df))

    def conf_int(self, alpha: float | None = None) -> np.ndarray:
        """Confidence intervals, shape (m, 2).

        Parameters
        ----------
        alpha : float, optional
            One less the confidence level; by default the level asked for.
        """
        alpha = 1 - self.level if alpha is None else alpha
        return np.column_stack(t_interval(self.margeff, self.margeff_se, alpha, self.df))

    @property
    def table(self) -> pd.DataFrame:
        """One row an effect: what it is, estimate, std_error, statistic, p_value, conf_low, conf_high."""
        low, high = self.conf_int().T
        return self.what.assign(
            estimate=self.margeff,
            std_error=self.margeff_se,
            statistic=self.tvalues,
            p_value=self.pvalues,
            conf_low=low,
            conf_high=high,
        )

    @property
    def names(self) -> list[str]:
        """A name for each effect: ``x``, ``g[b - a]``, ``x, region=north``."""
        return [_name(row) for row in self.what.to_dict("records")]

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of the effects, shape (m, m)."""
        return pd.DataFrame(self.margeff_cov.copy(), index=self.names, columns=self.names)

    def summary_frame(self, alpha: float | None = None) -> pd.DataFrame:
        """Return the table under statsmodels' column names, its misspelt last one included."""
        low, high = self.conf_int(alpha).T
        return pd.DataFrame(
            {
                self.label: self.margeff,
                "Std. Err.": self.margeff_se,
                "z": self.tvalues,
                "Pr(>|z|)": self.pvalues,
                "Conf. Int. Low": low,
                "Cont. Int. Hi.": high,
            },
            index=self.names,
        )

    def summary(self, alpha: float | None = None) -> Summary:
        """Tables with statsmodels' look.

        Parameters
        ----------
        alpha : float, optional
            One less the confidence level; by default the level asked for.
        """
        from formula_torch.present.margins import margins_summary

        return margins_summary(self, 1 - self.level if alpha is None else alpha)

    def __repr__(self) -> str:
        return self.table.to_string(index=False)

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False)


def _name(row: Mapping[Hashable, Any]) -> str:
    rest = dict(row)
    term, contrast = str(rest.pop("term")), str(rest.pop("contrast", ""))
    compared = f"[{contrast}]" if " - " in contrast else ""
    return ", ".join([term + compared, *(f"{key}={value}" for key, value in rest.items())])
