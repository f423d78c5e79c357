"""Results of regressions under the names statsmodels gives them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from formula_torch.inference.criteria import information_criterion
from formula_torch.inference.wald import all_slopes_zero, wald_statistic
from formula_torch.numerics.tails import f_sf
from formula_torch.result.anova import AnovaTables
from formula_torch.result.diagnostics import Diagnostics
from formula_torch.result.prediction import Predictions
from formula_torch.result.regression_plots import RegressionPlots
from formula_torch.result.resampling import Resampling

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["RegressionFit"]


@dataclass(frozen=True, eq=False, repr=False)
class RegressionFit(RegressionPlots, Predictions, AnovaTables, Diagnostics, Resampling):
    """A linear regression.

    Besides what every ``Fit`` has, the names below are those of statsmodels' results.
    Sums of squares are weighted sums over rows; without a constant in the columns
    they are about zero rather than about the mean.

    Each base is a subject, in a file of its own; all but Estimates and LinearFit are methods alone::

        Estimates                   params, bse, pvalues, conf_int, cov_params
        ├── HypothesisTests         t_test, f_test, wald_test, wald_test_terms
        ├── Combinations            lincom, nlcom, confint
        ├── Plots                   plot, plot_coefficients
        │   └── Fit                 all of these; with_vcov, update
        └── Margins                 AverageEffects: marginal_effects, average_predictions, get_margeff
            └── PredictorFit        and Fit; predict
                └── SolvedFit       solution; df_model, df_resid
                └── LinearFit       model; nobs, ssr, scale, llf, resid
                    ├── Comparisons         compare_f_test, compare_lr_test, compare_lm_test
                    │   └── AnovaTables     anova
                    ├── Predictions         get_prediction
                    ├── SpecificationTests  breusch_pagan, white, reset, durbin_watson
                    │   └── Diagnostics     get_influence, outlier_test, vif, diagnostics
                    ├── RegressionPlots     plot_residuals, plot_fit, plot_partial
                    ├── Resampling          wild_bootstrap, bootstrap, jackknife
                    └── RegressionFit       rsquared, fvalue, aic; summary, tidy, glance

    Parameters
    ----------
    explained : tuple of float or None
        With an offset: sums of squares of the fitted values, about their mean and about zero.

    Examples
    --------
    >>> import formula_torch as ft
    >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
    >>> fit.params.round(5).to_dict()
    {'Intercept': 1.33605, 'area': 0.35574}
    >>> round(fit.rsquared, 5)
    0.82779
    """

    explained: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.recipe.formula.text!r}: {self.nobs:g} observations, R2 {self.rsquared:.4g}>"
        )

    # -- sums of squares --------------------------------------------------------------------------

    @property
    def centered_tss(self) -> float:
        """Total sum of squares about the mean."""
        return self.solution.totals.centred if self.explained is None else self.explained[0] + self.ssr

    @property
    def uncentered_tss(self) -> float:
        """Total sum of squares about zero."""
        return self.solution.totals.uncentred if self.explained is None else self.explained[1] + self.ssr

    @property
    def _tss(self) -> float:
        return self.centered_tss if self.k_constant else self.uncentered_tss

    @property
    def ess(self) -> float:
        """Explained sum of squares."""
        return self._tss - self.ssr

    @property
    def mse_resid(self) -> float:
        """Mean squared error of the residuals: ``scale``."""
        return self.scale

    @property
    def mse_model(self) -> float:
        """Explained sum of squares over df_model."""
        return _ratio(self.ess, self.df_model)

    @property
    def mse_total(self) -> float:
        """Total sum of squares over its degrees of freedom."""
        return _ratio(self._tss, self.df_resid + self.df_model)

    # -- goodness of fit --------------------------------------------------------------------------

    @property
    def rsquared(self) -> float:
        """Share of the variance explained; NaN for a constant response."""
        if self.solution.constant_response and self.k_constant:
            return math.nan
        if self.df_model == 0 and self.k_constant:
            return 0.0
        # Rounding alone can make it negative, where nothing is explained.
        return max(1 - _ratio(self.ssr, self._tss), 0.0)

    @property
    def rsquared_adj(self) -> float:
        """R-squared adjusted for the number of coefficients."""
        return 1 - _ratio(self.nobs - self.k_constant, self.df_resid) * (1 - self.rsquared)

    @property
    def fvalue(self) -> float:
        """F statistic of the hypothesis that every slope is zero, a Wald test under robust covariances.

        NaN for a perfect fit, and where the covariance has a smaller rank than there are slopes,
        as with fewer clusters than slopes.
        """
        if self.solution.perfect or math.isnan(self.rsquared):
            return math.nan
        if self.covariance.classical:
            return _ratio(self.mse_model, self.mse_resid)
        if self.df_model == 0:
            return math.nan
        hypotheses = all_slopes_zero(self.names, self.estimated, self.solution.constant)
        test = wald_statistic(hypotheses, self.covariance.matrix)
        return test.chi2 / test.rank if test.rank == test.independent else math.nan

    @property
    def f_pvalue(self) -> float:
        """p-value of ``fvalue``."""
        return f_sf(self.fvalue, self.df_model, self.df_denom)

    @property
    def aic(self) -> float:
        """-2 llf + 2 rank (the error variance is not counted, as in statsmodels)."""
        return -2 * self.llf + 2 * self.solution.rank

    @property
    def bic(self) -> float:
        """-2 llf + log(n) rank."""
        return -2 * self.llf + math.log(self.nobs) * self.solution.rank

    def info_criteria(self, crit: str, dk_params: int = 0) -> float:
        """Return an information criterion; smaller is better.

        Parameters
        ----------
        crit : {"aic", "bic", "aicc", "hqic"}
        dk_params : int
            Parameters to count beyond the coefficients; 1 counts the error variance.
        """
        return information_criterion(crit, self.llf, self.solution.rank + dk_params, self.nobs)

    @property
    def eigenvals(self) -> np.ndarray:
        """Eigenvalues of X'WX, largest first."""
        return self.solution.singular_values**2

    @property
    def condition_number(self) -> float:
        """Largest over smallest singular value of the (weighted) columns, as they are."""
        values = self.solution.singular_values
        return _ratio(float(values[0]), float(values[-1])) if len(values) else math.nan

    # -- tables -----------------------------------------------------------------------------------

    def summary(
        self,
        alpha: float = 0.05,
        *,
        xname: list[str] | None = None,
        yname: str | None = None,
        title: str | None = None,
        stars: str | None = None,
    ) -> Summary:
        """Tables of the fit with statsmodels' look.

        Parameters
        ----------
        alpha : float
            One less the confidence level of the intervals.
        xname, yname : optional
            Names to print instead of the coefficients' and the response's.
        title : str, optional
        stars : {"stars", "emoji"}, optional
            Mark coefficients by p-value; the emoji flex an arm below 0.05 and shrug above.
        """
        from formula_torch.present.regression import regression_summary

        return regression_summary(self, alpha=alpha, xname=xname, yname=yname, title=title, stars=stars)

    def glance(self) -> pd.DataFrame:
        """One row of statistics of the whole fit."""
        from formula_torch.present.tidy import glance

        return glance(self)


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.nan
