"""What statsmodels' models of a likelihood share: their rows, and predictions at any coefficients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import torch

from formula_torch.design import Design
from formula_torch.errors import check_known
from formula_torch.families.generalized import GeneralizedFamily
from formula_torch.fitting import solve_glm
from formula_torch.inference.covariance import IID
from formula_torch.models.glm import GlmModel
from formula_torch.numerics.arrays import as_tensor
from formula_torch.smf.model import FormulaModel
from formula_torch.smf.unsupported import unsupported

__all__ = ["SOLVERS", "LikelihoodModel", "check_options"]

# statsmodels' names of solvers. The maximum is the same for all, and ours is found by Fisher scoring.
SOLVERS = ("newton", "nm", "bfgs", "lbfgs", "powell", "cg", "ncg", "basinhopping", "minimize")


def check_options(given: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise where a keyword is none of statsmodels'.

    Raises
    ------
    TypeError
        It is misspelled.
    """
    if unknown := [name for name in given if name not in known]:
        raise TypeError(f"fit() has no argument {unknown[0]!r}; besides its own it takes {', '.join(known)}.")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LikelihoodModel(FormulaModel, GlmModel):
    """A formula that has met its data, with a distribution of the response."""

    variance_name: ClassVar[str] = "var"

    @classmethod
    def engine_fields(cls, design: Design, options: Mapping[str, Any]) -> dict[str, Any]:
        """What the likelihood needs to know of the design."""
        counted = GlmModel.of(design, cls.family_of(options), options.get("weights_type", "analytic"))
        return {f.name: getattr(counted, f.name) for f in fields(counted)}

    @classmethod
    def reading_of(cls, options: Mapping[str, Any]) -> str:
        """What the response is: ``"numbers"``, or ``"successes"``."""
        return cls.family_of(options).reading

    @classmethod
    def family_of(cls, options: Mapping[str, Any]) -> GeneralizedFamily:
        """The distribution with its link."""
        return options["family"]

    # -- what it holds ----------------------------------------------------------------------------

    @property
    def nobs(self) -> int:
        """Number of rows."""
        return self._design.n_rows

    @property
    def trials(self) -> np.ndarray | None:
        """Trials of each row, shape (n,), where the response is successes and failures."""
        weights = self._design.weights
        return weights.numpy().copy() if isinstance(self.endog_names, list) and weights is not None else None

    @property
    def endog_columns(self) -> dict[str, np.ndarray]:
        """The response as it stands in the formula, by name."""
        if (trials := self.trials) is None:
            return super().endog_columns
        successes = self.endog * trials
        return dict(zip(self.endog_names, (successes, trials - successes), strict=True))

    # -- fitting ----------------------------------------------------------------------------------

    def _climb(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Fit by our own engine, and return the fields of its result."""
        plain = solve_glm(
            self._met(),
            self._rows(),
            self._call(options),
            IID(),
            self.family,
            weights_type=self.weights_type or "analytic",
            depth=4,
        )
        return {f.name: getattr(plain, f.name) for f in fields(plain)} | {"model": self}

    # -- predictions ------------------------------------------------------------------------------

    def predict(
        self, params: Any, exog: Any = None, exposure: Any = None, offset: Any = None, which: str = "mean"
    ) -> np.ndarray:
        """Predict at any coefficients.

        Parameters
        ----------
        params : array, shape (k,)
        exog : array, shape (m, k), optional
            Columns of the design; by default the model's own.
        exposure, offset : array of shape (m,), optional
            By default those of the model for its own rows, and none for others.
        which : {"mean", "linear", "var"}
            ``"var_unscaled"`` in a GLM.
        """
        own = exog is None
        eta = np.asarray(self.exog if own else exog) @ np.asarray(params)
        added = self.offset if own and offset is None else offset
        eta = eta if added is None else eta + np.asarray(added)
        logs = self.exposure if own and exposure is None else None if exposure is None else np.log(exposure)
        return self.statistic(which, eta if logs is None else eta + logs)

    def statistic(self, which: str, eta: np.ndarray) -> np.ndarray:
        """What is predicted at linear predictors, shape (n,): the mean, the predictor itself, or the variance."""
        check_known("which", which, ("mean", "linear", self.variance_name))
        if which == "linear":
            return eta
        mean = self.family.mean(as_tensor(eta))
        return (mean if which == "mean" else self.family.distribution.variance(mean)).numpy()

    def row_weights(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Variance weights (or trials) and frequency weights of the rows, shape (n,)."""
        design = self._design
        ones = torch.ones(design.n_rows, dtype=torch.float64)
        if design.weights is None:
            return ones, None
        return (ones, design.weights) if self.counted else (design.weights, None)

    fit_regularized = unsupported("fit_regularized", "model")
    fit_constrained = unsupported("fit_constrained", "model")
    loglike = unsupported("loglike", "model")
    score = unsupported("score", "model")
    hessian = unsupported("hessian", "model")
    score_test = unsupported("score_test", "model")
    get_distribution = unsupported("get_distribution", "model")
