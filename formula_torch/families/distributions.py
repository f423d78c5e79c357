"""Distributions of the response in terms of their mean: exponential dispersion families, one value each.

    Var(y) = phi V(mu) / w,    d l / d mu = w (y - mu) / (phi V(mu))

with weights w: trials of a proportion, or what the variance is divided by. The log-likelihood is that of means
equal to y less w d(y, mu) / (2 phi), with d the unit deviance (Jorgensen 1997, The Theory of Dispersion Models).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["DISTRIBUTIONS", "Distribution", "entropy", "tweedie"]

Elementwise = Callable[[Tensor], Tensor]
LOG_TWO_PI = math.log(2 * math.pi)
# A mean this near the edge of its range is moved inside, for the first step only.
EDGE = 0.1


@dataclass(frozen=True)
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
    refuse, doubt : callable
        From y to what is wrong with it, or strange, or an empty text.
    """

    name: str
    link: str
    variance: Elementwise
    variance_slope: Elementwise
    deviance: Callable[[Tensor, Tensor], Tensor]
    saturated: Callable[[Tensor, Tensor, Tensor], Tensor] | None
    dispersed: bool
    begin: Callable[[Tensor, Tensor], Tensor]
    refuse: Callable[[Tensor], str]
    doubt: Callable[[Tensor], str]

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by name: the functions of a distribution are code, not data."""
        return (_named, (self.name,)) if DISTRIBUTIONS.get(self.name) is self else super().__reduce__()


def _named(name: str) -> Distribution:
    return DISTRIBUTIONS[name]


def _no_text(y: Tensor) -> str:  # noqa: ARG001 - one signature
    return ""


def _shrunk(y: Tensor, centre: Tensor) -> Tensor:
    return (y + centre) / 2


def _first(y: Tensor, bad: Tensor) -> str:
    return f"{int(bad.sum())} rows (first: {float(y[bad][0]):g})"


def _refuse_negative(y: Tensor) -> str:
    bad = y < 0
    return f"is negative in {_first(y, bad)}; counts are needed." if bad.any() else ""


def _refuse_not_positive(y: Tensor) -> str:
    bad = y <= 0
    return f"is zero or negative in {_first(y, bad)}; this family is of positive numbers." if bad.any() else ""


def _refuse_outside(y: Tensor) -> str:
    bad = (y < 0) | (y > 1)
    if not bad.any():
        return ""
    return (
        f"lies outside 0 to 1 in {_first(y, bad)}; a binomial response is 0 or 1, or a proportion with the trials as "
        "weights=."
    )


def _doubt_counts(y: Tensor) -> str:
    bad = y != y.round()
    return f"is not a whole number in {_first(y, bad)}; of counts this is a quasi-likelihood." if bad.any() else ""


def _x_log_ratio(x: Tensor, mu: Tensor) -> Tensor:
    """X log(x / mu), zero where x is."""
    return torch.xlogy(x, torch.where(x > 0, x, 1.0) / mu)


def _poisson_deviance(y: Tensor, mu: Tensor) -> Tensor:
    return 2 * (_x_log_ratio(y, mu) - (y - mu))


def _binomial_deviance(y: Tensor, mu: Tensor) -> Tensor:
    return 2 * (_x_log_ratio(y, mu) + _x_log_ratio(1 - y, 1 - mu))


def _gamma_deviance(y: Tensor, mu: Tensor) -> Tensor:
    return 2 * ((y - mu) / mu - torch.log(y / mu))


def _normal_saturated(y: Tensor, phi: Tensor, w: Tensor) -> Tensor:  # noqa: ARG001 - one signature
    return (w.log() - phi.log() - LOG_TWO_PI) / 2


def _poisson_saturated(y: Tensor, phi: Tensor, w: Tensor) -> Tensor:  # noqa: ARG001
    return w * (torch.xlogy(y, y) - y - torch.lgamma(y + 1))


def _binomial_saturated(y: Tensor, phi: Tensor, w: Tensor) -> Tensor:  # noqa: ARG001
    if bool(((y == 0) | (y == 1)).all()):
        return torch.zeros_like(y)
    ways = torch.lgamma(w + 1) - torch.lgamma(w * y + 1) - torch.lgamma(w - w * y + 1)
    return ways + w * entropy(y)


def entropy(y: Tensor) -> Tensor:
    """Minus the entropy of a share, y log y + (1 - y) log(1 - y); zero at 0 and 1."""
    return torch.xlogy(y, y) + torch.xlogy(1 - y, 1 - y)


def _gamma_saturated(y: Tensor, phi: Tensor, w: Tensor) -> Tensor:
    shape = w / phi
    return torch.xlogy(shape, shape) - shape - y.log() - torch.lgamma(shape)


def _inverse_gaussian_saturated(y: Tensor, phi: Tensor, w: Tensor) -> Tensor:
    return (w.log() - phi.log() - LOG_TWO_PI - 3 * y.log()) / 2


NORMAL = Distribution(
    "gaussian",
    "identity",
    torch.ones_like,
    torch.zeros_like,
    lambda y, mu: (y - mu) ** 2,
    _normal_saturated,
    True,
    lambda y, centre: y,  # noqa: ARG005 - one signature
    _no_text,
    _no_text,
)
BINOMIAL = Distribution(
    "binomial",
    "logit",
    lambda mu: mu * (1 - mu),
    lambda mu: 1 - 2 * mu,
    _binomial_deviance,
    _binomial_saturated,
    False,
    lambda y, centre: (y + 0.5) / 2,  # noqa: ARG005
    _refuse_outside,
    _no_text,
)
POISSON = Distribution(
    "poisson",
    "log",
    lambda mu: mu,
    torch.ones_like,
    _poisson_deviance,
    _poisson_saturated,
    False,
    _shrunk,
    _refuse_negative,
    _doubt_counts,
)
GAMMA = Distribution(
    "gamma",
    "inverse",
    lambda mu: mu * mu,
    lambda mu: 2 * mu,
    _gamma_deviance,
    _gamma_saturated,
    True,
    _shrunk,
    _refuse_not_positive,
    _no_text,
)
INVERSE_GAUSSIAN = Distribution(
    "inverse_gaussian",
    "inverse_squared",
    lambda mu: mu**3,
    lambda mu: 3 * mu * mu,
    lambda y, mu: (y - mu) ** 2 / (y * mu * mu),
    _inverse_gaussian_saturated,
    True,
    _shrunk,
    _refuse_not_positive,
    _no_text,
)


def _quasi(of: Distribution, name: str) -> Distribution:
    """The same mean and variance, with a dispersion in place of a likelihood."""
    return Distribution(
        name, of.link, of.variance, of.variance_slope, of.deviance, None, True, of.begin, of.refuse, _no_text
    )


def tweedie(power: float) -> Distribution:
    """The family with V(mu) = mu^power, for 1 < power < 2 of sums of a Poisson number of gamma amounts.

    Parameters
    ----------
    power : float
        Above 1; between 1 and 2 zeros are allowed.

    Raises
    ------
    ValueError
        There is no such distribution.
    """
    if power <= 1 or power == 2:
        raise ValueError(f"tweedie({power:g}): the power must be above 1, and 2 is the gamma family.")

    def deviance(y: Tensor, mu: Tensor) -> Tensor:
        a, b = 1 - power, 2 - power
        return 2 * (torch.where(y > 0, y, 0.0) ** b / (a * b) * (y > 0) - y * mu**a / a + mu**b / b)

    return Distribution(
        f"tweedie({power:g})",
        "log",
        lambda mu: mu**power,
        lambda mu: power * mu ** (power - 1),
        deviance,
        None,
        True,
        _shrunk,
        _refuse_negative if power < 2 else _refuse_not_positive,
        _no_text,
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
