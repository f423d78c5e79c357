"""What models of a likelihood return here, before their own vocabulary: information, predictions, margins, tables."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from formula_torch.data import as_frame
from formula_torch.errors import InferenceWarning
from formula_torch.inference.moments import Moments
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.glm import GlmFit
from formula_torch.result.glm.observed import with_observed_information
from formula_torch.result.glm.prediction import MeanPrediction
from formula_torch.smf.covariances import LIKELIHOOD_COV_TYPES, Kind
from formula_torch.smf.tabulated import Tabulated
from formula_torch.smf.unsupported import unsupported

if TYPE_CHECKING:
    from formula_torch.smf.likelihood_model import LikelihoodModel

__all__ = ["LikelihoodResults"]


@dataclass(frozen=True, eq=False, repr=False)
class LikelihoodResults(Tabulated, GlmFit):  # type: ignore[misc]  # the order of statsmodels' arguments
    """A model of a likelihood under statsmodels' names and with its defaults.

    Parameters
    ----------
    model : LikelihoodModel
        With exog, endog, exog_names, formula, data, ...
    observed : bool
        Whether the errors that are not robust are from the observed information; robust ones always are.
    """

    model: LikelihoodModel
    observed: bool = field(default=False, kw_only=True)
    cov_types: ClassVar[dict[str, Kind]] = LIKELIHOOD_COV_TYPES

    # -- size -------------------------------------------------------------------------------------

    @property
    def nobs(self) -> int:
        """Number of rows, whatever their weights."""
        return self.sample.n_rows

    # -- covariance -------------------------------------------------------------------------------

    def moments(self) -> Moments:
        """What covariance estimators see: information, scores and labels of the rows."""
        return self._moments_of("nonrobust")

    def _moments_of(self, cov_type: str) -> Moments:
        informed = with_observed_information(self) if self.observed or cov_type != "nonrobust" else self
        moments = GlmFit.moments(informed)
        # statsmodels' small-sample factors count rows. What a covariance keeps is in the coordinates of this solution.
        return replace(moments, n_obs=float(self.nobs), cores=moments.cores and informed is self)

    @property
    def normalized_cov_params(self) -> pd.DataFrame:
        """Inverse of the information, shape (k, k); not times the scale."""
        informed = with_observed_information(self) if self.observed else self
        return pd.DataFrame(informed.solution.inverse_gram.copy(), index=list(self.names), columns=list(self.names))

    # -- predictions ------------------------------------------------------------------------------

    def predict(  # type: ignore[override]  # an array without new rows, as in statsmodels
        self,
        exog: Any = None,
        transform: bool = True,
        *,
        exposure: Any = None,
        offset: Any = None,
        which: str = "mean",
        unseen: str = "error",
    ) -> pd.Series | np.ndarray:
        """Predict the mean response, its linear predictor or its variance.

        Parameters
        ----------
        exog : table, optional
            New rows; without it an array of the rows of the fit.
        transform : bool
            False where `exog` holds the columns of the design.
        exposure, offset : float or array of shape (n,), optional
            By default those of the fit for its own rows, and none for new ones.
        which : {"mean", "linear", "var"}
            ``"var_unscaled"`` in a GLM.
        unseen : {"error", "nan"}
            What to do with a factor level that the fit did not see.

        Returns
        -------
        Series, or array where `exog` has no index, shape (n,)
        """
        if exog is None:
            if offset is not None or exposure is not None:
                return self.model.predict(self.coefficients, None, exposure, offset, which)
            return self.model.statistic(which, self._own_predictor("predict without exog"))
        if not transform:
            values = self.model.predict(self.coefficients, np.asarray(exog, dtype=np.float64), exposure, offset, which)
            return pd.Series(values, index=exog.index) if isinstance(exog, (pd.DataFrame, pd.Series)) else values
        fit, offset, exposure = self._with_row_arguments(exog, offset, exposure)
        frame = as_frame(exog)
        eta = fit._linear_predictor(self.recipe.apply(frame, unseen=unseen), frame, offset, exposure)
        return pd.Series(self.model.statistic(which, eta), index=frame.index)

    def _with_row_arguments(self, exog: Any, offset: Any, exposure: Any) -> tuple[Self, Any, Any]:
        """The fit with an offset and an exposure of new rows, which have none unless they are given."""
        n = as_frame(exog).n_rows
        full = [np.full(n, float(x)) if x is not None and np.ndim(x) == 0 else x for x in (offset, exposure)]
        had = [None if x is None else True for x in full]
        return replace(self, offset=had[0], exposure=had[1]), full[0], full[1]

    def _prediction(self, exog: Any, transform: bool, exposure: Any, offset: Any, unseen: str) -> MeanPrediction:
        if not transform:
            raise NotImplementedError("transform=False is not built; statsmodels has it: result.to_statsmodels().")
        if exog is None:
            return GlmFit.get_prediction(self, offset=offset, exposure=exposure)
        fit, offset, exposure = self._with_row_arguments(exog, offset, exposure)
        return GlmFit.get_prediction(fit, exog, offset=offset, exposure=exposure, unseen=unseen)

    def get_margeff(  # type: ignore[override]  # the order of statsmodels' arguments
        self,
        at: str = "overall",
        method: str = "dydx",
        atexog: Any = None,
        dummy: bool = False,
        count: bool = False,
    ) -> MarginalEffects:
        """Effects of the columns of the design on the mean, each column being a variable of its own.

        Parameters
        ----------
        at : {"overall", "mean", "median", "zero"}
        method : {"dydx", "eyex", "dyex", "eydx"}
        atexog : optional
            Not supported.
        dummy, count : bool
            Differences in place of slopes, for columns of zeros and ones, and of whole numbers.

        Warns
        -----
        InferenceWarning
            The rows have weights or an exposure, which statsmodels leaves out.
        """
        if atexog is not None or at.lower() == "all":
            raise NotImplementedError("atexog= and at='all' are not built: result.to_statsmodels().get_margeff(...).")
        if self.model.weights_type is not None or self.exposure is not None:
            warnings.warn(
                "these effects are averages of the rows with their weights, per row and not per unit of exposure; "
                "statsmodels leaves weights and exposure out.",
                InferenceWarning,
                stacklevel=2,
            )
        made = super().get_margeff(at.lower(), method, dummy, count)
        return replace(made, df=math.inf)

    score_test = unsupported("score_test", "result")
    get_distribution = unsupported("get_distribution", "result")
