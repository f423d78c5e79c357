"""Tables of the analysis of variance, as statsmodels and as R print them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pandas as pd

from formula_torch.errors import InferenceWarning, check_known
from formula_torch.inference.anova import ADJUSTED_FOR, TYPES, Columns, TermColumns, effects, term_columns
from formula_torch.numerics.tails import f_sf
from formula_torch.result.comparison import Comparisons
from formula_torch.result.glm.anova import DevianceTables, deviance_table
from formula_torch.result.nesting import check_nested
from formula_torch.result.several.anova import SeveralTables, several_table
from formula_torch.result.term_wald import wald_after

__all__ = ["AnovaTables", "anova"]


@dataclass(frozen=True)
class TableStyle:
    """How a program names what an anova table holds.

    Parameters
    ----------
    residual, intercept : str
    sequential, adjusted, robust : mapping
        Columns of a table of type I, of types II and III, and of one of Wald tests, in their order.
    models, robust_models : mapping
        Columns of a table of several models.
    first : int
        Number of the first model.
    keeps_empty : bool
        Whether type I has a row for a term none of whose coefficients can be estimated.
    """

    residual: str
    intercept: str
    sequential: Mapping[str, str]
    adjusted: Mapping[str, str]
    robust: Mapping[str, str] | None
    models: Mapping[str, str]
    robust_models: Mapping[str, str]
    first: int
    keeps_empty: bool

    def columns(self, typ: int, classical: bool) -> Mapping[str, str]:
        """Columns of a table of one model."""
        if self.robust is not None and not classical:
            return self.robust
        return self.sequential if typ == 1 else self.adjusted


_OF_MODELS = {"df_resid": "df_resid", "ssr": "ssr", "df_diff": "df_diff", "ss_diff": "ss_diff", "F": "F", "p": "Pr(>F)"}
STYLES: dict[str, TableStyle] = {
    "statsmodels": TableStyle(
        residual="Residual",
        intercept="Intercept",
        sequential={"df": "df", "sum_sq": "sum_sq", "mean_sq": "mean_sq", "F": "F", "p": "PR(>F)"},
        adjusted={"sum_sq": "sum_sq", "df": "df", "F": "F", "p": "PR(>F)"},
        robust=None,
        models=_OF_MODELS,
        robust_models=_OF_MODELS,
        first=0,
        keeps_empty=True,
    ),
    "R": TableStyle(
        residual="Residuals",
        intercept="(Intercept)",
        sequential={"df": "Df", "sum_sq": "Sum Sq", "mean_sq": "Mean Sq", "F": "F value", "p": "Pr(>F)"},
        adjusted={"sum_sq": "Sum Sq", "df": "Df", "F": "F value", "p": "Pr(>F)"},
        robust={"df": "Df", "F": "F", "p": "Pr(>F)"},
        models={
            "df_resid": "Res.Df",
            "ssr": "RSS",
            "df_diff": "Df",
            "ss_diff": "Sum of Sq",
            "F": "F",
            "p": "Pr(>F)",
        },
        robust_models={"df_resid": "Res.Df", "df_diff": "Df", "F": "F", "p": "Pr(>F)"},
        first=1,
        keeps_empty=False,
    ),
}


def anova(
    *fits: Comparisons | DevianceTables | SeveralTables,
    typ: int | str = 1,
    test: str | None = None,
    vcov: Any = None,
    style: str = "statsmodels",
) -> pd.DataFrame:
    """Analysis of variance of the terms of a model, or of models nested in one another.

    Of one model, each term is tested after the terms before it (type 1), after all that do not contain
    it (2), or after all others as they are coded (3; with an interaction that is a hypothesis
    about main effects only under contrasts that sum to zero, ``C(g, Sum)``). F is the mean square over
    the error variance of the whole model.

    Under a robust covariance F is the Wald statistic of the same hypotheses over its degrees of
    freedom, and what statsmodels' style has for sums of squares is F times degrees of freedom and error variance.
    A term counts the coefficients that could be estimated; as in R, a coefficient dropped as
    dependent on an earlier term leaves its share to that one.

    Of generalised linear models it is the analysis of deviance: what a term takes from the deviance of a model of
    the terms it is tested after, each fitted again, over the dispersion of the whole model (R's ``anova.glm``, and
    ``car::Anova`` for types 2 and 3); under a robust covariance, Wald statistics of the whole model.

    Of models of several parameters terms have Wald statistics, in all linear predictors of a formula together, and
    nested models likelihood ratios, or Wald's under a robust covariance.

    Parameters
    ----------
    fits : RegressionFit, GlmFit or SeveralFit
        One, or several from the smallest to the largest, of the same rows.
    typ : {1, 2, 3}
        Or ``"I"``, ``"II"``, ``"III"``; of one model.
    test : {None, "LR", "F", "Wald"}
        Of generalised linear models: by default Wald under a robust covariance, else F where the dispersion is
        estimated and the likelihood ratio where it is known. Of those of several parameters ``"LR"`` or ``"Wald"``.
    vcov : optional
        Another covariance, as in ``with_vcov``.
    style : {"statsmodels", "R"}
        Names of rows and columns: those of ``anova_lm``; or those of ``anova.lm``, ``car::Anova`` and,
        for several models under a robust covariance, ``lmtest::waldtest``.

    Returns
    -------
    DataFrame
        One model: df, sum_sq, mean_sq, F, PR(>F), a row a term and one for the residuals (types 2 and 3
        without mean_sq). Several: df_resid, ssr, df_diff, ss_diff, F, Pr(>F), a row a model, each
        against the one before it, with the error variance of the last (R's is that of the largest). Of
        generalised linear models type 1: df, deviance, df_resid, resid_deviance, chi2 or F, and its p-value; types 2
        and 3: chi2 or F, df and p-value; several: df_resid, deviance, df_diff, deviance_diff, chi2 or F, p-value. Of
        models of several parameters the same with llf in place of deviances.

    Raises
    ------
    ValueError
        Unknown type, test or style; F where the dispersion is known.
    DataError
        The models are not nested, not ordered, or of other rows.

    Warns
    -----
    InferenceWarning
        The covariance has too small a rank to test a term; or is robust, and a test asked for that is not.

    Examples
    --------
    >>> import formula_torch as ft
    >>> fit = ft.fit("drvisits ~ age + C(chronic)", ft.datasets.visits())
    >>> ft.anova(fit, typ=2).round(1)[["sum_sq", "df"]]
                  sum_sq      df
    age             21.6     1.0
    C(chronic)   28370.4     8.0
    Residual    172197.7  3667.0
    """
    glms = [fit for fit in fits if isinstance(fit, DevianceTables)]
    if fits and len(glms) == len(fits):
        return deviance_table(glms, typ, test, vcov, style)
    several = [fit for fit in fits if isinstance(fit, SeveralTables)]
    if fits and len(several) == len(fits):
        return several_table(several, typ, test, vcov, style)
    if test is not None:
        raise ValueError("test= is for generalised linear models; of linear ones vcov= chooses between F and Wald.")
    return _table(cast("tuple[Comparisons, ...]", fits), typ, vcov, style)


class AnovaTables(Comparisons):
    """Analysis of variance as a method."""

    def anova(
        self, *others: Comparisons, typ: int | str = 1, vcov: Any = None, style: str = "statsmodels"
    ) -> pd.DataFrame:
        """Analysis of variance: ``ft.anova(fit, ...)``.

        Parameters
        ----------
        others : RegressionFit
            Larger models, in their order.
        typ, vcov, style : optional
            As ``ft.anova``.
        """
        return _table((self, *others), typ, vcov, style)


def _table(fits: Sequence[Comparisons], typ: int | str, vcov: Any, style: str) -> pd.DataFrame:
    """Called by what the user calls, whose caller is warned."""
    if typ not in TYPES:
        raise ValueError(f"typ={typ!r} is not known; use 1, 2 or 3.")
    check_known("style", style, STYLES)
    if not fits or not all(isinstance(fit, Comparisons) for fit in fits):
        raise TypeError("anova takes fitted models of one kind: anova(fit), or anova(smaller, larger).")
    if vcov is not None:
        fits = [fit.with_vcov(vcov) for fit in fits]
    for fit in fits:
        fit.refuse_restraint("analysis of variance")
    if len(fits) == 1:
        return _of_terms(fits[0], TYPES[typ], STYLES[style])
    if TYPES[typ] != 1:
        raise ValueError(f"typ={typ!r} is for one model; several are compared in their order.")
    return _of_models(fits, STYLES[style])


# -- one model ------------------------------------------------------------------------------------


def _of_terms(fit: Comparisons, typ: int, style: TableStyle) -> pd.DataFrame:
    terms = term_columns(fit.recipe)
    rows, untested = {}, []
    for i, term in enumerate(terms):
        if not term.factors and typ < 3:
            continue
        row = _row(fit, [j for t in ADJUSTED_FOR[typ](terms, i) for j in t.columns], term)
        if row["df"] or typ > 1 or style.keeps_empty:
            rows[term.name if term.factors else style.intercept] = row
        if row["df"] and fit.scale > 0 and math.isnan(row["F"]):
            untested.append(f"`{term.name}`")
    if untested:
        warnings.warn(
            f"the covariance ({fit.covariance.label}) has too small a rank to test {', '.join(untested)}: F is NaN.",
            InferenceWarning,
            stacklevel=4,
        )
    rows[style.residual] = {"df": fit.df_resid, "sum_sq": fit.ssr, "mean_sq": fit.scale}
    columns = style.columns(typ, fit.covariance.classical)
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=list(columns)).rename(columns=columns)


def _row(fit: Comparisons, before: Sequence[int], term: TermColumns) -> dict[str, float]:
    """Degrees of freedom, sum of squares, F and p of a term after other columns."""
    at = fit.solution.coordinates
    added = Columns(at, fit.null_space).added(before, term.columns)
    df, scale = float(added.shape[1]), fit.scale if fit.scale > 0 else math.nan
    if not df:
        return {"df": df, "sum_sq": math.nan, "mean_sq": math.nan, "F": math.nan, "p": math.nan}
    if fit.covariance.classical:
        mean = float(np.sum((added.T @ effects(at, fit.coefficients)) ** 2)) / df
        f = mean / scale
    else:
        f = wald_after(fit, before, term, added) / df
        mean = f * scale
    return {"df": df, "sum_sq": mean * df, "mean_sq": mean, "F": f, "p": f_sf(f, df, fit.df_denom)}


# -- several models -------------------------------------------------------------------------------


def _of_models(fits: Sequence[Comparisons], style: TableStyle) -> pd.DataFrame:
    classical = all(fit.covariance.classical for fit in fits)
    last = fits[-1]
    rows = [{"df_resid": fits[0].df_resid, "ssr": fits[0].ssr, "df_diff": 0.0}]
    for smaller, larger in pairwise(fits):
        check_nested(smaller, larger)
        df, squares = smaller.df_resid - larger.df_resid, smaller.ssr - larger.ssr
        row = {"df_resid": larger.df_resid, "ssr": larger.ssr, "df_diff": df, "ss_diff": squares}
        if classical:
            row["F"] = squares / df / last.scale if last.scale > 0 else math.nan
            row["p"] = f_sf(row["F"], df, last.df_resid)
        else:
            row["F"], row["p"], _ = larger.compare_wald_test(smaller, use_f=True)
        rows.append(row)
    columns = style.models if classical else style.robust_models
    index = pd.RangeIndex(style.first, style.first + len(fits))
    return pd.DataFrame(rows, index=index).reindex(columns=list(columns)).rename(columns=columns)
