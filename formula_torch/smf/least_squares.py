"""statsmodels' linear regressions of a formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np

from formula_torch.design import Design
from formula_torch.errors import check_known
from formula_torch.fitting import solve
from formula_torch.inference.covariance import IID
from formula_torch.models.linear import LinearModel
from formula_torch.smf.model import FormulaModel
from formula_torch.smf.reading import Given, read_formula, scope_of
from formula_torch.smf.regression_results import RegressionResults
from formula_torch.smf.unsupported import unsupported

__all__ = ["OLS", "WLS"]

METHODS = ("pinv", "qr")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class _LinearRegression(FormulaModel, LinearModel):
    """What both kinds of least squares share."""

    @classmethod
    def engine_fields(cls, design: Design, options: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """What the normal likelihood needs to know of the design."""
        counted = LinearModel.of(design, "analytic")
        return {f.name: getattr(counted, f.name) for f in fields(counted)}

    @property
    def nobs(self) -> float:
        """Number of observations; rows of zero weight count."""
        return self.n_obs

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights of the rows, shape (n,); ones without."""
        weights = self._design.weights
        return np.ones(self._design.n_rows) if weights is None else weights.numpy().copy()

    @property
    def wexog(self) -> np.ndarray:
        """The columns times the root of the weights, shape (n, k)."""
        return self.exog * np.sqrt(self.weights)[:, None]

    @property
    def wendog(self) -> np.ndarray:
        """The response times the root of the weights, shape (n,)."""
        return self.endog * np.sqrt(self.weights)

    def fit(
        self,
        method: str = "pinv",
        cov_type: str = "nonrobust",
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool | None = None,
        *,
        disp: Any = None,  # noqa: ARG002 - scripts written for any model pass these, and nothing iterates here
        maxiter: Any = None,  # noqa: ARG002
    ) -> RegressionResults:
        """Fit by least squares.

        Parameters
        ----------
        method : {"pinv", "qr"}
            Accepted; the solver is chosen by the condition of the columns.
        cov_type : str
            ``"nonrobust"``, ``"HC0"`` to ``"HC3"``, ``"HAC"``, ``"cluster"``, ``"cluster-crv3"``,
            ``"hac-panel"`` or ``"hac-groupsum"``.
        cov_kwds : dict, optional
            ``groups``, ``maxlags``, ``time``, ``kernel``, ``use_correction``, ``df_correction``,
            ``scaling_factor``. Labels of all rows of the data or of the rows used; Series are aligned by their
            index.
        use_t : bool, optional
            Student's t or the normal; by default t for ``"nonrobust"`` and else the normal.
        disp, maxiter : optional
            Accepted, without effect.

        Raises
        ------
        ValueError
            An option is not known.
        NotImplementedError
            statsmodels has it, and we do not.
        """
        check_known("method", method, METHODS)
        options = {"method": method, "cov_type": cov_type, "cov_kwds": cov_kwds, "use_t": use_t}
        plain = solve(self._met(), self._rows(), self._call(options), IID())
        shared = {f.name: getattr(plain, f.name) for f in fields(plain)} | {"model": self}
        asked = dict(cov_kwds or {})
        use_t = asked.pop("use_t", None) if use_t is None else use_t
        use_t = cov_type == "nonrobust" if use_t is None else use_t
        return RegressionResults(**shared).robust(cov_type, bool(use_t), asked)

    def predict(self, params: Any, exog: Any = None) -> np.ndarray:
        """Linear predictor of the columns `exog`, by default the model's own, at `params`, shape (n,)."""
        return np.asarray(self.exog if exog is None else exog) @ np.asarray(params)

    fit_regularized = unsupported("fit_regularized", "model")
    loglike = unsupported("loglike", "model")
    score = unsupported("score", "model")
    hessian = unsupported("hessian", "model")
    get_distribution = unsupported("get_distribution", "model")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class OLS(_LinearRegression):
    """Ordinary least squares.

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> smf.ols("drvisits ~ age", ft.datasets.visits()).fit(cov_type="HC1").bse.round(4).to_dict()
    {'Intercept': 1.3801, 'age': 0.0185}
    """

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Any = None,
        *,
        missing: str = "drop",
        eval_env: int | None = None,
    ) -> Self:
        """Read a formula on data.

        Parameters
        ----------
        formula : str
        data : table
        subset : array of bool, labels or slice, optional
            What ``data.loc[...]`` takes.
        drop_cols : optional
            Not supported.
        missing : {"drop", "raise", "none"}
            Rows with missing values leave, or are an error.
        eval_env : int, optional
            Where the formula's functions are found: in the program that calls this (the default, and
            1), a frame above it (2), ..., or nowhere (-1). Variables are columns of the data only.

        Raises
        ------
        FormulaError, DataError
            Name the term or column, and the rows.
        """
        return read_formula(cls, formula, Given(data, missing), subset, drop_cols, scope_of(eval_env))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class WLS(_LinearRegression):
    """Weighted least squares; rows of zero weight count as observations.

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> visits = ft.datasets.visits()
    >>> smf.wls("drvisits ~ educ", visits, weights=visits["age"]).fit().params.round(4).to_dict()
    {'Intercept': 5.3712, 'educ': 0.1329}
    """

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Any = None,
        *,
        weights: Any = 1.0,
        missing: str = "drop",
        eval_env: int | None = None,
    ) -> Self:
        """Read a formula on data, with weights proportional to inverse variances.

        Parameters
        ----------
        weights : float, or array of shape (n,)
            Of the rows of the data (of the subset, where there is one).
        formula, data, subset, drop_cols, missing, eval_env
            See ``OLS.from_formula``.

        Raises
        ------
        FormulaError, DataError
            Name the term or column, and the rows.
        """
        given = Given(data, missing, weights=weights)
        return read_formula(cls, formula, given, subset, drop_cols, scope_of(eval_env))
