"""What a generalised linear model knows of its size, its likelihood and its mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from formula_torch.design import Design, RowScores
from formula_torch.errors import check_known
from formula_torch.families.generalized import GeneralizedFamily
from formula_torch.inference.margins import MeanFunction
from formula_torch.inference.moments import Moments
from formula_torch.models.glm import Fitness, GlmModel
from formula_torch.numerics.tails import chi2_sf
from formula_torch.result.glm.moments import glm_moments, glm_row_scores
from formula_torch.result.solved_fit import SolvedFit

__all__ = ["Climbed", "Generalized"]


@dataclass(frozen=True)
class Climbed:
    """How the maximum was reached.

    Parameters
    ----------
    method : str
    iterations : int
    decrement : float
        Newton's, before the last step: the square of what was left, in standard errors.
    converged : bool
    """

    method: str
    iterations: int
    decrement: float
    converged: bool


@dataclass(frozen=True, eq=False, repr=False)
class Generalized(SolvedFit):
    """A generalised linear model: what its tests, residuals and tables build on.

    Parameters
    ----------
    model : GlmModel
    fitness, null_fitness : Fitness
        Of the model, and of a constant alone (and the offset) at the dispersion of the model.
    climbed : Climbed
    lost : bool array, shape (k,)
        Coefficients that run to infinity.
    receding : array, shape (m, k)
        Directions in which they do; m is 0 where there is none.
    """

    model: GlmModel
    fitness: Fitness
    null_fitness: Fitness
    climbed: Climbed
    lost: np.ndarray
    receding: np.ndarray

    @property
    def family(self) -> GeneralizedFamily:
        """The distribution with its link."""
        return self.model.family

    # -- size -------------------------------------------------------------------------------------

    @property
    def nobs(self) -> float:
        """Number of observations: rows, or the sum of frequency weights."""
        return self.model.n_obs

    @property
    def weights_type(self) -> str | None:
        """What the weights are; None without."""
        return self.model.weights_type

    @property
    def converged(self) -> bool:
        """Whether Newton's decrement says that the maximum is reached."""
        return self.climbed.converged

    # -- likelihood -------------------------------------------------------------------------------

    @property
    def deviance(self) -> float:
        """Twice what the log-likelihood falls short of that of one mean for each row, times the dispersion."""
        return self.fitness.deviance

    @property
    def null_deviance(self) -> float:
        """Deviance of a constant alone (and the offset)."""
        return self.null_fitness.deviance

    @property
    def pearson_chi2(self) -> float:
        """Sum of squared residuals, each over its variance function."""
        return self.fitness.pearson

    @property
    def scale(self) -> float:
        """Dispersion: one, or Pearson's chi-squared over df_resid where the family has one to estimate."""
        return self.fitness.scale

    @property
    def llf(self) -> float:
        """Log-likelihood at the estimates and at `scale`; NaN for a quasi-likelihood."""
        return self.fitness.llf

    @property
    def llnull(self) -> float:
        """Log-likelihood of a constant alone, at the same dispersion."""
        return self.null_fitness.llf

    @property
    def llr(self) -> float:
        """Likelihood ratio statistic against a constant alone, 2 (llf - llnull)."""
        return 2 * (self.llf - self.llnull)

    @property
    def llr_pvalue(self) -> float:
        """p-value of ``llr``, chi-squared with df_model degrees of freedom."""
        return chi2_sf(self.llr, self.df_model) if self.df_model else math.nan

    @property
    def prsquared(self) -> float:
        """McFadden's pseudo R-squared, 1 - llf / llnull."""
        return self.pseudo_rsquared("mcf")

    def pseudo_rsquared(self, kind: str = "cs") -> float:
        """Return a pseudo R-squared.

        Parameters
        ----------
        kind : {"cs", "mcf"}
            Cox and Snell's, 1 - exp(2 (llnull - llf) / n), or McFadden's, 1 - llf / llnull.
        """
        kinds: dict[str, Callable[[], float]] = {
            "cs": lambda: -math.expm1(2 * (self.llnull - self.llf) / self.nobs),
            "mcf": lambda: 1 - self.llf / self.llnull if self.llnull else math.nan,
        }
        check_known("kind", kind, kinds)
        return kinds[kind]()

    @property
    def aic(self) -> float:
        """-2 llf + 2 rank (a dispersion is not counted, as in statsmodels)."""
        return -2 * self.llf + 2 * self.solution.rank

    @property
    def bic(self) -> float:
        """-2 llf + log(n) rank."""
        return -2 * self.llf + math.log(self.nobs) * self.solution.rank

    # -- mean -------------------------------------------------------------------------------------

    @property
    def mean_function(self) -> MeanFunction:
        """The inverse of the link, with two derivatives."""
        link = self.family.link
        return MeanFunction(link.mean, link.slope, link.curvature)

    # -- covariance -------------------------------------------------------------------------------

    def moments(self) -> Moments:
        """What covariance estimators see: information, scores and labels of the rows."""
        return glm_moments(
            self.solution,
            self.model,
            self.scale,
            self.lost,
            self.recipe,
            self.rows,
            self.call,
            receding=self.receding,
        )

    def row_scores(self, what: str) -> RowScores:
        """Return the scores of the rows, times the dispersion, as an operator."""
        return glm_row_scores(self.held_rows(what), self.recipe, self.solution, self.model, self.call)

    @property
    def response_sums(self) -> tuple[float, ...]:
        """Observations and the deviance of a constant."""
        return self.nobs, self.null_deviance

    def weighted_design(self, what: str) -> Design:
        """Return the rows with the weights of the expected information."""
        design = self.held_rows(what).design(self.recipe)
        weights = self.family.information(design.linear_predictor(np.nan_to_num(self.coefficients)))
        return replace(design, weights=weights if design.weights is None else weights * design.weights)

    def _own_rows(self, what: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Response, linear predictor and weights of the rows, shape (n,) each."""
        design = self.held_rows(what).design(self.recipe)
        assert design.y is not None
        eta = design.linear_predictor(np.nan_to_num(self.coefficients))
        weights = torch.ones_like(eta) if design.weights is None or self.model.counted else design.weights
        return design.y, eta, weights
