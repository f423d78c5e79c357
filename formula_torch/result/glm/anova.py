"""Tables of the analysis of deviance, as R prints them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pandas as pd

from formula_torch.design import Design
from formula_torch.errors import InferenceWarning, check_known
from formula_torch.inference.anova import ADJUSTED_FOR, TYPES, Columns, TermColumns, term_columns
from formula_torch.numerics.tails import chi2_sf, f_sf
from formula_torch.result.glm.comparison import GlmComparisons
from formula_torch.result.glm.deviance_style import STYLES, DevianceStyle
from formula_torch.result.glm.reduced import Reduced, reduced
from formula_torch.result.term_wald import wald_after
from formula_torch.solvers.held import moved_to_offset

__all__ = ["DevianceTables", "deviance_table"]

TESTS = ("LR", "F", "Wald")


class DevianceTables(GlmComparisons):
    """Analysis of deviance as a method."""

    def anova(
        self,
        *others: DevianceTables,
        typ: int | str = 1,
        test: str | None = None,
        vcov: Any = None,
        style: str = "statsmodels",
    ) -> pd.DataFrame:
        """Analysis of deviance: ``ft.anova(fit, ...)``.

        Parameters
        ----------
        others : GlmFit
            Larger models, in their order.
        typ, test, vcov, style : optional
            As ``ft.anova``.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("private ~ age + C(educ > 12)", ft.datasets.visits(), family="binomial")
        >>> fit.anova().round(2)[["df", "deviance", "resid_deviance"]].iloc[0].to_dict()
        {'df': nan, 'deviance': nan, 'resid_deviance': 5097.23}
        """
        return deviance_table((self, *others), typ, test, vcov, style)


def deviance_table(
    fits: Sequence[DevianceTables], typ: int | str, test: str | None, vcov: Any, style: str
) -> pd.DataFrame:
    """Tabulate one model or several; called by what the user calls, whose caller is warned."""
    if typ not in TYPES:
        raise ValueError(f"typ={typ!r} is not known; use 1, 2 or 3.")
    check_known("style", style, STYLES)
    check_known("test", test, (None, *TESTS))
    if vcov is not None:
        fits = [fit.with_vcov(vcov) for fit in fits]
    chosen = _chosen(fits, test)
    if chosen != "Wald":
        for fit in fits:
            fit.refuse_restraint("analysis of deviance", "prior")
    if len(fits) == 1:
        return _of_terms(fits[0], TYPES[typ], chosen, STYLES[style])
    if TYPES[typ] != 1:
        raise ValueError(f"typ={typ!r} is for one model; several are compared in their order.")
    return _of_models(fits, chosen, STYLES[style])


def _chosen(fits: Sequence[DevianceTables], test: str | None) -> str:
    """The test asked for, or what suits the family and the covariance."""
    family = fits[-1].family
    if test == "F" and not family.dispersed:
        raise ValueError(f"the dispersion of the {family.name} family is known; F is for an estimated one.")
    robust = next((fit.covariance.label for fit in fits if not fit.covariance.classical), None)
    if test is None:
        return "Wald" if robust else "F" if family.dispersed else "LR"
    if robust and test != "Wald":
        warnings.warn(
            f"test={test!r} assumes the variance of the family, and the covariance is {robust}; test='Wald' uses that.",
            InferenceWarning,
            stacklevel=4,
        )
    return test


# -- one model ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Reduced:
    """Models of some columns of a fit, each solved once."""

    fit: DevianceTables
    design: Design
    known: dict[frozenset[int], Reduced]

    @staticmethod
    def of(fit: DevianceTables) -> _Reduced:
        everything = Reduced(fit.deviance, fit.solution.rank, fit.converged)
        design, held = fit.held_rows("anova").design(fit.recipe), fit.solution.held
        design = replace(design, offset=moved_to_offset(design, held).offset)
        return _Reduced(fit, design, {frozenset(range(design.k)).difference(held): everything})

    def __call__(self, columns: Iterable[int]) -> Reduced:
        kept = frozenset(columns).difference(self.fit.solution.held)
        if kept not in self.known:
            self.known[kept] = reduced(self.fit, self.design, kept)
        return self.known[kept]


def _of_terms(fit: DevianceTables, typ: int, test: str, style: DevianceStyle) -> pd.DataFrame:
    terms = term_columns(fit.recipe)
    tested = [i for i, term in enumerate(terms) if term.factors or typ == 3]
    befores = {i: [j for t in ADJUSTED_FOR[typ](terms, i) for j in t.columns] for i in tested}
    names = {i: terms[i].name if terms[i].factors else style.intercept for i in tested}
    if test == "Wald":
        rows = {names[i]: _wald_row(fit, befores[i], terms[i]) for i in tested}
        return _shown(rows, style.columns["adjusted", _statistic(fit, test)])
    models = _Reduced.of(fit)
    rows = {names[i]: _deviance_row(models, befores[i], terms[i], test) for i in tested}
    _warn_of_climbs(models.known.values())
    kind = "terms" if typ == 1 else "adjusted"
    if kind == "terms":
        nothing = models([j for t in terms if not t.factors for j in t.columns])
        rows = {style.null: {"df_resid": fit.nobs - nothing.rank, "left": nothing.deviance}, **rows}
    elif test == "F" and style.residual:
        rows[style.residual] = {"deviance": fit.pearson_chi2, "df": fit.df_resid}
    return _shown(rows, style.columns[kind, _statistic(fit, test)])


def _deviance_row(models: _Reduced, before: Sequence[int], term: TermColumns, test: str) -> dict[str, float]:
    """What the columns of a term take from the deviance after other columns."""
    fit, smaller, larger = models.fit, models(before), models([*before, *term.columns])
    row = {"df_resid": fit.nobs - larger.rank, "left": larger.deviance}
    return {**row, **_tested(fit, smaller.deviance - larger.deviance, float(larger.rank - smaller.rank), test)}


def _tested(fit: DevianceTables, fall: float, df: float, test: str) -> dict[str, float]:
    """Degrees of freedom, fall of the deviance, statistic and p; without degrees of freedom there is no test."""
    ratio = fall / fit.scale if df and fit.scale > 0 else math.nan
    statistic = ratio / df if test == "F" and df else ratio
    return {"df": df, "deviance": fall, "statistic": statistic, "p": _p(fit, test, statistic, df)}


def _wald_row(fit: DevianceTables, before: Sequence[int], term: TermColumns) -> dict[str, float]:
    added = Columns(fit.solution.coordinates, fit.null_space).added(before, term.columns)
    df = float(added.shape[1])
    if not df:
        return {"df": df}
    chi2 = wald_after(fit, before, term, added)
    statistic = chi2 / df if fit.use_t else chi2
    return {"df": df, "statistic": statistic, "p": _p(fit, "Wald", statistic, df)}


def _p(fit: DevianceTables, test: str, statistic: float, df: float) -> float:
    if math.isnan(statistic):
        return math.nan
    if test == "F":
        return f_sf(statistic, df, fit.df_resid)
    return f_sf(statistic, df, fit.df_denom) if test == "Wald" and fit.use_t else chi2_sf(statistic, df)


def _statistic(fit: DevianceTables, test: str) -> str:
    """What is in the table: F, chi2, or a Wald statistic of either kind."""
    if test == "Wald":
        return "Wald F" if fit.use_t else "Wald chi2"
    return "F" if test == "F" else "chi2"


def _shown(rows: Mapping[str, Mapping[str, float]], columns: Mapping[str, str]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(dict(rows), orient="index").reindex(columns=list(columns))
    return table.astype("float64").rename(columns=dict(columns))


def _warn_of_climbs(models: Iterable[Reduced]) -> None:
    lost = sum(not model.converged for model in models)
    if lost:
        warnings.warn(
            f"{lost} models without some terms did not reach a maximum, as where outcomes are separated; their "
            "deviances are where the climb ended.",
            InferenceWarning,
            stacklevel=5,
        )


# -- several models -------------------------------------------------------------------------------


def _of_models(fits: Sequence[DevianceTables], test: str, style: DevianceStyle) -> pd.DataFrame:
    last = fits[-1]
    rows = [{"df_resid": fits[0].df_resid, "left": fits[0].deviance}]
    for smaller, larger in pairwise(fits):
        larger.check_restricted(smaller)
        row = {"df_resid": larger.df_resid, "left": larger.deviance}
        df, fall = smaller.df_resid - larger.df_resid, smaller.deviance - larger.deviance
        if test == "Wald":
            statistic, p, _ = larger.compare_wald_test(smaller)
            rows.append({**row, "df": df, "deviance": fall, "statistic": statistic, "p": p})
        else:
            rows.append({**row, **_tested(last, fall, df, test)})
    numbered = {str(i): row for i, row in enumerate(rows)}
    table = _shown(numbered, style.columns["models", _statistic(last, test)])
    return table.set_axis(pd.RangeIndex(style.first, style.first + len(fits)), axis=0)
