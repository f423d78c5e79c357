"""Trajectory models beside one another, and likelihood ratio tests where one is a restriction of the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from formula_torch.errors import DataError
from formula_torch.numerics.tails import chi2_sf
from formula_torch.result.trajectory import TrajectoryFit
from formula_torch.result.trajectory.nesting import check_nested
from formula_torch.result.wald_comparison import ModelTest

__all__ = ["TRAJECTORY_TESTS", "statistics"]

# The larger model may end lower by rounding.
ROUNDING = 1e-8


def statistics(name: str, fit: TrajectoryFit) -> dict[str, Any]:
    """One row of the table that compares models."""
    return {
        "model": name,
        "groups": fit.n_groups,
        "nobs": fit.nobs,
        "n_units": fit.n_units,
        "params": fit.n_params,
        "llf": fit.llf,
        "aic": fit.aic,
        "bic": fit.bic,
        "bic_rows": fit.bic_rows,
    }


def _lr_test(full: TrajectoryFit, restricted: TrajectoryFit) -> ModelTest:
    """2 (llf - llf_r), chi-squared with as many degrees of freedom as the restricted model has parameters fewer."""
    _check_groups(full, restricted)
    check_nested(restricted, full)
    for fit in (restricted, full):
        _check_identified(fit)
    gain = full.llf - restricted.llf
    if gain < -ROUNDING * abs(full.llf):
        raise DataError(
            f"the larger model has the lower log-likelihood ({full.llf:.6f} after {restricted.llf:.6f}): its search "
            "missed the maximum. Fit it again with more starts=, or with start= the smaller fit."
        )
    d = full.n_params - restricted.n_params
    return ModelTest(2 * gain, chi2_sf(2 * gain, d), d)


def _no_wald_test(full: TrajectoryFit, restricted: TrajectoryFit) -> ModelTest:  # noqa: ARG001 - one signature
    raise DataError(
        "test='Wald' compares regressions. Of a trajectory model, fit.wald_test('g1:t = g2:t') tests any hypothesis "
        "under the covariance of the fit."
    )


def _no_sums_of_squares(full: TrajectoryFit, restricted: TrajectoryFit) -> ModelTest:  # noqa: ARG001
    raise DataError("test='F' and test='LM' compare regressions; of trajectory models use test='LR'.")


TRAJECTORY_TESTS: dict[str, Callable[[TrajectoryFit, TrajectoryFit], ModelTest]] = {
    "LR": _lr_test,
    "Wald": _no_wald_test,
    "F": _no_sums_of_squares,
    "LM": _no_sums_of_squares,
}


def _check_groups(full: TrajectoryFit, restricted: TrajectoryFit) -> None:
    if full.n_groups != restricted.n_groups:
        raise DataError(
            f"models with {restricted.n_groups} and {full.n_groups} groups have no likelihood ratio test: with fewer "
            "groups a share is zero, on the boundary, and the curve of that group is not identified, so that the "
            "ratio is not chi-squared. Compare them by bic (ft.select_groups), or by larger.bootstrap_lr_test(smaller)."
        )
    if full.spec.prior or restricted.spec.prior:
        raise DataError("a fit with a prior is not at the maximum of the likelihood; test it without prior=.")


def _check_identified(fit: TrajectoryFit) -> None:
    """Raise where the data leave a parameter open, as the share of one of two groups that constraints made equal."""
    lost = fit.params.index[np.isnan(np.diag(fit.information.bread)) & fit.params.notna()]
    if len(lost):
        raise DataError(
            f"{', '.join(f'`{name}`' for name in lost[:5])} of {fit.recipe.formula.text!r} is not identified, so that "
            "the ratio is not chi-squared. Compare the models by bic; where groups are equal, fit one group fewer and "
            "use larger.bootstrap_lr_test(smaller)."
        )
