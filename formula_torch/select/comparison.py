"""Compare fitted models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.errors import DataError, check_known
from formula_torch.result.comparison import Comparisons
from formula_torch.result.glm import GlmFit
from formula_torch.result.glm.comparison import check_scale
from formula_torch.result.nesting import check_same_rows
from formula_torch.result.regression import RegressionFit
from formula_torch.result.several import SeveralFit
from formula_torch.result.trajectory import TrajectoryFit
from formula_torch.result.trajectory.nesting import check_comparable
from formula_torch.result.wald_comparison import ModelTest
from formula_torch.select.trajectories import TRAJECTORY_TESTS, statistics

__all__ = ["TESTS", "compare"]

TESTS: dict[str, Callable[[Comparisons, Comparisons], ModelTest]] = {
    "F": Comparisons.compare_f_test,
    "LR": Comparisons.compare_lr_test,
    "LM": Comparisons.compare_lm_test,
    "Wald": Comparisons.compare_wald_test,
}
GLM_TESTS: dict[str, Callable[[GlmFit, GlmFit], ModelTest]] = {
    "LR": GlmFit.compare_lr_test,
    "LM": GlmFit.compare_lm_test,
    "Wald": GlmFit.compare_wald_test,
}
SEVERAL_TESTS: dict[str, Callable[[SeveralFit, SeveralFit], ModelTest]] = {
    "LR": SeveralFit.compare_lr_test,
    "Wald": SeveralFit.compare_wald_test,
}
KINDS: tuple[Any, ...] = (RegressionFit, GlmFit, (GlmFit, SeveralFit), TrajectoryFit)


def compare(*fits: Any, test: str | None = None) -> pd.DataFrame:
    """Statistics of several models of the same rows, a row each.

    Parameters
    ----------
    fits : RegressionFit, GlmFit, SeveralFit or TrajectoryFit, or one dict of name to these
        Models of one kind, of one response on the same rows; their formulas are their names, unless given.
        Generalised linear models may differ in family and link, and stand beside models of several parameters.
    test : {None, "F", "LR", "LM", "Wald"}
        Test each model against the one before it, which must be nested in it: the methods
        ``compare_f_test`` (linear regressions only), ``compare_lr_test``, ``compare_lm_test``,
        ``compare_wald_test`` (of several parameters LR and Wald, within one family). Of trajectory
        models ``"LR"`` only, between those with the same number of groups: 2 (llf - llf_r), chi-squared. Between
        numbers of groups there is none, as the smaller model lies on the boundary.

    Returns
    -------
    DataFrame
        Of regressions: model, nobs, df_model, df_resid, llf, aic, bic, r_squared, sigma, delta_aic (aic less
        the smallest). Of generalised linear models: model, family, link, nobs, df_model, df_resid, llf, aic, bic,
        deviance, scale, delta_aic; with models of several parameters model, family, nobs, llf, aic, bic, delta_aic. Of
        trajectory models: model, groups, nobs, n_units, params, llf, aic, bic, bic_rows,
        delta_bic, and prior where one has any (the other columns are without it). With a test also df_diff,
        statistic, p_value.

    Raises
    ------
    ValueError
        Unknown test.
    DataError
        Models of different rows or responses, or of counts and of measurements, whose likelihoods do not compare;
        for a test, models that are not nested, have different numbers of groups or a prior, or parameters that are
        not identified.

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
    if isinstance(models[0][1], TrajectoryFit):
        return _trajectories(models, test)
    if any(isinstance(fit, SeveralFit) for _, fit in models):
        return _several(models, test)
    return _glms(models, test) if isinstance(models[0][1], GlmFit) else _regressions(models, test)


def _named(fits: tuple[Any, ...]) -> list[tuple[str, Any]]:
    given = [*fits[0].items()] if len(fits) == 1 and isinstance(fits[0], Mapping) else [(None, fit) for fit in fits]
    if not given or not any(all(isinstance(fit, kind) for _, fit in given) for kind in KINDS):
        raise TypeError(
            "compare takes fitted models, all linear regressions, all generalised linear models (beside those "
            "of several parameters) or all trajectory models: compare(fit1, fit2), or compare({'name': fit1, ...})."
        )
    return [(fit.recipe.formula.text if name is None else str(name), fit) for name, fit in given]


def _regressions(models: list[tuple[str, RegressionFit]], test: str | None) -> pd.DataFrame:
    check_same_rows([fit for _, fit in models])
    table = pd.DataFrame([_row(name, fit) for name, fit in models])
    table["delta_aic"] = table["aic"] - table["aic"].min()
    if test is None:
        return table
    return _with_tests(table, [TESTS[test](larger, smaller) for smaller, larger in pairwise(fit for _, fit in models)])


def _glms(models: list[tuple[str, GlmFit]], test: str | None) -> pd.DataFrame:
    if test is not None and test not in GLM_TESTS:
        raise ValueError(
            f"test={test!r} is of linear regressions; generalised linear models have {', '.join(map(repr, GLM_TESTS))} "
            "(which is F where the dispersion is estimated)."
        )
    fits = [fit for _, fit in models]
    check_scale(fits)
    check_same_rows(fits)
    table = pd.DataFrame([_glm_row(name, fit) for name, fit in models])
    table["delta_aic"] = table["aic"] - table["aic"].min()
    if test is None:
        return table
    return _with_tests(table, [GLM_TESTS[test](larger, smaller) for smaller, larger in pairwise(fits)])


def _several(models: list[tuple[str, GlmFit | SeveralFit]], test: str | None) -> pd.DataFrame:
    """Of models of which some have several parameters: what their likelihoods say."""
    first = models[0][1]
    for i, (_, other) in enumerate(models[1:], 2):
        _check_likelihoods(first, other, f"models 1 and {i}")
    rows = [
        {"model": name, "family": fit.family.name, "nobs": fit.nobs, "llf": fit.llf, "aic": fit.aic, "bic": fit.bic}
        for name, fit in models
    ]
    table = pd.DataFrame(rows)
    table["delta_aic"] = table["aic"] - table["aic"].min()
    if test is None:
        return table
    fits = [fit for _, fit in models if isinstance(fit, SeveralFit)]
    if len(fits) < len(models) or test not in SEVERAL_TESTS:
        raise ValueError(
            f"test={test!r} is not between these models: those of several parameters have 'LR' and 'Wald', within one "
            "family; compare aic or bic."
        )
    return _with_tests(table, [SEVERAL_TESTS[test](larger, smaller) for smaller, larger in pairwise(fits)])


def _check_likelihoods(one: GlmFit | SeveralFit, other: GlmFit | SeveralFit, which: str) -> None:
    """Raise unless two likelihoods are of the same response on the same rows."""
    ours, theirs = (fit.recipe.response(fit.held_rows("comparing models").used_frame()) for fit in (one, other))
    if one.nobs != other.nobs or not np.array_equal(ours, theirs):
        raise DataError(
            f"{which} have different rows or responses: fit both on the rows that are complete in all columns."
        )
    # A likelihood of one's own may be of no kind that is known.
    if one.family.kind and other.family.kind and one.family.kind != other.family.kind:
        raise DataError(
            f"{which} have likelihoods that do not compare: that of {one.family.name!r} is a {one.family.kind}, that "
            f"of {other.family.name!r} a {other.family.kind}."
        )


def _trajectories(models: list[tuple[str, TrajectoryFit]], test: str | None) -> pd.DataFrame:
    check_comparable([fit for _, fit in models])
    table = pd.DataFrame([statistics(name, fit) for name, fit in models])
    table["delta_bic"] = table["bic"] - table["bic"].min()
    if any(priors := [fit.spec.prior for _, fit in models]):
        table["prior"] = priors
    if test is None:
        return table
    tested = TRAJECTORY_TESTS[test]
    return _with_tests(table, [tested(larger, smaller) for smaller, larger in pairwise(fit for _, fit in models)])


def _with_tests(table: pd.DataFrame, tests: list[ModelTest]) -> pd.DataFrame:
    for column, part in (("df_diff", "df_diff"), ("statistic", "statistic"), ("p_value", "pvalue")):
        table[column] = [math.nan, *(getattr(t, part) for t in tests)]
    return table


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


def _glm_row(name: str, fit: GlmFit) -> dict[str, Any]:
    return {
        "model": name,
        "family": fit.family.name,
        "link": fit.family.link.name,
        "nobs": fit.nobs,
        "df_model": fit.df_model,
        "df_resid": fit.df_resid,
        "llf": fit.llf,
        "aic": fit.aic,
        "bic": fit.bic,
        "deviance": fit.deviance,
        "scale": fit.scale,
    }
