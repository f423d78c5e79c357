"""Results of generalised linear models under the names statsmodels gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from formula_torch.inference.criteria import information_criterion
from formula_torch.result.glm.anova import DevianceTables
from formula_torch.result.glm.plots import GlmPlots
from formula_torch.result.glm.resampling import GlmResampling

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["GlmFit"]


@dataclass(frozen=True, eq=False, repr=False)
class GlmFit(GlmPlots, DevianceTables, GlmResampling):
    """A generalised linear model.

    Besides what every ``Fit`` has, the names below are those of statsmodels' results. Each base is a subject, in a
    file of its own; all but Generalized are methods alone::

        SolvedFit                   solution; df_model, df_resid, and all of Fit and PredictorFit
        └── Generalized             model, fitness; deviance, scale, llf, prsquared
            ├── Residuals           resid_deviance, resid_pearson, pred_table
            ├── MeanPredictions     get_prediction
            ├── GlmSpecification    dispersion_test, link_test, hosmer_lemeshow, resid_quantile
            ├── Influential         get_influence
            ├── GlmPlots            plot_residuals, plot_binned_residuals, plot_fit, plot_partial: of the four above
            ├── GlmComparisons      compare_lr_test, compare_lm_test; compare_wald_test
            │   └── DevianceTables  anova
            ├── GlmResampling       bootstrap, jackknife
            └── GlmFit              summary, tidy, glance

    Examples
    --------
    >>> import formula_torch as ft
    >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits(), family="poisson", vcov="HC1")
    >>> fit.params.round(4).to_dict()
    {'Intercept': 1.1863, 'private': 0.1262, 'age': 0.009}
    >>> round(fit.prsquared, 4)
    0.0048
    """

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.recipe.formula.text!r}: {self.family.name} ({self.family.link.name}), "
            f"{self.nobs:g} observations, deviance {self.deviance:.5g}>"
        )

    def info_criteria(self, crit: str, dk_params: int = 0) -> float:
        """Return an information criterion; smaller is better.

        Parameters
        ----------
        crit : {"aic", "bic", "aicc", "hqic"}
        dk_params : int
            Parameters to count beyond the coefficients; 1 counts a dispersion.
        """
        return information_criterion(crit, self.llf, self.solution.rank + dk_params, self.nobs)

    # -- tables -----------------------------------------------------------------------------------

    def summary(
        self,
        alpha: float = 0.05,
        *,
        xname: list[str] | None = None,
        yname: str | None = None,
        title: str | None = None,
        stars: str | None = None,
        exp: bool = False,
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
        exp : bool
            Exponentiate coefficients and bounds: odds ratios, rate ratios. Errors are then those of the ratios, by
            the delta method; statistics and p-values stay.
        """
        from formula_torch.present.glm import glm_summary

        return glm_summary(self, alpha=alpha, xname=xname, yname=yname, title=title, stars=stars, exp=exp)

    def glance(self) -> pd.DataFrame:
        """One row of statistics of the whole fit."""
        from formula_torch.present.glm import glance

        return glance(self)
