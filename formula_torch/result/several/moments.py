"""The moments of a model of several predictors, whose scores and labels are read from the rows when asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from formula_torch.design import Design
from formula_torch.design.stacked_scores import StackedScores
from formula_torch.formula.recipe import Recipe
from formula_torch.inference.moments import Labels, Moments, blanked
from formula_torch.models.several import Top
from formula_torch.result.call import Call
from formula_torch.result.rows import Rows, needed
from formula_torch.result.several.blueprint import Blueprint

__all__ = ["Determined", "designs_of", "determined", "several_moments"]

# A direction with less information, of a row and in coordinates of unit size, over all rows has an error of more than
# 100 in logarithms of odds or of rates: a coefficient runs off to infinity, or is not determined.
LEAST_INFORMATION = 1e-4
# A parameter that moves by less than this share of its length along a direction does so by rounding.
MOVED = 1e-6


@dataclass(frozen=True, eq=False)
class Determined:
    """Directions of theta that the data determine.

    Parameters
    ----------
    whiten : array, shape (size, rank)
        Coordinates in which the information is the identity.
    lift : array, shape (P, rank)
        Parameters as functions of these; NaN where not determined, or aliased.
    lost : bool array, shape (P,)
        Not aliased, but not determined.
    least : float
        Least curvature of a direction, per unit of the others: negative at a saddle.
    """

    whiten: np.ndarray
    lift: np.ndarray
    lost: np.ndarray
    least: float


def determined(top: Top, jacobian: np.ndarray, unit: float, sizes: np.ndarray) -> Determined:
    """Tell directions with information from those without.

    Parameters
    ----------
    top : Top
    jacobian : array, shape (P, size)
        Derivatives of the parameters in theta; NaN rows where aliased.
    unit : float
        Mean weight of a row, by which information is measured.
    sizes : array, shape (size,)
        Units of theta in which a change of one is large: of the logarithm of a dispersion that dispersion, where it
        is small. Near its boundary it is known, and its logarithm is not.
    """
    information = top.information / sizes / sizes[:, None]
    values, vectors = (x.numpy() for x in torch.linalg.eigh(torch.from_numpy(information)))
    known = values > LEAST_INFORMATION * unit
    aliased = np.isnan(jacobian).any(axis=1)
    moves = np.nan_to_num(jacobian) / sizes @ vectors
    share = np.abs(moves[:, ~known]) > MOVED * np.linalg.norm(moves, axis=1)[:, None]
    lost = share.any(axis=1) & ~aliased
    whiten = vectors[:, known] / np.sqrt(values[known]) / sizes[:, None]
    if not known.any():
        # A direction of nothing, to carry the NaN.
        whiten = np.zeros((len(values), 1))
    lift = np.nan_to_num(jacobian) @ whiten
    lift[lost | aliased] = np.nan
    return Determined(whiten, lift, lost, float(values[0] / max(values[-1], 1e-300)))


def several_moments(
    blueprint: Blueprint,
    top: Top,
    found: Determined,
    recipes: Mapping[str, Recipe],
    rows: Rows,
    call: Call,
    *,
    n_obs: float,
    n_params: float,
    counted: bool,
) -> Moments:
    """Gather what covariance estimators see: the observed information, and the scores of the rows.

    Parameters
    ----------
    blueprint : Blueprint
    top : Top
    found : Determined
    recipes : dict
        Of the main formula under "", of others under their predictor.
    rows, call
    n_obs, n_params : float
    counted : bool
        Weights are counts of rows.
    """

    def scores() -> StackedScores:
        designs = designs_of(needed(rows, "this covariance"), recipes, torch.device(call.device))
        return blueprint.model(designs).scores(top.theta, found.whiten, counted=counted)

    def labels(given: Any, what: str) -> Labels:
        return needed(rows, "this covariance").labels(given, what, call.find_table)

    return Moments(
        bread=blanked(found.lift @ found.lift.T, np.isnan(found.lift).any(axis=1)),
        lift=found.lift,
        scale=1.0,
        dispersion=1.0,
        n_obs=n_obs,
        n_params=n_params,
        df_resid=math.inf,
        scores=scores,
        labels=labels,
        df_denom=n_obs - n_params,
    )


def designs_of(rows: Rows, recipes: Mapping[str, Recipe], device: torch.device | None = None) -> dict[str, Design]:
    """Rebuild the designs of the rows used; that of the main formula with response, weights and offset."""
    frame = rows.used_frame()
    designs = {key: rows.design(recipe) if key == "" else recipe.apply(frame) for key, recipe in recipes.items()}
    return designs if device is None else {key: design.to(device) for key, design in designs.items()}
