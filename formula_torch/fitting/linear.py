"""Linear regressions: from a formula that has met its data to a result."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from formula_torch.errors import DataError
from formula_torch.fitting.descent import Descending, stopped, with_trace
from formula_torch.formula.learn import Problem
from formula_torch.inference.moments import Estimator
from formula_torch.inference.vcov import estimate
from formula_torch.models.linear import LinearModel, explained_squares
from formula_torch.numerics.threads import threads_for
from formula_torch.present.bounds import bound_notes
from formula_torch.present.messages import fit_notes, fit_warnings
from formula_torch.result.call import Call
from formula_torch.result.linear_moments import linear_moments
from formula_torch.result.new_rows import as_kept
from formula_torch.result.regression import RegressionFit
from formula_torch.result.rows import Rows
from formula_torch.solvers.bounded import bounded_least_squares
from formula_torch.solvers.box import Box
from formula_torch.solvers.least_squares import LeastSquares, least_squares

__all__ = ["solve"]


def solve(
    problem: Problem,
    rows: Rows,
    call: Call,
    estimator: Estimator,
    *,
    use_t: bool | None = None,
    weights_type: str = "analytic",
    bounds: Mapping[str, Any] | None = None,
    descending: Descending | None = None,
    depth: int = 3,
) -> RegressionFit:
    """Solve a linear regression whose formula has met its data, and warn of what the user must know.

    Parameters
    ----------
    problem : Problem
    rows : Rows
    call : Call
    estimator : Estimator
        Of the covariance.
    use_t : bool, optional
    weights_type : {"analytic", "frequency", "sampling"}
    bounds : dict of str to (low, high), optional
    descending : Descending, optional
        How to reach the coefficients, in place of the exact solution.
    depth : int
        Frames from here to the user's, whom warnings are to name.
    """
    device = torch.device(call.device)
    design = problem.design if device.type == "cpu" else problem.design.to(device)
    with threads_for(design.work):
        box = None if bounds is None else Box.of(bounds, design.names)
        solution = least_squares(design) if box is None else bounded_least_squares(design, box)
        model = LinearModel.of(design, weights_type)
        exact, trace = solution, None
        if descending is not None:
            params, trace = descending.run(design, None, exact)
            solution = stopped(design, exact, params)
        shifted = design.offset is not None or any(solution.held.values())
        explained = explained_squares(design, solution.params) if shifted else None
    for message in fit_warnings(problem, solution, model.n_obs):
        warnings.warn(message, stacklevel=depth)
    _refuse_extreme_units(problem, solution, model.scale(solution.ssr, solution.rank))
    moments = linear_moments(solution, model, problem.recipe, rows, call, design)
    result = RegressionFit(
        recipe=problem.recipe,
        coefficients=solution.params,
        covariance=estimate(estimator, moments, use_t),
        sample=problem.sample,
        call=call,
        rows=rows,
        offset=as_kept(rows.offset),
        null_space=solution.null_space,
        notes=(*fit_notes(problem, solution, model.n_obs), *bound_notes(design.names, box, solution.held)),
        solution=solution,
        model=model,
        explained=explained,
        restraint="bounds" if bounds is not None else "" if descending is None else descending.restraint,
    )
    if descending is not None and trace is not None:
        result = with_trace(result, trace, exact.params, descending.method, depth + 1)
    # Arrays that may change under us are read for the summary's diagnostics while they are what was fitted.
    return replace(result, statistics=result.residual_statistics) if rows.mutable else result


def _refuse_extreme_units(problem: Problem, solution: LeastSquares, scale: float) -> None:
    """Raise where a variance leaves the range of float64: t would be silently lost."""
    with np.errstate(all="ignore"):
        variances = scale * np.diag(solution.inverse_gram)[solution.kept]
    lost = np.isinf(variances) | ((variances == 0) & (solution.ssr > 0))
    if np.isinf(solution.ssr) or (solution.ssr == 0 and not solution.perfect):
        name = problem.recipe.response_name
    elif lost.any():
        name = problem.design.names[solution.kept[int(np.flatnonzero(lost)[-1])]]
    else:
        return
    raise DataError(f"the units of `{name}` are so extreme that squares leave the range of numbers; rescale it.")
