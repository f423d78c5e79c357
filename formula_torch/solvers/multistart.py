"""Find the highest of many maxima: all starts in one batch, then neighbours of the best until none gains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from formula_torch.solvers.newton import Climb, Objective, climb

__all__ = ["Found", "Searchable", "distinct", "search"]

FIRST_STEPS = 8
NEIGHBOUR_STEPS = 10
# Two values this close are one maximum.
SAME = 1e-6
PATIENCE = 1
MOST_ROUNDS = 20
MOST_CANDIDATES = 3


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
        Where each start ended.
    moves : int
        How many times a neighbour of the best was better.
    iterations : int
        Of the climb from the starts.
    candidates : Tensor
        The best, and where other starts ended that are not the same.
    """

    theta: Tensor
    value: float
    decrement: float
    curvature: float
    reached: Tensor
    moves: int
    iterations: int
    candidates: Tensor

    @property
    def values(self) -> Tensor:
        """Where the starts ended, best first."""
        return self.reached.sort(descending=True).values

    @property
    def replicated(self) -> int:
        """How many starts reached the best value."""
        return int((self.values >= self.value - SAME * max(1.0, abs(self.value) * 1e-3)).sum())


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
    return Found(
        best.theta[0],
        float(best.value[0]),
        float(best.decrement[0]),
        float(best.curvature[0]),
        first.value,
        moves,
        first.iterations,
        torch.cat([best.theta, distinct(first)[0][:MOST_CANDIDATES]]),
    )


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
