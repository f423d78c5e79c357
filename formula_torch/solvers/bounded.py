"""Coefficients within bounds: which of them end at a bound, and the ordinary fit of the others.

The answer is the unbounded solution of the design without the columns at a bound, their bound times the column
moved to the offset: all digits, and everything that is said of errors, come from the ordinary solver. A quadratic
model of k coefficients tells which columns these are; the rows have the last word, by the conditions of Karush, Kuhn
and Tucker: no free coefficient lies outside its bounds, and no held one is pulled inside.

Bounds are on the columns as they came, whose shifts inside a solver change the constant alone. A bound of the
constant is left out first: where the optimum then breaks it, the constant is at it, as the problem is convex.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

import numpy as np

from formula_torch.design import Design
from formula_torch.errors import DataError
from formula_torch.solvers.box import Box, Corner, box_least_squares
from formula_torch.solvers.held import about_means, embedded, moved_to_offset, spread, with_dependent
from formula_torch.solvers.least_squares import LeastSquares, least_squares

__all__ = ["Face", "Method", "bounded", "bounded_least_squares", "held_at"]

# A held column that correlates less with the residuals is pulled by rounding: the response and the residuals'.
ROUNDING = 1e-13
PULL = 1e-10
# A pull this many times its noise is none of rounding.
MUCH = 1e3


class _Solution(Protocol):
    @property
    def params(self) -> np.ndarray:
        """Coefficients, NaN for dependent columns."""
        ...


S = TypeVar("S", bound=_Solution)


@dataclass(frozen=True, eq=False)
class Face(Generic[S]):
    """Which coefficients a quadratic model holds at a bound, and how the rows are asked.

    Parameters
    ----------
    held : dict of int to float
    solve : callable
        From a design to its unbounded solution.
    pull : callable
        From a design, the solution of its free columns and what is held to the derivatives along the standardised
        columns, over the lengths of these, shape (k,), and to what of them is noise.
    solution : object, optional
        Of the columns that are not held, where that is known.
    """

    held: dict[int, float]
    solve: Callable[[Design], S]
    pull: Callable[[Design, S, Mapping[int, float]], tuple[np.ndarray, float]]
    solution: S | None = None


class Method(Protocol[S]):
    """What is climbed within the bounds."""

    def search(self, design: Design, box: Box) -> Face[S]:
        """Find what is held; the constant has no bounds."""
        ...

    def embedded(self, solution: S, design: Design, held: Mapping[int, float]) -> S:
        """Return the solution of the free columns as one of all."""
        ...


def bounded(design: Design, box: Box, method: Method[S]) -> S:
    """Solve within bounds.

    Parameters
    ----------
    design : Design
        With response, and weights and offset or None.
    box : Box
    method : Method

    Returns
    -------
    LeastSquares or Scored
        Of all columns; those at a bound are `held`.
    """
    solution, held = _settled(design, box, box.fixed, method)
    c = design.constant
    if c is not None and c not in held:
        found = spread(solution.params, design.k, held)
        if box.outside(found)[c]:
            bound = {c: float(box.nearest(found)[c])}
            solution, held = _settled(design, box, {**box.fixed, **bound}, method)
    return method.embedded(solution, design, dict(sorted(held.items())))


def _settled(design: Design, box: Box, fixed: Mapping[int, float], method: Method[S]) -> tuple[S, dict[int, float]]:
    """Solve with some coefficients fixed and no bounds on the constant."""
    inner = moved_to_offset(design, fixed)
    columns = [j for j in range(design.k) if j not in fixed]
    within = box.of_columns(columns).scaled(np.ones(inner.k), inner.constant)
    face = method.search(inner, within)
    held, solution = dict(face.held), face.solution
    released: set[int] = set()
    while True:
        all_held = {columns[j]: value for j, value in held.items()} | dict(fixed)
        solution = face.solve(moved_to_offset(design, all_held)) if solution is None else solution
        found = spread(solution.params, inner.k, held)
        left = np.flatnonzero(within.outside(found))
        if left.size:
            held |= {int(j): float(within.nearest(found)[j]) for j in left}
        elif (j := _pulled_inside(inner, within, solution, held, face, released)) is not None:
            released.add(j)
            del held[j]
        else:
            return solution, all_held
        solution = None


def _pulled_inside(
    design: Design, box: Box, solution: S, held: Mapping[int, float], face: Face[S], released: set[int]
) -> int | None:
    """Return the held column that gains most by leaving its bound for the inside, or None.

    Each may leave once: what then leaves the bounds is pulled by rounding.

    Raises
    ------
    DataError
        By more than rounding.
    """
    if not held:
        return None
    pull, noise = face.pull(design, solution, held)
    inside = {j: abs(pull[j]) for j, v in held.items() if (v < box.high[j] if pull[j] > 0 else v > box.low[j])}
    for j in released & set(inside):
        if inside[j] > MUCH * noise:
            raise DataError(
                f"bounds=: no optimum was found within the bounds; `{design.names[j]}` is still pulled away from its "
                f"bound {held[j]:g}. The bounds keep the fit far from the data; widen them."
            )
    pulled = {j: size for j, size in inside.items() if size > noise and j not in released}
    return max(pulled, key=lambda j: pulled[j], default=None)


def held_at(corner: Corner, box: Box, dependent: Collection[int], names: Sequence[str]) -> list[int]:
    """Tell which coefficients a corner holds at a bound.

    A column at zero that depends on free ones, and on earlier ones, is left for the solver to drop, as without bounds.

    Raises
    ------
    DataError
        Other values within the bounds fit as well.
    """
    dropped = [j for j in corner.undetermined if j in dependent and corner.values[j] == 0]
    for j in corner.undetermined:
        if j not in dropped:
            raise DataError(
                f"bounds=: the data do not determine `{names[j]}`, whose column depends on others: at its bound "
                f"{corner.values[j]:g} the fit is no better than elsewhere within the bounds. Drop a column, or fix "
                f"the coefficient, bounds={{{names[j]!r}: ({corner.values[j]:g}, {corner.values[j]:g})}}."
            )
    at_bound = (corner.values == box.low) | (corner.values == box.high)
    return [int(j) for j in np.flatnonzero(~corner.free & at_bound) if j not in dropped]


# -- least squares --------------------------------------------------------------------------------


def bounded_least_squares(design: Design, box: Box) -> LeastSquares:
    """Solve the weighted least-squares problem within bounds.

    Parameters
    ----------
    design : Design
        With `y`, and `weights` and `offset` or None.
    box : Box

    Returns
    -------
    LeastSquares
        Coefficients at a bound are `held`: they equal it, have NaN for errors, and do not count in the rank.

    Raises
    ------
    DataError
        Columns are dependent, and their bounds leave open which of them takes what.

    Examples
    --------
    >>> from formula_torch.formula.learn import learn
    >>> design = learn("y ~ x", {"x": [0.0, 1.0, 2.0], "y": [1.0, 3.0, 5.5]}).design
    >>> found = bounded_least_squares(design, Box.of({"x": (0, 2)}, design.names))
    >>> found.params.round(4).tolist(), found.held
    ([1.1667, 2.0], {1: 2.0})
    """
    return bounded(design, box, _LinearMethod())


@dataclass(frozen=True)
class _LinearMethod:
    """Least squares, of which the unbounded solution and a root tell all: ||R (b - b0)||^2."""

    def search(self, design: Design, box: Box) -> Face[LeastSquares]:
        """Find what is held, by least squares of the root within the bounds."""
        solution = least_squares(design)
        at = solution.coordinates
        matrix = with_dependent(solution, at.root.r)
        lengths = np.linalg.norm(matrix, axis=0)
        pull = partial(_pull, np.where(lengths > 0, lengths, 1.0))
        if not box.outside(solution.params).any():
            return Face({}, least_squares, pull, solution)
        free = np.zeros(design.k, dtype=bool)
        free[solution.kept] = True
        target = at.root.r @ solution.shifted_params[solution.kept]
        scaled = box.scaled(at.scales, at.constant)
        corner = box_least_squares(matrix, target, scaled, free)
        nearest = box.nearest(corner.values * at.scales)
        held = held_at(corner, scaled, solution.dependent, design.names)
        return Face({j: float(nearest[j]) for j in held}, least_squares, pull)

    def embedded(self, solution: LeastSquares, design: Design, held: Mapping[int, float]) -> LeastSquares:
        """Return the solution of the free columns as one of all."""
        return embedded(solution, design, held)


def _pull(
    lengths: np.ndarray, design: Design, solution: LeastSquares, held: Mapping[int, float]
) -> tuple[np.ndarray, float]:
    """X'W r of the standardised columns over their lengths, in one pass over the rows."""
    whole = embedded(solution, design, held)
    at, response = about_means(whole, design), design.response
    beta = at.standardised_params(whole.params)
    if at.constant is not None:
        response = response - beta[at.constant]
        beta[at.constant] = 0.0
    gradient, ssr, total = np.zeros(design.k), 0.0, 0.0
    for rows, batch in at.standardised(design).formed():
        residual = response[rows] - batch.matvec(beta)
        weights = 1.0 if design.weights is None else design.weights[rows]
        gradient += batch.rmatvec(weights * residual)
        ssr += float((weights * residual**2).sum())
        total += float((weights * response[rows] ** 2).sum())
    return gradient / lengths, PULL * math.sqrt(ssr) + ROUNDING * math.sqrt(total)
