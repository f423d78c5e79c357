"""The moments of a generalised linear model, whose scores and labels are read from the rows when asked for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from formula_torch.design import Design, RowScores
from formula_torch.formula.recipe import Recipe
from formula_torch.inference.moments import Labels, Moments
from formula_torch.models.glm import GlmModel, glm_scores
from formula_torch.result.call import Call
from formula_torch.result.rows import Rows, needed
from formula_torch.solvers.held import determined, moved_to_offset, without_held
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
    design: Design | None = None,
    receding: np.ndarray | None = None,
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
    design : Design, optional
        The rows as the fit has them in hand; else they are read again.
    receding : array, shape (m, k), optional
        The directions in which they run: the rows say of the others what they say with these left out.
    """
    known = solution if receding is None else determined(solution, receding)

    def scores() -> RowScores:
        if design is not None:
            return glm_design_scores(design, known, model)
        return glm_row_scores(needed(rows, "this covariance"), recipe, known, model, call)

    def labels(given: Any, what: str) -> Labels:
        return needed(rows, "this covariance").labels(given, what, call.find_table)

    bread = np.where(lost[:, None] | lost, np.nan, solution.inverse_gram)
    return Moments(
        bread=bread,
        lift=np.where(lost[:, None], np.nan, known.coordinates.lift),
        scale=scale,
        dispersion=scale,
        n_obs=model.n_obs,
        n_params=float(solution.rank),
        df_resid=math.inf,
        scores=scores,
        labels=labels,
        cores=known is not solution,
        df_denom=model.n_obs - solution.rank,
    )


def glm_row_scores(rows: Rows, recipe: Recipe, solution: LeastSquares, model: GlmModel, call: Call) -> RowScores:
    """Read the rows again, where the fit was computed."""
    return glm_design_scores(rows.design(recipe).to(torch.device(call.device)), solution, model)


def glm_design_scores(design: Design, solution: LeastSquares, model: GlmModel) -> RowScores:
    """Scores of the rows of a design, columns at a bound being part of the offset."""
    coordinates, shifted_params = without_held(solution)
    free = moved_to_offset(design, solution.held)
    return glm_scores(free, shifted_params, solution.response_shift, coordinates, model)
