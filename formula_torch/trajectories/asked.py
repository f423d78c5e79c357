"""What a trajectory model was asked for, resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from formula_torch.families import AnyFamily
from formula_torch.inference.moments import Estimator

__all__ = ["Asked"]


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked for, resolved.

    Parameters
    ----------
    family : Family
    groups : int
    dispersion, order : str
    membership : str or None
        With its ``~``.
    starts, seed : int
    estimator : Estimator
    reference : int
        From 0.
    functions : mapping or None
    degrees : tuple of int, or None
    constraints : tuple of str
    start : TrajectoryFit, mapping or None
    prior : float
    progress : bool or None
    """

    family: AnyFamily
    groups: int
    dispersion: str
    membership: str | None
    starts: int
    seed: int
    estimator: Estimator
    order: str
    reference: int
    functions: Mapping[str, Callable[..., Any]] | None
    degrees: tuple[int, ...] | None
    constraints: tuple[str, ...]
    start: Any
    prior: float
    progress: bool | None

    @property
    def sigmas(self) -> int:
        """Number of residual standard deviations."""
        if not self.family.dispersed:
            return 0
        return 1 if self.dispersion == "common" else self.groups
