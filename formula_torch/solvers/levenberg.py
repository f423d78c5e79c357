"""Damped Newton steps after Levenberg and Marquardt: shortened until the loss falls.

    (|H| + m I) step = -gradient

with m raised where a step fails, and lowered where it gains what its quadratic model promised (Marquardt 1963, J. SIAM
11:431-441). |H| has the absolute eigenvalues of the curvature, so that a saddle is left and not sought, and one
direction of negative curvature does not shorten the others (Dauphin et al. 2014, NIPS 27:2933-2941). Steps along
gradients crawl in narrow valleys; these do not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from formula_torch.solvers.descending import Descended, Objective

__all__ = ["Curved", "levenberg"]

# Damping at the start, and its range, as shares of the largest curvature: below it steps are Newton's, above it nothing
# moves.
DAMPING, LEAST, MOST = 1e-3, 1e-14, 1e6
RAISED, LOWERED = 4.0, 0.2
# Steps whose gain of the log-likelihood is judged together: weights may run on for ever, as those of a unit that
# becomes a step.
STEPS = 10
# Curvatures that are rounding, as a share of the largest.
NOTHING = 1e-13
# A decrement, in units of the mean loss, that is rounding.
ROUNDING = 1e-15


class Curved(Objective, Protocol):
    """An objective that knows its curvature."""

    def curvature(self, theta: Tensor) -> Tensor:
        """Second derivatives of the mean loss, shape (p, p)."""
        ...


def levenberg(
    objective: Curved,
    begun: Descended,
    *,
    most: int,
    enough: float,
    tolerance: float,
    report: Callable[[float], object] | None = None,
) -> Descended:
    """Go on from where a descent ended.

    Parameters
    ----------
    objective : Curved
    begun : Descended
        Its history is continued.
    most : int
        Steps, at most.
    enough : float
        Stop where ten steps gain less of the log-likelihood.
    tolerance : float
        Stop where no derivative of the mean loss is larger.
    report : callable, optional
        Called with the loss after each step.
    """
    theta, damping, reason = begun.theta, DAMPING, "all epochs were used"
    (loss, gradient), history = objective.evaluate(theta), {name: list(row) for name, row in begun.history.items()}
    before = history["seconds"][-1] - time.perf_counter()
    for _ in range(most):
        if bool(gradient.abs().max() <= tolerance):
            reason = "the gradient is zero to the tolerance"
            break
        values, vectors = torch.linalg.eigh(objective.curvature(theta))
        along, sizes = vectors.mT @ gradient, values.abs()
        largest = max(float(sizes.max()), 1e-300)
        found = None
        while damping < MOST and found is None:
            step = -(vectors @ (along / (sizes.clamp(min=NOTHING * largest) + damping * largest)))
            there = objective.evaluate(theta + step)
            promised = -float(gradient @ step) / 2
            found = (theta + step, *there) if there[0] <= loss + ROUNDING * abs(loss) else None
            gained = (loss - there[0]) / max(promised, 1e-300)
            damping = max(damping * (LOWERED if found and gained > 0.25 else RAISED), LEAST)
        if found is None:
            damping, reason = DAMPING, "steps change nothing more"
            break
        theta, loss, gradient = found
        row = (history["epoch"][-1] + 1, loss, float(gradient.norm()), before + time.perf_counter())
        for name, value in zip(("epoch", "loss", "gradient_norm", "seconds"), row, strict=True):
            history[name].append(value)
        if report is not None:
            report(loss)
        if _gained(history["loss"], begun, objective.n_rows) < enough:
            reason = "steps gain nothing more"
            break
    steepest = float(gradient.abs().max())
    return Descended(theta, steepest <= tolerance, reason, loss, steepest, begun.lr, history)


def _gained(losses: list[float], begun: Descended, n_rows: int) -> float:
    """What the last steps gained of the log-likelihood; of a dispersion that is estimated, at its estimate."""
    if len(losses) - len(begun.history["loss"]) < STEPS:
        return math.inf
    return n_rows * (losses[-1 - STEPS] - losses[-1]) / max(min(1.0, 2 * losses[-1]), 1e-300)
