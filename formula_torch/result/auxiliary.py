"""Regressions of the residuals of another regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design, RowScores
from formula_torch.errors import DataError
from formula_torch.inference.moments import Labels
from formula_torch.numerics.threads import threads_for
from formula_torch.solvers.least_squares import LeastSquares, least_squares

__all__ = ["order_of", "read_powers", "solved", "variance_regression", "whitened"]


def whitened(scores: RowScores) -> Tensor:
    """Residuals times the root of analytic weights, shape (n,)."""
    slopes = torch.from_numpy(scores.row_slopes()).to(scores.source.device)
    return slopes if scores.weights is None else slopes / scores.weights.sqrt()


def variance_regression(scores: RowScores, columns: Design, n_obs: float) -> LeastSquares:
    """Regress squared residuals, over their mean, on some columns; rows count by frequency weights only."""
    squares = whitened(scores) ** 2
    total = squares.sum() if scores.counts is None else squares @ scores.counts
    return solved(replace(columns, y=squares / (total / n_obs), offset=None, weights=scores.counts))


def solved(design: Design) -> LeastSquares:
    """Solve a least-squares problem on as many threads as it is worth."""
    with threads_for(design.work):
        return least_squares(design)


def read_powers(power: int | Sequence[int]) -> list[int]:
    """Read 3 as the powers 2 and 3, and several as they are.

    Raises
    ------
    ValueError
        Not whole numbers from 2, each once.
    """
    powers = list(range(2, power + 1)) if isinstance(power, int) else list(power)
    if not powers or len(set(powers)) < len(powers) or any(p != int(p) or p < 2 for p in powers):
        raise ValueError(f"power={power!r} must be a whole number from 2, or several different ones.")
    return powers


def order_of(time: Labels) -> np.ndarray:
    """Positions of the rows in order of time, shape (n,).

    Raises
    ------
    DataError
        Several rows share a time.
    """
    if time.count < len(time.codes):
        raise DataError(
            f"{len(time.codes)} rows have {time.count} different values of `{time.name}`, so their order is not known."
        )
    return np.argsort(time.codes)
