"""Coefficients that are given: what they contribute is moved to the offset, and put back into the solution.

The solution of the other columns becomes one of all columns: a held column is not kept, as a dependent one is not, but
its coefficient counts, so that scores and residuals of the rows of the whole design are those of the other columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.linalg import qr

from formula_torch.design import Coordinates, Design
from formula_torch.design.auxiliary import without_columns
from formula_torch.solvers.least_squares import LeastSquares
from formula_torch.solvers.standardise import standardise

__all__ = [
    "about_means",
    "determined",
    "embedded",
    "freed",
    "moved_to_offset",
    "spread",
    "with_dependent",
    "without_held",
]


def moved_to_offset(design: Design, held: Mapping[int, float]) -> Design:
    """Drop columns whose coefficients are known, and add what they contribute to the offset."""
    if not held:
        return design
    reduced = without_columns(design, held)
    moving = [j for j, value in held.items() if value]
    if not moving:
        return reduced
    only = without_columns(design, [j for j in range(design.k) if j not in moving])
    part = only.matvec(np.array([held[j] for j in sorted(moving)]))
    return replace(reduced, offset=part if design.offset is None else design.offset + part)


def spread(values: np.ndarray, k: int, held: Mapping[int, float]) -> np.ndarray:
    """Put values of the free coefficients beside those of the held ones, shape (k,)."""
    out = np.empty(k)
    out[[j for j in range(k) if j not in held]] = values
    out[list(held)] = list(held.values())
    return out


def with_dependent(solution: LeastSquares, root: np.ndarray) -> np.ndarray:
    """Complete a root of the kept columns by the dependent ones, as the combinations they are, shape (rank, k).

    Parameters
    ----------
    solution : LeastSquares
    root : array, shape (rank, rank)
        Triangular root of an information of the kept columns, standardised.
    """
    at = solution.coordinates
    out = np.zeros((at.rank, len(solution.params)))
    out[:, at.kept] = root
    for j, row in zip(solution.dependent, solution.null_space, strict=True):
        combination = at.standardised_params(row)
        out[:, j] = -(root @ combination[at.kept]) / combination[j]
    return out


def embedded(solution: LeastSquares, design: Design, held: Mapping[int, float]) -> LeastSquares:
    """Return the solution of the free columns as one of all columns of a design.

    Parameters
    ----------
    solution : LeastSquares
        Of ``moved_to_offset(design, held)``.
    design : Design
    held : dict of int to float
    """
    if not held:
        return solution
    k, at = design.k, solution.coordinates
    free, fixed = [j for j in range(k) if j not in held], list(held)
    # The columns of a factor share their scale, held or not.
    shifts, scales, shifted = np.zeros(k), standardise(design).scales, np.empty(k)
    shifts[free], scales[free], shifted[free] = at.shifts, at.scales, solution.shifted_params
    shifted[fixed] = np.array(list(held.values())) / scales[fixed]
    null_space = np.zeros((len(solution.null_space), k))
    null_space[:, free] = solution.null_space
    kept = [free[j] for j in solution.kept]
    position = None if at.constant is None else free[at.constant]
    return replace(
        solution,
        params=spread(solution.params, k, held),
        kept=kept,
        dependent={free[j]: [free[i] for i in on] for j, on in solution.dependent.items()},
        null_space=null_space,
        constant=None if solution.constant is None else spread(solution.constant, k, dict.fromkeys(held, 0.0)),
        entangled=[free[j] for j in solution.entangled],
        coordinates=Coordinates(shifts, scales, kept, position, at.root),
        shifted_params=shifted,
        held=dict(held),
    )


def without_held(solution: LeastSquares) -> tuple[Coordinates, np.ndarray]:
    """Return coordinates and shifted coefficients of the free columns alone: those of ``moved_to_offset``."""
    at, free = solution.coordinates, [j for j in range(len(solution.params)) if j not in solution.held]
    kept = [free.index(j) for j in at.kept]
    constant = None if at.constant is None else free.index(at.constant)
    return Coordinates(at.shifts[free], at.scales[free], kept, constant, at.root), solution.shifted_params[free]


def freed(solution: LeastSquares) -> LeastSquares:
    """Return the solution of the free columns alone, of which `embedded` made that of all."""
    if not solution.held:
        return solution
    free = [j for j in range(len(solution.params)) if j not in solution.held]
    at = {j: i for i, j in enumerate(free)}
    coordinates, shifted = without_held(solution)
    return replace(
        solution,
        params=solution.params[free],
        kept=coordinates.kept,
        dependent={at[j]: [at[i] for i in on] for j, on in solution.dependent.items()},
        null_space=solution.null_space[:, free],
        constant=None if solution.constant is None else solution.constant[free],
        entangled=[at[j] for j in solution.entangled],
        coordinates=coordinates,
        shifted_params=shifted,
        held={},
    )


def determined(solution: LeastSquares, directions: np.ndarray) -> LeastSquares:
    """Return the solution with as many coefficients given as there are directions of which the data say nothing.

    What moves along no direction does not depend on which these are.

    Parameters
    ----------
    solution : LeastSquares
    directions : array, shape (m, k)
        Independent, of the coefficients.
    """
    if not len(directions):
        return solution
    at = solution.coordinates
    within = np.array([at.standardised_params(d)[at.kept] for d in directions])
    # Shifts of the other columns need the constant.
    able = [i for i, j in enumerate(at.kept) if j != at.constant or len(within) == at.rank]
    given = [able[i] for i in qr(within[:, able], mode="r", pivoting=True)[1][: len(within)]]
    rest = [i for i in range(at.rank) if i not in given]
    kept = [at.kept[i] for i in rest]
    constant = at.constant if at.constant in kept else None
    root = at.root.of_columns(rest)
    return replace(solution, kept=kept, coordinates=Coordinates(at.shifts, at.scales, kept, constant, root))


def about_means(solution: LeastSquares, design: Design) -> Coordinates:
    """Return coordinates that shift held columns too, where there is a constant to absorb that."""
    at = solution.coordinates
    if at.constant is None:
        return at
    shifts, held = at.shifts.copy(), list(solution.held)
    shifts[held] = standardise(design).shifts[held]
    return replace(at, shifts=shifts)
