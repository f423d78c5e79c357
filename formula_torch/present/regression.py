"""The summary of a regression, with statsmodels' look."""

from __future__ import annotations

import math

import numpy as np

from formula_torch.present.numbers import count, decimals, mark, significant
from formula_torch.present.table import Summary, Table
from formula_torch.result.fit import Fit
from formula_torch.result.regression import RegressionFit

__all__ = ["coefficient_table", "regression_summary"]


def regression_summary(
    fit: RegressionFit,
    *,
    alpha: float,
    xname: list[str] | None,
    yname: str | None,
    title: str | None,
    stars: str | None,
) -> Summary:
    """Header, coefficients and residual diagnostics."""
    kind = "WLS" if fit.model.weights_type == "analytic" else "OLS"
    tables = (
        _header(fit, kind, yname or fit.recipe.response_name),
        coefficient_table(fit, alpha=alpha, xname=xname, stars=stars),
        _diagnostics(fit),
    )
    return Summary(title or f"{kind} Regression Results", tables, tuple(_notes(fit, stars)))


def _header(fit: RegressionFit, kind: str, yname: str) -> Table:
    uncentred = "" if fit.k_constant else " (uncentered)"
    left = [
        ("Dep. Variable:", yname),
        ("Model:", kind),
        ("Method:", "Least Squares"),
        ("Engine:", f"{fit.call.engine} ({fit.call.device})"),
        ("Solver:", fit.solution.method if fit.trace is None else fit.trace.name),
        ("No. Observations:", count(fit.nobs)),
        ("Df Residuals:", count(fit.df_resid)),
        ("Df Model:", count(fit.df_model)),
        ("Covariance Type:", fit.covariance.label),
    ]
    right = [
        (f"R-squared{uncentred}:", f"{fit.rsquared:.3f}"),
        (f"Adj. R-squared{uncentred}:", f"{fit.rsquared_adj:.3f}"),
        ("F-statistic:", significant(fit.fvalue)),
        ("Prob (F-statistic):", f"{fit.f_pvalue:.3g}"),
        ("Log-Likelihood:", f"{fit.llf:.5g}"),
        ("AIC:", f"{fit.aic:.4g}"),
        ("BIC:", f"{fit.bic:.4g}"),
        ("Residual std. error:", significant(math.sqrt(fit.scale))),
        ("Weights:", fit.model.weights_type) if fit.model.weights_type else ("", ""),
    ]
    return Table(tuple((*a, *b) for a, b in zip(left, right, strict=True)))


def coefficient_table(
    fit: Fit, *, alpha: float = 0.05, xname: list[str] | None = None, stars: str | None = None, exp: bool = False
) -> Table:
    """Coefficients (or ratios, exponentiated) with errors, statistics, p-values and intervals."""
    names = list(fit.names) if xname is None else xname
    if len(names) != len(fit.names):
        raise ValueError(f"xname has {len(names)} names for {len(fit.names)} coefficients.")
    interval = fit.conf_int(alpha)
    columns = (fit.params, fit.bse, fit.tvalues, fit.pvalues, interval[0], interval[1])
    if exp:
        ratios = np.exp(fit.params)
        columns = (ratios, ratios * fit.bse, fit.tvalues, fit.pvalues, np.exp(interval[0]), np.exp(interval[1]))
    letter = "t" if fit.use_t else "z"
    bounds = f"[{alpha / 2:.3g}", f"{1 - alpha / 2:.3g}]"
    rows = []
    for name, b, se, t, p, low, high in zip(names, *(c.to_numpy() for c in columns), strict=True):
        cells = (decimals(b, 4), decimals(se), decimals(t), f"{p:.3f}", decimals(low), decimals(high))
        rows.append((name, *cells, *((mark(p, stars),) if stars else ())))
    header = (
        "",
        "exp(coef)" if exp else "coef",
        "std err",
        letter,
        f"P>|{letter}|",
        *bounds,
        *(("",) if stars else ()),
    )
    return Table(tuple(rows), header)


def _diagnostics(fit: RegressionFit) -> Table:
    s = fit.residual_statistics
    rows = (
        ("Omnibus:", f"{s.omnibus:.3f}", "Durbin-Watson:", f"{s.durbin_watson:.3f}"),
        ("Prob(Omnibus):", f"{s.omnibus_p:.3f}", "Jarque-Bera (JB):", f"{s.jarque_bera:.3f}"),
        ("Skew:", f"{s.skew:.3f}", "Prob(JB):", f"{s.jarque_bera_p:.3g}"),
        ("Kurtosis:", f"{s.kurtosis:.3f}", "Cond. No.", f"{fit.condition_number:.3g}"),
    )
    return Table(rows)


def _notes(fit: RegressionFit, stars: str | None) -> list[str]:
    notes = [] if fit.k_constant else ["R-squared is computed without centering (uncentered): there is no constant."]
    notes.append(fit.covariance.note)
    notes += fit.notes
    if fit.condition_number > 1000:
        notes.append(
            f"The condition number is large, {fit.condition_number:.3g}. This might indicate strong "
            "multicollinearity or columns of very different units."
        )
    if stars == "stars":
        notes.append("* p < 0.05, ** p < 0.01, *** p < 0.001.")
    return notes
