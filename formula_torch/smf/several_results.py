"""What models of several linear predictors return here, under the names of statsmodels' results."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from formula_torch.data import as_frame
from formula_torch.errors import check_known
from formula_torch.inference.moments import Moments
from formula_torch.numerics.intervals import standard_errors, t_interval, t_ratio
from formula_torch.numerics.tails import t_two_sided
from formula_torch.present.table import Summary
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.several import SeveralFit
from formula_torch.smf.column_effects import LevelEffects, column_margins
from formula_torch.smf.covariances import LIKELIHOOD_COV_TYPES
from formula_torch.smf.predictions import OfLogarithms, PredictionResults, predicted
from formula_torch.smf.results import numpy_floats, statsmodels_api
from formula_torch.smf.tabulated import Discrete
from formula_torch.smf.unsupported import unsupported

if TYPE_CHECKING:
    from formula_torch.smf.several import MNLogit, NegativeBinomial

__all__ = ["MultinomialResults", "NegativeBinomialResults", "SeveralResults"]


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

    def get_margeff(  # type: ignore[no-untyped-def]
        self, at: str = "overall", method: str = "dydx", atexog: Any = None, dummy: bool = False, count: bool = False
    ):
        raise NotImplementedError

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
        return theirs.fit(disp=0, maxiter=1000, method="newton", **self._their_covariance())

    def _their_arguments(self) -> dict[str, Any]:
        return {}

    get_influence = unsupported("get_influence", "result")
    get_diagnostic = unsupported("get_diagnostic", "result")
    get_distribution = unsupported("get_distribution", "result")
    score_test = unsupported("score_test", "result")
