"""What a trajectory model was asked for, resolved."""

from __future__ import annotations

from dataclasses import dataclass

from formula_torch.families import Family
from formula_torch.formula.learn import Problem
from formula_torch.inference.moments import Estimator

__all__ = ["Asked"]


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked for, resolved."""

    problem: Problem
    family: Family
    groups: int
    dispersion: str
    weights: str | None
    starts: int
    seed: int
    estimator: Estimator
