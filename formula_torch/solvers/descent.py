"""Methods of descent as values: which rows a step sees, how long it is, and when to stop; steps are torch.optim's.

Bottou, Curtis and Nocedal 2018, SIAM Review 60:223-311 (batches, learning rates); Polyak and Juditsky 1992, SIAM J.
Control Optim. 30:838-855 (averages of the tail); Kingma and Ba 2015 (Adam).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.errors import check_known

__all__ = ["LBFGS", "METHODS", "SGD", "Adam", "Descent", "resolve_descent"]

STARTS = ("zero", "random")
# From the share of the epochs that are over to the share of the learning rate that is left.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,  # noqa: ARG005 - one signature
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "linear": lambda done: 1 - done,
    "inverse": lambda done: 1 / (1 + 9 * done),
    "exponential": lambda done: 0.01**done,
}


@dataclass(frozen=True, kw_only=True)
class Descent(ABC):
    """A descent along gradients of a mean loss, of columns (and, with an identity link, a response) of unit size.

    Parameters
    ----------
    lr : float, optional
        Learning rate, per standardised column. By default that of the method.
    epochs : int
        Passes over the rows, at most.
    batch_size : int, optional
        Rows a step sees: all by default (batch descent), 1 (stochastic), or some (mini-batch).
    shuffle : bool
        Whether each epoch takes the rows in a new random order.
    schedule : str or callable
        ``"constant"``, ``"cosine"`` and ``"linear"`` (to zero), ``"inverse"`` (to a tenth), ``"exponential"`` (to a
        hundredth), or a function from the share of the epochs that are over, 0 to 1, to a factor of `lr`.
    average : float
        The estimate is the mean over the steps of this last share of the epochs; 0 for the last step alone.
    patience : int, optional
        Stop after as many epochs in which the loss (of the validation rows, where there are any) did not fall below
        its least, and return to where that was.
    tolerance : float
        Stop where no derivative of the mean loss is larger.
    start : {"zero", "random"}
        Where coefficients begin; the weights of a network always begin at random.
    weight_decay : float
        d adds d / 2 times the squared length of the standardised coefficients, or weights, to the mean loss.

    Raises
    ------
    ValueError
        A number is out of its range, or a spelling not known.
    """

    lr: float | None = None
    epochs: int = 1000
    batch_size: int | None = None
    shuffle: bool = True
    schedule: str | Callable[[float], float] = "constant"
    average: float = 0.0
    patience: int | None = None
    tolerance: float = 1e-8
    start: str = "zero"
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_known("start", self.start, STARTS)
        check_known("shuffle", self.shuffle, (True, False))
        if not callable(self.schedule):
            check_known("schedule", self.schedule, SCHEDULES)
        _check_whole("epochs", self.epochs)
        for name in ("batch_size", "patience"):
            if (given := getattr(self, name)) is not None:
                _check_whole(name, given)
        for name in ("tolerance", "weight_decay"):
            if not 0 <= (given := getattr(self, name)) < math.inf:
                raise ValueError(f"{name}={given!r} must be zero or more.")
        if self.lr is not None and not 0 < self.lr < math.inf:
            raise ValueError(f"lr={self.lr!r} must be positive.")
        if not 0 <= self.average <= 1:
            raise ValueError(f"average={self.average!r} is a share of the epochs, from 0 to 1.")

    @property
    @abstractmethod
    def name(self) -> str:
        """As the summary prints it."""

    @abstractmethod
    def optimiser(self, theta: Tensor, lr: float) -> torch.optim.Optimizer:
        """Return the optimiser of a vector."""

    def usual_rate(self, curvature: float, size: int, height: int, n_rows: int) -> float:
        """Return the learning rate where none is given.

        Parameters
        ----------
        curvature : float
            The largest of the mean loss, at the start.
        size : int
            Number of coefficients.
        height, n_rows : int
            Of a batch, and of all.
        """
        # Half the rate at which single rows, whose curvature is about the number of columns, would throw it about.
        return 1 / curvature if height >= n_rows else 0.5 / (curvature + size / height)

    @property
    def by_curvature(self) -> bool:
        """Whether the usual learning rate depends on the curvature."""
        return True

    @property
    def searches(self) -> bool:
        """Whether a step asks for losses of its own."""
        return False

    @property
    def falls(self) -> bool:
        """Whether short steps along the gradient of all rows lower the loss, each of them."""
        return False

    def rate_share(self, done: float) -> float:
        """Share of the learning rate after a share of the epochs."""
        schedule = SCHEDULES[self.schedule] if isinstance(self.schedule, str) else self.schedule
        return schedule(done)

    def described(self, n_rows: int) -> str:
        """What it is, in words."""
        height = n_rows if self.batch_size is None else min(self.batch_size, n_rows)
        kind = "batch" if height >= n_rows else "stochastic" if height == 1 else f"mini-batches of {height}"
        return f"{self.name}, {kind}"


def _check_whole(name: str, given: object) -> None:
    if not isinstance(given, int | np.integer) or isinstance(given, bool) or given < 1:
        raise ValueError(f"{name}={given!r} must be a whole number, at least 1.")


@dataclass(frozen=True, kw_only=True)
class SGD(Descent):
    """Gradient descent: batch, stochastic or by mini-batches (``torch.optim.SGD``).

    The default learning rate is 1 / L of the largest curvature L of the loss at the start, less for small batches, and
    is halved where that diverges.

    Parameters
    ----------
    momentum : float
    nesterov : bool
    **others
        As :class:`Descent`.

    Examples
    --------
    >>> import formula_torch as ft
    >>> plants = ft.datasets.plant_richness()
    >>> fit = ft.fit("ntv_rich ~ area", plants, solver=ft.solvers.SGD(epochs=2000))
    >>> fit.params.round(5).to_dict()
    {'Intercept': 1.33605, 'area': 0.35574}
    """

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum={self.momentum!r} must lie between 0 and 1, 1 excluded.")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=True looks ahead along the momentum: give momentum=, as 0.9.")

    @property
    def name(self) -> str:
        """As the summary prints it."""
        return "gradient descent"

    @property
    def falls(self) -> bool:
        """They do, without momentum, and where the loss has no penalty that it leaves out."""
        return not self.momentum and not self.weight_decay

    def usual_rate(self, curvature: float, size: int, height: int, n_rows: int) -> float:
        """Return the learning rate where none is given."""
        usual = super().usual_rate(curvature, size, height, n_rows)
        # Momentum adds up the noise of small batches.
        return usual if height >= n_rows else usual * (1 - self.momentum)

    def optimiser(self, theta: Tensor, lr: float) -> torch.optim.Optimizer:
        """Return the optimiser of a vector."""
        return torch.optim.SGD([theta], lr=lr, momentum=self.momentum, nesterov=self.nesterov, foreach=False)


@dataclass(frozen=True, kw_only=True)
class Adam(Descent):
    """Steps scaled by running means of gradients and of their squares (``torch.optim.Adam``).

    The default learning rate is 0.01.

    Parameters
    ----------
    betas : tuple of two floats
        Decay of the running means.
    **others
        As :class:`Descent`.
    """

    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.betas) != 2 or not all(0 <= b < 1 for b in self.betas):
            raise ValueError(f"betas={self.betas!r} must be two numbers between 0 and 1, 1 excluded.")

    @property
    def name(self) -> str:
        """As the summary prints it."""
        return "Adam"

    @property
    def by_curvature(self) -> bool:
        """Steps do not depend on the size of gradients."""
        return False

    def usual_rate(self, curvature: float, size: int, height: int, n_rows: int) -> float:  # noqa: ARG002
        """Return the learning rate where none is given."""
        return 0.01

    def optimiser(self, theta: Tensor, lr: float) -> torch.optim.Optimizer:
        """Return the optimiser of a vector."""
        return torch.optim.Adam([theta], lr=lr, betas=self.betas, fused=True)


@dataclass(frozen=True, kw_only=True)
class LBFGS(Descent):
    """The quasi-Newton method of limited memory with a line search (``torch.optim.LBFGS``), on all rows at once.

    Parameters
    ----------
    history_size : int
        Steps that it remembers.
    **others
        As :class:`Descent`, with ``batch_size=None``; an epoch is an iteration.
    """

    history_size: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_whole("history_size", self.history_size)
        if self.batch_size is not None or self.average:
            raise ValueError("LBFGS compares gradients of all rows; leave batch_size= and average= out.")

    @property
    def name(self) -> str:
        """As the summary prints it."""
        return "L-BFGS"

    @property
    def by_curvature(self) -> bool:
        """The line search finds the length of a step."""
        return False

    @property
    def searches(self) -> bool:
        """It does, by asking for losses."""
        return True

    def usual_rate(self, curvature: float, size: int, height: int, n_rows: int) -> float:  # noqa: ARG002
        """Return the learning rate where none is given."""
        return 1.0

    def optimiser(self, theta: Tensor, lr: float) -> torch.optim.Optimizer:
        """Return the optimiser of a vector."""
        return torch.optim.LBFGS(
            [theta],
            lr=lr,
            max_iter=1,
            max_eval=30,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            history_size=self.history_size,
            line_search_fn="strong_wolfe",
        )


# Spelling: method with its defaults.
METHODS: dict[str, Descent] = {"sgd": SGD(), "adam": Adam(), "lbfgs": LBFGS()}


def resolve_descent(solver: str | Descent) -> Descent:
    """Read a method: a value, or its spelling.

    Raises
    ------
    ValueError
        It is not known; the known ones are listed.
    """
    if isinstance(solver, Descent):
        return solver
    if not isinstance(solver, str) or solver not in METHODS:
        known = ", ".join(map(repr, ("auto", *METHODS)))
        raise ValueError(f"solver={solver!r} is not known; use {known}, or a value of ft.solvers, as SGD(lr=0.1).")
    return METHODS[solver]
