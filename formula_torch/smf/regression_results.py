"""What a linear regression returns here: its result with the rest of statsmodels' vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from formula_torch.inference.covariance import HC0, HC1, HC2, HC3
from formula_torch.inference.moments import Estimator
from formula_torch.inference.vcov import estimate
from formula_torch.present.table import Summary
from formula_torch.result.prediction import Prediction
from formula_torch.result.regression import RegressionFit
from formula_torch.smf import regression_summary as summaries
from formula_torch.smf.results import StatsmodelsResults, numpy_floats, statsmodels_api
from formula_torch.smf.summary import Summary2
from formula_torch.smf.unsupported import unsupported

if TYPE_CHECKING:
    from formula_torch.smf.least_squares import OLS, WLS

__all__ = ["RegressionResults", "UnlabelledResults"]


@numpy_floats(
    RegressionFit,
    *"aic bic centered_tss condition_number ess f_pvalue fvalue llf mse_model mse_resid mse_total".split(),
    *"rsquared rsquared_adj scale ssr uncentered_tss".split(),
)
@dataclass(frozen=True, eq=False, repr=False)
class RegressionResults(StatsmodelsResults, RegressionFit):
    """A regression under statsmodels' names and with its defaults.

    Parameters
    ----------
    model : OLS or WLS
        With exog, endog, exog_names, formula, data, ...

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> results = smf.ols("drvisits ~ age", ft.datasets.visits()).fit(cov_type="HC3")
    >>> results.cov_type, results.use_t, results.model.exog_names
    ('HC3', False, ['Intercept', 'age'])
    """

    model: OLS | WLS

    @property
    def resid_pearson(self) -> np.ndarray:  # type: ignore[override]  # statsmodels has an array here
        """Weighted residuals over the root of the error variance, shape (n,)."""
        return super().resid_pearson.to_numpy()

    # -- covariance -------------------------------------------------------------------------------

    @property
    def normalized_cov_params(self) -> pd.DataFrame:
        """Inverse of the information, (X'WX)^-1 in least squares, shape (k, k); not times the scale."""
        return pd.DataFrame(self.solution.inverse_gram.copy(), index=list(self.names), columns=list(self.names))

    def _matrix(self, estimator: Estimator) -> np.ndarray:
        return estimate(estimator, self.moments()).matrix

    @property
    def cov_HC0(self) -> np.ndarray:  # noqa: N802 - statsmodels' name, as those below
        """Heteroskedasticity-robust covariance, shape (k, k)."""
        return self._matrix(HC0())

    @property
    def cov_HC1(self) -> np.ndarray:  # noqa: N802
        """HC0 times n / (n - k), shape (k, k)."""
        return self._matrix(HC1())

    @property
    def cov_HC2(self) -> np.ndarray:  # noqa: N802
        """With residuals over the root of 1 - h, shape (k, k)."""
        return self._matrix(HC2())

    @property
    def cov_HC3(self) -> np.ndarray:  # noqa: N802
        """With residuals over 1 - h, shape (k, k)."""
        return self._matrix(HC3())

    @property
    def HC0_se(self) -> pd.Series:  # noqa: N802
        """Standard errors from ``cov_HC0``, shape (k,)."""
        return self._series(np.sqrt(np.diag(self.cov_HC0)))

    @property
    def HC1_se(self) -> pd.Series:  # noqa: N802
        """Standard errors from ``cov_HC1``, shape (k,)."""
        return self._series(np.sqrt(np.diag(self.cov_HC1)))

    @property
    def HC2_se(self) -> pd.Series:  # noqa: N802
        """Standard errors from ``cov_HC2``, shape (k,)."""
        return self._series(np.sqrt(np.diag(self.cov_HC2)))

    @property
    def HC3_se(self) -> pd.Series:  # noqa: N802
        """Standard errors from ``cov_HC3``, shape (k,)."""
        return self._series(np.sqrt(np.diag(self.cov_HC3)))

    def get_robustcov_results(
        self, cov_type: str = "HC1", use_t: bool | None = None, **options: Any
    ) -> UnlabelledResults:
        """Return the same fit under another covariance, with arrays in place of Series as in statsmodels.

        Parameters
        ----------
        cov_type : str
            See ``fit``.
        use_t : bool, optional
            By default as in this result.
        **options
            What ``fit`` takes as ``cov_kwds``.
        """
        return UnlabelledResults(self.robust(cov_type, self.use_t if use_t is None else use_t, options))

    # -- predictions ------------------------------------------------------------------------------

    def predict(  # type: ignore[override]  # an array without new rows, as in statsmodels
        self, exog: Any = None, transform: bool = True, *, unseen: str = "error"
    ) -> pd.Series | np.ndarray:
        """Predict the mean response.

        Parameters
        ----------
        exog : table, optional
            New rows; without it an array of the fitted values.
        transform : bool
            False where `exog` holds the columns of the design.
        unseen : {"error", "nan"}
            What to do with a factor level that the fit did not see.

        Returns
        -------
        Series, or array where `exog` has no index, shape (n,)
        """
        if exog is None:
            return self.fittedvalues.to_numpy()
        if transform:
            return super().predict(exog, unseen=unseen)
        values = np.asarray(exog, dtype=np.float64) @ self.coefficients
        return pd.Series(values, index=exog.index) if isinstance(exog, (pd.DataFrame, pd.Series)) else values

    def get_prediction(  # type: ignore[override]
        self, exog: Any = None, *, unseen: str = "error", weights: Any = None
    ) -> Prediction:
        """Predict means, with intervals of the means and of new observations.

        Parameters
        ----------
        exog : table, optional
            New rows; without it, the rows of the fit.
        unseen : {"error", "nan"}
        weights : float, str or array of shape (n,), optional
            Of the rows; 1 for new ones unless given.
        """
        weights = 1.0 if weights is None and exog is not None else weights
        return super().get_prediction(exog, unseen=unseen, weights=weights)

    # -- tables -----------------------------------------------------------------------------------

    def summary(  # type: ignore[override]  # the order of statsmodels' arguments
        self,
        yname: str | None = None,
        xname: Sequence[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
        slim: bool = False,
    ) -> Summary:
        """Tables of the fit: header, coefficients, diagnostics.

        Parameters
        ----------
        yname, xname, title : optional
            To print instead of the response's and the coefficients' names, and of the title.
        alpha : float
            One less the confidence level of the intervals.
        slim : bool
            Leave out the diagnostics and half of the header.
        """
        return summaries.summary(self, yname, xname, title, alpha, slim)

    def summary2(
        self,
        yname: str | None = None,
        xname: Sequence[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
        float_format: str = "%.4f",
    ) -> Summary2:
        """The same as data frames, in ``tables``.

        Parameters
        ----------
        yname, xname, title, alpha
            See ``summary``.
        float_format : str
            How the coefficients are printed.
        """
        return summaries.summary2(self, yname, xname, title, alpha, float_format)

    # -- life -------------------------------------------------------------------------------------

    def to_statsmodels(self) -> Any:
        """Fit the same design by statsmodels, for what is not built here.

        Raises
        ------
        ImportError
            statsmodels is not installed.
        """
        data, options = self.model.data, {"weights": self.model.weights} if self.model_name == "WLS" else {}
        model = getattr(statsmodels_api(), self.model_name)(data.orig_endog, data.orig_exog, **options)
        return model.fit(**self._their_covariance())

    el_test = unsupported("el_test", "result")
    conf_int_el = unsupported("conf_int_el", "result")


class UnlabelledResults:
    """A result whose Series and data frames of coefficients and rows are plain arrays.

    statsmodels returns such from ``get_robustcov_results``. Everything else is the result's.

    Parameters
    ----------
    labelled : RegressionResults
        The same with names.
    """

    METHODS = ("conf_int", "cov_params")

    def __init__(self, labelled: RegressionResults) -> None:
        self.labelled = labelled

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self.labelled, name)
        if name in self.METHODS:
            return lambda *args, **options: value(*args, **options).to_numpy()
        return value.to_numpy() if isinstance(value, (pd.Series, pd.DataFrame)) else value

    def __dir__(self) -> list[str]:
        return [name for name in dir(self.labelled) if not name.startswith("_")]

    def __repr__(self) -> str:
        return repr(self.labelled)

    def __str__(self) -> str:
        return str(self.labelled)

    def _repr_html_(self) -> str:
        return self.labelled._repr_html_()
