"""What every linear regression knows of its size, its sum of squares and its likelihood."""

from __future__ import annotations

from dataclasses import dataclass

from formula_torch.inference.moments import Moments
from formula_torch.models.linear import LinearModel
from formula_torch.result.fit import Fit
from formula_torch.result.linear_moments import linear_moments
from formula_torch.solvers.least_squares import LeastSquares

__all__ = ["LinearFit"]


@dataclass(frozen=True, eq=False, repr=False)
class LinearFit(Fit):
    """A fit by least squares: what tests and tables of regressions build on.

    Parameters
    ----------
    solution : LeastSquares
    model : LinearModel
    """

    solution: LeastSquares
    model: LinearModel

    # -- size -------------------------------------------------------------------------------------

    @property
    def nobs(self) -> float:
        """Number of observations: rows, or the sum of frequency weights."""
        return self.model.n_obs

    @property
    def k_constant(self) -> int:
        """1 where the columns span the constant, else 0."""
        return int(self.solution.spans_constant)

    @property
    def df_model(self) -> float:
        """Rank of the columns, less the constant."""
        return float(self.solution.rank - self.k_constant)

    @property
    def df_resid(self) -> float:
        """Observations less the rank."""
        return self.nobs - self.solution.rank

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

    # -- covariance -------------------------------------------------------------------------------

    def moments(self) -> Moments:
        """What covariance estimators see: information, scores and labels of the rows."""
        return linear_moments(self.solution, self.model, self.recipe, self.rows, self.call)
