"""Counts with zeros of another source, by any distribution of counts.

Zero-inflated: Lambert (1992), Technometrics 34:1-14. Hurdle: Mullahy (1986), J. Econometrics 33:341-365.

Zero-inflated, with pi = 1 / (1 + exp(-g)) the probability of a zero that is certain:

    l(0) = log(pi + (1 - pi) f(0)),   l(y) = log(1 - pi) + log f(y)

Hurdle, with pi the probability of a count above zero (the sign of pscl's ``hurdle``):

    l(0) = log(1 - pi),   l(y) = log pi + log f(y) - log(1 - f(0))
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from formula_torch.families.several.counts import COUNTS, CountFamily
from formula_torch.families.several.protocol import (
    Derivatives,
    Numeric,
    Predictor,
    constant_rows,
    log_odds,
    weighted_mean,
)

__all__ = ["Hurdle", "ZeroInflated", "hurdle", "zero_inflated"]

INFLATION = Predictor(
    "inflate",
    "own",
    "inflate_",
    "inflation",
    argument="inflation",
    limit="there are no zeros in excess: the share of certain zeros is at its boundary, 0",
)
ZERO = Predictor("zero", "own", "zero_", "zero", argument="inflation")


@dataclass(frozen=True)
class _WithZeros(Numeric):
    """What both share: the distribution of counts, and what a response must have.

    Parameters
    ----------
    base : CountFamily
    """

    base: CountFamily
    kind = "probability"
    exponential = True

    def refuse(self, y: Tensor) -> str:
        """Counts, of which some are zero and some are not."""
        if message := self.base.refuse(y):
            return message
        if not bool((y == 0).any()):
            return "has no zeros, of which this family has a model; leave them to the distribution of counts."
        return "" if bool((y > 0).any()) else "is zero in every row."

    def doubt(self, y: Tensor) -> str:
        """As of the counts."""
        return self.base.doubt(y)

    def _positive(self, y: Tensor, weights: Tensor | None) -> tuple[Tensor, float, float]:
        """Counts with the zeros replaced by the mean of the others, that mean, and the share of zeros."""
        zero = y == 0
        own = None if weights is None else weights[~zero]
        mean = weighted_mean(y[~zero], own)
        return torch.where(zero, mean, y), mean, weighted_mean(zero.double(), weights)


@dataclass(frozen=True)
class ZeroInflated(_WithZeros):
    """Counts, or with some probability a certain zero."""

    @property
    def name(self) -> str:
        """As it is spelled."""
        return f"zero_inflated_{self.base.name}"

    @property
    def predictors(self) -> tuple[Predictor, ...]:
        """Those of the counts, and the log odds of a certain zero."""
        return (*self.base.predictors, INFLATION)

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor:
        """Log-probability of rows."""
        counts = logsigmoid(-eta[-1]) + self.base.loglik(y, eta[:-1])
        return torch.where(y == 0, torch.logaddexp(logsigmoid(eta[-1]), counts), counts)

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives:
        """Through v, the probability that a row is a draw of the counts given its y: 1 unless that is zero."""
        own, g = self.base.derivatives(y, eta[:-1]), eta[-1]
        counts = logsigmoid(-g) + own.value
        value = torch.where(y == 0, torch.logaddexp(logsigmoid(g), counts), counts)
        v, certain = torch.exp(counts - value), torch.where(y == 0, torch.exp(logsigmoid(g) - value), 0.0)
        share, both, last = torch.sigmoid(g), v * certain, len(eta) - 1

        def second(j: int, k: int) -> Tensor | None:
            if j == last:
                return both - share * torch.sigmoid(-g)
            if k == last:
                return -both * own.first[j]
            return _added(own.second(j, k), v, both * own.first[j] * own.first[k])

        return Derivatives(value, torch.cat([v * own.first, (certain - share)[None]]), second)

    def expected(self, eta: Tensor) -> Tensor:
        """(1 - pi) times the mean of the counts."""
        return torch.sigmoid(-eta[-1]) * self.base.expected(eta[:-1])

    def variance(self, eta: Tensor) -> Tensor:
        """(1 - pi) (V + pi mu^2)."""
        share, mu = torch.sigmoid(eta[-1]), self.base.expected(eta[:-1])
        return (1 - share) * (self.base.variance(eta[:-1]) + share * mu**2)

    def begin(self, y: Tensor, weights: Tensor | None) -> Tensor:
        """The counts without their zeros, and zeros in excess of a Poisson of that mean."""
        filled, mean, zeros = self._positive(y, weights)
        none = math.exp(-mean)
        excess = max((zeros - none) / (1 - none), 0.1)
        return torch.cat([self.base.begin(filled, weights), constant_rows(y, log_odds(excess))[None]])

    def without(self, predictor: str) -> CountFamily | ZeroInflated | None:
        """The counts where no zero is certain; or simpler counts."""
        if predictor == "inflate":
            return self.base
        base = self.base.without(predictor)
        return None if base is None else ZeroInflated(base)


@dataclass(frozen=True)
class Hurdle(_WithZeros):
    """Zero or not by a logit, and counts above zero by a distribution without its zero."""

    @property
    def name(self) -> str:
        """As it is spelled."""
        return f"hurdle_{self.base.name}"

    @property
    def predictors(self) -> tuple[Predictor, ...]:
        """Those of the counts, and the log odds of a count above zero."""
        return (*self.base.predictors, ZERO)

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor:
        """Log-probability of rows."""
        counts = self.base.loglik(y, eta[:-1]) + self._log_above(eta)
        return torch.where(y == 0, logsigmoid(-eta[-1]), logsigmoid(eta[-1]) + counts)

    def _log_above(self, eta: Tensor) -> Tensor:
        """-log(1 - f(0)), by expm1, which keeps the digits of counts that are nearly all zero."""
        return -torch.log(-torch.expm1(self.base.loglik(torch.zeros_like(eta[0]), eta[:-1])))

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives:
        """Through t = f(0) / (1 - f(0)): -log(1 - f(0)) has the derivatives t b' and t b'' + t (1 + t) b'b'."""
        zero, g, last = y == 0, eta[-1], len(eta) - 1
        own, none = self.base.derivatives(y, eta[:-1]), self.base.derivatives(torch.zeros_like(y), eta[:-1])
        t = 1 / torch.expm1(-none.value)
        share = torch.sigmoid(g)
        counts = own.value - torch.log(-torch.expm1(none.value))
        value = torch.where(zero, logsigmoid(-g), logsigmoid(g) + counts)
        first = torch.cat([torch.where(zero, 0.0, own.first + t * none.first), ((~zero).double() - share)[None]])

        def second(j: int, k: int) -> Tensor | None:
            if j == last:
                return -share * torch.sigmoid(-g)
            if k == last:
                return None
            bend = _added(none.second(j, k), t, t * (1 + t) * none.first[j] * none.first[k])
            found = own.second(j, k)
            return torch.where(zero, 0.0, bend if found is None else bend + found)

        return Derivatives(value, first, second)

    def expected(self, eta: Tensor) -> Tensor:
        """Mean pi mu / (1 - f(0))."""
        return torch.exp(logsigmoid(eta[-1]) + self._log_above(eta)) * self.base.expected(eta[:-1])

    def variance(self, eta: Tensor) -> Tensor:
        """Variance pi (V + mu^2) / (1 - f(0)), less the square of the mean."""
        above = torch.exp(logsigmoid(eta[-1]) + self._log_above(eta))
        second = self.base.variance(eta[:-1]) + self.base.expected(eta[:-1]) ** 2
        return above * second - self.expected(eta) ** 2

    def begin(self, y: Tensor, weights: Tensor | None) -> Tensor:
        """The counts without their zeros, and the share of those."""
        filled, _, zeros = self._positive(y, weights)
        return torch.cat([self.base.begin(filled, weights), constant_rows(y, log_odds(1 - zeros))[None]])

    def without(self, predictor: str) -> Hurdle | None:
        """A hurdle before simpler counts."""
        base = self.base.without(predictor)
        return None if base is None else Hurdle(base)


def _added(bend: Tensor | None, share: Tensor, more: Tensor) -> Tensor:
    return more if bend is None else share * bend + more


def _counts(base: CountFamily | str) -> CountFamily:
    if not isinstance(base, str):
        return base
    if base not in COUNTS:
        raise ValueError(f"{base!r} is no distribution of counts; use one of {', '.join(map(repr, COUNTS))}.")
    return COUNTS[base]


def zero_inflated(base: CountFamily | str = "poisson") -> ZeroInflated:
    """A distribution of counts with zeros that are certain.

    Parameters
    ----------
    base : str or family of counts
        ``"poisson"``, ``"negative_binomial"`` or ``"nb1"``.

    Raises
    ------
    ValueError
        It is no distribution of counts.

    Examples
    --------
    >>> zero_inflated("negative_binomial").name
    'zero_inflated_negative_binomial'
    """
    return ZeroInflated(_counts(base))


def hurdle(base: CountFamily | str = "poisson") -> Hurdle:
    """A logit of a count above zero, and a distribution of counts without its zero.

    Parameters
    ----------
    base : str or family of counts
        ``"poisson"``, ``"negative_binomial"`` or ``"nb1"``.

    Raises
    ------
    ValueError
        It is no distribution of counts.

    Examples
    --------
    >>> hurdle("poisson").name
    'hurdle_poisson'
    """
    return Hurdle(_counts(base))
