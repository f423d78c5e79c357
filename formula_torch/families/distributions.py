"""Distributions of the response in terms of their mean: exponential dispersion families, one value each.

    Var(y) = phi V(mu) / w,    d l / d mu = w (y - mu) / (phi V(mu))

with weights w: trials of a proportion, or what the variance is divided by. The log-likelihood is that of means
equal to y less w d(y, mu) / (2 phi), with d the unit deviance (Jorgensen 1997, The Theory of Dispersion Models).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from formula_torch.families.by_count import by_count
from formula_torch.families.support import (
    doubt_counts,
    no_doubt,
    refuse_negative,
    refuse_not_positive,
    refuse_outside_shares,
)

__all__ = ["DISTRIBUTIONS", "Distribution", "entropy", "tweedie", "x_log_ratio"]

Elementwise = Callable[[Tensor], Tensor]
LOG_TWO_PI = math.log(2 * math.pi)


@dataclass(frozen=True, repr=False)
class Distribution:
    """An exponential dispersion family as a value.

    Parameters
    ----------
    name : str
    link : str
        The canonical link, or what is usual.
    variance, variance_slope : callable
        V and V' of the mean.
    deviance : callable
        From y and mu to the unit deviance.
    saturated : callable or None
        From y, phi and w to the log-likelihood of rows with means y; None where there is none (quasi).
    dispersed : bool
        Whether phi is estimated; 1 otherwise.
    begin : callable
        From y and its mean to first means, inside the range.
    stabilise : callable
        A transformation of y whose variance hardly depends on its mean.
    refuse, doubt : callable
        From y to what is wrong with it, or strange, or an empty text.
    lowest, highest : float
        Ends of the range of the mean.
    canonical : str or None
        The link by which eta is the natural parameter itself, its sign included; None where none here is.
    power : float, optional
        Of the variance function, in Tweedie's family.
    """

    name: str
    link: str
    variance: Elementwise
    variance_slope: Elementwise
    deviance: Callable[[Tensor, Tensor], Tensor]
    saturated: Callable[[Tensor, Tensor, Tensor], Tensor] | None
    dispersed: bool
    begin: Callable[[Tensor, Tensor], Tensor]
    stabilise: Elementwise
    refuse: Callable[[Tensor], str]
    doubt: Callable[[Tensor], str]
    lowest: float = 0.0
    highest: float = math.inf
    canonical: str | None = None
    power: float | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def of_shares(self) -> bool:
        """Whether the mean is a probability."""
        return self.highest == 1

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by name: the functions of a distribution are code, not data."""
        if self.power is not None:
            return tweedie, (self.power,)
        return (_named, (self.name,)) if DISTRIBUTIONS.get(self.name) is self else super().__reduce__()


def _named(name: str) -> Distribution:
    return DISTRIBUTIONS[name]


def _shrunk(y: Tensor, centre: Tensor) -> Tensor:
    return (y + centre) / 2


def x_log_ratio(x: Tensor, mu: Tensor) -> Tensor:
    """X log(x / mu), zero where x is."""
    return torch.xlogy(x, torch.where(x > 0, x, 1.0) / mu)


def _poisson_deviance(y: Tensor, mu: Tensor) -> Tensor:
    return 2 * (x_log_ratio(y, mu) - (y - mu))


def _binomial_deviance(y: Tensor, mu: Tensor) -> Tensor:
    return 2 * (x_log_ratio(y, mu) + x_log_ratio(1 - y, 1 - mu))


def _gamma_deviance(y: Tensor, mu: Tensor) -> Tensor:
    return 2 * ((y - mu) / mu - torch.log(y / mu))


def _normal_saturated(y: Tensor, phi: Tensor, w: Tensor) -> Tensor:  # noqa: ARG001 - one signature
    return (w.log() - phi.log() - LOG_TWO_PI) / 2


def _poisson_saturated(y: Tensor, phi: Tensor, w: Tensor) -> Tensor:  # noqa: ARG001
    return w * by_count(lambda counts: torch.xlogy(counts, counts) - counts - torch.lgamma(counts + 1), y)


def _binomial_saturated(y: Tensor, phi: Tensor, w: Tensor) -> Tensor:  # noqa: ARG001
    if _certain(y):
        return torch.zeros_like(y)
    ways = torch.lgamma(w + 1) - torch.lgamma(w * y + 1) - torch.lgamma(w - w * y + 1)
    return ways + w * entropy(y)


def entropy(y: Tensor) -> Tensor:
    """Minus the entropy of a share, y log y + (1 - y) log(1 - y); zero at 0 and 1."""
    return torch.zeros_like(y) if _certain(y) else torch.xlogy(y, y) + torch.xlogy(1 - y, 1 - y)


def _certain(y: Tensor) -> bool:
    """Whether every share is 0 or 1: y (1 - y), which then is exactly zero, is cheaper than logarithms."""
    return not bool((y - y * y).any())


def _gamma_saturated(y: Tensor, phi: Tensor, w: Tensor) -> Tensor:
    shape = w / phi
    return torch.xlogy(shape, shape) - shape - y.log() - torch.lgamma(shape)


def _inverse_gaussian_saturated(y: Tensor, phi: Tensor, w: Tensor) -> Tensor:
    return (w.log() - phi.log() - LOG_TWO_PI - 3 * y.log()) / 2


def _itself(y: Tensor) -> Tensor:
    return y


NORMAL = Distribution(
    name="gaussian",
    link="identity",
    variance=torch.ones_like,
    variance_slope=torch.zeros_like,
    deviance=lambda y, mu: (y - mu) ** 2,
    saturated=_normal_saturated,
    dispersed=True,
    begin=lambda y, centre: y,  # noqa: ARG005 - one signature
    stabilise=_itself,
    refuse=no_doubt,
    doubt=no_doubt,
    lowest=-math.inf,
    canonical="identity",
)
BINOMIAL = Distribution(
    name="binomial",
    link="logit",
    variance=lambda mu: mu * (1 - mu),
    variance_slope=lambda mu: 1 - 2 * mu,
    deviance=_binomial_deviance,
    saturated=_binomial_saturated,
    dispersed=False,
    begin=lambda y, centre: (y + 0.5) / 2,  # noqa: ARG005
    stabilise=lambda y: 4 * y,
    refuse=refuse_outside_shares,
    doubt=no_doubt,
    highest=1.0,
    canonical="logit",
)
POISSON = Distribution(
    name="poisson",
    link="log",
    variance=_itself,
    variance_slope=torch.ones_like,
    deviance=_poisson_deviance,
    saturated=_poisson_saturated,
    dispersed=False,
    begin=_shrunk,
    stabilise=lambda y: 2 * (y + 0.375).sqrt(),
    refuse=refuse_negative,
    doubt=doubt_counts,
    canonical="log",
)
GAMMA = Distribution(
    name="gamma",
    link="inverse",
    variance=lambda mu: mu * mu,
    variance_slope=lambda mu: 2 * mu,
    deviance=_gamma_deviance,
    saturated=_gamma_saturated,
    dispersed=True,
    begin=_shrunk,
    stabilise=torch.log,
    refuse=refuse_not_positive,
    doubt=no_doubt,
)
INVERSE_GAUSSIAN = Distribution(
    name="inverse_gaussian",
    link="inverse_squared",
    variance=lambda mu: mu**3,
    variance_slope=lambda mu: 3 * mu * mu,
    deviance=lambda y, mu: (y - mu) ** 2 / (y * mu * mu),
    saturated=_inverse_gaussian_saturated,
    dispersed=True,
    begin=_shrunk,
    stabilise=torch.log,
    refuse=refuse_not_positive,
    doubt=no_doubt,
)


def _quasi(of: Distribution, name: str) -> Distribution:
    """The same mean and variance, with a dispersion in place of a likelihood."""
    return replace(of, name=name, saturated=None, dispersed=True, doubt=no_doubt)


def tweedie(power: float) -> Distribution:
    """Return the family with V(mu) = mu^power; for 1 < power < 2 sums of a Poisson number of gamma amounts.

    It is fitted by its quasi-likelihood, whose maximum is that of the likelihood (Dunn and Smyth 2005, Statistics
    and Computing 15:267-280); there is no log-likelihood.

    Parameters
    ----------
    power : float
        Above 1; between 1 and 2 zeros are allowed.

    Raises
    ------
    ValueError
        There is no such distribution.

    Examples
    --------
    >>> import formula_torch as ft
    >>> fit = ft.fit("drvisits ~ private", ft.datasets.visits(), family=ft.families.tweedie(1.5))
    >>> fit.params.round(4).to_dict()
    {'Intercept': 1.8617, 'private': 0.1147}
    """
    if power <= 1 or power == 2:
        raise ValueError(f"tweedie({power:g}): the power must be above 1, and 2 is the gamma family.")

    def deviance(y: Tensor, mu: Tensor) -> Tensor:
        a, b = 1 - power, 2 - power
        own = torch.where(y > 0, torch.where(y > 0, y, 1.0) ** b, 0.0) / (a * b)
        return 2 * (own - y * mu**a / a + mu**b / b)

    return Distribution(
        name=f"tweedie({power:g})",
        link="log",
        variance=lambda mu: mu**power,
        variance_slope=lambda mu: power * mu ** (power - 1),
        deviance=deviance,
        saturated=None,
        dispersed=True,
        begin=_shrunk,
        stabilise=_itself,
        refuse=refuse_negative if power < 2 else refuse_not_positive,
        doubt=no_doubt,
        power=power,
    )


DISTRIBUTIONS: dict[str, Distribution] = {
    "gaussian": NORMAL,
    "binomial": BINOMIAL,
    "poisson": POISSON,
    "gamma": GAMMA,
    "inverse_gaussian": INVERSE_GAUSSIAN,
    "quasipoisson": _quasi(POISSON, "quasipoisson"),
    "quasibinomial": _quasi(BINOMIAL, "quasibinomial"),
}
