"""Mean curves of the groups with their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from formula_torch.design import Design
from formula_torch.errors import DataError, check_share
from formula_torch.numerics.intervals import standard_errors, t_interval
from formula_torch.result.trajectory.base import TrajectoryEstimates
from formula_torch.result.trajectory.curve_rows import CurveRows

__all__ = ["curve_table", "predictor_errors"]

# Besides the time, under its own name.
COLUMNS = ("group", "mean", "std_error", "conf_low", "conf_high")


def curve_table(shown: CurveRows, level: float) -> pd.DataFrame:
    """Means of the groups with errors and intervals, a row for each group and time, as ``trajectories``."""
    check_share("level", level)
    if shown.time in COLUMNS:
        raise DataError(f"the time is named `{shown.time}`, as another column of the table of curves; rename it.")
    fit, design = shown.fit, shown.design()
    eta, errors = fit.predictors(design), predictor_errors(fit, design)
    bounds = [_means(fit, bound) for bound in t_interval(eta, errors, 1 - level, fit.covariance.df)]
    # A mean that falls as its predictor rises turns the bounds around.
    low, high = np.sort(bounds, axis=0)
    return pd.DataFrame(
        {
            "group": np.repeat(fit.group_labels, len(shown.times)),
            shown.time: np.tile(shown.times, fit.n_groups),
            "mean": _means(fit, eta).ravel(),
            "std_error": (np.abs(_slopes(fit, eta)) * errors).ravel(),
            "conf_low": low.ravel(),
            "conf_high": high.ravel(),
        }
    )


def predictor_errors(fit: TrajectoryEstimates, design: Design) -> np.ndarray:
    """Standard errors (x' V x)^1/2 of the linear predictors of rows in each group, shape (K, n).

    Parameters
    ----------
    fit : TrajectoryEstimates
    design : Design

    Returns
    -------
    array, shape (K, n)
        NaN where a coefficient that enters is not identified.
    """
    layout, x = fit.spec.layout, design.dense()
    # A dropped column has no coefficient: nothing moves with it.
    own = np.where(np.isnan(fit.beta), -1, layout.beta)
    jacobians = (layout.spread(x, positions, len(fit.names)) for positions in own)
    return np.stack([standard_errors(fit.variances(jacobian)) for jacobian in jacobians])


def _means(fit: TrajectoryEstimates, eta: Any) -> np.ndarray:
    return fit.family.mean(torch.from_numpy(eta)).numpy()


def _slopes(fit: TrajectoryEstimates, eta: np.ndarray) -> np.ndarray:
    """Derivative of the mean in the linear predictor."""
    at = torch.from_numpy(eta.copy()).requires_grad_()
    (slope,) = torch.autograd.grad(fit.family.mean(at).sum(), at)
    return slope.numpy()
