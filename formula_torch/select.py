"""Compare fitted models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pandas as pd

from formula_torch.errors import check_known
from formula_torch.result.comparison import Comparisons, ModelTest
from formula_torch.result.nesting import check_same_rows
from formula_torch.result.regression import RegressionFit

__all__ = ["TESTS", "compare"]

TESTS: dict[str, Callable[[Comparisons, Comparisons], ModelTest]] = {
    "F": Comparisons.compare_f_test,
    "LR": Comparisons.compare_lr_test,
    "LM": Comparisons.compare_lm_test,
    "Wald": Comparisons.compare_wald_test,
}


def compare(*fits: Any, test: str | None = None) -> pd.DataFrame:
    """Statistics of several models of the same rows, a row each.

    Parameters
    ----------
    fits : RegressionFit, or one dict of name to RegressionFit
        Models of one response on the same rows; their formulas are their names, unless given.
    test : {None, "F", "LR", "LM", "Wald"}
        Test each model against the one before it, which must be nested in it: the methods
        ``compare_f_test``, ``compare_lr_test``, ``compare_lm_test``, ``compare_wald_test``.

    Returns
    -------
    DataFrame
        model, nobs, df_model, df_resid, llf, aic, bic, r_squared, sigma, delta_aic (aic less the smallest);
        with a test also df_diff, statistic, p_value.

    Raises
    ------
    ValueError
        Unknown test.
    DataError
        Models of different rows or responses, whose likelihoods do not compare; for a test, models that
        are not nested.

    Examples
    --------
    >>> import formula_torch as ft
    >>> visits = ft.datasets.visits()
    >>> fits = {"age": ft.fit("drvisits ~ age", visits), "chronic": ft.fit("drvisits ~ age + chronic", visits)}
    >>> ft.compare(fits, test="F").round(2)[["model", "delta_aic", "statistic"]]
         model  delta_aic  statistic
    0      age      542.2        NaN
    1  chronic        0.0     586.05
    """
    check_known("test", test, (None, *TESTS))
    models = _named(fits)
    check_same_rows([fit for _, fit in models])
    table = pd.DataFrame([_row(name, fit) for name, fit in models])
    table["delta_aic"] = table["aic"] - table["aic"].min()
    if test is None:
        return table
    tests = [TESTS[test](larger, smaller) for smaller, larger in pairwise(fit for _, fit in models)]
    for column, part in (("df_diff", "df_diff"), ("statistic", "statistic"), ("p_value", "pvalue")):
        table[column] = [math.nan, *(getattr(t, part) for t in tests)]
    return table


def _named(fits: tuple[Any, ...]) -> list[tuple[str, RegressionFit]]:
    given = [*fits[0].items()] if len(fits) == 1 and isinstance(fits[0], Mapping) else [(None, fit) for fit in fits]
    if not given or not all(isinstance(fit, RegressionFit) for _, fit in given):
        raise TypeError("compare takes fitted models: compare(fit1, fit2), or compare({'name': fit1, ...}).")
    return [(fit.recipe.formula.text if name is None else str(name), fit) for name, fit in given]


def _row(name: str, fit: RegressionFit) -> dict[str, Any]:
    return {
        "model": name,
        "nobs": fit.nobs,
        "df_model": fit.df_model,
        "df_resid": fit.df_resid,
        "llf": fit.llf,
        "aic": fit.aic,
        "bic": fit.bic,
        "r_squared": fit.rsquared,
        "sigma": math.sqrt(fit.scale),
    }
