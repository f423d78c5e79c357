"""Links between the mean of a response and its linear predictor, one value each.

A link knows the mean as a function of eta with two derivatives, evaluated where they do not overflow. Links to a
probability know also the logarithms of the mean and of one less it, which tails need.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch.special import log_ndtr, ndtr, ndtri

__all__ = ["LINKS", "Link", "Tails", "power_link", "resolve_link"]

Elementwise = Callable[[Tensor], Tensor]
ROOT_TWO_PI = math.sqrt(2 * math.pi)
# exp overflows above 709; a mean of this size is one of no data.
LARGEST = 700.0


@dataclass(frozen=True)
class Tails:
    """Logarithms of a probability, of one less it, and of its slope in eta; and the derivative of the last."""

    log_mean: Elementwise
    log_rest: Elementwise
    log_slope: Elementwise
    turn: Elementwise


@dataclass(frozen=True, repr=False)
class Link:
    """A link as a value.

    Parameters
    ----------
    name : str
    link : callable
        eta from the mean.
    mean, slope, curvature : callable
        The mean from eta, and its two derivatives.
    tails : Tails or None
        Of a link to a probability.
    power : float, optional
        Of the mean, in a power link.
    """

    name: str
    link: Elementwise
    mean: Elementwise
    slope: Elementwise
    curvature: Elementwise
    tails: Tails | None = None
    power: float | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by name: the functions of a link are code, not data."""
        if self.power is not None:
            return power_link, (self.power, self.name)
        return (resolve_link, (self.name,)) if LINKS.get(self.name) is self else super().__reduce__()


def _exp(eta: Tensor) -> Tensor:
    return eta.clamp(max=LARGEST).exp()


def _logistic_curvature(eta: Tensor) -> Tensor:
    p, q = torch.sigmoid(eta), torch.sigmoid(-eta)
    return p * q * (q - p)


def _density(eta: Tensor) -> Tensor:
    return torch.exp(-eta * eta / 2) / ROOT_TWO_PI


def _gumbel_log_slope(eta: Tensor) -> Tensor:
    """Log of exp(eta - exp(eta))."""
    return eta - _exp(eta)


def _log_one_minus_exp(x: Tensor) -> Tensor:
    """log(1 - exp(-x)) for x > 0, by whichever form keeps the digits (Maechler 2012)."""
    return torch.where(x < math.log(2), torch.log(-torch.expm1(-x)), torch.log1p(-torch.exp(-x)))


def _cloglog_log_mean(eta: Tensor) -> Tensor:
    # Far down exp(eta) is nothing, and its logarithm is not.
    return torch.where(eta < -40, eta, _log_one_minus_exp(_exp(eta)))


def _gumbel_slope(eta: Tensor) -> Tensor:
    return torch.exp(_gumbel_log_slope(eta))


def _cauchy(eta: Tensor) -> Tensor:
    # The tail by the arctangent of 1 / eta, which does not cancel against a half.
    tail = torch.atan(1 / torch.where(eta == 0, 1.0, eta)) / math.pi
    return torch.where(eta < -1, -tail, torch.where(eta > 1, 1 - tail, 0.5 + torch.atan(eta) / math.pi))


IDENTITY = Link("identity", lambda mu: mu, lambda eta: eta, torch.ones_like, torch.zeros_like)
LOG = Link("log", torch.log, _exp, _exp, _exp)
LOGIT = Link(
    "logit",
    torch.logit,
    torch.sigmoid,
    lambda eta: torch.sigmoid(eta) * torch.sigmoid(-eta),
    _logistic_curvature,
    Tails(
        logsigmoid,
        lambda eta: logsigmoid(-eta),
        lambda eta: logsigmoid(eta) + logsigmoid(-eta),
        lambda eta: -torch.tanh(eta / 2),
    ),
)
PROBIT = Link(
    "probit",
    ndtri,
    ndtr,
    _density,
    lambda eta: -eta * _density(eta),
    Tails(log_ndtr, lambda eta: log_ndtr(-eta), lambda eta: -eta * eta / 2 - math.log(ROOT_TWO_PI), lambda eta: -eta),
)
CLOGLOG = Link(
    "cloglog",
    lambda mu: torch.log(-torch.log1p(-mu)),
    lambda eta: -torch.expm1(-_exp(eta)),
    _gumbel_slope,
    lambda eta: _gumbel_slope(eta) * (1 - _exp(eta)),
    Tails(_cloglog_log_mean, lambda eta: -_exp(eta), _gumbel_log_slope, lambda eta: 1 - _exp(eta)),
)
LOGLOG = Link(
    "loglog",
    lambda mu: -torch.log(-torch.log(mu)),
    lambda eta: torch.exp(-_exp(-eta)),
    lambda eta: _gumbel_slope(-eta),
    lambda eta: _gumbel_slope(-eta) * (_exp(-eta) - 1),
    Tails(
        lambda eta: -_exp(-eta),
        lambda eta: _cloglog_log_mean(-eta),
        lambda eta: _gumbel_log_slope(-eta),
        lambda eta: _exp(-eta) - 1,
    ),
)
CAUCHIT = Link(
    "cauchit",
    lambda mu: torch.tan(math.pi * (mu - 0.5)),
    _cauchy,
    lambda eta: 1 / (math.pi * (1 + eta * eta)),
    lambda eta: -2 * eta / (math.pi * (1 + eta * eta) ** 2),
    Tails(
        lambda eta: _cauchy(eta).log(),
        lambda eta: _cauchy(-eta).log(),
        lambda eta: -math.log(math.pi) - torch.log1p(eta * eta),
        lambda eta: -2 * eta / (1 + eta * eta),
    ),
)


def power_link(power: float, name: str | None = None) -> Link:
    """The link eta = mu^power; power 0 is the logarithm.

    Parameters
    ----------
    power : float
    name : str, optional
    """
    if power == 0:
        return LOG
    r = 1 / power
    return Link(
        name or f"power({power:g})",
        lambda mu: mu**power,
        lambda eta: eta**r,
        lambda eta: r * eta ** (r - 1),
        lambda eta: r * (r - 1) * eta ** (r - 2),
        power=power,
    )


LINKS: dict[str, Link] = {
    "identity": IDENTITY,
    "log": LOG,
    "logit": LOGIT,
    "probit": PROBIT,
    "cloglog": CLOGLOG,
    "loglog": LOGLOG,
    "cauchit": CAUCHIT,
    "inverse": power_link(-1, "inverse"),
    "inverse_squared": power_link(-2, "inverse_squared"),
    "sqrt": power_link(0.5, "sqrt"),
}


def resolve_link(given: Link | str) -> Link:
    """Read a link: a value, or one of its spellings.

    Raises
    ------
    ValueError
        Not known; the known ones are listed.
    """
    if isinstance(given, Link):
        return given
    if given not in LINKS:
        raise ValueError(f"link={given!r} is not known; use one of {', '.join(map(repr, LINKS))}.")
    return LINKS[given]
