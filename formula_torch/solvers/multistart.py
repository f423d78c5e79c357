"""Find the highest of many maxima: all starts in one batch, then neighbours of the best until none gains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from formula_torch.solvers.newton import Climb, Objective, climb

__all__ = ["MOST_CANDIDATES", "Found", "Searchable", "distinct", "margin", "search"]

FIRST_STEPS = 8
NEIGHBOUR_STEPS = 10
PATIENCE = 1
MOST_ROUNDS = 20
MOST_CANDIDATES = 4
# Two values this close are one maximum.
SAME = 1e-6


class Searchable(Objective, Protocol):
    """An objective with a slow safe map and a notion of neighbours."""

    def improved(self, theta: Tensor, steps: int) -> Tensor:
        """Points after some safe steps."""
        ...

    def neighbours(self, theta: Tensor, generator: torch.Generator) -> Tensor:
        """Other points to begin from, near one solution."""
        ...


@dataclass(frozen=True, eq=False)
class Found:
    """The best maximum of a search.

    Parameters
    ----------
    theta : Tensor
    value, decrement, curvature : float
        Of the best; see ``Climb``.
    reached : Tensor, shape (starts,)
        Where each start ended; minus infinity where it failed, NaN where that is not known.
    which : int64 Tensor, shape (starts,)
        To which of the different ends it came, the best being 0.
    ends : Tensor, shape (starts, ...)
        The points themselves.
    moves : int
        How many times a neighbour of the best was better.
    iterations : int
        Of the climb from the starts.
    candidates : Tensor
        The best of the different ends, in order, and the best neighbour where that is better.
    """

    theta: Tensor
    value: float
    decrement: float
    curvature: float
    reached: Tensor
    which: Tensor
    ends: Tensor
    moves: int
    iterations: int
    candidates: Tensor

    @property
    def values(self) -> Tensor:
        """Where the starts ended, as far as known, best first."""
        return self.reached[~self.reached.isnan()].sort(descending=True).values

    @property
    def replicated(self) -> int:
        """How many starts reached the best value."""
        return int((self.values >= self.value - margin(self.value)).sum())


def search(objective: Searchable, starts: Tensor, generator: torch.Generator, patience: int = PATIENCE) -> Found:
    """Climb from every start, then from neighbours of the best.

    Parameters
    ----------
    objective : Searchable
    starts : Tensor, shape (B, ...)
    generator : torch.Generator
    patience : int
        Rounds of neighbours without a gain before the search ends; 0: no neighbours.
    """
    first = climb(objective, objective.improved(starts, FIRST_STEPS))
    best, moves, idle = _best(first), 0, 0
    for _ in range(MOST_ROUNDS):
        if idle >= patience:
            break
        near = objective.neighbours(best.theta[0], generator)
        found = _best(climb(objective, objective.improved(near, NEIGHBOUR_STEPS)))
        gained = float(found.value[0]) > float(best.value[0]) + SAME
        best, moves, idle = (found, moves + 1, 0) if gained else (best, moves, idle + 1)
    different, which = distinct(first)
    return Found(
        theta=best.theta[0],
        value=float(best.value[0]),
        decrement=float(best.decrement[0]),
        curvature=float(best.curvature[0]),
        reached=first.value,
        which=which,
        ends=first.theta,
        moves=moves,
        iterations=first.iterations,
        candidates=torch.cat([different[:MOST_CANDIDATES], best.theta[: int(moves > 0)]]),
    )


def margin(value: float) -> float:
    """By how much two values of that size may differ and be one maximum."""
    return SAME * max(1.0, abs(value) * 1e-3)


def distinct(found: Climb) -> tuple[Tensor, Tensor]:
    """The ends of a batch that differ in value, best first, and to which of them each start came."""
    value = found.value.nan_to_num(nan=-torch.inf)
    order = value.argsort(descending=True)
    values = value[order]
    apart = torch.ones_like(values, dtype=torch.bool)
    apart[1:] = (values[:-1] - values[1:]).abs() > SAME * values[:-1].abs()
    which = torch.empty_like(order)
    which[order] = apart.cumsum(0) - 1
    return found.theta[order[apart]], which


def _best(found: Climb) -> Climb:
    """The highest, as a batch of one."""
    at = int(found.value.nan_to_num(nan=-torch.inf).argmax())
    one = slice(at, at + 1)
    return Climb(found.theta[one], found.value[one], found.decrement[one], found.curvature[one], found.iterations)
