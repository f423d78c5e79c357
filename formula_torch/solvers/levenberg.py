"""Damped Newton steps after Levenberg and Marquardt: shortened until the loss falls.

    (H + m I) step = -gradient

with m raised where the matrix is not positive or the step fails, and lowered where it gains what its quadratic model
promised (Marquardt 1963, J. SIAM 11:431-441; More 1978). Steps along gradients crawl in narrow valleys; these do not.
"""

from __future__ import annotations

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
# What Newton's step promises of the loss of all rows, hardly damped, that is nothing in any standard error.
PROMISED, HARDLY = 1e-10, 1e-5
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
        curvature = objective.curvature(theta)
        found = None
        while damping < MOST and found is None:
            step = _damped(curvature, gradient, damping)
            if not step.any():
                damping *= RAISED
                continue
            there = objective.evaluate(theta + step)
            promised = -float(gradient @ step) / 2
            found = (theta + step, *there) if there[0] <= loss + ROUNDING * abs(loss) else None
            gained = (loss - there[0]) / max(promised, 1e-300)
            damping = max(damping * (LOWERED if found and gained > 0.25 else RAISED), LEAST)
        if found is None:
            damping, reason = DAMPING, "steps change nothing more"
            break
        theta, loss, gradient = found
        over = damping < HARDLY and promised * objective.n_rows < PROMISED
        row = (history["epoch"][-1] + 1, loss, float(gradient.norm()), before + time.perf_counter())
        for name, value in zip(("epoch", "loss", "gradient_norm", "seconds"), row, strict=True):
            history[name].append(value)
        if report is not None:
            report(loss)
        if over:
            reason = "steps gain nothing more"
            break
    steepest = float(gradient.abs().max())
    return Descended(theta, steepest <= tolerance, reason, loss, steepest, begun.lr, history)


def _damped(curvature: Tensor, gradient: Tensor, damping: float) -> Tensor:
    """Solve for a step; none where the damped curvature is not positive."""
    unit = float(curvature.diagonal().abs().max())
    root, trouble = torch.linalg.cholesky_ex(curvature + damping * unit * torch.eye(len(gradient)).to(curvature))
    if int(trouble):
        return torch.zeros_like(gradient)
    return -torch.cholesky_solve(gradient[:, None], root)[:, 0]
