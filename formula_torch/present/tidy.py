"""broom's three tables: a row a coefficient, a row a model, a row an observation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import as_frame
from formula_torch.errors import DataError, check_share
from formula_torch.result.fit import Fit
from formula_torch.result.network import NetworkFit
from formula_torch.result.regression import RegressionFit
from formula_torch.result.solved_fit import SolvedFit

__all__ = ["GLOSSARY", "augment", "glance", "tidy"]

# The names of all columns these tables may have.
GLOSSARY = {
    "term": "name of the coefficient, or of the variable that has an effect",
    "contrast": "what an effect is: a slope, or which levels are compared",
    "estimate": "estimated coefficient",
    "std_error": "standard error",
    "statistic": "estimate over its standard error; F statistic in glance",
    "p_value": "two-sided p-value",
    "conf_low": "lower bound of the confidence interval",
    "conf_high": "upper bound of the confidence interval",
    "r_squared": "share of the variance explained",
    "adj_r_squared": "R-squared adjusted for the number of coefficients",
    "sigma": "root of the error variance",
    "df": "degrees of freedom of the model",
    "log_lik": "log-likelihood",
    "aic": "Akaike's information criterion",
    "bic": "Bayesian information criterion",
    "deviance": "sum of squared residuals; of a generalised linear model its deviance",
    "null_deviance": "deviance of a constant alone",
    "df_null": "degrees of freedom of a constant alone",
    "pseudo_r_squared": "McFadden's pseudo R-squared",
    "dispersion": "Pearson's estimate of the dispersion; 1 where it is known",
    "df_residual": "residual degrees of freedom",
    "nobs": "number of observations",
    "fitted": "fitted value",
    "resid": "response less fitted value",
    "component": "what a parameter describes: a mean, trajectory, dispersion, membership, inflation, cutpoint, ...",
    "prob": "probability of the fitted level",
    "group": "group of a trajectory model, from 1; missing for what all groups share",
    "groups": "number of groups",
    "bic_rows": "Bayesian information criterion with the number of rows, where bic has that of units",
    "n_units": "number of units, the sum of their weights",
    "entropy": "relative entropy of the posterior: 1 where no unit is in doubt",
    "smallest_share": "estimated share of the smallest group",
    "replicated": "starts that reached the best log-likelihood",
    "starts": "starts of the search",
    "assigned_group": "most probable group of the row's unit",
    "share": "estimated share of the group",
    "assigned_share": "share of the units assigned to the group",
    "mismatch": "estimated less assigned share",
    "assigned": "units assigned to the group, the sum of their weights",
    "appa": "average posterior probability of the units assigned to the group",
    "occ_estimated": "odds of correct classification against the estimated share",
    "occ_assigned": "odds of correct classification against the assigned share",
    "sd_posterior": "standard deviation of the assigned units' posterior probability",
}


def tidy(fit: Fit, *, conf_level: float, exp: bool) -> pd.DataFrame:
    """One row a coefficient."""
    check_share("conf_level", conf_level)
    interval = fit.conf_int(1 - conf_level)
    change = np.exp if exp else np.asarray
    return pd.DataFrame(
        {
            "term": list(fit.names),
            "estimate": change(fit.params.to_numpy()),
            "std_error": fit.bse.to_numpy(),
            "statistic": fit.tvalues.to_numpy(),
            "p_value": fit.pvalues.to_numpy(),
            "conf_low": change(interval[0].to_numpy()),
            "conf_high": change(interval[1].to_numpy()),
        }
    )


def glance(fit: RegressionFit) -> pd.DataFrame:
    """One row a model."""
    return pd.DataFrame(
        {
            "r_squared": [fit.rsquared],
            "adj_r_squared": [fit.rsquared_adj],
            "sigma": [math.sqrt(fit.scale)],
            "statistic": [fit.fvalue],
            "p_value": [fit.f_pvalue],
            "df": [fit.df_model],
            "log_lik": [fit.llf],
            "aic": [fit.aic],
            "bic": [fit.bic],
            "deviance": [fit.ssr],
            "df_residual": [fit.df_resid],
            "nobs": [fit.nobs],
        }
    )


def augment(fit: SolvedFit | NetworkFit, data: Any) -> pd.DataFrame:
    """One row an observation: the data, fitted values and residuals."""
    if data is None:
        fitted, resid = fit.fittedvalues, fit.resid
        frame = fit.held_rows("augment").used_frame()
    else:
        frame = as_frame(data)
        fitted = fit.predict(data)
        resid = pd.Series(fit.recipe.response(frame), index=frame.index) - fitted
    taken = {"fitted", "resid"} & set(frame.names)
    if taken:
        raise DataError(f"the data have a column `{taken.pop()}`, which augment would overwrite; rename it.")
    table = pd.DataFrame({name: frame.table[name].to_numpy() for name in frame.names}, index=fitted.index)
    return table.assign(fitted=fitted, resid=resid)
