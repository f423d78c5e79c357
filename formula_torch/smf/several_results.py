"""What models of several linear predictors return here, under the names of statsmodels' results."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from formula_torch.data import as_frame
from formula_torch.inference.moments import Moments
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.several import SeveralFit
from formula_torch.smf.covariances import LIKELIHOOD_COV_TYPES
from formula_torch.smf.predictions import OfLogarithms, PredictionResults, predicted
from formula_torch.smf.results import numpy_floats, statsmodels_api
from formula_torch.smf.tabulated import Discrete
from formula_torch.smf.unsupported import unsupported

if TYPE_CHECKING:
    from formula_torch.smf.several import MNLogit, NegativeBinomial

__all__ = ["NegativeBinomialResults", "SeveralResults", "refuse_columns"]


@numpy_floats(SeveralFit, "aic", "bic", "llr", "llr_pvalue", "prsquared")
@dataclass(frozen=True, eq=False, repr=False)
class SeveralResults(Discrete, SeveralFit):  # type: ignore[misc]  # the order of statsmodels' arguments
    """A model of several linear predictors under statsmodels' names and with its defaults.

    Parameters
    ----------
    model : NegativeBinomial or MNLogit
    """

    model: NegativeBinomial | MNLogit
    cov_types = LIKELIHOOD_COV_TYPES
    scale = 1.0

    # -- size -------------------------------------------------------------------------------------

    @property
    def nobs(self) -> int:
        """Number of rows."""
        return self.sample.n_rows

    @property
    def iterations(self) -> int:
        """Of the search."""
        return self.ascent.iterations

    @property
    def k_params(self) -> int:
        """Parameters that were estimated."""
        return self.n_params

    @property
    def k_constant(self) -> int:
        """1 where the formula has a constant."""
        return int("Intercept" in self.recipe.column_names)

    @property
    def positive(self) -> np.ndarray:
        """None: intervals are symmetric, and every parameter has a p-value, as in statsmodels."""
        return np.zeros(len(self.names), dtype=bool)

    # -- covariance -------------------------------------------------------------------------------

    def moments(self) -> Moments:
        """What covariance estimators see: observed information and scores of the rows."""
        return replace(self.information, df_denom=self.df_resid)

    @property
    def normalized_cov_params(self) -> pd.DataFrame:
        """Inverse of the information, shape (P, P)."""
        return pd.DataFrame(self.information.bread.copy(), index=list(self.names), columns=list(self.names))

    @property
    def hessian(self) -> np.ndarray:
        """The information of all parameters, shape (P, P)."""
        lift = self.information.lift
        known = ~np.isnan(lift).any(axis=1)
        found = np.full((len(lift),) * 2, math.nan)
        found[np.ix_(known, known)] = np.linalg.inv(lift[known] @ lift[known].T)
        return found

    # -- predictions ------------------------------------------------------------------------------

    def _with_row_arguments(self, exog: Any, offset: Any, exposure: Any) -> tuple[Self, dict[str, Any]]:
        """The fit with an offset and an exposure of new rows, which have none unless they are given."""
        if exog is None:
            return self, {}
        n = as_frame(exog).n_rows
        full = [np.full(n, float(x)) if x is not None and np.ndim(x) == 0 else x for x in (offset, exposure)]
        had = [None if x is None else True for x in full]
        return replace(self, offset=had[0], exposure=had[1]), {"offset": full[0], "exposure": full[1]}

    def get_margeff(  # type: ignore[override]  # the order of statsmodels' arguments
        self, at: str = "overall", method: str = "dydx", atexog: Any = None, dummy: bool = False, count: bool = False
    ) -> MarginalEffects:
        """Effects of the columns of the design on the mean, or on the probability of each level.

        Parameters
        ----------
        at : {"overall", "mean", "median", "zero"}
        method : {"dydx", "eyex", "dyex", "eydx"}
        atexog : optional
            Not supported.
        dummy, count : bool
            Differences in place of slopes, for columns of zeros and ones, and of whole numbers.
        """
        if atexog is not None or at.lower() == "all":
            raise NotImplementedError("atexog= and at='all' are not built: result.to_statsmodels().get_margeff(...).")
        return replace(super().get_margeff(at.lower(), method, dummy, count), df=math.inf)

    @property
    def labelled(self) -> SeveralFit:
        """The same in our own vocabulary: one coefficient after the other, predictions as Series and data frames."""
        return SeveralFit(**{f.name: getattr(self, f.name) for f in fields(SeveralFit)})

    def augment(self, data: Any = None) -> pd.DataFrame:
        """Data with fitted values.

        Parameters
        ----------
        data : table, optional
            By default the columns and rows of the fit.
        """
        return self.labelled.augment(data)

    # -- life -------------------------------------------------------------------------------------

    def to_statsmodels(self) -> Any:
        """Fit the same design by statsmodels, for what is not built here.

        Raises
        ------
        ImportError
            statsmodels is not installed.
        """
        made = getattr(statsmodels_api(), self.model_name)
        theirs = made(self.model.data.orig_endog, self.model.data.orig_exog, **self._their_arguments())
        return theirs.fit(disp=0, maxiter=1000, method=self.model.solver, **self._their_covariance())

    def _their_arguments(self) -> dict[str, Any]:
        return {}

    get_influence = unsupported("get_influence", "result")
    get_diagnostic = unsupported("get_diagnostic", "result")
    get_distribution = unsupported("get_distribution", "result")
    score_test = unsupported("score_test", "result")


@dataclass(frozen=True, eq=False, repr=False)
class NegativeBinomialResults(SeveralResults):
    """Negative binomial regression, under statsmodels' names; the last parameter is alpha."""

    @property
    def df_resid(self) -> float:
        """Rows less the coefficients of the mean."""
        return float(self.nobs - self.n_params + 1)

    @property
    def lnalpha(self) -> np.float64:
        """Logarithm of alpha."""
        return np.log(np.float64(self.coefficients[-1]))

    @property
    def lnalpha_std_err(self) -> np.float64:
        """Its standard error."""
        return np.float64(self.bse.iloc[-1] / self.coefficients[-1])

    # -- rows -------------------------------------------------------------------------------------

    @property
    def fittedvalues(self) -> pd.Series:
        """The linear predictor without the offset, not the mean, on the user's index."""
        design = self.held_rows("fittedvalues").design(self.recipe)
        return self._row_series(design.matvec(self.coefficients_of("mean")))

    @property
    def resid_response(self) -> np.ndarray:
        """Response less the fitted mean, shape (n,)."""
        return self.resid.to_numpy()

    @property
    def resid_pearson(self) -> np.ndarray:
        """Residuals over the standard deviation of the response, shape (n,)."""
        return super().resid_pearson.to_numpy()

    # -- predictions ------------------------------------------------------------------------------

    def predict(  # type: ignore[override]  # an array without new rows, as in statsmodels
        self,
        exog: Any = None,
        transform: bool = True,
        *,
        exposure: Any = None,
        offset: Any = None,
        which: str = "mean",
        y_values: Any = None,
        unseen: str = "error",
    ) -> Any:
        """Predict the mean response, its linear predictor, or probabilities of counts.

        Parameters
        ----------
        exog : table, optional
            New rows; without it an array of the rows of the fit.
        transform : bool
            False is not supported.
        exposure, offset : float or array of shape (n,), optional
            Of new rows, which have none unless they are given.
        which : {"mean", "linear", "prob"}
        y_values : array of counts, optional
            For ``"prob"``; by default all from 0 to the largest response.
        unseen : {"error", "nan"}
        """
        refuse_columns(transform)
        fit, given = self._with_row_arguments(exog, offset, exposure)
        counts = None if y_values is None else [int(y) for y in np.atleast_1d(y_values)]
        made = SeveralFit.predict(fit, exog, which=which, counts=counts, unseen=unseen, **given)
        return made.to_numpy() if exog is None or which == "prob" else made

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
        exog, transform, exposure, offset, unseen
            See ``predict``.
        which : {"mean", "linear"}
        """
        refuse_columns(transform)
        fit, given = self._with_row_arguments(exog, offset, exposure)
        made = SeveralFit.get_prediction(fit, exog, unseen=unseen, **given)
        return predicted(OfLogarithms(made.predicted_mean, made.se_mean, made.df, made.row_labels), which)

    def _their_arguments(self) -> dict[str, Any]:
        model: Any = self.model
        exposure = None if model.exposure is None else np.exp(model.exposure)
        given = {"offset": model.offset, "exposure": exposure}
        return {"loglike_method": model.loglike_method, **{k: v for k, v in given.items() if v is not None}}


def refuse_columns(transform: bool) -> None:
    """Raise where predictions are asked for at columns of the design.

    Raises
    ------
    NotImplementedError
        `transform` is false.
    """
    if not transform:
        raise NotImplementedError("transform=False is not built here: result.to_statsmodels().")
