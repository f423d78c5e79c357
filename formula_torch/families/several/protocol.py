"""What a distribution of several parameters is: a log-density of y in several linear predictors.

    l(y; eta_1, ..., eta_m)

Everything else follows from its value and its derivatives in eta, row by row: the gradient from X_j' dl/deta_j, the
information from X_j' diag(d2l/deta_j deta_l) X_l, the scores of rows from the first derivatives alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = [
    "Derivatives",
    "Numeric",
    "Predictor",
    "SeveralFamily",
    "chosen",
    "constant_rows",
    "log_odds",
    "weighted_mean",
]


@dataclass(frozen=True)
class Predictor:
    """One of the linear predictors of a family.

    Parameters
    ----------
    name : str
        Name of the parameter where it is a constant.
    takes : {"main", "own", "constant"}
        The columns of the model's formula, those of a further formula (by default a constant), or a constant.
    prefix : str
        Put before the names of columns.
    component : str
        What the parameters describe, as a table says it.
    positive : bool
        The predictor is the logarithm of a positive number, and a constant is reported as that number.
    argument : str
        The argument of ``fit`` that gives its formula, where it takes one of its own.
    limit : str
        What it means that the predictor goes to minus infinity, where the family has a simpler one there.
    logarithmic : bool
        Whether it is a logarithm, log odds or the like, of which a change of a few units is large; of another the
        unit is what the curvature of the log-likelihood says.
    """

    name: str
    takes: str
    prefix: str
    component: str
    positive: bool = False
    argument: str = ""
    limit: str = ""
    logarithmic: bool = True


@dataclass(frozen=True, eq=False)
class Derivatives:
    """The log-density of rows with its derivatives in the predictors.

    Parameters
    ----------
    value : Tensor, shape (n,)
    first : Tensor, shape (m, n)
    second : callable
        From two predictors, j <= l, to d2l/deta_j deta_l of shape (n,), or None where it is zero in every row.
    """

    value: Tensor
    first: Tensor
    second: Callable[[int, int], Tensor | None]


def chosen(pairs: Mapping[tuple[int, int], Tensor]) -> Callable[[int, int], Tensor | None]:
    """Second derivatives that were computed all at once; what is not among them is zero."""
    return lambda j, k: pairs.get((j, k))


class SeveralFamily(Protocol):
    """A distribution of the response with several linear predictors, as a frozen value."""

    @property
    def name(self) -> str:
        """As messages and tables say it."""
        ...

    @property
    def predictors(self) -> tuple[Predictor, ...]:
        """The linear predictors, in the order of eta."""
        ...

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of a response of categories, in order; none of a response of numbers."""
        ...

    @property
    def reading(self) -> str:
        """What the response is: ``"numbers"``, ``"levels"``, or ``"columns"``, numbers or several side by side."""
        ...

    @property
    def cutpoints(self) -> bool:
        """Whether constants of its own stand in place of that of the columns."""
        ...

    @property
    def exponential(self) -> bool:
        """Whether the mean is a multiple of exp of the first predictor, so that an exposure makes sense."""
        ...

    @property
    def kind(self) -> str:
        """What the log-likelihood is a logarithm of: ``"probability"`` or ``"density"``."""
        ...

    @property
    def scale(self) -> str:
        """Where intervals of the mean are taken: ``"log"``, ``"logit"`` or ``"identity"``."""
        ...

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor:
        """Log-density of rows, constants included, shape (n,); eta has shape (m, n)."""
        ...

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives:
        """Value and derivatives of rows, in closed form."""
        ...

    def expected(self, eta: Tensor) -> Tensor:
        """Mean response, shape (1, n), or the probabilities of the levels, shape (J, n)."""
        ...

    def variance(self, eta: Tensor) -> Tensor:
        """Variance of what ``expected`` is the mean of, of the same shape."""
        ...

    def begin(self, y: Tensor, weights: Tensor | None) -> Tensor:
        """Predictors to begin from, by moments, shape (m, n)."""
        ...

    def refuse(self, y: Tensor) -> str:
        """What makes y no response of this family, or an empty text."""
        ...

    def doubt(self, y: Tensor) -> str:
        """What is strange about y, or an empty text."""
        ...

    def without(self, predictor: str) -> SeveralFamily | None:
        """The family where a predictor goes to minus infinity; None where that is no member of it."""
        ...

    def of_levels(self, labels: tuple[str, ...]) -> SeveralFamily:
        """The family for a response of these levels; itself where the response is a number."""
        ...


class Numeric:
    """What families of a numeric response share."""

    levels: tuple[str, ...] = ()
    reading = "numbers"
    cutpoints = False

    @property
    def scale(self) -> str:
        """Means are positive."""
        return "log"

    def of_levels(self, labels: tuple[str, ...]) -> Any:  # noqa: ARG002 - one signature
        """Itself: the response has no levels."""
        return self


def weighted_mean(x: Tensor, weights: Tensor | None) -> float:
    """Mean of the rows, by their weights."""
    return float(x.mean() if weights is None else (x * weights).sum() / weights.sum())


def log_odds(share: float) -> float:
    """Logarithm of the odds of a share, kept off 0 and 1."""
    inside = min(max(share, 1e-3), 1 - 1e-3)
    return math.log(inside / (1 - inside))


def constant_rows(y: Tensor, value: float) -> Tensor:
    """One number in every row."""
    return torch.full_like(y, value)
