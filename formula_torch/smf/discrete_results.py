"""What discrete models return here: their result under the names of statsmodels' ``DiscreteResults``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.glm import GlmFit
from formula_torch.result.glm.observed import with_observed_information
from formula_torch.smf.likelihood_results import LikelihoodResults
from formula_torch.smf.predictions import PredictionResults, predicted
from formula_torch.smf.results import numpy_floats, statsmodels_api
from formula_torch.smf.tabulated import Discrete
from formula_torch.smf.unsupported import unsupported

if TYPE_CHECKING:
    from formula_torch.smf.likelihood_model import LikelihoodModel

__all__ = ["BinaryResults", "DiscreteResults", "LogitResults", "PoissonResults", "ProbitResults"]


@numpy_floats(GlmFit, "aic", "llf", "llnull", "llr", "llr_pvalue", "prsquared")
@dataclass(frozen=True, eq=False, repr=False)
class DiscreteResults(Discrete, LikelihoodResults):  # type: ignore[misc]  # the order of statsmodels' arguments
    """A discrete model under statsmodels' names and with its defaults.

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> results = smf.poisson("drvisits ~ age", ft.datasets.visits()).fit()
    Optimization terminated successfully.
             Current function value: 4.684657
             Iterations 4
    >>> results.mle_retvals["converged"], float(results.llr.round(3))
    (True, 66.287)
    """

    model: LikelihoodModel

    @property
    def df_model(self) -> float:
        """Rank less one, whether the columns span the constant or not."""
        return float(self.solution.rank - 1)

    @property
    def bic(self) -> np.float64:
        """-2 llf + log(n) rank."""
        return np.float64(-2 * self.llf + np.log(self.nobs) * self.solution.rank)

    @property
    def iterations(self) -> int:
        """Of the search."""
        return self.climbed.iterations

    @property
    def k_params(self) -> int:
        """Coefficients that were estimated."""
        return self.solution.rank

    @property
    def hessian(self) -> np.ndarray:
        """The information of the coefficients, shape (k, k); that is the observed one while the rows are held."""
        informed = with_observed_information(self) if self.rows is not None else self
        found = np.full((len(self.names), len(self.names)), np.nan)
        kept, raw = self.solution.kept, informed.solution.coordinates.raw_root
        found[np.ix_(kept, kept)] = raw.T @ raw
        return found

    # -- rows -------------------------------------------------------------------------------------

    @property
    def fittedvalues(self) -> pd.Series:
        """The linear predictor without the offset, not the mean, on the user's index."""
        design = self.held_rows("fittedvalues").design(self.recipe)
        return self._row_series(design.matvec(np.nan_to_num(self.coefficients)))

    # -- predictions ------------------------------------------------------------------------------

    def get_prediction(  # type: ignore[override]
        self,
        exog: Any = None,
        transform: bool = True,
        which: str = "mean",
        *,
        exposure: Any = None,
        offset: Any = None,
        unseen: str = "error",
    ) -> PredictionResults:
        """Predict the mean or its linear predictor, with errors and intervals.

        Parameters
        ----------
        exog : table, optional
            New rows; without it, the rows of the fit.
        transform : bool
            False is not supported.
        which : {"mean", "linear"}
        exposure, offset : float or array of shape (n,), optional
            Of new rows, which have none unless they are given.
        unseen : {"error", "nan"}
        """
        return predicted(self._prediction(exog, transform, exposure, offset, unseen), which)

    # -- life -------------------------------------------------------------------------------------

    def to_statsmodels(self) -> Any:
        """Fit the same design by statsmodels, for what is not built here.

        Raises
        ------
        ImportError
            statsmodels is not installed.
        """
        model, given = self.model, {"offset": self.model.offset, "exposure": self.model.exposure}
        if model.exposure is not None:
            given["exposure"] = np.exp(model.exposure)
        theirs = getattr(statsmodels_api(), self.model_name)(
            model.data.orig_endog, model.data.orig_exog, **{k: v for k, v in given.items() if v is not None}
        )
        return theirs.fit(disp=0, maxiter=100, **self._their_covariance())


@dataclass(frozen=True, eq=False, repr=False)
class BinaryResults(DiscreteResults):
    """A model of a response of 0 and 1."""

    @property
    def resid_dev(self) -> pd.Series:
        """Roots of the rows' contributions to the deviance, with the sign of the residual."""
        return self.resid_deviance


@dataclass(frozen=True, eq=False, repr=False)
class LogitResults(BinaryResults):
    """Logistic regression, under statsmodels' names."""


@dataclass(frozen=True, eq=False, repr=False)
class ProbitResults(BinaryResults):
    """Probit regression, under statsmodels' names."""


@dataclass(frozen=True, eq=False, repr=False)
class PoissonResults(DiscreteResults):
    """Poisson regression, under statsmodels' names."""

    @property
    def resid(self) -> pd.Series:
        """Response less the fitted mean."""
        return GlmFit.resid_response.__get__(self)

    @property
    def resid_response(self) -> np.ndarray:  # type: ignore[override]  # statsmodels has an array here
        """Response less the fitted mean, shape (n,)."""
        return self.resid.to_numpy()

    @property
    def resid_pearson(self) -> np.ndarray:  # type: ignore[override]
        """Residuals over the root of the mean, shape (n,)."""
        return super().resid_pearson.to_numpy()

    def predict_prob(
        self, n: Any = None, exog: Any = None, exposure: Any = None, offset: Any = None, transform: bool = True
    ) -> np.ndarray:
        """Probabilities of counts, shape (rows, counts).

        Parameters
        ----------
        n : int or array of counts, optional
            By default all from 0 to the largest response.
        exog, exposure, offset, transform
            See ``predict``.
        """
        counts = np.arange(self.model.endog.max() + 1) if n is None else np.atleast_1d(n)
        mean = np.asarray(self.predict(exog, transform, exposure=exposure, offset=offset))
        y, mu = as_tensor(np.asarray(counts, dtype=np.float64)), as_tensor(mean)[:, None]
        return torch.exp(torch.xlogy(y, mu) - mu - torch.lgamma(y + 1)).numpy()

    get_diagnostic = unsupported("get_diagnostic", "result")
