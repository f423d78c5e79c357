"""Safeguarded Newton for a batch of starts of a function that may have saddles and many maxima."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Climb", "Objective", "climb"]

# Curvature below this share of the largest is taken for none: the step there stays finite.
LEAST_CURVATURE = 1e-7
# Newton decrement g'H^-1 g, twice the gain still to be had, at which a climb is at its top.
DECREMENT = 1e-9
SHRINK = 0.3
HALVINGS = 12


class Objective(Protocol):
    """A function of a batch of points to maximise, in coordinates that are free."""

    def value(self, theta: Tensor) -> Tensor:
        """Values, shape (B,); minus infinity where not defined."""
        ...

    def derivatives(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values (B,), gradients (B, P) and Hessians (B, P, P); a start whose value is not finite has failed."""
        ...

    def moved(self, theta: Tensor, step: Tensor) -> Tensor:
        """Points after steps of shape (B, P)."""
        ...

    def longest(self, theta: Tensor, step: Tensor) -> Tensor:
        """Share of each step, at most 1, that may be taken at once, shape (B,)."""
        ...

    def rescue(self, theta: Tensor) -> Tensor:
        """Better points, where no step helps."""
        ...


@dataclass(frozen=True, eq=False)
class Climb:
    """Where a batch of starts ended.

    Parameters
    ----------
    theta : Tensor
    value : Tensor, shape (B,)
    decrement : Tensor, shape (B,)
        Twice the gain that Newton's next step promises.
    curvature : Tensor, shape (B,)
        Least eigenvalue of the scaled negative Hessian: positive at a strict maximum.
    iterations : int
    """

    theta: Tensor
    value: Tensor
    decrement: Tensor
    curvature: Tensor
    iterations: int


def _direction(gradient: Tensor, hessian: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Steps, decrements and least eigenvalues, scaled by the diagonal; negative curvature is turned round."""
    scale = torch.diagonal(hessian, dim1=-2, dim2=-1).abs().clamp(min=1e-300).rsqrt()
    values, vectors = torch.linalg.eigh(-hessian * scale[:, :, None] * scale[:, None, :])
    along = (vectors.mT @ (gradient * scale)[..., None])[..., 0]
    inner = along / values.abs().clamp(min=LEAST_CURVATURE)
    step = (vectors @ inner[..., None])[..., 0] * scale
    return step, (along * inner).sum(-1), values[:, 0]


def climb(objective: Objective, theta: Tensor, most: int = 50) -> Climb:
    """Climb from every start until Newton's decrement says that nothing is left to gain.

    Parameters
    ----------
    objective : Objective
    theta : Tensor, shape (B, ...)
    most : int
        Iterations.
    """
    theta, batch = theta.clone(), theta.shape[0]
    value = theta.new_full((batch,), -math.inf)
    decrement, curvature = torch.full_like(value, math.inf), torch.full_like(value, -math.inf)
    active = torch.arange(batch, device=theta.device)
    iterations = 0
    while iterations < most and len(active):
        iterations += 1
        here = theta[active]
        found, gradient, hessian = objective.derivatives(here)
        good = found.isfinite() & gradient.isfinite().all(-1) & hessian.isfinite().all((-2, -1))
        value[active[~good]] = -math.inf
        active, here, found = active[good], here[good], found[good]
        step, left, least = _direction(gradient[good], hessian[good])
        value[active], decrement[active], curvature[active] = found, left, least
        going = left >= DECREMENT
        # At a strict maximum the last step is taken unseen: it gains less than can be seen, and squares the error.
        last = ~going & (least > LEAST_CURVATURE)
        theta[active[last]] = objective.moved(here[last], step[last])
        active, here, found, step, left = active[going], here[going], found[going], step[going], left[going]
        theta[active], taken = _searched(objective, here, found, step)
        # Where no step gains, rounding is all that is left: or a better map than Newton's is needed.
        stuck = ~taken & (left > 1e-6)
        if stuck.any():
            theta[active[stuck]] = objective.rescue(theta[active[stuck]])
        active = active[taken | stuck]
    return Climb(theta, value, decrement, curvature, iterations)


def _searched(objective: Objective, theta: Tensor, value: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """Shorten each step until the value does not fall; which ones were taken."""
    length = objective.longest(theta, step)
    best, waiting = theta.clone(), torch.ones_like(value, dtype=torch.bool)
    for _ in range(HALVINGS):
        where = waiting.nonzero()[:, 0]
        if not len(where):
            break
        trial = objective.moved(theta[where], step[where] * length[where, None])
        gains = objective.value(trial) >= value[where]
        best[where[gains]] = trial[gains]
        waiting[where[gains]] = False
        length = length * SHRINK
    return best, ~waiting
