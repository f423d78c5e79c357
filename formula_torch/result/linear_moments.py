"""The moments of a linear regression, whose scores and labels are read from the rows when asked for."""

from __future__ import annotations

from typing import Any

import torch

from formula_torch.design import RowScores
from formula_torch.formula.recipe import Recipe
from formula_torch.inference.moments import Labels, Moments
from formula_torch.models.linear import LinearModel, linear_scores
from formula_torch.result.call import Call
from formula_torch.result.rows import Rows, needed
from formula_torch.solvers.least_squares import LeastSquares

__all__ = ["linear_moments"]


def linear_moments(
    solution: LeastSquares, model: LinearModel, recipe: Recipe, rows: Rows | None, call: Call
) -> Moments:
    """Gather what covariance estimators see of a linear regression."""

    def scores() -> RowScores:
        design = needed(rows, "this covariance").design(recipe).to(torch.device(call.device))
        return linear_scores(design, solution.shifted_params, solution.coordinates, model, solution.perfect)

    def labels(given: Any, what: str) -> Labels:
        return needed(rows, "this covariance").labels(given, what, call.find_table)

    return Moments(
        bread=solution.inverse_gram,
        lift=solution.coordinates.lift,
        scale=model.scale(solution.ssr, solution.rank),
        dispersion=solution.ssr / model.n_obs,
        n_obs=model.n_obs,
        df_resid=model.n_obs - solution.rank,
        scores=scores,
        labels=labels,
    )
