"""Marginal effects of the columns of the design, as statsmodels' ``get_margeff`` has them.

Every column is a variable of its own: the square of x does not move with x. Effects of the
variables themselves are in ``margins``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design, NumericBlock
from formula_torch.inference.margins import (
    Average,
    MeanFunction,
    Method,
    refuse_not_positive,
    weighted_median,
)

__all__ = ["COLUMN_PLACES", "ColumnValues", "column_effects", "column_values", "one_row"]

COLUMN_PLACES = ("overall", "mean", "median", "zero")


@dataclass(frozen=True, eq=False)
class ColumnValues:
    """What the effects need to know of each column, shape (k,) each.

    Parameters
    ----------
    varies : bool array
        Constant columns have no effect.
    binary, counts : bool array
        Only zeros and ones; only whole numbers from zero up.
    mean, median, zero : float array
        Representative rows; constant columns keep their value.
    """

    varies: np.ndarray
    binary: np.ndarray
    counts: np.ndarray
    mean: np.ndarray
    median: np.ndarray
    zero: np.ndarray


def column_values(design: Design, weights: Tensor) -> ColumnValues:
    """Look at every column once; no more than one is expanded at a time."""
    rows = [_look(design.matvec(unit), weights) for unit in np.eye(design.k)]
    varies, binary, counts, mean, median, zero = (np.array(column) for column in zip(*rows, strict=True))
    return ColumnValues(varies.astype(bool), binary.astype(bool), counts.astype(bool), mean, median, zero)


def _look(x: Tensor, weights: Tensor) -> tuple[float, ...]:
    low, high = float(x.min()), float(x.max())
    whole = bool((x == x.round()).all()) and low >= 0 and low < high
    binary = whole and (low, high) == (0.0, 1.0)
    mean = float((x * weights).sum() / weights.sum()) if low < high else low
    return low < high, binary, whole and not binary, mean, weighted_median(x, weights), 0.0 if low < high else low


def one_row(names: tuple[str, ...], row: np.ndarray, offset: float) -> Design:
    """Return the design of a single row given by its columns, shape (k,)."""
    k = len(names)
    bases = tuple(torch.tensor([value], dtype=torch.float64) for value in row)
    numeric = NumericBlock(tuple((j,) for j in range(k)), np.arange(k), np.zeros(k), np.ones(k))
    return Design(names, 1, bases, numeric, (), offset=torch.tensor([offset], dtype=torch.float64))


def column_effects(
    design: Design,
    params: np.ndarray,
    mean: MeanFunction,
    weights: Tensor,
    values: ColumnValues,
    *,
    method: Method,
    discrete: np.ndarray,
) -> list[Average]:
    """Effects of the columns that vary, in their order.

    Parameters
    ----------
    discrete : bool array, shape (k,)
        Columns whose effect is a difference: from 0 to 1 where binary, half of that from one below to
        one above where counts.
    """
    eta = design.linear_predictor(params)
    mu, first, second = mean.value(eta), mean.slope(eta), mean.curvature(eta)
    shares = weights / weights.sum()
    if method.per_y:
        refuse_not_positive(mu)
        first, second = first / mu, second / mu - (first / mu) ** 2
    # m' b_j x_j^p: the derivative in b is m' x_j^p e_j + b_j X'(m'' x_j^p).
    level = design.rmatvec(shares * first) if method.per_x else np.full(design.k, float((shares * first).sum()))
    curved = np.tile(design.rmatvec(shares * second), (design.k, 1))
    if method.per_x:
        curved = replace(design, weights=shares * second).gram()
    jacobian = np.diag(level) + params[:, None] * curved
    found = []
    for j in np.flatnonzero(values.varies):
        if discrete[j]:
            found.append(_difference(design, params, mean, shares, int(j), bool(values.binary[j]), method))
        else:
            found.append(Average(float(level[j] * params[j]), jacobian[j]))
    return found


def _difference(
    design: Design, params: np.ndarray, mean: MeanFunction, shares: Tensor, j: int, binary: bool, method: Method
) -> Average:
    unit = np.zeros(design.k)
    unit[j] = 1.0
    eta, column = design.linear_predictor(params), design.matvec(unit)
    high, low = (1.0 - column, -column) if binary else (torch.ones_like(column), -torch.ones_like(column))
    total, gradient = 0.0, np.zeros(design.k)
    for sign, shift in ((1.0, high), (-1.0, low)):
        moved = eta + shift * float(params[j])
        mu, slope = mean.value(moved), mean.slope(moved)
        if method.per_y:
            refuse_not_positive(mu)
            mu, slope = mu.log(), slope / mu
        total += sign * float((shares * mu).sum())
        gradient += sign * (design.rmatvec(shares * slope) + unit * float((shares * slope * shift).sum()))
    half = 1.0 if binary else 0.5
    return Average(half * total, half * gradient)
