"""Results of models of several predictors under the names statsmodels gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from formula_torch.result.several.anova import SeveralTables
from formula_torch.result.several.column_margins import ColumnMargins
from formula_torch.result.several.influence import SeveralInfluential
from formula_torch.result.several.intervals import SeveralIntervals
from formula_torch.result.several.resampling import SeveralResampling

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["SeveralFit"]


@dataclass(frozen=True, eq=False, repr=False)
class SeveralFit(SeveralIntervals, ColumnMargins, SeveralTables, SeveralInfluential, SeveralResampling):
    """A model of several linear predictors: counts with a dispersion or a part for zeros, shares, levels.

    Errors are from the observed information of all parameters. Besides what every ``Fit`` has, the names below are
    those of statsmodels' results. Each base is a subject, in a file of its own; all but SeveralEstimates are methods
    alone::

        SeveralEstimates            family, layout; llf, prsquared, aic, and all of Fit
        └── SeveralPredictions      predict, fittedvalues, resid, pred_table
            ├── SeveralIntervals    get_prediction
            ├── SeveralMargins      marginal_effects, average_predictions
            │   └── ColumnMargins   get_margeff
            ├── SeveralComparisons  compare_lr_test, compare_wald_test: of SeveralEstimates
            │   └── SeveralTables   anova
            ├── SeveralInfluential  get_influence: of SeveralEstimates
            ├── SeveralResampling   bootstrap, jackknife: of SeveralEstimates
            └── SeveralFit          summary, tidy, glance, augment
    """

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.recipe.formula.text!r}: {self.family.name}, {self.nobs:g} observations, "
            f"log-likelihood {self.llf:.6g}>"
        )

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
        """Tables of the fit with statsmodels' look, one of coefficients for each part of the model.

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
            Exponentiate coefficients and bounds: odds ratios, rate ratios. What is on its natural scale stays, and so
            do cutpoints.
        """
        from formula_torch.present.several import several_summary

        return several_summary(self, alpha=alpha, xname=xname, yname=yname, title=title, stars=stars, exp=exp)

    def tidy(self, *, conf_level: float = 0.95, exp: bool = False) -> pd.DataFrame:
        """One row a parameter: term, component, estimate, std_error, statistic, p_value, conf_low, conf_high.

        Parameters
        ----------
        conf_level : float
        exp : bool
            Exponentiate coefficients and bounds; errors stay on the log scale. What is on its natural scale stays, and
            so do cutpoints.
        """
        from formula_torch.present.several import tidy

        return tidy(self, conf_level=conf_level, exp=exp)

    def glance(self) -> pd.DataFrame:
        """One row of statistics of the whole fit."""
        from formula_torch.present.several import glance

        return glance(self)

    def augment(self, data: Any = None) -> pd.DataFrame:
        """Data with the columns ``fitted`` and ``resid``; of a response of levels ``fitted`` and ``prob``.

        The fitted value of levels is the most probable one, beside its probability.

        Parameters
        ----------
        data : table, optional
            By default the columns and rows of the fit; after the rows were removed, pass them.
        """
        from formula_torch.present.several import augment

        return augment(self, data)
