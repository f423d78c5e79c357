"""statsmodels' discrete models of a formula: logit, probit, Poisson."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from formula_torch.errors import DataError, check_known
from formula_torch.families.generalized import GeneralizedFamily, resolve_generalized
from formula_torch.smf.discrete_results import DiscreteResults, LogitResults, PoissonResults, ProbitResults
from formula_torch.smf.likelihood_model import SOLVERS, LikelihoodModel, check_options
from formula_torch.smf.reading import Given, read_formula, scope_of

__all__ = ["Logit", "Poisson", "Probit"]

# Keywords of statsmodels' solvers, accepted without effect.
SOLVING = tuple(
    "tol gtol ftol xtol factr pgtol epsilon m maxfun norm avextol niter min_method ridge_factor warn_convergence "
    "skip_hessian retall fargs".split()
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class _DiscreteModel(LikelihoodModel):
    """What these models share."""

    spelling: ClassVar[tuple[str, str]]
    results: ClassVar[type[DiscreteResults]]

    @classmethod
    def family_of(cls, options: Mapping[str, Any]) -> GeneralizedFamily:  # noqa: ARG003 - the class decides it
        """The distribution with its link."""
        return resolve_generalized(*cls.spelling)

    def fit(
        self,
        start_params: Any = None,  # noqa: ARG002 - the maximum is found from our own start
        method: str = "newton",
        maxiter: int = 35,  # noqa: ARG002 - and to the last digits
        full_output: Any = 1,  # noqa: ARG002
        disp: Any = 1,
        callback: Any = None,
        *,
        cov_type: str = "nonrobust",
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool | None = None,
        **solving: Any,
    ) -> Any:
        """Fit by maximum likelihood.

        Parameters
        ----------
        start_params, maxiter, full_output : optional
            Accepted, without effect: Fisher scoring goes on until rounding ends it.
        method : str
            A name of statsmodels' solvers; ours is used whichever it is.
        disp : bool
            Print how the search ended.
        callback : optional
            Not supported.
        cov_type : str
            ``"nonrobust"``, ``"HC0"`` (and ``"HC1"`` to ``"HC3"``, which are HC0 here as in statsmodels), ``"HAC"``,
            ``"cluster"``, ``"hac-panel"`` or ``"hac-groupsum"``; errors are from the observed information.
        cov_kwds : dict, optional
            See ``OLS.fit``.
        use_t : bool, optional
            Student's t or, by default, the normal.
        **solving
            Keywords of statsmodels' solvers, accepted without effect.

        Raises
        ------
        TypeError, ValueError
            An option is not known.
        NotImplementedError
            statsmodels has it, and we do not.
        """
        check_options(solving, SOLVING)
        check_known("method", method, SOLVERS)
        if callback is not None:
            raise NotImplementedError("callback= is not built; use statsmodels.")
        asked = dict(cov_kwds or {})
        options = {"disp": disp, "cov_type": cov_type, "cov_kwds": cov_kwds, "use_t": use_t}
        made = self.results(**self._climb(options), observed=True, mle_settings={"optimizer": method, "disp": disp})
        if disp:
            print(made.ending)
        use_t = asked.pop("use_t", None) if use_t is None else use_t
        return made.robust(cov_type, bool(use_t), asked)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class _BinaryModel(_DiscreteModel):
    """Models of a response of 0 and 1."""

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Any = None,
        *,
        offset: Any = None,
        missing: str = "drop",
        check_rank: bool = True,  # noqa: ARG003 - the rank is always known
        eval_env: int | None = None,
    ) -> Self:
        """Read a formula on data.

        Parameters
        ----------
        formula : str
            The response is 0 or 1, or two categories, of which the last is the success.
        offset : array of shape (n,), optional
            Added to the linear predictor.
        check_rank : bool
            Accepted, without effect.
        data, subset, drop_cols, missing, eval_env
            See ``OLS.from_formula``.

        Raises
        ------
        FormulaError, DataError
            Name the term or column, and the rows.
        """
        given = Given(data, missing, offset=offset)
        model: Self = read_formula(cls, formula, given, subset, drop_cols, scope_of(eval_env))
        if (other := ~np.isin(model.endog, (0, 1))).any() and offset is None:
            first = model.endog[int(np.argmax(other))]
            raise DataError(
                f"`{model.endog_names}` is neither 0 nor 1 in {int(other.sum())} rows (first: {first:g}); for shares "
                "see smf.glm with family=sm.families.Binomial()."
            )
        return model


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Logit(_BinaryModel):
    """Logistic regression.

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> results = smf.logit("private ~ age", ft.datasets.visits()).fit(disp=0)
    >>> results.params.round(4).to_dict(), float(results.prsquared.round(5))
    ({'Intercept': 2.3405, 'age': -0.0317}, 0.0073)
    """

    spelling: ClassVar[tuple[str, str]] = ("binomial", "logit")
    results: ClassVar[type[DiscreteResults]] = LogitResults


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Probit(_BinaryModel):
    """Probit regression.

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> smf.probit("private ~ age", ft.datasets.visits()).fit(disp=0).bse.round(4).to_dict()
    {'Intercept': 0.2429, 'age': 0.0033}
    """

    spelling: ClassVar[tuple[str, str]] = ("binomial", "probit")
    results: ClassVar[type[DiscreteResults]] = ProbitResults


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Poisson(_DiscreteModel):
    """Poisson regression.

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> smf.poisson("drvisits ~ age", ft.datasets.visits()).fit(disp=0, cov_type="HC1").bse.round(4).to_dict()
    {'Intercept': 0.2022, 'age': 0.0027}
    """

    spelling: ClassVar[tuple[str, str]] = ("poisson", "log")
    results: ClassVar[type[DiscreteResults]] = PoissonResults

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Any = None,
        *,
        offset: Any = None,
        exposure: Any = None,
        missing: str = "drop",
        check_rank: bool = True,  # noqa: ARG003 - the rank is always known
        eval_env: int | None = None,
    ) -> Self:
        """Read a formula on data.

        Parameters
        ----------
        formula : str
        offset, exposure : array of shape (n,), optional
            Added to the linear predictor, as it is or as its logarithm.
        check_rank : bool
            Accepted, without effect.
        data, subset, drop_cols, missing, eval_env
            See ``OLS.from_formula``.

        Raises
        ------
        FormulaError, DataError
            Name the term or column, and the rows.
        """
        given = Given(data, missing, offset=offset, exposure=exposure)
        model: Self = read_formula(cls, formula, given, subset, drop_cols, scope_of(eval_env))
        return model
