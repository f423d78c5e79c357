"""Likelihoods penalised by Jeffreys's prior, whose estimates are finite on separated data too (Firth 1993).

    l(b) + log det I(b) / 2,    score of row i: s_i + h_i t_i / 2

with I the expected information sum w_i x_i x_i', h_i = w_i x_i' I^-1 x_i the leverage, and t_i = d log w_i / d eta_i
(Kosmidis and Firth 2021, Biometrika 108:71-82, equation 4). For the logit and for counts with a log link this removes
the bias of the estimates to first order. Dispersion is one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from formula_torch.design import Coordinates, Design
from formula_torch.design.gram import GramSums
from formula_torch.numerics.threads import threads_for
from formula_torch.numerics.triangular import Root, cholesky_root
from formula_torch.solvers.beginning import Start
from formula_torch.solvers.least_squares import LeastSquares, least_squares
from formula_torch.solvers.passes import Kernel, Sums, sums_of, working
from formula_torch.solvers.scoring import Scored
from formula_torch.solvers.steps import HALVINGS, raw_step

__all__ = ["TiltedKernel", "jeffreys", "jeffreys_penalty"]

# The square of what is left in standard errors; below the second of these rounding may end it.
DECREMENT = 1e-20
ROUNDED_DECREMENT = 1e-12
MOST_STEPS = 500
# For the derivative of the tilt, which steers steps and nothing else.
DIFFERENCE = 1e-4


class TiltedKernel(Kernel, Protocol):
    """A likelihood of dispersion one that knows how its information changes."""

    def information(self, eta: Tensor) -> Tensor:
        """Expected information of rows."""
        ...

    def tilt(self, eta: Tensor) -> Tensor:
        """Derivative in eta of the logarithm of the expected information of rows."""
        ...


@dataclass(frozen=True, eq=False)
class _Point:
    """Where a climb stands: minus the penalised log-likelihood, the sums it is made of, and their root."""

    beta: np.ndarray
    sums: Sums
    root: Root | None
    value: float


def jeffreys(design: Design, kernel: TiltedKernel, start: Start) -> Scored:
    """Climb to the maximum of the likelihood times the root of the determinant of its information.

    Parameters
    ----------
    design : Design
        With response, weights and offset.
    kernel : TiltedKernel
        Of dispersion one.
    start : callable
        From a design to linear predictors to begin from, offset included.

    Returns
    -------
    Scored
        Its solution is that of the adjusted working response, with the information at the penalised estimate.

    Examples
    --------
    >>> from formula_torch.families.generalized import resolve_generalized
    >>> from formula_torch.formula.learn import learn
    >>> design = learn("y ~ x", {"x": [1.0, 2.0, 3.0, 4.0], "y": [0.0, 0.0, 1.0, 1.0]}).design
    >>> found = jeffreys(design, resolve_generalized("binomial", None), lambda part: part.y - 0.5)
    >>> found.params.round(4).tolist()
    [-3.2748, 1.3099]
    """
    with threads_for(design.work), np.errstate(all="ignore"):
        first = least_squares(working(design, kernel, start(design)))
        coordinates, kept = first.coordinates, first.kept
        standard = coordinates.standardised(design)
        here = _point(standard, kernel, kept, coordinates.standardised_params(first.params))
        step, decrement, iterations = np.zeros(design.k), math.inf, 1
        while iterations < MOST_STEPS and here.root is not None:
            step, before = np.zeros(design.k), decrement
            gradient, metric = _adjusted(standard, kernel, here, kept)
            step[kept] = metric.solve(gradient[kept])
            decrement = float(gradient @ step)
            if decrement < DECREMENT or (decrement < ROUNDED_DECREMENT and decrement > 0.9 * before):
                break
            here = _searched(standard, kernel, kept, here, step)
            iterations += 1
        solution = _last(design, standard, kernel, here, kept)
    return Scored(
        params=solution.params,
        solution=solution,
        iterations=iterations,
        decrement=decrement,
        converged=decrement < ROUNDED_DECREMENT,
        last_step=raw_step(coordinates, step),
        largest=here.sums.largest,
    )


def jeffreys_penalty(coordinates: Coordinates) -> float:
    """Half the logarithm of the determinant of the information of the kept columns, as they came.

    Parameters
    ----------
    coordinates : Coordinates
        Those in which the information is the identity.
    """
    diagonal = np.abs(np.diag(coordinates.root.r))
    return float(np.log(diagonal).sum() - np.log(coordinates.scales[coordinates.kept]).sum())


def _point(design: Design, kernel: Kernel, kept: list[int], beta: np.ndarray) -> _Point:
    sums = sums_of(design, kernel, beta)
    information = sums.information[np.ix_(kept, kept)]
    root = cholesky_root(information) if np.isfinite(information).all() else None
    value = math.inf if root is None else sums.loss - float(np.log(np.diag(root.r)).sum())
    return _Point(beta, sums, root, value)


def _searched(design: Design, kernel: Kernel, kept: list[int], here: _Point, step: np.ndarray) -> _Point:
    """Halve the step until the penalised likelihood does not fall, but by rounding."""
    allowed = here.value + 1e-10 * (abs(here.value) + 1e-10)
    for _ in range(HALVINGS):
        there = _point(design, kernel, kept, here.beta + step)
        if there.value <= allowed:
            return there
        step = step / 2
    return here


def _variances(design: Design, here: _Point, kept: list[int]) -> np.ndarray:
    """Return the matrix whose product with a row has the square x'I^-1 x, shape (k, rank)."""
    assert here.root is not None
    whiten = np.zeros((design.k, len(kept)))
    whiten[kept] = here.root.inverse
    return whiten


def _adjusted(design: Design, kernel: TiltedKernel, here: _Point, kept: list[int]) -> tuple[np.ndarray, Root]:
    """Gradient of the penalised likelihood, and the root of its curvature while leverages are held."""
    whiten, gradient = _variances(design, here, kept), here.sums.gradient.copy()
    sums = GramSums(design.k, design.numeric, design.factors, 0)
    for rows, batch in design.formed():
        eta = batch.matvec(here.beta)
        if design.offset is not None:
            eta += design.offset[rows]
        weights = kernel.information(eta)
        if design.weights is not None:
            weights = weights * design.weights[rows]
        leverage = weights * (batch.matmat(whiten) ** 2).sum(0)
        gradient += batch.rmatvec(leverage * kernel.tilt(eta) / 2)
        bend = (kernel.tilt(eta + DIFFERENCE) - kernel.tilt(eta - DIFFERENCE)) / (2 * DIFFERENCE)
        sums.add(batch, weights + (leverage * -bend / 2).nan_to_num_(nan=0.0).clamp_(min=0.0))
    assert here.root is not None
    return gradient, cholesky_root(sums.assemble()[np.ix_(kept, kept)]) or here.root


def _last(design: Design, standard: Design, kernel: TiltedKernel, here: _Point, kept: list[int]) -> LeastSquares:
    """Least squares of the working response, to which the prior adds x'I^-1 x t / 2."""
    eta = standard.linear_predictor(here.beta)
    problem = working(design, kernel, eta)
    assert problem.y is not None
    if here.root is not None:
        whiten = _variances(design, here, kept)
        for rows, batch in standard.formed():
            problem.y[rows] += (batch.matmat(whiten) ** 2).sum(0) * kernel.tilt(eta[rows]) / 2
    return least_squares(problem)
