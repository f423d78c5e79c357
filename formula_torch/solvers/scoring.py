"""Fisher's scoring for one linear predictor: weighted least squares, repeated until Newton's decrement is nothing.

    l(b) = sum_i w_i l_i(x_i'b + o_i),   b <- b + (X'WX)^-1 X's

with s_i the scores and W the information of rows, in row blocks; columns are shifted and scaled inside. The first and
the last step are least squares of a working response, which decide what is dependent and bring the coordinates in
which the information is the identity (McCullagh and Nelder 1989, Generalized Linear Models, section 2.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from formula_torch.design import Coordinates, Design
from formula_torch.numerics.threads import threads_for
from formula_torch.solvers.beginning import Place, Start, begun, sampled
from formula_torch.solvers.least_squares import LeastSquares, least_squares
from formula_torch.solvers.passes import Kernel, Sums, dispersion_of, sums_of, working
from formula_torch.solvers.steps import newton_step, raw_step, searched

__all__ = ["Scored", "scored"]

# Newton's decrement, the square of what is left in standard errors, at which a climb is at its top.
DECREMENT = 1e-12
# For one row it is the square of what is left in its linear predictor, in its errors or absolutely, whichever is
# more: before the last step, from where errors are taken, and after it, if that gains as much as the one before.
LEFT_BEFORE = 1e-17
LEFT_AFTER = 1e-24
# A step that does not square what is left is not trusted to leave less than this share.
LINEAR = 0.1
# Where expected and observed information differ much a step may gain little, and yet gain.
STALLED = 0.9
# Squares of residuals, and of steps, over those of predictors in the metric of the information, that are rounding.
ROUNDED = 1e-26
STEP_ROUNDED = 1e-31
MOST_STEPS = 200


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
    with threads_for(design.work), np.errstate(all="ignore"):
        if isinstance(start, Tensor):
            return _climbed(design, kernel, begun(design, kernel, start))
        place = sampled(design, kernel, start) or begun(design, kernel, start(design))
        return _climbed(design, kernel, place)


def _climbed(design: Design, kernel: Kernel, place: Place) -> Scored:
    standard, coordinates, kept, beta, here = place.design, place.coordinates, place.kept, place.beta, place.here
    step, decrement, iterations, top = np.zeros(design.k), math.inf, 1, False
    while iterations < MOST_STEPS and math.isfinite(here.loss):
        proposed, before = newton_step(here, kept), decrement
        if not proposed.any() and here.gradient.any():
            # Products of nearly equal columns are singular; least squares of the columns themselves may not be.
            nearer = _last(design, standard, kernel, beta)
            proposed = coordinates.standardised_params(nearer.params) - beta
            if nearer.kept != kept or not here.gradient @ proposed > 0:
                decrement = math.inf
                break
        step = proposed
        if kernel.dispersed and _is_rounding(here, beta, step):
            decrement = 0.0
            break
        phi = dispersion_of(here, kernel, design.n_rows - len(kept))
        end = _End(max(1 / design.n_rows, phi / here.weight), kernel.canonical)
        decrement = float(here.gradient @ step) / phi
        if top := end.is_here(decrement, before):
            break
        if end.is_next(decrement, before):
            # The last step shows what was left before it, so that no pass is needed to see that.
            last = _last(design, standard, kernel, beta + step)
            rest = _rest(last, raw_step(coordinates, beta + step)) / phi
            if end.is_here(rest, decrement):
                return _ended(last, iterations + 1, rest, True, raw_step(coordinates, step), here.largest)
        beta, here = searched(standard, kernel, beta, step, here)
        iterations += 1
    last = _last(design, standard, kernel, beta)
    converged = top or decrement < DECREMENT
    if not converged:
        last = _within(last, standard, kernel, coordinates, beta)
    return _ended(last, iterations, decrement, converged, raw_step(coordinates, step), here.largest)


@dataclass(frozen=True)
class _End:
    """When a climb is over.

    Parameters
    ----------
    share : float
        Makes of a decrement that of one row.
    squares : bool
        Whether a step squares what is left, as where expected and observed information are one.
    """

    share: float
    squares: bool

    def is_here(self, decrement: float, before: float) -> bool:
        """Whether next to nothing is left, or rounding."""
        left, gain = decrement * self.share, min(decrement / before, 1.0)
        if left < LEFT_BEFORE and left * (gain if self.squares else max(gain, LINEAR)) < LEFT_AFTER:
            return True
        return decrement < DECREMENT and decrement > STALLED * before

    def is_next(self, decrement: float, before: float) -> bool:
        """Whether the next step leads there."""
        gain = decrement / before
        near = gain < LINEAR and decrement * gain**2 * self.share < LEFT_BEFORE
        return self.squares and math.isfinite(before) and near


def _last(design: Design, standard: Design, kernel: Kernel, beta: np.ndarray) -> LeastSquares:
    return least_squares(working(design, kernel, standard.linear_predictor(beta)))


def _within(
    last: LeastSquares, standard: Design, kernel: Kernel, coordinates: Coordinates, beta: np.ndarray
) -> LeastSquares:
    """Take back a last step that leads out of the range of means."""
    if math.isfinite(sums_of(standard, kernel, coordinates.standardised_params(last.params)).loss):
        return last
    params = raw_step(coordinates, beta)
    shifted = last.coordinates.standardised_params(params)
    params[list(last.dependent)] = np.nan
    return replace(last, params=params, shifted_params=shifted, response_shift=0.0)


def _rest(last: LeastSquares, params: np.ndarray) -> float:
    """Squared length of the last step, from some coefficients, in the metric of the information."""
    at = last.coordinates
    moved = at.standardised_params(last.params) - at.standardised_params(params)
    return float(np.sum(at.root.half(moved[last.kept]) ** 2))


def _is_rounding(here: Sums, beta: np.ndarray, step: np.ndarray) -> bool:
    """Whether the step, or all residuals, are rounding of predictors: of next to no dispersion that is much."""
    signal = float(beta @ here.information @ beta)
    return here.pearson <= ROUNDED * signal or float(here.gradient @ step) <= STEP_ROUNDED * signal


def _ended(
    last: LeastSquares, iterations: int, decrement: float, converged: bool, step: np.ndarray, largest: float
) -> Scored:
    return Scored(
        params=last.params,
        solution=last,
        iterations=iterations,
        decrement=decrement,
        converged=converged,
        last_step=step,
        largest=largest,
    )
