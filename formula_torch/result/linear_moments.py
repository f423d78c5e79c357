"""The moments of a linear regression, whose scores and labels are read from the rows when asked for."""

from __future__ import annotations

from typing import Any

import torch

from formula_torch.design import Design, RowScores
from formula_torch.formula.recipe import Recipe
from formula_torch.inference.moments import Labels, Moments
from formula_torch.models.linear import LinearModel, linear_scores
from formula_torch.result.call import Call
from formula_torch.result.rows import Rows, needed
from formula_torch.solvers.held import moved_to_offset, without_held
from formula_torch.solvers.least_squares import LeastSquares

__all__ = ["linear_moments", "row_scores"]


def linear_moments(
    solution: LeastSquares,
    model: LinearModel,
    recipe: Recipe,
    rows: Rows | None,
    call: Call,
    design: Design | None = None,
) -> Moments:
    """Gather what covariance estimators see of a linear regression.

    Parameters
    ----------
    solution, model, recipe, rows, call
    design : Design, optional
        The rows as the fit has them in hand; else they are read again.
    """

    def scores() -> RowScores:
        if design is not None:
            return design_scores(design, solution, model)
        return row_scores(needed(rows, "this covariance"), recipe, solution, model, call)

    def labels(given: Any, what: str) -> Labels:
        return needed(rows, "this covariance").labels(given, what, call.find_table)

    unit = model.weight_unit
    return Moments(
        bread=solution.inverse_gram / unit,
        lift=solution.coordinates.reweighted(unit).lift,
        scale=model.scale(solution.ssr, solution.rank) * unit,
        dispersion=solution.ssr / model.n_obs * unit,
        n_obs=model.n_obs,
        n_params=float(solution.rank),
        df_resid=model.n_obs - solution.rank,
        scores=scores,
        labels=labels,
    )


def row_scores(rows: Rows, recipe: Recipe, solution: LeastSquares, model: LinearModel, call: Call) -> RowScores:
    """Read the rows again, where the fit was computed."""
    return design_scores(rows.design(recipe).to(torch.device(call.device)), solution, model)


def design_scores(design: Design, solution: LeastSquares, model: LinearModel) -> RowScores:
    """Scores of the rows of a design, columns at a bound being part of the offset; zero in a perfect fit."""
    coordinates, shifted_params = without_held(solution)
    return linear_scores(
        moved_to_offset(design, solution.held),
        shifted_params,
        coordinates,
        model,
        shift=solution.response_shift,
        perfect=solution.perfect,
    )
