"""The summary of a generalised linear model, with statsmodels' look."""

from __future__ import annotations

import pandas as pd

from formula_torch.present.numbers import count, significant
from formula_torch.present.regression import coefficient_table
from formula_torch.present.table import Summary, Table
from formula_torch.result.glm.fit import GlmFit

__all__ = ["glance", "glm_summary", "success"]

# What an exponentiated coefficient is.
RATIOS = {"logit": "odds ratios", "log": "ratios of means", "cloglog": "hazard ratios"}


def success(fit: GlmFit) -> str:
    """The response as a binomial model has it: ``P(y = 'yes')``, or its name."""
    name, levels = fit.recipe.response_name, fit.recipe.response_levels
    return f"P({name} = {levels[1]!r})" if len(levels) == 2 else name


def glm_summary(
    fit: GlmFit,
    *,
    alpha: float,
    xname: list[str] | None,
    yname: str | None,
    title: str | None,
    stars: str | None,
    exp: bool,
) -> Summary:
    """Header and coefficients."""
    tables = (
        _header(fit, yname or success(fit)),
        coefficient_table(fit, alpha=alpha, xname=xname, stars=stars, exp=exp),
    )
    return Summary(title or "Generalized Linear Model Regression Results", tables, tuple(_notes(fit, stars, exp)))


def _header(fit: GlmFit, yname: str) -> Table:
    weights = fit.weights_type
    if weights == "analytic" and fit.family.distribution.of_shares:
        weights = "trials"
    left = [
        ("Dep. Variable:", yname),
        ("Model:", "GLM"),
        ("Model Family:", fit.family.name),
        ("Link Function:", fit.family.link.name),
        ("Method:", fit.climbed.method),
        ("Engine:", f"{fit.call.engine} ({fit.call.device})"),
        ("No. Iterations:", str(fit.climbed.iterations)),
        ("Covariance Type:", fit.covariance.label),
        ("Weights:", weights) if weights else ("", ""),
    ]
    right = [
        ("No. Observations:", count(fit.nobs)),
        ("Df Residuals:", count(fit.df_resid)),
        ("Df Model:", count(fit.df_model)),
        ("Scale:", significant(fit.scale)),
        ("Log-Likelihood:", f"{fit.llf:.5g}"),
        ("Deviance:", f"{fit.deviance:.5g}"),
        ("Pearson chi2:", f"{fit.pearson_chi2:.3g}"),
        ("Pseudo R-squ. (McF):", f"{fit.prsquared:.4f}"),
        ("AIC:", f"{fit.aic:.5g}"),
    ]
    return Table(tuple((*a, *b) for a, b in zip(left, right, strict=True)))


def _notes(fit: GlmFit, stars: str | None, exp: bool) -> list[str]:
    notes = [fit.covariance.note]
    if exp:
        what = RATIOS.get(fit.family.link.name, "exponentiated coefficients")
        notes.append(f"Coefficients are {what}, exp(coef), with errors by the delta method.")
    notes += fit.notes
    if stars == "stars":
        notes.append("* p < 0.05, ** p < 0.01, *** p < 0.001.")
    return notes


def glance(fit: GlmFit) -> pd.DataFrame:
    """One row a model."""
    return pd.DataFrame(
        {
            "null_deviance": [fit.null_deviance],
            "df_null": [fit.nobs - fit.k_constant],
            "log_lik": [fit.llf],
            "aic": [fit.aic],
            "bic": [fit.bic],
            "deviance": [fit.deviance],
            "df_residual": [fit.df_resid],
            "nobs": [fit.nobs],
            "pseudo_r_squared": [fit.prsquared],
            "dispersion": [fit.scale],
        }
    )
