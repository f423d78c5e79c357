"""Floor 8: statsmodels' formula interface, so that a script changes one line.

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

from formula_torch.smf.model import OLS, WLS
from formula_torch.smf.results import RegressionResults

__all__ = ["OLS", "WLS", "RegressionResults", "ols", "wls"]

ols = OLS.from_formula
wls = WLS.from_formula

# The other models of statsmodels.formula.api.
ELSEWHERE = frozenset(
    """
    conditional_logit conditional_mnlogit conditional_poisson gee glm glmgam gls glsar logit mixedlm mnlogit
    negativebinomial nominal_gee ordinal_gee phreg poisson probit quantreg rlm
    """.split()
)


def __getattr__(name: str) -> Callable[..., Any]:
    if name not in ELSEWHERE:
        raise AttributeError(f"module 'formula_torch.smf' has no attribute {name!r}")

    def missing(*args: Any, **options: Any) -> Any:
        raise NotImplementedError(f"smf.{name} is not built yet; use statsmodels.formula.api.{name}.")

    return missing
