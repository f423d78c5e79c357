"""Tables of tests of the terms of a model of several predictors, and of models nested in one another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from formula_torch.errors import DataError, check_known
from formula_torch.inference.anova import ADJUSTED_FOR, TYPES, term_columns, wald_of_term
from formula_torch.numerics.tails import chi2_sf, f_sf
from formula_torch.result.glm.deviance_style import STYLES
from formula_torch.result.several.comparison import SeveralComparisons
from formula_torch.result.several.layout import key_of

__all__ = ["SeveralTables", "several_table"]

TESTS = (None, "LR", "Wald")
_PLAIN = {"df_resid": "df_resid", "llf": "llf", "df": "df_diff"}
# Columns of tables of several models: those of ``lmtest::lrtest`` and ``waldtest`` in R.
OF_MODELS: dict[tuple[str, str], Mapping[str, str]] = {
    ("statsmodels", "chi2"): {**_PLAIN, "statistic": "chi2", "p": "Pr(>chi2)"},
    ("statsmodels", "Wald chi2"): {**_PLAIN, "statistic": "chi2", "p": "Pr(>chi2)"},
    ("statsmodels", "Wald F"): {**_PLAIN, "statistic": "F", "p": "Pr(>F)"},
    ("R", "chi2"): {"params": "#Df", "llf": "LogLik", "df": "Df", "statistic": "Chisq", "p": "Pr(>Chisq)"},
    ("R", "Wald chi2"): STYLES["R"].columns["models", "Wald chi2"],
    ("R", "Wald F"): STYLES["R"].columns["models", "Wald F"],
}


class SeveralTables(SeveralComparisons):
    """Tests of terms and of models as a method."""

    def anova(
        self,
        *others: SeveralTables,
        typ: int | str = 1,
        test: str | None = None,
        vcov: Any = None,
        style: str = "statsmodels",
    ) -> pd.DataFrame:
        """Tests of the terms, or of nested models: ``ft.anova(fit, ...)``.

        Parameters
        ----------
        others : SeveralFit
            Larger models, in their order.
        typ, test, vcov, style : optional
            As ``ft.anova``.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits(), family="negative_binomial")
        >>> fit.update(". ~ . - private").anova(fit).round(2)[["df_diff", "chi2"]].loc[1].tolist()
        [1.0, 14.39]
        """
        return several_table((self, *others), typ, test, vcov, style)


def several_table(
    fits: Sequence[SeveralTables], typ: int | str, test: str | None, vcov: Any, style: str
) -> pd.DataFrame:
    """Tabulate one model or several; called by what the user calls, whose caller is warned."""
    if typ not in TYPES:
        raise ValueError(f"typ={typ!r} is not known; use 1, 2 or 3.")
    check_known("style", style, STYLES)
    check_known("test", test, TESTS)
    if vcov is not None:
        fits = [fit.with_vcov(vcov) for fit in fits]
    if len(fits) == 1:
        if test == "LR":
            raise ValueError("terms of one model are tested by test='Wald'; give two models for the likelihood ratio.")
        return _of_terms(fits[0], TYPES[typ], style)
    if TYPES[typ] != 1:
        raise ValueError(f"typ={typ!r} is for one model; several are compared in their order.")
    robust = any(not fit.covariance.classical for fit in fits)
    return _of_models(fits, ("Wald" if robust else "LR") if test is None else test, style)


# -- one model ------------------------------------------------------------------------------------


def _of_terms(fit: SeveralTables, typ: int, style: str) -> pd.DataFrame:
    if len(fit.null_space):
        raise DataError(
            f"coefficients were dropped as dependent ({fit._dropped}), and those left do not say what a term adds to "
            "the others; fit a model without the dependent columns."
        )
    rows = {name: row for key in fit.recipes for name, row in _of_formula(fit, key, typ, STYLES[style].intercept)}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return _named(table, STYLES[style].columns["adjusted", _statistic(fit, "Wald")])


def _of_formula(fit: SeveralTables, key: str, typ: int, intercept: str) -> Iterator[tuple[str, dict[str, float]]]:
    """Test each term of a formula, in all predictors that take it; other formulas are adjusted for."""
    terms = term_columns(fit.recipes[key])
    places = [_places(fit, key, term.columns) for term in terms]
    prefix = next(p.prefix for p in fit.family.predictors if p.name == key) if key else ""
    for i, term in enumerate(terms):
        if not places[i] or (typ < 3 and not term.factors):
            continue
        before = _places(fit, key, [j for other in ADJUSTED_FOR[typ](terms, i) for j in other.columns])
        ignored = {place for own in places for place in own}.difference(before, places[i])
        chi2 = wald_of_term(fit.coefficients, fit.covariance.matrix, places[i], sorted(ignored))
        name = term.name if term.factors else intercept
        yield prefix + name, _tested(fit, chi2, float(len(places[i])), "Wald")


def _places(fit: SeveralTables, key: str, columns: Sequence[int]) -> list[int]:
    """Positions of the coefficients of some columns of a formula, in every predictor that takes it."""
    taking = [p.name for p in fit.family.predictors if key_of(p, fit.further) == key]
    found = [int(fit.layout.columns[name][j]) for name in taking for j in columns]
    return [place for place in found if place >= 0]


def _tested(fit: SeveralTables, chi2: float, df: float, test: str) -> dict[str, float]:
    if test == "Wald" and fit.use_t:
        return {"df": df, "statistic": chi2 / df, "p": f_sf(chi2 / df, df, fit.df_denom)}
    return {"df": df, "statistic": chi2, "p": chi2_sf(chi2, df)}


def _statistic(fit: SeveralTables, test: str) -> str:
    """What is in the table."""
    if test == "LR":
        return "chi2"
    return "Wald F" if fit.use_t else "Wald chi2"


def _named(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    return table.reindex(columns=list(columns)).astype("float64").rename(columns=dict(columns))


# -- several models -------------------------------------------------------------------------------


def _of_models(fits: Sequence[SeveralTables], test: str, style: str) -> pd.DataFrame:
    rows = [{"df_resid": fit.df_resid, "params": float(fit.n_params), "llf": fit.llf, "df": math.nan} for fit in fits]
    for row, (smaller, larger) in zip(rows[1:], pairwise(fits), strict=True):
        found = larger.compare_wald_test(smaller) if test == "Wald" else larger.compare_lr_test(smaller)
        row |= {"df": found.df_diff, "statistic": found.statistic, "p": found.pvalue}
    first = STYLES[style].first
    table = pd.DataFrame(rows, index=pd.RangeIndex(first, first + len(fits)))
    return _named(table, OF_MODELS[style, _statistic(fits[-1], test)])
