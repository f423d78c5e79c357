"""Natural exponential families in their canonical parameter.

    log f(y | eta, phi) = (y eta - b(eta)) / phi + h(y, phi)

with mean b'(eta) and variance phi b''(eta). Everything that a likelihood needs of a family are
b and its two derivatives, evaluated where they do not overflow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from formula_torch.errors import DataError

__all__ = ["BERNOULLI", "FAMILIES", "GAUSSIAN", "POISSON", "Family", "resolve_family"]

Elementwise = Callable[[Tensor], Tensor]
# exp is continued by a line above this: a likelihood must neither overflow nor stop falling there.
STEEP = 50.0


@dataclass(frozen=True)
class Family:
    """A distribution of the response as a value.

    Parameters
    ----------
    name : str
    cumulant, mean, variance : callable
        b, b' and b'' of the canonical parameter eta.
    dispersed : bool
        Whether phi is a parameter (the normal's variance); 1 otherwise.
    exponential : bool
        Whether the mean is exp(eta), so that an offset multiplies it.
    base : callable
        h(y) where phi is 1; for the normal the part without phi.
    stabilise : callable
        A transformation of y whose variance hardly depends on its mean.
    refuse : callable
        From y to what is wrong with it, or an empty text.
    """

    name: str
    cumulant: Elementwise
    mean: Elementwise
    variance: Elementwise
    dispersed: bool
    exponential: bool
    base: Elementwise
    stabilise: Elementwise
    refuse: Callable[[Tensor], str]

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by name: the functions of a family are code, not data."""
        return (resolve_family, (self.name,)) if FAMILIES.get(self.name) is self else super().__reduce__()

    def check(self, y: Tensor, name: str) -> None:
        """Raise where the response lies outside the support.

        Raises
        ------
        DataError
            Says what is wrong and in how many rows.
        """
        if message := self.refuse(y):
            raise DataError(f"`{name}` {message}")


def _linear_exp(eta: Tensor) -> Tensor:
    """Continue exp above STEEP by its tangent."""
    return torch.where(eta > STEEP, math.exp(STEEP) * (1 + eta - STEEP), eta.clamp(max=STEEP).exp())


def _steep_exp(eta: Tensor) -> Tensor:
    return eta.clamp(max=STEEP).exp()


def _bernoulli_variance(eta: Tensor) -> Tensor:
    return torch.sigmoid(eta) * torch.sigmoid(-eta)


def _no_base(y: Tensor) -> Tensor:
    return torch.zeros_like(y)


def _refuse_counts(y: Tensor) -> str:
    bad = int((y < 0).sum())
    return f"has {bad} negative values; counts are needed for family='poisson'." if bad else ""


def _refuse_truth(y: Tensor) -> str:
    bad = (y != 0) & (y != 1)
    first = f"{float(y[bad][0]):g}" if bad.any() else ""
    return f"has values other than 0 and 1 in {int(bad.sum())} rows (first: {first})." if bad.any() else ""


GAUSSIAN = Family(
    name="gaussian",
    cumulant=lambda eta: eta * eta / 2,
    mean=lambda eta: eta,
    variance=torch.ones_like,
    dispersed=True,
    exponential=False,
    base=_no_base,
    stabilise=lambda y: y,
    refuse=lambda y: "",  # noqa: ARG005 - any finite number will do
)
POISSON = Family(
    name="poisson",
    cumulant=_linear_exp,
    mean=_steep_exp,
    variance=_steep_exp,
    dispersed=False,
    exponential=True,
    base=lambda y: -torch.lgamma(y + 1),
    stabilise=lambda y: 2 * (y + 0.375).sqrt(),
    refuse=_refuse_counts,
)
BERNOULLI = Family(
    name="logit",
    cumulant=softplus,
    mean=torch.sigmoid,
    variance=_bernoulli_variance,
    dispersed=False,
    exponential=False,
    base=_no_base,
    stabilise=lambda y: 4 * y,
    refuse=_refuse_truth,
)

FAMILIES: dict[str, Family] = {
    "gaussian": GAUSSIAN,
    "normal": GAUSSIAN,
    "poisson": POISSON,
    "logit": BERNOULLI,
    "bernoulli": BERNOULLI,
    "binomial": BERNOULLI,
}


def resolve_family(given: Family | str) -> Family:
    """Read a family: a value, or one of its spellings.

    Raises
    ------
    ValueError
        Not known; the known ones are listed.
    """
    if isinstance(given, Family):
        return given
    if given not in FAMILIES:
        raise ValueError(f"family={given!r} is not known; use one of {', '.join(map(repr, FAMILIES))}.")
    return FAMILIES[given]
