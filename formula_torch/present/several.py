"""Summary, tables and messages of models of several predictors."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from formula_torch.data import as_frame
from formula_torch.errors import (
    ConvergenceWarning,
    DataError,
    FormulaTorchWarning,
    InferenceWarning,
    check_share,
)
from formula_torch.families.several import SeveralFamily
from formula_torch.formula.learn import Problem
from formula_torch.present.messages import fit_warnings
from formula_torch.present.numbers import count, decimals, mark
from formula_torch.present.table import Summary, Table
from formula_torch.result.several import SeveralFit
from formula_torch.result.several.base import Ascent
from formula_torch.result.several.layout import Layout
from formula_torch.solvers.least_squares import LeastSquares

__all__ = ["augment", "glance", "several_notes", "several_summary", "several_warnings", "tidy"]

TITLES = {
    "negative_binomial": "Negative Binomial Regression Results",
    "nb1": "Negative Binomial (NB1) Regression Results",
    "beta": "Beta Regression Results",
    "multinomial": "Multinomial Logit Regression Results",
}
# What text begins with that was numbered for its order.
LEADING_NUMBER = re.compile(r"-?\d+(\.\d+)?")
# Newton's decrement below which a climb may end on its way to infinity.
RUNNING = 1e-2


# -- messages -------------------------------------------------------------------------------------


def several_warnings(
    problems: Mapping[str, Problem],
    solutions: Mapping[str, LeastSquares],
    limit: SeveralFamily,
    layout: Layout,
    lost: np.ndarray,
    ascent: Ascent,
) -> Iterator[FormulaTorchWarning]:
    """Say what was lost, whether the maximum was reached, what lies at its boundary, and which order was taken."""
    if limit.cutpoints and _found_in_text(problems[""]):
        name = problems[""].recipe.response_columns[0]
        yield FormulaTorchWarning(
            f"the levels of `{name}` are text, taken in the order of the alphabet: {' < '.join(limit.levels)}. "
            f"Declare their order, this one or another: data[{name!r}] = pd.Categorical(data[{name!r}], "
            "['lowest', ..., 'highest'], ordered=True)."
        )
    for key, problem in problems.items():
        # Errors are from the information, and need no degrees of freedom.
        yield from fit_warnings(problem, solutions[key], math.inf)
    for predictor in ascent.limits:
        yield ConvergenceWarning(f"{predictor.limit}. It has no errors, and all else is that of family={limit.name!r}.")
    if lost.any():
        names = [layout.names[j] for j in np.flatnonzero(lost)]
        shown = ", ".join(f"`{name}`" for name in names[:4]) + (f" and {len(names) - 4} others" if names[4:] else "")
        yield InferenceWarning(
            f"{len(names)} parameters are not determined by the data: {shown}. The likelihood rises (or stays) however "
            "far they go, as where levels are separated by a column, and their errors are NaN. Drop a column or merge "
            "levels."
        )
    if not ascent.converged and not (lost.any() and ascent.decrement < RUNNING):
        yield ConvergenceWarning(
            f"the maximum of the likelihood was not reached (Newton's decrement is {ascent.decrement:.1e}): "
            "coefficients and errors are not to be trusted. Rescale or drop columns, or choose a simpler family."
        )


def _found_in_text(problem: Problem) -> bool:
    """Whether the order of the levels is that of the alphabet, and neither declared nor that of numbers before them."""
    recipe = problem.recipe
    if len(recipe.response_columns) != 1 or "levels" in recipe.response_name:
        return False
    column, levels = problem.frame.column(recipe.response_columns[0]), [str(v) for v in recipe.response_levels]
    declared = column.has_order and (
        getattr(column.series.to_native().dtype, "ordered", True) or levels != sorted(levels)
    )
    numbers = [float(found[0]) for found in map(LEADING_NUMBER.match, levels) if found]
    counted = len(numbers) == len(levels) and numbers == sorted(set(numbers))
    return column.kind == "category" and not declared and not counted


def several_notes(problem: Problem, family: SeveralFamily, y: Tensor, layout: Layout, ascent: Ascent) -> list[str]:
    """Sentences for the foot of the summary."""
    notes = ["Errors are from the observed information."]
    if doubt := family.doubt(y):
        notes.append(f"`{problem.recipe.response_name}` {doubt}")
    if family.levels and not family.cutpoints:
        notes.append(f"Coefficients are log odds of a level against {family.levels[0]!r}.")
    if family.cutpoints:
        notes.append(f"The levels are ordered {' < '.join(family.levels)}.")
    if "zero" in layout.components:
        notes.append("Coefficients zero_... are log odds of a count above zero.")
    if "inflation" in layout.components:
        notes.append("Coefficients inflate_... are log odds of a zero that is certain.")
    return notes + [f"{p.limit[:1].upper()}{p.limit[1:]}." for p in ascent.limits]


# -- the summary ----------------------------------------------------------------------------------


def several_summary(
    fit: SeveralFit,
    *,
    alpha: float,
    xname: list[str] | None,
    yname: str | None,
    title: str | None,
    stars: str | None,
    exp: bool,
) -> Summary:
    """Header, and a table of coefficients for each component."""
    tables = (_header(fit, yname or fit.recipe.response_name), *_coefficients(fit, alpha, xname, stars, exp))
    notes = [fit.covariance.note, *fit.notes]
    if exp:
        notes.insert(1, "Coefficients are exponentiated, with errors by the delta method.")
    if stars == "stars":
        notes.append("* p < 0.05, ** p < 0.01, *** p < 0.001.")
    heading = title or TITLES.get(fit.family.name) or f"{_capitals(fit.family.name)} Regression Results"
    return Summary(heading, tables, tuple(notes))


def _capitals(name: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in name.split("_"))


def _header(fit: SeveralFit, yname: str) -> Table:
    left = [
        ("Dep. Variable:", yname),
        ("Model Family:", fit.family.name),
        ("Method:", "Maximum Likelihood"),
        ("Engine:", f"{fit.call.engine} ({fit.call.device})"),
        ("No. Iterations:", str(fit.ascent.iterations)),
        ("Covariance Type:", fit.covariance.label),
        ("Weights:", fit.weights_type) if fit.weights_type else ("", ""),
    ]
    right = [
        ("No. Observations:", count(fit.nobs)),
        ("Df Residuals:", count(fit.df_resid)),
        ("Df Model:", count(fit.df_model)),
        ("Log-Likelihood:", f"{fit.llf:.8g}"),
        ("LL-Null:", f"{fit.llnull:.8g}"),
        ("LLR p-value:", f"{fit.llr_pvalue:.3g}"),
        ("Pseudo R-squ.:", f"{fit.prsquared:.4f}"),
    ]
    return Table(tuple((*a, *b) for a, b in zip(left, right, strict=True)))


def _coefficients(fit: SeveralFit, alpha: float, xname: list[str] | None, stars: str | None, exp: bool) -> list[Table]:
    names = list(fit.names) if xname is None else xname
    if len(names) != len(fit.names):
        raise ValueError(f"xname has {len(names)} names for {len(fit.names)} parameters.")
    letter = "t" if fit.use_t else "z"
    bounds = (f"[{alpha / 2:.3g}", f"{1 - alpha / 2:.3g}]")
    columns = ("exp(coef)" if exp else "coef", "std err", letter, f"P>|{letter}|", *bounds, *(("",) if stars else ()))
    rows = _rows(fit, names, alpha, stars, exp)
    sections = dict.fromkeys(fit.components)
    found = []
    for section in sections:
        own = tuple(row for row, component in zip(rows, fit.components, strict=True) if component == section)
        found.append(Table(own, ("" if len(sections) == 1 else section, *columns)))
    return found


def _rows(fit: SeveralFit, names: list[str], alpha: float, stars: str | None, exp: bool) -> list[tuple[str, ...]]:
    table, rows = tidy(fit, conf_level=1 - alpha, exp=exp), []
    if exp:
        changed = fit.exponentiable
        table["std_error"] = np.where(changed, table["std_error"] * table["estimate"], table["std_error"])
    values = table[["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]].to_numpy()
    for name, positive, (b, se, z, p, low, high) in zip(names, fit.layout.positive, values, strict=True):
        tested = ("", "") if positive else (decimals(z), f"{p:.3f}")
        cells = (decimals(b, 4), decimals(se), *tested, decimals(low), decimals(high))
        rows.append((name, *cells, *((mark(p, stars),) if stars else ())))
    return rows


# -- broom's tables -------------------------------------------------------------------------------


def tidy(fit: SeveralFit, *, conf_level: float, exp: bool) -> pd.DataFrame:
    """One row a parameter."""
    check_share("conf_level", conf_level)
    interval, changed = fit.conf_int(1 - conf_level), fit.exponentiable & exp

    def carried(values: Any) -> np.ndarray:
        return np.where(changed, np.exp(np.where(changed, values, 0.0)), values)

    tested = ~fit.layout.positive
    columns = {
        "term": list(fit.names),
        "component": list(fit.components),
        "estimate": carried(fit.params),
        "std_error": fit.bse.to_numpy(),
        "statistic": np.where(tested, fit.tvalues, np.nan),
        "p_value": fit.pvalues.to_numpy(),
        "conf_low": carried(interval[0]),
        "conf_high": carried(interval[1]),
    }
    if len(set(fit.components)) == 1:
        del columns["component"]
    return pd.DataFrame(columns)


def glance(fit: SeveralFit) -> pd.DataFrame:
    """One row a model."""
    return pd.DataFrame(
        {
            "log_lik": [fit.llf],
            "aic": [fit.aic],
            "bic": [fit.bic],
            "pseudo_r_squared": [fit.prsquared],
            "statistic": [fit.llr],
            "p_value": [fit.llr_pvalue],
            "df": [fit.df_model],
            "df_residual": [fit.df_resid],
            "nobs": [fit.nobs],
        }
    )


def augment(fit: SeveralFit, data: Any) -> pd.DataFrame:
    """One row an observation."""
    frame = fit.held_rows("augment").used_frame() if data is None else as_frame(data)
    found = fit.predict() if data is None else fit.predict(data)
    if fit.family.levels:
        known = found.notna().all(axis=1)
        best = found[known].idxmax(axis=1).reindex(found.index)
        added = {"fitted": best, "prob": found.max(axis=1)}
    else:
        added, observed = {"fitted": found}, fit.recipe.response(frame)
        if observed.ndim == 1:
            added["resid"] = pd.Series(observed, index=found.index) - found
    if taken := set(added) & set(frame.names):
        raise DataError(f"the data have a column `{min(taken)}`, which augment would overwrite; rename it.")
    table = pd.DataFrame({name: frame.table[name].to_numpy() for name in frame.names}, index=found.index)
    return table.assign(**added)
