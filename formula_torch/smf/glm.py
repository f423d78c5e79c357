"""statsmodels' generalised linear model of a formula."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from formula_torch.errors import InferenceWarning, check_known
from formula_torch.smf.family_objects import read_family
from formula_torch.smf.glm_results import GLMResults
from formula_torch.smf.likelihood_model import SOLVERS, LikelihoodModel, check_options
from formula_torch.smf.reading import Given, read_formula, scope_of

__all__ = ["GLM"]

# Keywords of statsmodels' solvers, accepted without effect.
SOLVING = tuple(
    "max_start_irls atol rtol tol_criterion wls_method optim_hessian attach_wls warn_convergence callback".split()
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GLM(LikelihoodModel):
    """Generalised linear model.

    Examples
    --------
    >>> import formula_torch as ft, formula_torch.smf as smf
    >>> results = smf.glm("drvisits ~ age", ft.datasets.visits(), family="poisson").fit()
    >>> results.params.round(4).to_dict(), results.df_resid
    ({'Intercept': 1.323, 'age': 0.008}, 3675)
    """

    variance_name: ClassVar[str] = "var_unscaled"

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Any = None,
        *,
        family: Any = None,
        freq_weights: Any = None,
        var_weights: Any = None,
        offset: Any = None,
        exposure: Any = None,
        missing: str = "drop",
        eval_env: int | None = None,
    ) -> Self:
        """Read a formula on data.

        Parameters
        ----------
        formula : str
            Of a binomial model the response is 0 or 1, a share of successes, ``successes + failures ~ ...``, or two
            categories, of which the last is the success.
        family : family, optional
            Of statsmodels, ``sm.families.Poisson()``, or as ``formula_torch.fit`` takes it; by default the normal.
        freq_weights : array of shape (n,), optional
            How many observations each row stands for.
        var_weights : array of shape (n,), optional
            What the variance of each row is divided by; of shares, their trials.
        offset, exposure : array of shape (n,), optional
            Added to the linear predictor, as it is or as its logarithm.
        data, subset, drop_cols, missing, eval_env
            See ``OLS.from_formula``.

        Raises
        ------
        FormulaError, DataError
            Name the term or column, and the rows.
        ValueError, NotImplementedError
            An argument is not known, or not built.

        Warns
        -----
        InferenceWarning
            The response is of two categories, of which statsmodels models the other one.
        """
        resolved = read_family(family)
        if exposure is not None and resolved.link.name != "log":
            raise ValueError("exposure can only be used with the log link function.")
        if freq_weights is not None and var_weights is not None:
            raise NotImplementedError("freq_weights and var_weights together are not built; use statsmodels.")
        options = {"family": resolved, "weights_type": "analytic" if freq_weights is None else "frequency"}
        weights = var_weights if freq_weights is None else freq_weights
        given = Given(data, missing, weights=weights, offset=offset, exposure=exposure, options=options)
        model: Self = read_formula(cls, formula, given, subset, drop_cols, scope_of(eval_env))
        if isinstance(model.endog_names, list) and weights is not None:
            raise NotImplementedError("weights of successes and failures are not built; use statsmodels.")
        if len(levels := model._met().recipe.response_levels) == 2:
            warnings.warn(
                f"this models the probability that `{model.endog_names}` is {levels[1]!r}; statsmodels' GLM models "
                f"that of {levels[0]!r}, with the other signs.",
                InferenceWarning,
                stacklevel=2,
            )
        return model

    def fit(
        self,
        start_params: Any = None,  # noqa: ARG002 - the maximum is found from our own start
        maxiter: int = 100,
        method: str = "IRLS",
        tol: float = 1e-8,  # noqa: ARG002 - and to the last digits
        scale: str | float | None = None,
        cov_type: str = "nonrobust",
        cov_kwds: Mapping[str, Any] | None = None,
        use_t: bool | None = None,
        full_output: Any = True,  # noqa: ARG002
        disp: Any = False,  # noqa: ARG002
        **solving: Any,
    ) -> GLMResults:
        """Fit by maximum likelihood.

        Parameters
        ----------
        start_params, maxiter, tol, full_output, disp : optional
            Accepted, without effect: Fisher scoring goes on until rounding ends it.
        method : str
            ``"IRLS"``, with errors from the expected information, or another name of statsmodels', with errors from
            the observed one. The solver is the same.
        scale : {"X2", "dev"} or float, optional
            The dispersion: Pearson's chi-squared or the deviance over df_resid, or a number. By default 1 for
            probabilities and counts, and else Pearson's.
        cov_type : str
            ``"nonrobust"``, ``"HC0"`` (and ``"HC1"`` to ``"HC3"``, which are HC0 here as in statsmodels), ``"HAC"``,
            ``"cluster"``, ``"hac-panel"``, ``"hac-groupsum"``, all of these with the observed information; or
            ``"eim"``, the expected information.
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
        check_known("method", method.lower(), ("irls", *SOLVERS))
        if maxiter == 0:
            raise NotImplementedError("maxiter=0, a model at given coefficients, is not built; use statsmodels.")
        expected = method.lower() == "irls" or cov_type.lower() == "eim"
        asked, kind = dict(cov_kwds or {}), "nonrobust" if cov_type.lower() == "eim" else cov_type
        options = {"method": method, "scale": scale, "cov_type": cov_type, "cov_kwds": cov_kwds, "use_t": use_t}
        made = GLMResults(**self._climb(options), observed=not expected, method=method)
        use_t = asked.pop("use_t", None) if use_t is None else use_t
        return made.at_scale(scale).robust(kind, bool(use_t), asked)

    # -- what it holds ----------------------------------------------------------------------------

    @property
    def n_trials(self) -> np.ndarray:
        """Trials of each row, shape (n,); ones unless the response is successes and failures."""
        trials = self.trials
        return np.ones(self.nobs) if trials is None else trials

    @property
    def freq_weights(self) -> np.ndarray:
        """How many observations each row stands for, shape (n,)."""
        counts = self.row_weights()[1]
        return np.ones(self.nobs) if counts is None else counts.numpy().copy()

    @property
    def var_weights(self) -> np.ndarray:
        """What the variance of each row is divided by, shape (n,)."""
        return np.ones(self.nobs) if self.trials is not None else self.row_weights()[0].numpy().copy()

    @property
    def iweights(self) -> np.ndarray:
        """Both weights, shape (n,)."""
        return self.freq_weights * self.var_weights

    @property
    def row_arguments(self) -> dict[str, np.ndarray | None]:
        """Offset, exposure and weights as they are given to a model."""
        exposure = None if self.exposure is None else np.exp(self.exposure)
        rows: dict[str, np.ndarray | None] = {"offset": self.offset, "exposure": exposure}
        if self.trials is None and self.weights_type is not None:
            name = "freq_weights" if self.counted else "var_weights"
            rows[name] = getattr(self, name)
        return rows

    @property
    def shares(self) -> bool:
        """Whether the response are shares with weights, which are not their trials' counts."""
        binomial = self.family.reading == "successes"
        return binomial and self.trials is None and self.weights_type == "analytic"

    @property
    def wnobs(self) -> float:
        """Number of observations: rows, or the sum of frequency weights."""
        return self.n_obs
