"""broom's three tables of a trajectory model: a row a parameter, a row a model, a row an observation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from formula_torch.errors import DataError, check_share
from formula_torch.present.trajectory.parts import components
from formula_torch.result.trajectory.curves import Curves
from formula_torch.result.trajectory.units import unit_codes
from formula_torch.result.trajectory.weighting import weighted_means

__all__ = ["augment", "glance", "tidy"]


def tidy(fit: Curves, *, conf_level: float, exp: bool) -> pd.DataFrame:
    """One row a parameter."""
    check_share("conf_level", conf_level)
    component, group = components(fit.spec.layout)
    interval = fit.conf_int(1 - conf_level).to_numpy()
    values = np.column_stack([fit.params.to_numpy(), interval])
    if exp:
        coefficient = component != "dispersion"
        values[coefficient] = np.exp(values[coefficient])
    return pd.DataFrame(
        {
            "term": list(fit.names),
            "component": component.tolist(),
            "group": pd.arrays.IntegerArray(group, group == 0),
            "estimate": values[:, 0],
            "std_error": fit.bse.to_numpy(),
            "statistic": np.where(fit.positive, np.nan, fit.tvalues.to_numpy()),
            "p_value": fit.pvalues.to_numpy(),
            "conf_low": values[:, 1],
            "conf_high": values[:, 2],
        }
    )


def glance(fit: Curves) -> pd.DataFrame:
    """One row a model."""
    return pd.DataFrame(
        {
            "groups": [fit.n_groups],
            "log_lik": [fit.llf],
            "aic": [fit.aic],
            "bic": [fit.bic],
            "bic_rows": [fit.bic_rows],
            "n_units": [fit.n_units],
            "nobs": [fit.nobs],
            "df": [fit.n_params],
            "entropy": [fit.entropy],
            "smallest_share": [float(fit.share_values.min())],
            "replicated": [fit.search.replicated],
            "starts": [fit.search.starts],
        }
    )


def augment(fit: Curves, data: Any, offset: Any, exposure: Any) -> pd.DataFrame:
    """One row an observation: the data, fitted values, residuals, and the group of its unit."""
    if data is None:
        frame, design = fit.used_rows("augment")
        posterior, index = fit.posterior, fit.sample.index
    else:
        frame, design = fit.new_rows(data, offset=offset, exposure=exposure)
        posterior, index = fit.assign(data, offset=offset, exposure=exposure), frame.index
    by_row = posterior.to_numpy()[unit_codes(frame, fit.unit)[0]]
    fitted = weighted_means(by_row, fit.means(design))
    found = {
        "fitted": fitted,
        "resid": fit.recipe.response(frame) - fitted,
        # A unit without its covariates of membership is in no group.
        "assigned_group": pd.arrays.IntegerArray(by_row.argmax(axis=1) + 1, np.isnan(by_row).any(axis=1)),
        **{f"posterior_{g}": by_row[:, g - 1] for g in fit.group_labels},
    }
    if taken := [name for name in found if name in frame.names]:
        raise DataError(f"the data have a column `{taken[0]}`, which augment would overwrite; rename it.")
    return pd.DataFrame({name: frame.table[name].to_numpy() for name in frame.names} | found, index=index)
