"""Where a climb begins: at least squares of a working response, or at the maximum of a sample of the rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from formula_torch.design import Coordinates, Design
from formula_torch.errors import DataError
from formula_torch.solvers.least_squares import least_squares
from formula_torch.solvers.passes import Kernel, Sums, dispersion_of, sums_of, working
from formula_torch.solvers.steps import HALVINGS, newton_step, searched

__all__ = ["Place", "Start", "begun", "sampled"]

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
class Place:
    """Where a climb begins, in standardised columns, those of `kept` independent."""

    design: Design
    coordinates: Coordinates
    kept: list[int]
    beta: np.ndarray
    here: Sums


def begun(design: Design, kernel: Kernel, eta: Tensor) -> Place:
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
    return Place(standard, at, first.kept, beta, here)


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


def sampled(design: Design, kernel: Kernel, start: Start) -> Place | None:
    """Begin at the maximum of a sample, where its columns are independent, as those of all rows then are."""
    if design.n_rows < SAMPLED_ROWS:
        return None
    part = design.thinned(STRIDE)
    try:
        begin = start(part)
        place = sampled(part, kernel, start) or begun(part, kernel, begin)
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
    return Place(standard, place.coordinates, place.kept, beta, here) if like and math.isfinite(here.loss) else None


def _neared(place: Place, kernel: Kernel) -> tuple[np.ndarray, float] | None:
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
