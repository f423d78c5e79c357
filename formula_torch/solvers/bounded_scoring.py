"""Fisher's scoring within bounds: projected Newton, whose steps are least squares of a small root within the bounds.

Each step minimises the quadratic model of the log-likelihood within the bounds, exactly (Lee, Sun and Saunders 2014,
SIAM Journal on Optimization 24:1420-1443, with bounds in place of a penalty); near the optimum it holds what the
optimum holds, and is Newton's for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular
from torch import Tensor

from formula_torch.design import Design
from formula_torch.errors import DataError
from formula_torch.numerics.threads import threads_for
from formula_torch.numerics.triangular import cholesky_root
from formula_torch.solvers.beginning import Start
from formula_torch.solvers.bounded import Face, bounded, held_at
from formula_torch.solvers.box import Box, Corner, box_least_squares
from formula_torch.solvers.held import about_means, embedded, spread, with_dependent
from formula_torch.solvers.least_squares import LeastSquares, least_squares
from formula_torch.solvers.passes import Kernel, Sums, dispersion_of, sums_of, working
from formula_torch.solvers.scoring import Scored, scored
from formula_torch.solvers.steps import searched

__all__ = ["bounded_scored"]

# Newton's decrement within the bounds, at which it is known which of them hold.
DECREMENT = 1e-12
MOST_STEPS = 200
HALVINGS = 40
# What is left of a gradient where scoring has ended, in standard errors.
PULL = 1e-6


def bounded_scored(design: Design, kernel: Kernel, start: Tensor | Start, box: Box) -> Scored:
    """Climb to the maximum of the likelihood within bounds.

    Parameters
    ----------
    design : Design
        With response, weights and offset.
    kernel : Kernel
    start : Tensor of shape (n,), or callable
        Linear predictor to begin from, offset included; or from a design to such.
    box : Box

    Returns
    -------
    Scored
        Coefficients at a bound are those `held` in its solution.

    Raises
    ------
    DataError
        Columns are dependent, and their bounds leave open which of them takes what; or the likelihood is not
        defined within the bounds near the start.
    """
    with threads_for(design.work), np.errstate(all="ignore"):
        return bounded(design, box, _ScoringMethod(kernel, start))


@dataclass(frozen=True, eq=False)
class _ScoringMethod:
    """A likelihood of one linear predictor."""

    kernel: Kernel
    start: Tensor | Start

    def search(self, design: Design, box: Box) -> Face[Scored]:
        """Find what is held, by projected Newton in standardised columns."""
        begin = self.start if isinstance(self.start, Tensor) else self.start(design)
        first = least_squares(working(design, self.kernel, begin))
        at = first.coordinates
        climb = _Climb(at.standardised(design), self.kernel, first, box.scaled(at.scales, at.constant))
        beta, corner, steps = climb.climbed(begin)
        nearest = box.nearest(corner.values * at.scales)
        held = held_at(corner, climb.box, first.dependent, design.names)
        eta = climb.design.linear_predictor(beta)

        def solve(reduced: Design) -> Scored:
            # Where nothing is held the numbers are those of a fit without bounds, to the last digit.
            if reduced.k == design.k:
                return scored(reduced, self.kernel, self.start)
            found = scored(reduced, self.kernel, eta)
            return replace(found, iterations=steps + found.iterations)

        return Face({j: float(nearest[j]) for j in held}, solve, self.pull)

    def pull(self, design: Design, solution: Scored, held: Mapping[int, float]) -> tuple[np.ndarray, float]:
        """Gradient of the standardised columns over the roots of their information, in one pass over the rows."""
        whole = embedded(solution.solution, design, held)
        at = about_means(whole, design)
        here = sums_of(at.standardised(design), self.kernel, at.standardised_params(whole.params))
        lengths = np.sqrt(np.diag(here.information))
        shares = here.gradient / np.where(lengths > 0, lengths, 1.0)
        return shares, PULL * math.sqrt(dispersion_of(here, self.kernel, design.n_rows - whole.rank))

    def embedded(self, solution: Scored, design: Design, held: Mapping[int, float]) -> Scored:
        """Return the solution of the free columns as one of all."""
        if not held:
            return solution
        whole = embedded(solution.solution, design, held)
        still = spread(solution.last_step, design.k, dict.fromkeys(held, 0.0))
        return replace(solution, params=whole.params, solution=whole, last_step=still)


@dataclass(frozen=True, eq=False)
class _Climb:
    """Projected Newton in standardised columns.

    Parameters
    ----------
    design : Design
        Of standardised columns.
    kernel : Kernel
    first : LeastSquares
        Of the first working response: which columns are dependent, and a start.
    box : Box
        Of the standardised columns; the constant has no bounds.
    """

    design: Design
    kernel: Kernel
    first: LeastSquares
    box: Box

    def climbed(self, start: Tensor) -> tuple[np.ndarray, Corner, int]:
        """Return the optimum within the bounds but for rounding, what its last step holds, and the number of steps."""
        at = self.first.coordinates
        begin = self.first.shifted_params.copy()
        if at.constant is not None:
            begin[at.constant] += self.first.response_shift
        corner = self.least(at.root.r, at.root.r @ begin[at.kept])
        beta, here = self.defined(corner.values, start)
        steps = 1
        while steps < MOST_STEPS:
            corner = self.stepped(beta, here) or corner
            step, before = corner.values - beta, beta
            dispersion = dispersion_of(here, self.kernel, self.design.n_rows - at.rank)
            if here.gradient @ step <= DECREMENT * dispersion:
                break
            beta, here = searched(self.design, self.kernel, beta, step, here)
            steps += 1
            if beta is before:
                break
        return beta, corner, steps

    def least(self, root: np.ndarray, target: np.ndarray) -> Corner:
        """Least squares of a root of the kept columns, shape (rank, rank), within the bounds."""
        free = np.zeros(self.design.k, dtype=bool)
        free[self.first.kept] = True
        return box_least_squares(with_dependent(self.first, root), target, self.box, free)

    def stepped(self, beta: np.ndarray, here: Sums) -> Corner | None:
        """Maximise g'd - d'H d / 2 for b = beta + d within the bounds; None where H is singular."""
        kept = self.first.kept
        information = here.information[np.ix_(kept, kept)]
        root = cholesky_root(information) if np.isfinite(information).all() else None
        if root is None:
            return None
        # With H = R'R this is least squares of R b - (R beta + R'^-1 g).
        moved = solve_triangular(root.r, here.gradient[kept], trans="T", check_finite=False)
        return self.least(root.r, with_dependent(self.first, root.r) @ beta + moved)

    def defined(self, beta: np.ndarray, start: Tensor) -> tuple[np.ndarray, Sums]:
        """Move towards a predictor that is nearly constant until the likelihood is defined.

        Raises
        ------
        DataError
            It is not.
        """
        here, centre = sums_of(self.design, self.kernel, beta), self.box.nearest(np.zeros(self.design.k))
        if self.design.constant is not None:
            eta = start if self.design.offset is None else start - self.design.offset
            centre[self.design.constant] = float(eta.mean())
        for _ in range(HALVINGS):
            if math.isfinite(here.loss):
                return beta, here
            beta = (beta + centre) / 2
            here = sums_of(self.design, self.kernel, beta)
        raise DataError(
            "bounds=: no coefficients within the bounds were found for which every row has a mean in the range of "
            "the family; widen them, or take a link that keeps means in range."
        )
