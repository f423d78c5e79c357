"""The two summaries of models of a likelihood: the same cells in the same tables as statsmodels'.

And what its discrete models say of themselves besides. A fit is a result of either engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from formula_torch.errors import check_known
from formula_torch.present.glm import success
from formula_torch.present.regression import coefficient_table
from formula_torch.present.table import Summary
from formula_torch.smf.family_objects import family_name, link_name
from formula_torch.smf.summary import Pair, Summary2, coefficient_frame, framed, minute, now, side_by_side

if TYPE_CHECKING:
    from formula_torch.smf.glm_results import GLMResults

__all__ = [
    "criterion",
    "discrete_header",
    "discrete_information",
    "ending",
    "glm_header",
    "glm_information",
    "retvals",
    "summary",
    "summary2",
]


def _response(fit: Any, yname: str | None) -> str:
    if yname is not None:
        return yname
    return success(fit) if len(fit.recipe.response_levels) == 2 else str(fit.model.endog_names)


def summary(fit: Any, yname: str | None, xname: Sequence[str] | None, title: str | None, alpha: float) -> Summary:
    """Header and coefficients."""
    left, right = fit.header()
    header = side_by_side([("Dep. Variable:", _response(fit, yname)), *left], right)
    coefficients = coefficient_table(fit, alpha=alpha, xname=None if xname is None else list(xname))
    return Summary(title or fit.titles[0], (header, coefficients), (fit.covariance.note, *fit.notes))


def summary2(
    fit: Any,
    yname: str | None,
    xname: Sequence[str] | None,
    title: str | None,
    alpha: float,
    float_format: str,
) -> Summary2:
    """Header and coefficients as data frames."""
    tables = [framed(fit.second_header(_response(fit, yname))), coefficient_frame(fit, xname, alpha)]
    return Summary2(title or f"Results: {fit.titles[1]}", tables, (fit.covariance.note, *fit.notes), float_format)


def glm_header(fit: GLMResults) -> tuple[list[Pair], list[Pair]]:
    """Left and right of the header, without the response."""
    left = [
        ("Model:", "GLM"),
        ("Model Family:", family_name(fit.family)),
        ("Link Function:", link_name(fit.family)),
        ("Method:", fit.method),
        *now(),
        ("No. Iterations:", f"{fit.fit_history['iteration']:d}"),
        ("Covariance Type:", fit.cov_type),
    ]
    right = [
        *_size(fit),
        ("Scale:", f"{fit.scale:#.5g}"),
        ("Log-Likelihood:", f"{fit.llf:#.5g}"),
        ("Deviance:", f"{fit.deviance:#.5g}"),
        ("Pearson chi2:", f"{fit.pearson_chi2:#.3g}"),
        ("Pseudo R-squ. (CS):", f"{fit.pseudo_rsquared('cs'):#.4g}"),
    ]
    return left, right


def _size(fit: Any) -> list[Pair]:
    return [
        ("No. Observations:", f"{fit.nobs:d}"),
        ("Df Residuals:", f"{fit.df_resid:.0f}"),
        ("Df Model:", f"{fit.df_model:.0f}"),
    ]


def glm_information(fit: GLMResults, response: str) -> list[Pair]:
    """The header of the second summary."""
    return [
        ("Model:", "GLM"),
        ("Model Family:", family_name(fit.family)),
        ("Link Function:", link_name(fit.family)),
        ("Dependent Variable:", response),
        minute(),
        ("No. Observations:", f"{fit.nobs:d}"),
        ("Df Model:", f"{fit.df_model:.0f}"),
        ("Df Residuals:", f"{fit.df_resid:.0f}"),
        ("Method:", fit.method),
        ("AIC:", f"{fit.aic:.4f}"),
        ("BIC:", f"{fit.bic:.4f}"),
        ("Log-Likelihood:", f"{fit.llf:#.5g}"),
        ("LL-Null:", f"{fit.llnull:#.5g}"),
        ("Deviance:", f"{fit.deviance:#.5g}"),
        ("Pearson chi2:", f"{fit.pearson_chi2:#.3g}"),
        ("Scale:", f"{fit.scale:#.5g}"),
    ]


def discrete_header(fit: Any) -> tuple[list[Pair], list[Pair]]:
    """Left and right of the header, without the response."""
    left = [
        ("Model:", fit.model_name),
        ("Method:", fit.method),
        *now(),
        ("converged:", str(fit.converged)),
        ("Covariance Type:", fit.cov_type),
    ]
    right = [
        *_size(fit),
        ("Pseudo R-squ.:", f"{fit.prsquared:#.4g}"),
        ("Log-Likelihood:", f"{fit.llf:#.5g}"),
        ("LL-Null:", f"{fit.llnull:#.5g}"),
        ("LLR p-value:", f"{fit.llr_pvalue:#.4g}"),
    ]
    return left, right


def discrete_information(fit: Any, response: str) -> list[Pair]:
    """The header of the second summary."""
    return [
        ("Model:", fit.model_name),
        ("Dependent Variable:", response),
        minute(),
        ("No. Observations:", f"{fit.nobs:d}"),
        ("Df Model:", f"{fit.df_model:.0f}"),
        ("Df Residuals:", f"{fit.df_resid:.0f}"),
        ("Converged:", f"{fit.converged:.4f}"),
        ("No. Iterations:", f"{fit.iterations:.4f}"),
        ("Method:", fit.method),
        ("Pseudo R-squared:", f"{fit.prsquared:#.3f}"),
        ("AIC:", f"{fit.aic:.4f}"),
        ("BIC:", f"{fit.bic:.4f}"),
        ("Log-Likelihood:", f"{fit.llf:#.5g}"),
        ("LL-Null:", f"{fit.llnull:#.5g}"),
        ("LLR p-value:", f"{fit.llr_pvalue:#.5g}"),
        ("Scale:", f"{fit.scale:#.5g}"),
    ]


def ending(fit: Any) -> str:
    """How the search ended, as statsmodels prints it."""
    value = f"         Current function value: {-fit.llf / fit.nobs:f}"
    if fit.converged:
        return f"Optimization terminated successfully.\n{value}\n         Iterations {fit.iterations:d}"
    return f"Warning: Maximum number of iterations has been exceeded.\n{value}\n         Iterations: {fit.iterations:d}"


def retvals(fit: Any) -> dict[str, Any]:
    """How the search ended, under statsmodels' names."""
    return {
        "fopt": np.float64(-fit.llf / fit.nobs),
        "iterations": fit.iterations,
        "Hessian": fit.hessian / fit.nobs,
        "warnflag": int(not fit.converged),
        "converged": fit.converged,
    }


def criterion(fit: Any, crit: str, k: float) -> Any:
    """Return an information criterion of a fit of k parameters."""
    criteria: dict[str, Callable[[], Any]] = {
        "aic": lambda: -2 * fit.llf + 2 * k,
        "bic": lambda: -2 * fit.llf + np.log(fit.nobs) * k,
        "tic": lambda: -2 * fit.llf + 2 * np.trace(fit.im_ratio),
        "gbic": lambda: _generalised(fit),
    }
    check_known("crit", crit, criteria)
    return criteria[crit]()


def _generalised(fit: Any) -> tuple[float, float]:
    ratio, k = fit.im_ratio, fit.df_model + 1
    value = -2 * fit.llf + k * np.log(k + fit.df_resid) - np.linalg.slogdet(ratio)[1]
    return value, value + np.trace(ratio)
