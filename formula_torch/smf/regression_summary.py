"""The two summaries of a linear regression: the same cells in the same tables as statsmodels'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from formula_torch.present.regression import coefficient_table
from formula_torch.present.table import Summary, Table
from formula_torch.smf.summary import Pair, Summary2, coefficient_frame, framed, minute, now, side_by_side

if TYPE_CHECKING:
    from formula_torch.smf.regression_results import RegressionResults

__all__ = ["summary", "summary2"]

TITLES = {"OLS": "Ordinary least squares", "WLS": "Weighted least squares"}
# What the short form of the first summary keeps.
SLIM = ("Dep. Variable:", "Model:", "No. Observations:", "Covariance Type:")


def summary(
    fit: RegressionResults,
    yname: str | None,
    xname: Sequence[str] | None,
    title: str | None,
    alpha: float,
    slim: bool,
) -> Summary:
    """Header, coefficients and (unless `slim`) diagnostics of the residuals."""
    header = _header(fit, yname or fit.model.endog_names, slim)
    coefficients = coefficient_table(fit, alpha=alpha, xname=None if xname is None else list(xname))
    tables = (header, coefficients) if slim else (header, coefficients, _diagnostics(fit))
    return Summary(title or f"{fit.model_name} Regression Results", tables, tuple(_notes(fit)))


def _header(fit: RegressionResults, yname: str, slim: bool) -> Table:
    left = [
        ("Dep. Variable:", yname),
        ("Model:", fit.model_name),
        ("Method:", "Least Squares"),
        *now(),
        ("No. Observations:", f"{fit.nobs:.0f}"),
        ("Df Residuals:", f"{fit.df_resid:.0f}"),
        ("Df Model:", f"{fit.df_model:.0f}"),
        ("Covariance Type:", fit.cov_type),
    ]
    centring = _centring(fit)
    right = [
        (f"R-squared{centring}:", f"{fit.rsquared:#.3f}"),
        (f"Adj. R-squared{centring}:", f"{fit.rsquared_adj:#.3f}"),
        ("F-statistic:", f"{fit.fvalue:#.4g}"),
        ("Prob (F-statistic):", f"{fit.f_pvalue:#.3g}"),
        ("Log-Likelihood:", f"{fit.llf:#.5g}"),
        ("AIC:", f"{fit.aic:#.4g}"),
        ("BIC:", f"{fit.bic:#.4g}"),
    ]
    if slim:
        left, right = [pair for pair in left if pair[0] in SLIM], right[:4]
    return side_by_side(left, right)


def _centring(fit: RegressionResults) -> str:
    return "" if fit.k_constant else " (uncentered)"


def _diagnostics(fit: RegressionResults) -> Table:
    s = fit.residual_statistics
    left = [
        ("Omnibus:", f"{s.omnibus:#.3f}"),
        ("Prob(Omnibus):", f"{s.omnibus_p:#.3f}"),
        ("Skew:", f"{s.skew:#.3f}"),
        ("Kurtosis:", f"{s.kurtosis:#.3f}"),
    ]
    right = [
        ("Durbin-Watson:", f"{s.durbin_watson:#.3f}"),
        ("Jarque-Bera (JB):", f"{s.jarque_bera:#.3f}"),
        ("Prob(JB):", f"{s.jarque_bera_p:#.3g}"),
        ("Cond. No.", f"{fit.condition_number:#.3g}"),
    ]
    return side_by_side(left, right)


def _notes(fit: RegressionResults) -> list[str]:
    notes = [] if fit.k_constant else ["R-squared is computed without centering (uncentered): there is no constant."]
    notes += [fit.covariance.note, *fit.notes]
    if fit.condition_number > 1000:
        notes.append(
            f"The condition number is large, {fit.condition_number:.3g}: columns nearly dependent, or of very "
            "different units."
        )
    return notes


def summary2(
    fit: RegressionResults,
    yname: str | None,
    xname: Sequence[str] | None,
    title: str | None,
    alpha: float,
    float_format: str,
) -> Summary2:
    """Header, coefficients and diagnostics as data frames."""
    name = fit.model_name
    tables = [framed(_information(fit, yname)), coefficient_frame(fit, xname, alpha), framed(_diagnostics2(fit))]
    return Summary2(title or f"Results: {TITLES.get(name, name)}", tables, tuple(_notes(fit)), float_format)


def _information(fit: RegressionResults, yname: str | None) -> list[Pair]:
    centring = _centring(fit)
    return [
        ("Model:", fit.model_name),
        ("Dependent Variable:", yname or fit.model.endog_names),
        minute(),
        ("No. Observations:", f"{fit.nobs:.0f}"),
        ("Df Model:", f"{fit.df_model:.0f}"),
        ("Df Residuals:", f"{fit.df_resid:.0f}"),
        (f"R-squared{centring}:", f"{fit.rsquared:#.3f}"),
        (f"Adj. R-squared{centring}:", f"{fit.rsquared_adj:#.3f}"),
        ("AIC:", f"{fit.aic:.4f}"),
        ("BIC:", f"{fit.bic:.4f}"),
        ("Log-Likelihood:", f"{fit.llf:#.5g}"),
        ("F-statistic:", f"{fit.fvalue:#.4g}"),
        ("Prob (F-statistic):", f"{fit.f_pvalue:#.3g}"),
        ("Scale:", f"{fit.scale:#.5g}"),
    ]


def _diagnostics2(fit: RegressionResults) -> list[Pair]:
    s = fit.residual_statistics
    return [
        ("Omnibus:", f"{s.omnibus:.3f}"),
        ("Prob(Omnibus):", f"{s.omnibus_p:.3f}"),
        ("Skew:", f"{s.skew:.3f}"),
        ("Kurtosis:", f"{s.kurtosis:.3f}"),
        ("Durbin-Watson:", f"{s.durbin_watson:.3f}"),
        ("Jarque-Bera (JB):", f"{s.jarque_bera:.3f}"),
        ("Prob(JB):", f"{s.jarque_bera_p:.3f}"),
        ("Condition No.:", f"{fit.condition_number:.0f}"),
    ]
