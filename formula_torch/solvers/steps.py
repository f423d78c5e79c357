"""Steps of a climb: Newton's, from sums over the rows, halved until the likelihood does not fall."""

from __future__ import annotations

import numpy as np

from formula_torch.design import Coordinates, Design
from formula_torch.numerics.triangular import cholesky_root
from formula_torch.solvers.passes import Kernel, Sums, sums_of

__all__ = ["HALVINGS", "newton_step", "raw_step", "searched"]

HALVINGS = 40
# What is left of a loss of nearly nothing, as a share of the squares of predictors it has cancelled against.
CANCELLED = 4e-16


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
