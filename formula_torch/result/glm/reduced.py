"""A generalised linear model without some of its columns, fitted to the same rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from formula_torch.design import Design
from formula_torch.design.auxiliary import without_columns
from formula_torch.models.glm import first_predictor, fitness
from formula_torch.result.glm.base import Generalized
from formula_torch.solvers.scoring import scored

__all__ = ["Reduced", "reduced", "solved_again"]


@dataclass(frozen=True)
class Reduced:
    """What a table needs of a smaller model.

    Parameters
    ----------
    deviance : float
    rank : int
    converged : bool
    """

    deviance: float
    rank: int
    converged: bool


def reduced(fit: Generalized, design: Design, kept: Collection[int]) -> Reduced:
    """Fit some of the columns of a model.

    Parameters
    ----------
    fit : Generalized
    design : Design
        Its own.
    kept : collection of int
        Positions of the columns; none leaves the offset alone.
    """
    return solved_again(fit, without_columns(design, set(range(design.k)) - set(kept)))[0]


def solved_again(fit: Generalized, design: Design) -> tuple[Reduced, np.ndarray, np.ndarray]:
    """Fit other columns to the same response.

    Returns
    -------
    Reduced
    array, shape (k,)
        Coefficients, NaN where dependent.
    array, shape (k, k)
        Their inverse information, times the dispersion.
    """
    if not design.k:
        eta = torch.zeros(design.n_rows, dtype=torch.float64) if design.offset is None else design.offset
        alone = fitness(fit.model, design, eta, fit.nobs)
        return Reduced(alone.deviance, 0, True), np.zeros(0), np.zeros((0, 0))
    start = partial(first_predictor, family=fit.family, name=fit.recipe.response_name)
    found = scored(design, fit.family, start)
    eta = design.linear_predictor(np.nan_to_num(found.params))
    fitted = fitness(fit.model, design, eta, fit.nobs - found.solution.rank)
    return (
        Reduced(fitted.deviance, found.solution.rank, found.converged),
        found.params,
        fitted.scale * found.solution.inverse_gram,
    )
