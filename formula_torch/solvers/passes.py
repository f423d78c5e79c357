"""What Fisher's scoring reads of the rows: sums at a point, and the working response, block by block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.design.design import BATCH_ROWS
from formula_torch.design.gram import GramSums
from formula_torch.numerics.arrays import slices

__all__ = ["Kernel", "Sums", "dispersion_of", "sums_of", "working"]

# Smaller numbers have lost their digits; weights this much smaller than the largest are none.
LEAST_INFORMATION = 1e-280
LEAST_WEIGHT = 1e-30
# Of the square of a score, where the dispersion is one: a row's information changes by nothing that can be seen.
LEAST_BY_SCORE = 1e-12


class Kernel(Protocol):
    """Rows of a likelihood as functions of their linear predictor, times the dispersion."""

    @property
    def dispersed(self) -> bool:
        """Whether the dispersion is estimated, not one."""
        ...

    @property
    def canonical(self) -> bool:
        """Whether expected and observed information are one."""
        ...

    def pieces(self, y: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Minus the log-likelihood but for terms of y alone, its score, and the expected information."""
        ...


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the rows at one point, of standardised columns.

    Parameters
    ----------
    loss : float
        Minus the log-likelihood, times the dispersion, but for a constant.
    gradient : array, shape (k,)
        Of the log-likelihood, times the dispersion.
    information : array, shape (k, k)
        Times the dispersion.
    pearson : float
        Pearson's chi-squared.
    largest : float
        The largest linear predictor, without its sign.
    weight : float
        Information of the rows in their predictors, times the dispersion.
    """

    loss: float
    gradient: np.ndarray
    information: np.ndarray
    pearson: float
    largest: float
    weight: float

    def __add__(self, other: Sums) -> Sums:
        """Sums over the rows of both."""
        return Sums(
            self.loss + other.loss,
            self.gradient + other.gradient,
            self.information + other.information,
            self.pearson + other.pearson,
            max(self.largest, other.largest),
            self.weight + other.weight,
        )


def dispersion_of(here: Sums, kernel: Kernel, freedom: int) -> float:
    """Pearson's estimate, where the dispersion is estimated, else one."""
    return max(here.pearson / max(freedom, 1), 1e-300) if kernel.dispersed else 1.0


def working(design: Design, kernel: Kernel, eta: Tensor) -> Design:
    """Least squares whose solution is the next step: response eta + s / W less the offset, weights W."""
    response, weights = torch.empty_like(eta), torch.empty_like(eta)
    design.over_rows(partial(_work, design, kernel, eta, response, weights))
    least = max(float(weights.max()) * LEAST_WEIGHT, LEAST_INFORMATION)
    if bool((low := weights < least).any()):
        # With more weight a row is to be nearer, so that the gradient stays.
        response[low] = eta[low] + (response[low] - eta[low]) * (weights[low] / least)
        weights.clamp_(min=least)
    # The offset is within eta; the design takes it from the response.
    return replace(design, y=response, weights=weights)


def _work(design: Design, kernel: Kernel, eta: Tensor, response: Tensor, weights: Tensor, within: slice) -> None:
    """Fill in the working response and weights of a range of rows."""
    assert design.y is not None
    for part in slices(within.stop - within.start, BATCH_ROWS):
        rows = slice(within.start + part.start, within.start + part.stop)
        _, score, information = kernel.pieces(design.y[rows], eta[rows])
        if not kernel.dispersed:
            # Far on the wrong side information vanishes, and the score does not: the response would outgrow the others.
            information = torch.maximum(information, LEAST_BY_SCORE * score * score)
        # A row without information says nothing of where it is, nor does one without weight.
        score.div_(information.clamp(min=LEAST_INFORMATION))
        if design.weights is not None:
            score.mul_(design.weights[rows] > 0)
        torch.add(eta[rows], score, out=response[rows])
        weights[rows] = information if design.weights is None else information * design.weights[rows]


def sums_of(design: Design, kernel: Kernel, beta: np.ndarray) -> Sums:
    """Value, gradient and information in one pass over the rows.

    Parameters
    ----------
    design : Design
        Of the columns that `beta` is of.
    kernel : Kernel
    beta : array, shape (k,)
    """
    return reduce(Sums.__add__, design.over_rows(partial(_sums_within, design, kernel, beta)))


def _sums_within(design: Design, kernel: Kernel, beta: np.ndarray, within: slice) -> Sums:
    sums, gradient = GramSums(design.k, design.numeric, design.factors, 0), np.zeros(design.k)
    total, pearson, largest, weight = 0.0, 0.0, 0.0, 0.0
    assert design.y is not None
    for rows, batch in design.formed(within=within):
        eta = batch.matvec(beta)
        if design.offset is not None:
            eta += design.offset[rows]
        largest = max(largest, float(eta.aminmax().max), -float(eta.aminmax().min))
        loss, score, information = kernel.pieces(design.y[rows], eta)
        if kernel.dispersed:
            chi = score * score / information
            pearson += float((chi if design.weights is None else chi * design.weights[rows]).sum())
        if design.weights is not None:
            w = design.weights[rows]
            loss, score, information = loss * w, score * w, information * w
        sums.add(batch, information)
        gradient += batch.rmatvec(score)
        total += float(loss.sum())
        weight += float(information.sum())
    return Sums(total, gradient, sums.assemble(), pearson, largest, weight)
