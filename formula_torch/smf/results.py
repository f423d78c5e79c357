"""What a fit returns here: a regression's result with the rest of statsmodels' vocabulary."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from formula_torch.inference.covariance import HC0, HC1, HC2, HC3
from formula_torch.inference.moments import Estimator
from formula_torch.inference.vcov import estimate
from formula_torch.present.table import Summary
from formula_torch.result.regression import RegressionFit
from formula_torch.smf import summary as summaries
from formula_torch.smf.covariances import Labelled, cov_estimate
from formula_torch.smf.inference import StatsmodelsInference
from formula_torch.smf.unsupported import unsupported

if TYPE_CHECKING:
    from formula_torch.smf.model import FormulaModel

__all__ = ["RegressionResults", "UnlabelledResults"]


def _numpy(name: str) -> Any:
    """Return a number of the regression as numpy's float, which scripts round by its method."""

    def read(self: RegressionResults) -> np.float64:
        return np.float64(getattr(super(RegressionResults, self), name))

    return property(read, doc=getattr(RegressionFit, name).__doc__)


@dataclass(frozen=True, eq=False, repr=False)
class RegressionResults(StatsmodelsInference):
    """A regression under statsmodels' names and with its defaults.

    Parameters
    ----------
    model : FormulaModel
        With exog, endog, exog_names, formula, data, ...
    cov_kwds : dict
        What the covariance was asked for with.

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> results = smf.ols("drvisits ~ age", ft.datasets.visits()).fit(cov_type="HC3")
    >>> results.cov_type, results.use_t, results.model.exog_names
    ('HC3', False, ['Intercept', 'age'])
    """

    model: FormulaModel
    cov_kwds: dict[str, Any] = field(default_factory=dict)

    # -- numbers ----------------------------------------------------------------------------------

    aic = _numpy("aic")
    bic = _numpy("bic")
    centered_tss = _numpy("centered_tss")
    condition_number = _numpy("condition_number")
    ess = _numpy("ess")
    f_pvalue = _numpy("f_pvalue")
    fvalue = _numpy("fvalue")
    llf = _numpy("llf")
    mse_model = _numpy("mse_model")
    mse_resid = _numpy("mse_resid")
    mse_total = _numpy("mse_total")
    rsquared = _numpy("rsquared")
    rsquared_adj = _numpy("rsquared_adj")
    scale = _numpy("scale")
    ssr = _numpy("ssr")
    uncentered_tss = _numpy("uncentered_tss")

    @property
    def resid_pearson(self) -> np.ndarray:  # type: ignore[override]  # statsmodels has an array here
        """Weighted residuals over the root of the error variance, shape (n,)."""
        return super().resid_pearson.to_numpy()

    # -- covariance -------------------------------------------------------------------------------

    @property
    def model_name(self) -> str:
        """``"OLS"`` or ``"WLS"``."""
        return type(self.model).__name__

    @property
    def cov_type(self) -> str:
        """The covariance as it was asked for."""
        return self.covariance.label

    @property
    def df_resid_inference(self) -> float:
        """Degrees of freedom of t and F."""
        return self.df_denom

    @property
    def normalized_cov_params(self) -> pd.DataFrame:
        """(X'WX)^-1, shape (k, k)."""
        return pd.DataFrame(self.solution.inverse_gram.copy(), index=list(self.names), columns=list(self.names))

    @property
    def cov_params_default(self) -> np.ndarray:
        """Covariance of the coefficients, shape (k, k)."""
        return self.covariance.matrix.copy()

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

    def robust(self, cov_type: str, use_t: bool, options: Mapping[str, Any]) -> RegressionResults:
        """Return the same fit under a covariance by statsmodels' name and keywords."""
        rows = self.held_rows("this covariance")
        labelled = Labelled(self.sample, rows.frame.index)
        covariance = cov_estimate(cov_type, options, use_t, labelled, self.moments())
        kwds = {"use_t": use_t, **options, "description": covariance.note}
        return replace(self, covariance=covariance, cov_kwds=kwds)

    def with_vcov(self, vcov: Any, use_t: bool | None = None) -> Self:
        """Return the same fit under a covariance by the spellings of ``formula_torch.fit``, with its defaults."""
        made = super().with_vcov(vcov, use_t)
        return replace(made, cov_kwds={"use_t": made.use_t, "description": made.covariance.note})

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
    ) -> summaries.Summary2:
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

    def remove_data(self) -> Self:
        """Return the result, and its model, without the rows of the data."""
        return replace(super().remove_data(), model=self.model.without_data())

    def save(self, fname: Any, remove_data: bool = False) -> None:  # noqa: ARG002 - a pickle has no rows in any case
        """Pickle to a file; the rows of the data are left out."""
        Path(fname).write_bytes(pickle.dumps(self))

    @classmethod
    def load(cls, fname: Any) -> RegressionResults:
        """Unpickle from a file that ``save`` wrote; like any pickle, one from a source you trust."""
        return pickle.loads(Path(fname).read_bytes())  # noqa: S301

    def to_statsmodels(self) -> Any:
        """Fit the same design by statsmodels, for what is not built here.

        Raises
        ------
        ImportError
            statsmodels is not installed.
        """
        try:
            import statsmodels.api as sm
        except ImportError as error:
            raise ImportError("to_statsmodels() needs statsmodels: pip install statsmodels.") from error
        data, options = self.model.data, {"weights": self.model.weights} if self.model_name == "WLS" else {}
        model = getattr(sm, self.model_name)(data.orig_endog, data.orig_exog, **options)
        kwds = {k: v for k, v in self.cov_kwds.items() if k not in ("use_t", "description")}
        rows = Labelled(self.sample, self.held_rows("to_statsmodels").frame.index)
        for name in {"groups", "time"} & set(kwds):
            codes = np.column_stack([c[self.sample.used] for c in rows.columns(kwds[name], name)])
            kwds[name] = np.squeeze(codes.astype(np.int64))
        return model.fit(cov_type=self.cov_type, cov_kwds=kwds, use_t=self.use_t)

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
