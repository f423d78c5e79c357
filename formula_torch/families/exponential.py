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
from torch import Generator, Tensor
from torch.nn.functional import softplus

from formula_torch.families.support import doubt_counts, no_doubt, refuse_negative, rows_of

__all__ = ["BERNOULLI", "FAMILIES", "GAUSSIAN", "POISSON", "Family"]

Elementwise = Callable[[Tensor], Tensor]
# exp is continued by a line above this: a likelihood must neither overflow nor stop falling there.
STEEP = 50.0
HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


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
    sample : callable
        Draws y from the mean, sigma (the root of phi) and a generator.
    doubt : callable
        From y to what a user should know of it, or an empty text.
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
    sample: Callable[[Tensor, Tensor, Generator], Tensor]
    doubt: Callable[[Tensor], str] = no_doubt

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by name: the functions of a family are code, not data."""
        return (_named, (self.name,)) if FAMILIES.get(self.name) is self else super().__reduce__()

    @property
    def kind(self) -> str:
        """What the likelihood is of: ``"density"`` or ``"probability"``."""
        return "density" if self.dispersed else "probability"

    def row_loglik(self, y: Tensor, eta: Tensor, sigma: Tensor) -> Tensor:
        """Log-density of rows; sigma, the root of phi, is one where there is no dispersion."""
        if not self.dispersed:
            return y * eta - self.cumulant(eta) + self.base(y)
        # The normal; y eta - eta^2 / 2 - y^2 / 2 would cancel far from zero.
        return -(((y - eta) / sigma) ** 2) / 2 - sigma.log() - HALF_LOG_TWO_PI


def _linear_exp(eta: Tensor) -> Tensor:
    """Continue exp above STEEP by its tangent."""
    return torch.where(eta > STEEP, math.exp(STEEP) * (1 + eta - STEEP), eta.clamp(max=STEEP).exp())


def _steep_exp(eta: Tensor) -> Tensor:
    return eta.clamp(max=STEEP).exp()


def _bernoulli_variance(eta: Tensor) -> Tensor:
    return torch.sigmoid(eta) * torch.sigmoid(-eta)


def _no_base(y: Tensor) -> Tensor:
    return torch.zeros_like(y)


def _refuse_truth(y: Tensor) -> str:
    bad = (y != 0) & (y != 1)
    return f"has values other than 0 and 1 in {rows_of(y, bad)}." if bad.any() else ""


def _sample_normal(mean: Tensor, sigma: Tensor, generator: Generator) -> Tensor:
    return mean + sigma * torch.randn(mean.shape, generator=generator, dtype=mean.dtype)


def _sample_counts(mean: Tensor, sigma: Tensor, generator: Generator) -> Tensor:  # noqa: ARG001 - one signature
    return torch.poisson(mean, generator=generator)


def _sample_truth(mean: Tensor, sigma: Tensor, generator: Generator) -> Tensor:  # noqa: ARG001 - one signature
    return torch.bernoulli(mean, generator=generator)


GAUSSIAN = Family(
    name="gaussian",
    cumulant=lambda eta: eta * eta / 2,
    mean=lambda eta: eta,
    variance=torch.ones_like,
    dispersed=True,
    exponential=False,
    base=_no_base,
    stabilise=lambda y: y,
    refuse=no_doubt,
    sample=_sample_normal,
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
    refuse=refuse_negative,
    sample=_sample_counts,
    doubt=doubt_counts,
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
    sample=_sample_truth,
)

FAMILIES: dict[str, Family] = {
    "gaussian": GAUSSIAN,
    "normal": GAUSSIAN,
    "poisson": POISSON,
    "logit": BERNOULLI,
    "bernoulli": BERNOULLI,
    "binomial": BERNOULLI,
}


def _named(name: str) -> Family:
    """The family of a pickle."""
    return FAMILIES[name]
