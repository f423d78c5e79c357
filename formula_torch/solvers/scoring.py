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

import numpy as np
from torch import Tensor

from formula_torch.design import Coordinates, Design
from formula_torch.errors import DataError
from formula_torch.numerics.threads import threads_for
from formula_torch.numerics.triangular import cholesky_root
from formula_torch.solvers.least_squares import LeastSquares, least_squares
from formula_torch.solvers.passes import Kernel, Sums, dispersion_of, sums_of, working

__all__ = ["Scored", "Start", "raw_step", "scored", "searched"]

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
CANCELLED = 4e-16
MOST_STEPS = 200
HALVINGS = 40
# With as many rows, every tenth finds the start, and of these again every tenth.
SAMPLED_ROWS = 100_000
STRIDE = 10
# A sample differs from the whole by some of its own standard errors: one tells no more than to within this share of
# them (of their squares, as a decrement is), and it is near after few steps or it is no start.
NEAR = 1e-1
MOST_NEARING = 30
# Rows with less information than this share of the largest may be separated in a sample, and not in the whole.
LEAST_SHARE = 1e-8
# Predictors this many times as far out as the sample's are of rows unlike its own.
MOST_BEYOND = 5.0


Start = Callable[[Design], Tensor]


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
    """Begin by least squares of the working response at a linear predictor; raise where that is out of range."""
    first = least_squares(working(design, kernel, eta))
    at = first.coordinates
    standard = at.standardised(design)
    beta, here = _defined(standard, kernel, at.standardised_params(first.params), eta)
    if not math.isfinite(here.loss):
        raise DataError(
            "no coefficients were found for which every row has a mean in the range of the family: add a constant, "
            "take a link= that keeps means in range, or look for columns with very large values."
        )
    return _Place(standard, at, first.kept, beta, here)


def _sampled(design: Design, kernel: Kernel, start: Start) -> _Place | None:
    """Begin at the maximum of a sample, where its columns are independent, as those of all rows then are."""
    if design.n_rows < SAMPLED_ROWS:
        return None
    part = design.thinned(STRIDE)
    try:
        begin = start(part)
        place = _sampled(part, kernel, start) or _begun(part, kernel, begin)
    except DataError:
        # Of rare events a sample may have none.
        return None
    if len(place.kept) < design.k or (near := _neared(place, kernel)) is None:
        return None
    beta, largest = near
    if not _informative(place.design, kernel, beta, begin):
        return None
    standard = place.coordinates.standardised(design)
    here = sums_of(standard, kernel, beta)
    # A row that no row of the sample is like may be thrown out of the range of numbers.
    like = here.largest <= MOST_BEYOND * (largest + 1)
    return _Place(standard, place.coordinates, place.kept, beta, here) if like and math.isfinite(here.loss) else None


def _neared(place: _Place, kernel: Kernel) -> tuple[np.ndarray, float] | None:
    """Come near the maximum of a sample: there, and the largest linear predictor on the way; None where it is far."""
    beta, here = place.beta, place.here
    for _ in range(MOST_NEARING):
        step = newton_step(here, place.kept)
        decrement = float(here.gradient @ step) / dispersion_of(here, kernel, place.design.n_rows - len(place.kept))
        if not decrement > 0:
            return None
        # What is left after a step is of the order of its square, in the predictors.
        if decrement < NEAR or decrement**2 / place.design.n_rows < NEAR:
            return beta + step, here.largest
        beta, here = searched(place.design, kernel, beta, step, here)
    return None


def _informative(design: Design, kernel: Kernel, beta: np.ndarray, begin: Tensor) -> bool:
    """Whether every row of a sample tells something where it ended; else a like row may be thrown far."""
    assert design.y is not None
    eta = design.linear_predictor(beta)
    information = kernel.pieces(design.y, eta)[2]
    # Of one outcome alone all rows end without.
    most = max(float(information.max()), float(kernel.pieces(design.y, begin)[2].max()))
    return bool(information.min() > LEAST_SHARE * most)


def _climbed(design: Design, kernel: Kernel, place: _Place) -> Scored:
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


def raw_step(coordinates: Coordinates, step: np.ndarray) -> np.ndarray:
    """A step of the standardised columns as one of the columns as they came."""
    moved = coordinates.scales * step
    if coordinates.constant is not None:
        moved[coordinates.constant] -= coordinates.shifts @ moved
    return moved


def newton_step(here: Sums, kept: list[int]) -> np.ndarray:
    """Newton's step of the kept columns, shape (k,); zero where the information is not positive."""
    step = np.zeros(len(here.gradient))
    information = here.information if len(kept) == len(step) else here.information[np.ix_(kept, kept)]
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
    centre[design.constant] = float(eta.median())
    for _ in range(HALVINGS):
        beta = (beta + centre) / 2
        here = sums_of(design, kernel, beta)
        if math.isfinite(here.loss):
            break
    return beta, here


def searched(design: Design, kernel: Kernel, beta: np.ndarray, step: np.ndarray, here: Sums) -> tuple[np.ndarray, Sums]:
    """Halve the step until the likelihood does not fall, but by rounding."""
    # What is left of a loss of nearly nothing has cancelled against terms of the size of the predictors'.
    allowed = here.loss + 1e-10 * (abs(here.loss) + 1e-10) + CANCELLED * float(beta @ here.information @ beta)
    for _ in range(HALVINGS):
        there = sums_of(design, kernel, beta + step)
        if there.loss <= allowed:
            return beta + step, there
        step = step / 2
    return beta, here
