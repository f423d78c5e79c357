"""The linear model as a Gaussian log-likelihood, one term a row.

    l(b, s2) = sum_i m_i log N(y_i | o_i + x_i'b, s2 / a_i)

with analytic weights a_i (m_i = 1) or frequency weights m_i (a_i = 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Batch, Coordinates, Design, RowScores

__all__ = ["WEIGHTS_TYPES", "LinearModel", "explained_squares", "linear_scores", "unit_loglik"]

WEIGHTS_TYPES = ("analytic", "frequency", "sampling")


@dataclass(frozen=True)
class LinearModel:
    """What the likelihood of a linear model needs besides the sum of squares.

    Parameters
    ----------
    n_obs : float
        Rows, or the sum of frequency weights.
    log_weights : float
        Sum of the logarithms of analytic weights.
    weights_type : str or None
        ``"analytic"``, ``"frequency"``, ``"sampling"``, or None without weights.
    weight_unit : float
        A power of four that brings extreme weights near 1, so that their squares stay in the range of float64.
    """

    n_obs: float
    log_weights: float
    weights_type: str | None
    weight_unit: float = 1.0

    @staticmethod
    def of(design: Design, weights_type: str) -> LinearModel:
        """Count the observations of a design."""
        if design.weights is None:
            return LinearModel(float(design.n_rows), 0.0, None)
        if weights_type == "frequency":
            return LinearModel(float(design.weights.sum()), 0.0, weights_type)
        unit = _unit(float(design.weights.max()))
        return LinearModel(float(design.n_rows), float(design.weights.log().sum()), weights_type, unit)

    def scale(self, ssr: float, rank: int) -> float:
        """Error variance, ssr over n less the rank; NaN without degrees of freedom."""
        return ssr / (self.n_obs - rank) if self.n_obs > rank else math.nan

    def profile_loglik(self, ssr: float) -> float:
        """Log-likelihood at the maximum over s2 = ssr / n; infinite for a perfect fit."""
        if ssr == 0:
            return math.inf
        return -self.n_obs / 2 * (math.log(2 * math.pi * ssr / self.n_obs) + 1) + self.log_weights / 2


def unit_loglik(params: Tensor, log_scale: Tensor, x: Tensor, design: Design, weights_type: str = "analytic") -> Tensor:
    """Log-likelihood of each row, unscaled, differentiable in the parameters: the oracle of the tests.

    Parameters
    ----------
    params : Tensor, shape (k,)
    log_scale : Tensor, scalar
        Logarithm of the error variance s2.
    x : Tensor, shape (n, k)
        The dense model matrix.
    design : Design
        For response, offset and weights.

    Returns
    -------
    Tensor, shape (n,)
    """
    residual = design.response - x @ params
    weights = torch.ones_like(residual) if design.weights is None else design.weights
    if weights_type == "frequency":
        return -weights / 2 * (math.log(2 * math.pi) + log_scale + residual**2 / log_scale.exp())
    return -0.5 * (math.log(2 * math.pi) + log_scale - weights.log() + weights * residual**2 / log_scale.exp())


def linear_scores(
    design: Design,
    shifted_params: np.ndarray,
    coordinates: Coordinates,
    model: LinearModel,
    *,
    shift: float = 0.0,
    perfect: bool = False,
) -> RowScores:
    """Scores x_i w_i e_i of the rows, times s2.

    Parameters
    ----------
    design : Design
        With response, weights and offset.
    shifted_params : array, shape (k,)
        Coefficients of the columns as `coordinates` shifts and scales them.
    coordinates : Coordinates
    model : LinearModel
    shift : float
        Taken from the response before anything else, so that residuals lose no digits to it.
    perfect : bool
        Residuals are rounding noise, and taken as zero.
    """
    weights = design.weights
    if weights is not None and model.weight_unit != 1:
        weights, coordinates = weights * model.weight_unit, coordinates.reweighted(model.weight_unit)
    slopes = _Residuals(
        torch.zeros_like(design.response) if perfect else design.response - shift,
        np.zeros(design.k) if perfect else shifted_params,
        weights if model.weights_type != "frequency" else None,
    )
    if weights is None:
        return RowScores(design, coordinates, slopes)
    if model.weights_type == "frequency":
        return RowScores(design, coordinates, slopes, counts=weights)
    return RowScores(design, coordinates, slopes, weigh=lambda: weights)


def _unit(largest: float) -> float:
    return 1.0 if 1e-50 < largest < 1e50 else 4.0 ** -round(math.log2(largest) / 2)


@dataclass(frozen=True, eq=False)
class _Residuals:
    """Weighted residuals of rows given in standardised columns."""

    response: Tensor
    params: np.ndarray
    weights: Tensor | None

    def __call__(self, rows: slice, batch: Batch) -> Tensor:
        residuals = self.response[rows] - batch.matvec(self.params)
        return residuals if self.weights is None else self.weights[rows] * residuals


def explained_squares(design: Design, params: np.ndarray) -> tuple[float, float]:
    """Weighted sums of squares of fitted values (offset included): about their mean, and about zero.

    With an offset the fitted values and residuals are no longer orthogonal, and R's
    ``summary.lm`` takes these as the explained part.
    """
    fitted = design.linear_predictor(np.nan_to_num(params))
    weights = torch.ones_like(fitted) if design.weights is None else design.weights
    mean = (weights * fitted).sum() / weights.sum()
    return float((weights * (fitted - mean) ** 2).sum()), float((weights * fitted**2).sum())
