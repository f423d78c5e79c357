"""What a generalised linear model returns here: its result under the names of statsmodels' ``GLMResults``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from formula_torch.errors import check_known
from formula_torch.fitting.glm import null_predictor
from formula_torch.models.glm import Fitness
from formula_torch.result.glm import GlmFit
from formula_torch.result.glm.observed import with_observed_information
from formula_torch.result.glm.prediction import MeanPrediction
from formula_torch.smf.family_objects import their_family
from formula_torch.smf.likelihood_results import LikelihoodResults
from formula_torch.smf.likelihood_summary import glm_header, glm_information
from formula_torch.smf.likelihoods import anscombe, has_its_own, logliks
from formula_torch.smf.predictions import PredictionResults, predicted
from formula_torch.smf.results import numpy_floats, statsmodels_api
from formula_torch.smf.summary import Pair
from formula_torch.smf.unsupported import unsupported

if TYPE_CHECKING:
    from formula_torch.smf.glm import GLM

__all__ = ["GLMResults"]


@numpy_floats(GlmFit, "deviance", "llf", "llnull", "null_deviance", "pearson_chi2", "scale")
@dataclass(frozen=True, eq=False, repr=False)
class GLMResults(LikelihoodResults):
    """A generalised linear model under statsmodels' names and with its defaults.

    Parameters
    ----------
    model : GLM
    method : str
        As it was asked for.

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> results = smf.glm("private ~ age", ft.datasets.visits(), family="binomial").fit(cov_type="HC0")
    >>> results.cov_type, float(results.deviance.round(3)), float(results.pseudo_rsquared().round(5))
    ('HC0', 5060.037, 0.01007)
    """

    model: GLM
    method: str = field(default="IRLS", kw_only=True)

    # -- size -------------------------------------------------------------------------------------

    @property
    def df_model(self) -> int:
        """Rank less one, whether the columns span the constant or not."""
        return self.solution.rank - 1

    @property
    def df_resid(self) -> float:
        """Observations (rows, or the sum of frequency weights) less the rank."""
        n = self.model.n_obs
        return (int(n) if n.is_integer() else n) - self.solution.rank

    # -- likelihood -------------------------------------------------------------------------------

    def at_scale(self, scale: str | float | None) -> Self:
        """Return the fit with another dispersion, and log-likelihoods as statsmodels has them."""
        chosen, shares = self._scale(scale), self.model.shares
        if scale is None and not has_its_own(self.family, shares=shares):
            return self
        # The log-likelihood of the normal with the identity link is at its maximum over the variance.
        own = self.deviance / self.model.n_obs if self.family.is_normal_linear else chosen
        llf, llnull = self._logliks(own)[0], self._logliks(chosen)[1]
        return replace(
            self,
            fitness=Fitness(self.fitness.deviance, self.fitness.pearson, chosen, llf),
            null_fitness=Fitness(self.null_fitness.deviance, self.null_fitness.pearson, chosen, llnull),
        )

    def _scale(self, given: str | float | None) -> float:
        if isinstance(given, str):
            check_known("scale", given.lower(), ("x2", "dev"))
            return float((self.pearson_chi2 if given.lower() == "x2" else self.deviance) / self.df_resid)
        return float(self.fitness.scale if given is None else given)

    def _logliks(self, scale: float) -> list[float]:
        """Log-likelihoods of the fit and of a constant alone."""
        y, _, _ = self._own_rows("llf_scaled")
        w, counts = self.model.row_weights()
        both, trials = [self.fitness.deviance, self.null_fitness.deviance], self.model.trials is not None
        return logliks(self.family, y, w, counts, both, scale, trials=trials)

    def llf_scaled(self, scale: float | None = None) -> np.float64:
        """Log-likelihood at another scale; the rows are needed for it.

        Parameters
        ----------
        scale : float, optional
            By default that of ``llf``.
        """
        return np.float64(self.llf if scale is None else self._logliks(float(scale))[0])

    def pseudo_rsquared(self, kind: str = "cs") -> np.float64:
        """Return a pseudo R-squared.

        Parameters
        ----------
        kind : {"cs", "mcf"}
            Cox and Snell's, 1 - exp(2 (llnull - llf) / n), or McFadden's, 1 - llf / llnull.
        """
        lower = kind.lower()
        mcfadden, cox = lower.startswith("mcf"), lower.startswith("cox") or lower in ("cs", "lr")
        return np.float64(super().pseudo_rsquared("mcf" if mcfadden else "cs" if cox else kind))

    def info_criteria(  # type: ignore[override]  # the order of statsmodels' arguments
        self, crit: str, scale: float | None = None, dk_params: int = 0
    ) -> np.float64:
        """Return an information criterion; smaller is better.

        Parameters
        ----------
        crit : {"aic", "bic", "qaic"}
        scale : float, optional
            For ``"qaic"``: the dispersion of the largest model.
        dk_params : int
            Parameters to count beyond the coefficients; 1 counts a dispersion.
        """
        check_known("crit", crit.lower(), ("aic", "bic", "qaic"))
        k = self.solution.rank + dk_params
        if crit.lower() == "qaic":
            if scale is None:
                raise ValueError("info_criteria('qaic') needs scale=, the dispersion of the largest model.")
            return np.float64(-2 * self.llf_scaled(1) / scale + 2 * k)
        return np.float64(-2 * self.llf + (2 if crit.lower() == "aic" else math.log(self.model.n_obs)) * k)

    @property
    def aic(self) -> np.float64:
        """-2 llf + 2 rank."""
        return self.info_criteria("aic")

    @property
    def bic(self) -> np.float64:
        """-2 llf + log(n) rank: ``bic_llf``, as since statsmodels 0.15."""
        return self.bic_llf

    @property
    def bic_llf(self) -> np.float64:
        """-2 llf + log(n) rank."""
        return self.info_criteria("bic")

    @property
    def bic_deviance(self) -> np.float64:
        """Deviance - df_resid log(n), what statsmodels called ``bic`` until 0.14."""
        return np.float64(self.deviance - self.df_resid * math.log(self.model.n_obs))

    # -- how it was found -------------------------------------------------------------------------

    @property
    def fit_history(self) -> dict[str, Any]:
        """Where the search ended: params, deviance, and how many iterations it took."""
        ends = {"params": [self.coefficients.copy()], "deviance": [self.deviance]}
        return {**ends, "iteration": self.climbed.iterations}

    @property
    def mle_settings(self) -> dict[str, Any]:
        """The optimizer as it was asked for."""
        return {"optimizer": self.method}

    # -- rows -------------------------------------------------------------------------------------

    @property
    def mu(self) -> np.ndarray:
        """Fitted means, shape (n,)."""
        return self.fittedvalues.to_numpy()

    @property
    def null(self) -> np.ndarray:
        """Fitted means of a constant alone (and the offset), shape (n,)."""
        design = self.held_rows("null").design(self.recipe)
        eta = null_predictor(self.family, design, self.recipe.response_name)
        return self.family.mean(eta.expand(design.n_rows)).numpy()

    @property
    def resid_response(self) -> pd.Series:
        """Response less the fitted mean; of successes and failures, in successes."""
        return super().resid_response * self._trials()

    @property
    def resid_working(self) -> pd.Series:
        """Residuals on the scale of the linear predictor; of trials, times their squares, as in statsmodels."""
        return super().resid_working * self._trials() ** 2

    def _trials(self) -> np.ndarray | float:
        trials = self.model.trials
        return 1.0 if trials is None else trials

    @property
    def resid_anscombe_unscaled(self) -> np.ndarray:
        """Anscombe's residuals, nearly normal, shape (n,)."""
        y, eta, _ = self._own_rows("resid_anscombe")
        return anscombe(self.family, y, self.family.mean(eta), self.model.row_weights()[0])

    @property
    def resid_anscombe_scaled(self) -> np.ndarray:
        """The same over the root of the scale, shape (n,)."""
        return self.resid_anscombe_unscaled / math.sqrt(self.scale)

    @property
    def resid_anscombe(self) -> pd.Series:
        """The same on the user's index."""
        return self._row_series(self.resid_anscombe_scaled)

    def get_hat_matrix_diag(self, observed: bool = True) -> np.ndarray:
        """Leverage of the rows, shape (n,).

        Parameters
        ----------
        observed : bool
            By the observed rather than the expected information.
        """
        informed = with_observed_information(self) if observed else self
        leverage = informed.row_scores("get_hat_matrix_diag").leverage()
        counts = self.model.row_weights()[1]
        return leverage if counts is None else leverage * counts.numpy()

    # -- predictions ------------------------------------------------------------------------------

    def get_prediction(  # type: ignore[override]
        self,
        exog: Any = None,
        exposure: Any = None,
        offset: Any = None,
        transform: bool = True,
        which: str | None = None,
        *,
        unseen: str = "error",
    ) -> MeanPrediction | PredictionResults:
        """Predict means, with errors and intervals.

        Parameters
        ----------
        exog : table, optional
            New rows; without it, the rows of the fit.
        exposure, offset : float or array of shape (n,), optional
            Of new rows, which have none unless they are given.
        transform : bool
            False is not supported.
        which : {"mean", "linear"}, optional
            With it, the columns of ``summary_frame`` are predicted, se, ci_lower, ci_upper.
        unseen : {"error", "nan"}
        """
        made = self._prediction(exog, transform, exposure, offset, unseen)
        return made if which is None else predicted(made, which)

    # -- tables -----------------------------------------------------------------------------------

    @property
    def titles(self) -> tuple[str, str]:
        """Of both summaries."""
        return "Generalized Linear Model Regression Results", "Generalized linear model"

    def header(self) -> tuple[list[Pair], list[Pair]]:
        """Return the pairs of the first summary's header, left and right, without the response."""
        return glm_header(self)

    def second_header(self, response: str) -> list[Pair]:
        """Return the pairs of the second summary's header."""
        return glm_information(self, response)

    # -- life -------------------------------------------------------------------------------------

    def to_statsmodels(self) -> Any:
        """Fit the same design by statsmodels, for what is not built here.

        Raises
        ------
        ImportError
            statsmodels is not installed.
        """
        sm, model = statsmodels_api(), self.model
        theirs = sm.GLM(
            model.data.orig_endog, model.data.orig_exog, family=their_family(sm, self.family), **model.row_arguments
        )
        return theirs.fit(method=self.method, tol=1e-12, scale=float(self.scale), **self._their_covariance())

    plot_added_variable = unsupported("plot_added_variable", "result")
    plot_partial_residuals = unsupported("plot_partial_residuals", "result")
    plot_ceres_residuals = unsupported("plot_ceres_residuals", "result")
