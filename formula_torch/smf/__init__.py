"""Floor 9: statsmodels' formula interface, so that a script changes one line.

    import formula_torch.smf as smf        # was: import statsmodels.formula.api as smf
    smf.ols("drvisits ~ age + C(actlim)", data).fit(cov_type="HC1").summary()

Names, defaults, the order and coding of columns, and the types of what is returned are
those of statsmodels and patsy. Columns that depend on others are named and NaN rather
than split between them, and misspelled keywords are errors. What is not built raises
``NotImplementedError`` and says how statsmodels does it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from formula_torch.smf.discrete import Logit, Poisson, Probit
from formula_torch.smf.discrete_results import LogitResults, PoissonResults, ProbitResults
from formula_torch.smf.glm import GLM
from formula_torch.smf.glm_results import GLMResults
from formula_torch.smf.least_squares import OLS, WLS
from formula_torch.smf.multinomial_results import MultinomialResults
from formula_torch.smf.regression_results import RegressionResults
from formula_torch.smf.several import MNLogit, NegativeBinomial
from formula_torch.smf.several_results import NegativeBinomialResults

__all__ = [
    "GLM",
    "OLS",
    "WLS",
    "GLMResults",
    "Logit",
    "LogitResults",
    "MNLogit",
    "MultinomialResults",
    "NegativeBinomial",
    "NegativeBinomialResults",
    "Poisson",
    "PoissonResults",
    "Probit",
    "ProbitResults",
    "RegressionResults",
    "glm",
    "logit",
    "mnlogit",
    "negativebinomial",
    "ols",
    "poisson",
    "probit",
    "wls",
]

ols = OLS.from_formula
wls = WLS.from_formula
glm = GLM.from_formula
logit = Logit.from_formula
probit = Probit.from_formula
poisson = Poisson.from_formula
negativebinomial = NegativeBinomial.from_formula
mnlogit = MNLogit.from_formula

# The other models of statsmodels.formula.api.
ELSEWHERE = frozenset(
    """
    conditional_logit conditional_mnlogit conditional_poisson gee glmgam gls glsar mixedlm
    nominal_gee ordinal_gee phreg quantreg rlm
    """.split()
)


def __getattr__(name: str) -> Callable[..., Any]:
    if name not in ELSEWHERE:
        raise AttributeError(f"module 'formula_torch.smf' has no attribute {name!r}")

    def missing(*args: Any, **options: Any) -> Any:
        raise NotImplementedError(f"smf.{name} is not built yet; use statsmodels.formula.api.{name}.")

    return missing
