"""statsmodels' models of several linear predictors: negative binomial regression and the multinomial logit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from formula_torch.design import Design
from formula_torch.errors import check_known
from formula_torch.families.several import Multinomial, NegativeBinomial1, NegativeBinomial2, SeveralFamily
from formula_torch.fitting.several import solve_several
from formula_torch.inference.covariance import IID
from formula_torch.smf.discrete import SOLVING
from formula_torch.smf.likelihood_model import SOLVERS, check_options
from formula_torch.smf.model import FormulaModel
from formula_torch.smf.multinomial_results import MultinomialResults
from formula_torch.smf.reading import Given, read_formula, scope_of
from formula_torch.smf.several_results import NegativeBinomialResults, SeveralResults
from formula_torch.smf.unsupported import unsupported

__all__ = ["MNLogit", "NegativeBinomial"]

METHODS: dict[str, SeveralFamily] = {"nb2": NegativeBinomial2(), "nb1": NegativeBinomial1()}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class _SeveralModel(FormulaModel):
    """What both models share.

    Parameters
    ----------
    family : SeveralFamily
    """

    family: SeveralFamily
    results: ClassVar[type[SeveralResults]]
    solver: ClassVar[str]

    @classmethod
    def engine_fields(cls, design: Design, options: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003 - one signature
        """The distribution."""
        return {"family": options["family"]}

    @classmethod
    def reading_of(cls, options: Mapping[str, Any]) -> str:
        """What the response is: ``"numbers"`` or ``"levels"``."""
        return str(options["family"].reading)

    @property
    def nobs(self) -> int:
        """Number of rows."""
        return self._design.n_rows

    def fit(
        self,
        start_params: Any = None,  # noqa: ARG002 - the maximum is found from our own start
        method: str | None = None,
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
            Accepted, without effect: Newton's method goes on until rounding ends it.
        method : str, optional
            A name of statsmodels' solvers; ours is used whichever it is.
        disp : bool
            Print how the search ended.
        callback : optional
            Not supported.
        cov_type, cov_kwds, use_t
            See ``Logit.fit``.
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
        check_known("method", method, (None, *SOLVERS))
        if callback is not None:
            raise NotImplementedError("callback= is not built; use statsmodels.")
        asked = dict(cov_kwds or {})
        options = {"disp": disp, "cov_type": cov_type, "cov_kwds": cov_kwds, "use_t": use_t}
        plain = solve_several(self._met(), self._rows(), self._call(options), IID(), self.family)
        numbers = {name: np.float64(getattr(plain, name)) for name in ("llf", "llnull")}
        shared = {f.name: getattr(plain, f.name) for f in fields(plain)} | numbers | {"model": self}
        made = self.results(**shared, mle_settings={"optimizer": method or self.solver, "disp": disp})
        if disp:
            print(made.ending)
        use_t = asked.pop("use_t", None) if use_t is None else use_t
        return made.robust(cov_type, bool(use_t), asked)

    predict = unsupported("predict", "model")
    fit_regularized = unsupported("fit_regularized", "model")
    loglike = unsupported("loglike", "model")
    score = unsupported("score", "model")
    hessian = unsupported("hessian", "model")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NegativeBinomial(_SeveralModel):
    """Negative binomial regression, its dispersion estimated.

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> smf.negativebinomial("drvisits ~ age", ft.datasets.visits()).fit(disp=0).params.round(4).to_dict()
    {'Intercept': 1.288, 'age': 0.0085, 'alpha': 0.8379}
    """

    results: ClassVar[type[SeveralResults]] = NegativeBinomialResults
    solver: ClassVar[str] = "bfgs"

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Any = None,
        *,
        loglike_method: str = "nb2",
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
        loglike_method : {"nb2", "nb1"}
            The variance is mu + alpha mu^2, or mu + alpha mu. ``"geometric"`` is
            ``smf.glm(..., family=sm.families.NegativeBinomial(alpha=1))``.
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
        NotImplementedError
            The geometric distribution.
        """
        if loglike_method == "geometric":
            raise NotImplementedError(
                "loglike_method='geometric' is smf.glm(..., family=sm.families.NegativeBinomial(alpha=1))."
            )
        check_known("loglike_method", loglike_method, METHODS)
        options = {"family": METHODS[loglike_method]}
        given = Given(data, missing, offset=offset, exposure=exposure, options=options)
        model: Self = read_formula(cls, formula, given, subset, drop_cols, scope_of(eval_env))
        return model

    @property
    def loglike_method(self) -> str:
        """``"nb2"`` or ``"nb1"``."""
        return next(name for name, family in METHODS.items() if type(family) is type(self.family))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MNLogit(_SeveralModel):
    """Multinomial logit.

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> visits = ft.datasets.visits().assign(worse=lambda d: d["chronic"].clip(0, 2))
    >>> smf.mnlogit("worse ~ age", visits).fit(disp=0).params.round(3).to_numpy().tolist()
    [[-2.267, -2.892], [0.038, 0.055]]
    """

    results: ClassVar[type[SeveralResults]] = MultinomialResults
    solver: ClassVar[str] = "newton"

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Any = None,
        *,
        missing: str = "drop",
        check_rank: bool = True,  # noqa: ARG003 - the rank is always known
        eval_env: int | None = None,
    ) -> Self:
        """Read a formula on data.

        Parameters
        ----------
        formula : str
            The response is numbers, of few values, or categories (which statsmodels does not take).
        check_rank : bool
            Accepted, without effect.
        data, subset, drop_cols, missing, eval_env
            See ``OLS.from_formula``.

        Raises
        ------
        FormulaError, DataError
            Name the term or column, and the rows.
        """
        given = Given(data, missing, options={"family": Multinomial()})
        model: Self = read_formula(cls, formula, given, subset, drop_cols, scope_of(eval_env))
        return model

    @property
    def levels(self) -> tuple[Any, ...]:
        """Levels of the response, in order; the first is what the others are compared with."""
        return self._met().recipe.response_levels

    @property
    def J(self) -> int:  # noqa: N802 - statsmodels' name, as the next
        """Number of levels."""
        return len(self.levels)

    @property
    def K(self) -> int:  # noqa: N802
        """Number of columns."""
        return len(self.exog_names)

    @property
    def wendog(self) -> np.ndarray:
        """Indicators of the levels, shape (n, J)."""
        return np.eye(self.J)[self.endog.astype(np.int64)]
