"""The moments of a generalised linear model, whose scores and labels are read from the rows when asked for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from formula_torch.design import RowScores
from formula_torch.formula.recipe import Recipe
from formula_torch.inference.moments import Labels, Moments
from formula_torch.models.glm import GlmModel, glm_scores
from formula_torch.result.call import Call
from formula_torch.result.rows import Rows, needed
from formula_torch.solvers.held import moved_to_offset, without_held
from formula_torch.solvers.least_squares import LeastSquares

__all__ = ["glm_moments", "glm_row_scores"]


def glm_moments(
    solution: LeastSquares,
    model: GlmModel,
    scale: float,
    lost: np.ndarray,
    recipe: Recipe,
    rows: Rows | None,
    call: Call,
) -> Moments:
    """Gather what covariance estimators see of a generalised linear model.

    Parameters
    ----------
    solution : LeastSquares
        Of the working response.
    model : GlmModel
    scale : float
        The dispersion.
    lost : bool array, shape (k,)
        Coefficients that run to infinity, and have no errors.
    recipe, rows, call
    """

    def scores() -> RowScores:
        return glm_row_scores(needed(rows, "this covariance"), recipe, solution, model, call)

    def labels(given: Any, what: str) -> Labels:
        return needed(rows, "this covariance").labels(given, what, call.find_table)

    bread = np.where(lost[:, None] | lost, np.nan, solution.inverse_gram)
    return Moments(
        bread=bread,
        lift=np.where(lost[:, None], np.nan, solution.coordinates.lift),
        scale=scale,
        dispersion=scale,
        n_obs=model.n_obs,
        n_params=float(solution.rank),
        df_resid=math.inf,
        scores=scores,
        labels=labels,
        df_denom=model.n_obs - solution.rank,
    )


def glm_row_scores(rows: Rows, recipe: Recipe, solution: LeastSquares, model: GlmModel, call: Call) -> RowScores:
    """Read the rows again, where the fit was computed."""
    design = moved_to_offset(rows.design(recipe).to(torch.device(call.device)), solution.held)
    coordinates, shifted_params = without_held(solution)
    return glm_scores(design, shifted_params, solution.response_shift, coordinates, model)
