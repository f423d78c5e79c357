"""What every linear regression knows of its size, its likelihood and its residuals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from formula_torch.design import RowScores
from formula_torch.inference.margins import IDENTITY, MeanFunction
from formula_torch.inference.moments import Moments
from formula_torch.inference.residuals import ResidualStatistics, residual_statistics
from formula_torch.models.linear import LinearModel
from formula_torch.result.linear_moments import linear_moments, row_scores
from formula_torch.result.solved_fit import SolvedFit

__all__ = ["LinearFit"]


@dataclass(frozen=True, eq=False, repr=False)
class LinearFit(SolvedFit):
    """A fit by least squares: what tests and tables of regressions build on.

    Parameters
    ----------
    model : LinearModel
    statistics : ResidualStatistics or None
        Kept when the rows are removed.
    """

    model: LinearModel
    statistics: ResidualStatistics | None = None

    # -- size -------------------------------------------------------------------------------------

    @property
    def nobs(self) -> float:
        """Number of observations: rows, or the sum of frequency weights."""
        return self.model.n_obs

    @property
    def weights_type(self) -> str | None:
        """What the weights are; None without."""
        return self.model.weights_type

    # -- fit --------------------------------------------------------------------------------------

    @property
    def ssr(self) -> float:
        """Sum of squared residuals."""
        return self.solution.ssr

    @property
    def scale(self) -> float:
        """Error variance, ssr / df_resid; NaN without degrees of freedom."""
        return self.model.scale(self.ssr, self.solution.rank)

    @property
    def llf(self) -> float:
        """Gaussian log-likelihood at the estimates, with the error variance ssr / n."""
        return self.model.profile_loglik(self.ssr)

    @property
    def mean_function(self) -> MeanFunction:
        """The mean response is the linear predictor."""
        return IDENTITY

    # -- rows -------------------------------------------------------------------------------------

    @property
    def resid(self) -> pd.Series:
        """Response less fitted values, on the user's index."""
        design = self.held_rows("resid").design(self.recipe)
        return self._row_series(design.response - design.matvec(np.nan_to_num(self.coefficients)))

    @property
    def wresid(self) -> pd.Series:
        """Residuals times the root of the weights."""
        weights = self.held_rows("wresid").weight_values()
        return self.resid if weights is None else self.resid * np.sqrt(weights)

    @property
    def resid_pearson(self) -> pd.Series:
        """Weighted residuals over the root of the error variance."""
        return self.wresid / math.sqrt(self.scale)

    @property
    def residual_statistics(self) -> ResidualStatistics:
        """Durbin-Watson, omnibus and Jarque-Bera statistics of the residuals."""
        if self.statistics is not None:
            return self.statistics
        if self.model.weights_type == "frequency":
            return residual_statistics(self.resid.to_numpy(), self.held_rows("residual_statistics").weight_values())
        return residual_statistics(self.wresid.to_numpy())

    def remove_data(self) -> Self:
        """Return the result without its rows; the summary and predictions stay."""
        return replace(super().remove_data(), statistics=self.residual_statistics)

    # -- covariance -------------------------------------------------------------------------------

    def moments(self) -> Moments:
        """What covariance estimators see: information, scores and labels of the rows."""
        return linear_moments(self.solution, self.model, self.recipe, self.rows, self.call)

    def row_scores(self, what: str) -> RowScores:
        """Return the scores of the rows as an operator."""
        return row_scores(self.held_rows(what), self.recipe, self.solution, self.model, self.call)
