"""Fisher's scoring for one linear predictor: weighted least squares, repeated until Newton's decrement is nothing.

    l(b) = sum_i w_i l_i(x_i'b + o_i),   b <- b + (X'WX)^-1 X's

with s_i the scores and W the information of rows, in row blocks; columns are shifted and scaled inside. The first and
the last step are least squares of a working response, which decide what is dependent and bring the coordinates in
which the information is the identity (McCullagh and Nelder 1989, Generalized Linear Models, section 2.5).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Coordinates, Design
from formula_torch.design.design import BATCH_ROWS
from formula_torch.design.gram import GramSums
from formula_torch.numerics.arrays import slices, threads_for
from formula_torch.numerics.triangular import cholesky_root
from formula_torch.solvers.least_squares import LeastSquares, least_squares

__all__ = ["Kernel", "Scored", "Start", "Sums", "dispersion_of", "scored", "searched", "sums_of", "working"]

# Newton's decrement, the square of what is left in standard errors, at which a climb is at its top. Errors are
# taken where the last step begins, so that steps go on until there is next to nothing: at once where expected and
# observed information are one and each step squares it, a digit or so a step elsewhere, until rounding ends it.
DECREMENT = 1e-12
NOTHING = 1e-19
# Where expected and observed information differ much a step may gain little, and yet gain.
STALLED = 0.9
MOST_STEPS = 200
HALVINGS = 40
# Smaller numbers have lost their digits; weights this much smaller than the largest are none.
LEAST_INFORMATION = 1e-280
LEAST_WEIGHT = 1e-30
# With more rows than twice this, a sample of them finds the start.
SAMPLE_ROWS = 50_000
# Rows with less information than this share of the largest may be separated in a sample, and not in the whole.
LEAST_SHARE = 1e-8


Start = Callable[[Design], Tensor]


class Kernel(Protocol):
    """Rows of a likelihood as functions of their linear predictor, times the dispersion."""

    @property
    def dispersed(self) -> bool:
        """Whether the dispersion is estimated, not one."""
        ...

    def pieces(self, y: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Minus the log-likelihood but for terms of y alone, its score, and the expected information."""
        ...


@dataclass(frozen=True, eq=False)
class Scored:
    """Where the climb ended.

    Parameters
    ----------
    params : array, shape (k,)
        NaN for dependent columns.
    solution : LeastSquares
        Of the working response at the end: rank, coordinates, inverse information.
    iterations : int
    decrement : float
        Before the last step.
    converged : bool
    last_step : array, shape (k,)
        Of the coefficients; where it does not end, the direction in which it runs.
    largest : float
        The largest linear predictor, without its sign.
    """

    params: np.ndarray
    solution: LeastSquares
    iterations: int
    decrement: float
    converged: bool
    last_step: np.ndarray
    largest: float


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
    """

    loss: float
    gradient: np.ndarray
    information: np.ndarray
    pearson: float
    largest: float


def scored(design: Design, kernel: Kernel, start: Tensor | Start) -> Scored:
    """Climb to the maximum of the likelihood.

    Parameters
    ----------
    design : Design
        With response, weights and offset.
    kernel : Kernel
    start : Tensor of shape (n,), or callable
        Linear predictor to begin from, offset included; or from a design, the whole or a sample of its rows, to
        such, where a sample may bring a better one.
    """
    # Working responses of rows far out may leave the range of numbers; the climb halves its steps there.
    with threads_for(float(design.n_rows) * design.k**2), np.errstate(all="ignore"):
        if isinstance(start, Tensor):
            return _climbed(design, kernel, _begun(design, kernel, start))
        place = _sampled(design, kernel, start) or _begun(design, kernel, start(design))
        return _climbed(design, kernel, place)


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a climb begins, in standardised columns, those of `kept` independent."""

    design: Design
    coordinates: Coordinates
    kept: list[int]
    beta: np.ndarray
    here: Sums


def _begun(design: Design, kernel: Kernel, eta: Tensor) -> _Place:
    """Begin by least squares of the working response at a linear predictor."""
    first = least_squares(working(design, kernel, eta))
    at = first.coordinates
    standard = at.standardised(design)
    beta, here = _defined(standard, kernel, at.standardised_params(first.params), eta)
    return _Place(standard, at, first.kept, beta, here)


def _sampled(design: Design, kernel: Kernel, start: Start) -> _Place | None:
    """Begin at the maximum of a sample, where its columns are independent, as those of all rows then are."""
    stride = design.n_rows // SAMPLE_ROWS
    if stride < 2:
        return None
    part = design.thinned(stride)
    found = _climbed(part, kernel, _begun(part, kernel, start(part)))
    if not found.converged or found.solution.rank < design.k or not _informative(part, kernel, found):
        return None
    at = found.solution.coordinates
    standard, beta = at.standardised(design), at.standardised_params(found.params)
    here = sums_of(standard, kernel, beta)
    return _Place(standard, at, found.solution.kept, beta, here) if math.isfinite(here.loss) else None


def _informative(design: Design, kernel: Kernel, found: Scored) -> bool:
    """Whether every row of a sample tells something where it ended; else a like row may be thrown far."""
    assert design.y is not None
    eta = design.linear_predictor(np.nan_to_num(found.params))
    information = kernel.pieces(design.y, eta)[2]
    return bool(information.min() > LEAST_SHARE * information.max())


def _climbed(design: Design, kernel: Kernel, place: _Place) -> Scored:
    standard, coordinates, kept, beta, here = place.design, place.coordinates, place.kept, place.beta, place.here
    step, decrement, iterations = np.zeros(design.k), math.inf, 1
    while iterations < MOST_STEPS and math.isfinite(here.loss):
        proposed, before = newton_step(here, kept), decrement
        if not proposed.any() and here.gradient.any():
            # The information is singular: nothing says how far to go.
            decrement = math.inf
            break
        step = proposed
        decrement = float(here.gradient @ step) / dispersion_of(here, kernel, design.n_rows - len(kept))
        # Rounding leaves a little; where steps no longer help, that is it.
        if decrement < NOTHING or (decrement < DECREMENT and decrement > STALLED * before):
            break
        beta, here = searched(standard, kernel, beta, step, here)
        iterations += 1
    solution = least_squares(working(design, kernel, standard.linear_predictor(beta)))
    return Scored(
        params=solution.params,
        solution=solution,
        iterations=iterations,
        decrement=decrement,
        converged=decrement < DECREMENT,
        last_step=raw_step(coordinates, step),
        largest=here.largest,
    )


def dispersion_of(here: Sums, kernel: Kernel, freedom: int) -> float:
    """Pearson's estimate, where the dispersion is estimated, else one."""
    return max(here.pearson / max(freedom, 1), 1e-300) if kernel.dispersed else 1.0


def raw_step(coordinates: Coordinates, step: np.ndarray) -> np.ndarray:
    """A step of the standardised columns as one of the columns as they came."""
    moved = coordinates.scales * step
    if coordinates.constant is not None:
        moved[coordinates.constant] -= coordinates.shifts @ moved
    return moved


def working(design: Design, kernel: Kernel, eta: Tensor) -> Design:
    """Least squares whose solution is the next step: response eta + s / W less the offset, weights W."""
    assert design.y is not None
    response, weights = torch.empty_like(eta), torch.empty_like(eta)
    for rows in slices(design.n_rows, BATCH_ROWS):
        _, score, information = kernel.pieces(design.y[rows], eta[rows])
        # A row without information says nothing of where it is, nor does one without weight.
        score.div_(information.clamp(min=LEAST_INFORMATION))
        if design.weights is not None:
            score.mul_(design.weights[rows] > 0)
        torch.add(eta[rows], score, out=response[rows])
        weights[rows] = information if design.weights is None else information * design.weights[rows]
    weights.clamp_(min=max(float(weights.max()) * LEAST_WEIGHT, LEAST_INFORMATION))
    # The offset is within eta; the design takes it from the response.
    return replace(design, y=response, weights=weights)


def sums_of(design: Design, kernel: Kernel, beta: np.ndarray) -> Sums:
    """Value, gradient and information in one pass over the rows.

    Parameters
    ----------
    design : Design
        Of the columns that `beta` is of.
    kernel : Kernel
    beta : array, shape (k,)
    """
    sums, gradient = GramSums(design.k, design.numeric, design.factors, 0), np.zeros(design.k)
    total, pearson, largest = 0.0, 0.0, 0.0
    assert design.y is not None
    for rows, batch in design.formed():
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
    return Sums(total, gradient, sums.assemble(), pearson, largest)


def newton_step(here: Sums, kept: list[int]) -> np.ndarray:
    """Newton's step of the kept columns, shape (k,); zero where the information is not positive."""
    step = np.zeros(len(here.gradient))
    information = here.information[np.ix_(kept, kept)]
    root = cholesky_root(information) if np.isfinite(information).all() else None
    if root is not None:
        step[kept] = root.solve(here.gradient[kept])
    return step


def _defined(design: Design, kernel: Kernel, beta: np.ndarray, start: Tensor) -> tuple[np.ndarray, Sums]:
    """Move towards a constant predictor until the likelihood is defined, as where a mean must be positive."""
    here = sums_of(design, kernel, beta)
    if math.isfinite(here.loss) or design.constant is None:
        return beta, here
    centre = np.zeros(design.k)
    eta = start if design.offset is None else start - design.offset
    centre[design.constant] = float(eta.mean())
    for _ in range(HALVINGS):
        beta = (beta + centre) / 2
        here = sums_of(design, kernel, beta)
        if math.isfinite(here.loss):
            break
    return beta, here


def searched(design: Design, kernel: Kernel, beta: np.ndarray, step: np.ndarray, here: Sums) -> tuple[np.ndarray, Sums]:
    """Halve the step until the likelihood does not fall, but by rounding."""
    allowed = here.loss + 1e-10 * (abs(here.loss) + 1e-10)
    for _ in range(HALVINGS):
        there = sums_of(design, kernel, beta + step)
        if there.loss <= allowed:
            return beta + step, there
        step = step / 2
    return beta, here
