"""The way down: epochs of steps, with their losses on record."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.numerics.arrays import slices
from formula_torch.numerics.threads import threads_for
from formula_torch.solvers.descent import Descent

__all__ = ["Descended", "Objective", "descend", "random_start"]

LEFT = (
    "left the range in which every row has a mean: with this link= some predictors have none; take another link=, as "
    "'log' or 'logit', or leave solver= out."
)
# A loss that grows as much has diverged, however finite it is.
GROWN = 1e6
# Steps of the power method for the largest curvature, and the length of a difference of gradients.
POWER_STEPS = 30
DIFFERENCE = 1e-4
# Steps that change nothing more in as many epochs, as where a line search finds nothing.
STILL = 5
# Times that the usual learning rate is halved after a divergence.
HALVINGS = 8
# Share of the first loss by which none may rise where steps along all rows are short enough.
RISEN = 1e-9
# As long as so many passes over a block of rows a step must last for a second thread not to spin in vain.
PASSES = 1_000.0


class _DivergenceError(Exception):
    """The loss grew beyond all bounds."""


class Objective(Protocol):
    """A mean loss over rows as a function of a vector."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        ...

    def gradient(self, theta: Tensor, rows: slice) -> Tensor:
        """Gradient of the mean loss of some rows, shape (p,)."""
        ...

    def evaluate(self, theta: Tensor) -> tuple[float, Tensor]:
        """Mean loss of all rows, and its gradient."""
        ...

    def permuted(self, order: Tensor) -> Self:
        """Return the same rows in another order."""
        ...


@dataclass(frozen=True, eq=False)
class Descended:
    """Where a descent ended, and how it went.

    Parameters
    ----------
    theta : Tensor, shape (p,)
    converged : bool
        Whether no derivative of the mean loss exceeds the tolerance there.
    reason : str
        Why it ended, in words.
    loss : float
        Mean loss of all rows there, without the decay of weights.
    steepest : float
        Largest derivative of the mean loss there, decay included.
    lr : float
        Learning rate at the start.
    history : dict of str to list
        Epoch (0 is the start), loss, gradient_norm, seconds, and validation_loss where rows were held out.
    """

    theta: Tensor
    converged: bool
    reason: str
    loss: float
    steepest: float
    lr: float
    history: dict[str, list[float]]


def descend(
    objective: Objective,
    theta: Tensor,
    method: Descent,
    seed: int = 0,
    *,
    held_out: Objective | None = None,
    report: Callable[[float], object] | None = None,
) -> Descended:
    """Go down from `theta`.

    Parameters
    ----------
    objective : Objective
    theta : Tensor, shape (p,)
        It is not changed.
    method : Descent
    seed : int
        Of the order of the rows.
    held_out : Objective, optional
        Rows whose loss says when to stop.
    report : callable, optional
        Called with the loss after each epoch.

    Raises
    ------
    DataError
        The loss grows beyond all bounds; a learning rate is named.
    """
    height = objective.n_rows if method.batch_size is None else min(method.batch_size, objective.n_rows)
    with threads_for(PASSES * height * theta.numel()):
        curvature = _curvature(objective, theta) if method.by_curvature and method.lr is None else 1.0
        lr = method.usual_rate(curvature, theta.numel(), height, objective.n_rows) if method.lr is None else method.lr
        # The curvature at the start bounds no other, as where means are exponentials.
        halvings = HALVINGS if method.lr is None else 0
        while True:
            try:
                falling = bool(halvings) and height >= objective.n_rows and method.falls
                return _Walk(objective, method, theta.clone(), lr, height, held_out, report, seed, falling).down()
            except _DivergenceError as trouble:
                if not halvings:
                    raise DataError(str(trouble)) from None
            halvings, lr = halvings - 1, lr / 2


def random_start(size: int, seed: int) -> Tensor:
    """Return coefficients of standardised columns to begin from, shape (size,)."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(size, generator=draw, dtype=torch.float64) / max(size, 1) ** 0.5


def _curvature(objective: Objective, theta: Tensor) -> float:
    """The largest curvature at a point, by the power method on differences of gradients."""
    here = objective.evaluate(theta)[1]
    direction = torch.ones_like(theta) / theta.numel() ** 0.5
    largest = 1.0
    for _ in range(POWER_STEPS):
        moved = (objective.evaluate(theta + DIFFERENCE * direction)[1] - here) / DIFFERENCE
        if not (length := float(moved.norm())) > 0:
            break
        largest, direction = length, moved / length
    return largest


@dataclass(eq=False)
class _Walk:
    """A descent under way; `theta` is changed in place, as torch.optim does."""

    objective: Objective
    method: Descent
    theta: Tensor
    lr: float
    height: int
    held_out: Objective | None
    report: Callable[[float], object] | None
    seed: int
    falling: bool
    mean: Tensor | None = None
    steps: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)
    optimiser: torch.optim.Optimizer = field(init=False)
    step: Callable[..., object] = field(init=False)

    def __post_init__(self) -> None:
        self.optimiser = self.method.optimiser(self.theta, self.lr)
        # A profiler's record is wrapped around it, and costs more than the step of a few coefficients.
        self.step = partial(inspect.unwrap(type(self.optimiser).step), self.optimiser)

    def down(self) -> Descended:
        begun = time.perf_counter()
        draw = torch.Generator().manual_seed(self.seed)
        loss, gradient = self._evaluate(self.theta)
        if not np.isfinite(loss):
            raise DataError(f"{self.method.name} begins at coefficients that have {LEFT}")
        self._record(0, loss, gradient, begun)
        best, since, still = (self._watched(), self.theta.clone()), 0, 0
        reason = "all epochs were used"
        for epoch in range(1, self.method.epochs + 1):
            if bool(gradient.abs().max() <= self.method.tolerance):
                reason, self.mean = "the gradient is zero to the tolerance", None
                break
            before = self.theta.clone()
            self._epoch(gradient, epoch, draw)
            loss, gradient = self._evaluate(self.theta)
            self._refuse_divergence(loss, epoch)
            self._record(epoch, loss, gradient, begun)
            watched = self._watched()
            since = 0 if watched < best[0] else since + 1
            best = (watched, self.theta.clone()) if since == 0 else best
            if self.method.patience is not None and since >= self.method.patience:
                reason = f"the loss has not fallen for {since} epochs"
                self.theta, self.mean = best[1], None
                break
            still = still + 1 if torch.equal(before, self.theta) else 0
            if still == STILL:
                reason, self.mean = "steps change nothing more", None
                break
        else:
            if self.method.patience is not None:
                self.theta, self.mean = best[1], None
        return self._ended(reason)

    def _epoch(self, gradient: Tensor, epoch: int, draw: torch.Generator) -> None:
        done = (epoch - 1) / self.method.epochs
        for group in self.optimiser.param_groups:
            group["lr"] = self.lr * self.method.rate_share(done)
        averaged = done >= 1 - self.method.average if self.method.average else False
        if self.height >= self.objective.n_rows:
            self.theta.grad = gradient
            try:
                self.step(*([self._closure] if self.method.searches else []))
            except IndexError as error:
                # torch's line search finds no bracket among numbers that are none.
                raise DataError(f"{self.method.name} {LEFT}") from error
            self._average(averaged)
            return
        rows = self.objective
        if self.method.shuffle:
            rows = rows.permuted(torch.randperm(rows.n_rows, generator=draw))
        for batch in slices(rows.n_rows, self.height):
            gradient = self._decayed(rows.gradient(self.theta, batch))
            share = (batch.stop - batch.start) / self.height
            # A shorter batch at the end moves by as much less, so that in an epoch all rows count alike.
            self.theta.grad = gradient if share == 1 else gradient * share
            self.step()
            self._average(averaged)

    def _closure(self) -> float:
        """Loss at theta, whose gradient is left there."""
        loss, self.theta.grad = self._evaluate(self.theta)
        return self._decaying(loss)

    def _decayed(self, gradient: Tensor) -> Tensor:
        return gradient + self.method.weight_decay * self.theta if self.method.weight_decay else gradient

    def _evaluate(self, theta: Tensor) -> tuple[float, Tensor]:
        loss, gradient = self.objective.evaluate(theta)
        return loss, gradient + self.method.weight_decay * theta

    def _average(self, averaged: bool) -> None:
        if averaged:
            self.steps += 1
            self.mean = self.theta.clone() if self.mean is None else self.mean.lerp_(self.theta, 1 / self.steps)

    def _watched(self) -> float:
        """The loss at theta that says when to stop."""
        if self.held_out is not None:
            return self.history["validation_loss"][-1]
        return self._decaying(self.history["loss"][-1])

    def _decaying(self, loss: float) -> float:
        return loss + self.method.weight_decay / 2 * float(self.theta @ self.theta)

    def _record(self, epoch: int, loss: float, gradient: Tensor, begun: float) -> None:
        row = {
            "epoch": epoch,
            "loss": loss,
            "gradient_norm": float(gradient.norm()),
            "seconds": time.perf_counter() - begun,
        }
        if self.held_out is not None:
            row["validation_loss"] = self.held_out.evaluate(self.theta)[0]
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)
        if self.report is not None and epoch:
            self.report(loss)

    def _refuse_divergence(self, loss: float, epoch: int) -> None:
        first = self.history["loss"][0]
        most = self.history["loss"][-1] + RISEN * abs(first) if self.falling else GROWN * (abs(first) + 1)
        if np.isfinite(loss) and loss <= most:
            return
        curvature = _curvature(self.objective, torch.zeros_like(self.theta))
        usual = self.method.usual_rate(curvature, self.theta.numel(), self.height, self.objective.n_rows)
        raise _DivergenceError(
            f"the descent diverged in epoch {epoch}: with lr={self.lr:g} the loss went from {first:.6g} to {loss:.6g}; "
            f"take a smaller lr=, as {min(usual, self.lr / 10):.2g}, or leave it out."
        )

    def _ended(self, reason: str) -> Descended:
        theta = self.theta if self.mean is None else self.mean
        loss, gradient = self._evaluate(theta)
        steepest = float(gradient.abs().max())
        return Descended(
            theta=theta,
            converged=steepest <= self.method.tolerance,
            reason=reason,
            loss=loss,
            steepest=steepest,
            lr=self.lr,
            history=self.history,
        )
