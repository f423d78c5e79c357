"""Averages of the mean response and of its slopes over rows, with the gradients the delta method needs.

    mu_i = m(eta_i),   eta_i = x_i'b + o_i

A model brings its mean function m with two derivatives; the design brings X b, X'r and the
same products of its derivative. Nothing else is needed, so every model has the same effects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.errors import DataError

__all__ = [
    "IDENTITY",
    "METHODS",
    "Average",
    "MeanFunction",
    "Method",
    "Slopes",
    "estimable",
    "mean_response",
    "mean_slope",
    "refuse_not_positive",
    "weighted_median",
]

# A gradient that a dropped combination of columns moves by more than this share of its terms is not estimable.
ESTIMABLE_TOLERANCE = 1e-7


@dataclass(frozen=True)
class MeanFunction:
    """The mean of the response as a function of the linear predictor, elementwise.

    Parameters
    ----------
    value, slope, curvature : callable
        m, m' and m'': from a Tensor of shape (n,) to one of the same shape.
    """

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    curvature: Callable[[Tensor], Tensor]


IDENTITY = MeanFunction(lambda eta: eta, torch.ones_like, torch.zeros_like)


@dataclass(frozen=True)
class Method:
    """What is differentiated, and by what.

    Parameters
    ----------
    label : str
        As statsmodels prints it.
    per_x : bool
        By log x: the slope times x.
    per_y : bool
        Of log mu: the slope over mu.
    """

    label: str
    per_x: bool = False
    per_y: bool = False


METHODS = {
    "dydx": Method("dy/dx"),
    "eyex": Method("d(lny)/d(lnx)", per_x=True, per_y=True),
    "dyex": Method("dy/d(lnx)", per_x=True),
    "eydx": Method("d(lny)/dx", per_y=True),
}


class Slopes(Protocol):
    """The derivative of a design with respect to a column."""

    @property
    def offset(self) -> Tensor | None:
        """Derivative of the offset, shape (n,)."""
        ...

    def matvec(self, beta: np.ndarray) -> Tensor:
        """(dX/dx) @ beta, shape (n,)."""
        ...

    def rmatvec(self, r: Tensor) -> np.ndarray:
        """(dX/dx)' r, shape (k,)."""
        ...


@dataclass(frozen=True, eq=False)
class Average:
    """An estimate with its gradient in the coefficients.

    Parameters
    ----------
    estimate : float
    gradient : array, shape (k,)
    """

    estimate: float
    gradient: np.ndarray

    def __sub__(self, other: Average) -> Average:
        return Average(self.estimate - other.estimate, self.gradient - other.gradient)


def mean_response(
    design: Design, params: np.ndarray, mean: MeanFunction, weights: Tensor, *, log: bool = False
) -> Average:
    """Weighted mean of the mean responses, or of their logarithms.

        sum_i w_i m(eta_i) / W,   gradient X'(w m') / W

    Parameters
    ----------
    design : Design
        With the whole offset.
    params : array, shape (k,)
        Zero for aliased columns.
    mean : MeanFunction
    weights : Tensor, shape (n,)
    log : bool

    Raises
    ------
    DataError
        A logarithm is asked of a mean that is not positive.
    """
    shares = weights / weights.sum()
    eta = design.linear_predictor(params)
    mu, slope = mean.value(eta), mean.slope(eta)
    if log:
        refuse_not_positive(mu)
        mu, slope = mu.log(), slope / mu
    return Average(float((shares * mu).sum()), design.rmatvec(shares * slope))


def mean_slope(
    design: Design,
    slopes: Slopes,
    params: np.ndarray,
    mean: MeanFunction,
    weights: Tensor,
    *,
    x: Tensor | None = None,
    relative: bool = False,
) -> Average:
    """Weighted mean of the slopes of the mean response in one column of the data.

        e_i = m'(eta_i) d_i x_i^p / mu_i^q,   d = (dX/dx) b + do/dx

        de/db = x^p / mu^q [ (m'' d - q m'^2 d / mu) X + m' dX/dx ]

    Parameters
    ----------
    design : Design
        With the whole offset.
    slopes : Slopes
    params : array, shape (k,)
        Zero for aliased columns.
    mean : MeanFunction
    weights : Tensor, shape (n,)
    x : Tensor, shape (n,), optional
        The column itself, for the slope in its logarithm (p = 1).
    relative : bool
        The slope of log mu (q = 1).

    Raises
    ------
    DataError
        A logarithm is asked of a mean that is not positive.
    """
    eta = design.linear_predictor(params)
    first, second = mean.slope(eta), mean.curvature(eta)
    d = slopes.matvec(params)
    if slopes.offset is not None:
        d = d + slopes.offset
    shares = weights / weights.sum()
    if x is not None:
        shares = shares * x
    if relative:
        mu = mean.value(eta)
        refuse_not_positive(mu)
        shares, second = shares / mu, second - first**2 / mu
    gradient = design.rmatvec(shares * second * d) + slopes.rmatvec(shares * first)
    return Average(float((shares * first * d).sum()), gradient)


def weighted_median(x: Tensor, weights: Tensor) -> float:
    """Value at half of the total weight; between two values their mean, as with repeated rows."""
    order = torch.argsort(x)
    below = torch.cumsum(weights[order], 0) / weights.sum()
    halves = torch.tensor([0.5 - 1e-12, 0.5 + 1e-12], dtype=torch.float64)
    places = torch.searchsorted(below, halves).clamp(max=len(x) - 1)
    return float(x[order[places]].mean())


def refuse_not_positive(mu: Tensor) -> None:
    """Raise where a logarithm is asked of a mean that has none.

    Raises
    ------
    DataError
        Counts the rows.
    """
    bad = mu <= 0
    if bad.any():
        raise DataError(
            f"the mean response is zero or negative in {int(bad.sum())} of {len(mu)} rows, where it has no logarithm; "
            "use method='dydx' or 'dyex', or look at= values where it is positive."
        )


def estimable(gradient: np.ndarray, null_space: np.ndarray) -> bool:
    """Whether a linear combination of coefficients is the same for every solution.

    Parameters
    ----------
    gradient : array, shape (k,)
    null_space : array, shape (aliased, k)
        Combinations of columns that are zero on the data.
    """
    terms = null_space * gradient
    return bool((np.abs(terms.sum(axis=1)) <= ESTIMABLE_TOLERANCE * np.abs(terms).sum(axis=1)).all())
