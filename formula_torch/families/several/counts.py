"""Counts: Poisson and the negative binomial, with the mean mu = exp(eta_1) and alpha = exp(eta_2).

NB2 has the variance mu (1 + alpha mu), NB1 mu (1 + alpha) (Cameron and Trivedi 2013, Regression Analysis of Count Data,
2nd ed., section 3.3). Both are a gamma mixture of Poissons of size r, with p = mu / (r + mu) and

    l = P(y, r) + y eta - (y + r) log(1 + mu / r) - log y!,

where r is 1 / alpha, or mu / alpha. As alpha falls to zero everything below tends to the Poisson's without cancelling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from formula_torch.families.by_count import log_factorial
from formula_torch.families.several.gamma_ratio import gamma_ratio
from formula_torch.families.several.protocol import (
    Derivatives,
    Numeric,
    Predictor,
    chosen,
    constant_rows,
    weighted_mean,
)
from formula_torch.families.support import doubt_counts, refuse_negative

__all__ = ["COUNTS", "CountFamily", "NegativeBinomial1", "NegativeBinomial2", "PoissonCounts", "log1p_less"]

MEAN = Predictor("mean", "main", "", "mean")
ALPHA = Predictor(
    "alpha",
    "own",
    "alpha:",
    "dispersion",
    positive=True,
    argument="dispersion",
    limit="there is no overdispersion: alpha is at its boundary, 0, and the counts are Poisson",
)


class _Counts(Numeric):
    """What distributions of counts share."""

    kind = "probability"
    exponential = True

    def refuse(self, y: Tensor) -> str:
        """Negative numbers are no counts, and of zeros alone the mean has no logarithm."""
        return refuse_negative(y) or ("" if bool((y > 0).any()) else "is zero in every row.")

    def doubt(self, y: Tensor) -> str:
        """Fractions are no counts, but have a quasi-likelihood."""
        return doubt_counts(y)

    def expected(self, eta: Tensor) -> Tensor:
        """The mean, exp(eta)."""
        return eta[:1].exp()


@dataclass(frozen=True)
class PoissonCounts(_Counts):
    """Poisson: l = y eta - exp(eta) - log y!."""

    name = "poisson"
    predictors = (MEAN,)

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor:
        """Log-probability of rows."""
        return y * eta[0] - eta[0].exp() - log_factorial(y)

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives:
        """Value, y - mu, and -mu."""
        mu = eta[0].exp()
        return Derivatives(self.loglik(y, eta), (y - mu)[None], chosen({(0, 0): -mu}))

    def variance(self, eta: Tensor) -> Tensor:
        """The mean."""
        return self.expected(eta)

    def begin(self, y: Tensor, weights: Tensor | None) -> Tensor:
        """Half the way from each count to their mean."""
        return _log_means(y, weights)[None]

    def without(self, predictor: str) -> None:
        """No predictor has a limit."""


@dataclass(frozen=True)
class NegativeBinomial2(_Counts):
    """NB2: variance mu (1 + alpha mu)."""

    name = "negative_binomial"
    predictors = (MEAN, ALPHA)

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor:
        """Log-probability of rows."""
        ratio, _, _ = gamma_ratio(y, (-eta[1]).exp())
        return _value(y, eta[0], (-eta[1]).exp(), eta[0] + eta[1], ratio)

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives:
        """Derivatives in eta and s = log alpha, with r = 1 / alpha, u = (y - mu) / (r + mu)."""
        r, z = (-eta[1]).exp(), eta[0] + eta[1]
        ratio, a, b = gamma_ratio(y, r)
        p, q = torch.sigmoid(z), torch.sigmoid(-z)
        u = y * q / r - p
        by_r = a + log1p_less(u, y / r, z)
        second = {
            (0, 0): -p * q * (r + y),
            (0, 1): -r * u * p,
            (1, 1): r * by_r + r * r * (b + u * u / (r + y)),
        }
        first = torch.stack([y * q - r * p, -r * by_r])
        return Derivatives(_value(y, eta[0], r, z, ratio), first, chosen(second))

    def variance(self, eta: Tensor) -> Tensor:
        """Variance mu (1 + alpha mu)."""
        mu = self.expected(eta)
        return mu * (1 + eta[1:].exp() * mu)

    def begin(self, y: Tensor, weights: Tensor | None) -> Tensor:
        """The Poisson's, and alpha by the variance of the counts."""
        mean, excess = _excess(y, weights)
        return torch.stack([_log_means(y, weights), constant_rows(y, _log_within(excess / mean**2))])

    def without(self, predictor: str) -> PoissonCounts | None:
        """Poisson where alpha goes to zero."""
        return PoissonCounts() if predictor == "alpha" else None


@dataclass(frozen=True)
class NegativeBinomial1(_Counts):
    """NB1: variance mu (1 + alpha)."""

    name = "nb1"
    predictors = (MEAN, ALPHA)

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor:
        """Log-probability of rows."""
        r = (eta[0] - eta[1]).exp()
        ratio, _, _ = gamma_ratio(y, r)
        return _value(y, eta[0], r, eta[1], ratio)

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives:
        """Derivatives in eta and s = log alpha, with r = mu / alpha, through G(r) = P(y, r) + y log r."""
        r, s = (eta[0] - eta[1]).exp(), eta[1]
        ratio, a, b = gamma_ratio(y, r)
        p, q = torch.sigmoid(s), torch.sigmoid(-s)
        u = y * q / r - p
        less = log1p_less(u, y / r, s)
        # r (G' - log(1 + alpha)) and r^2 G''.
        rise, bend = r * (less + u + a), r * r * b - r * y / (r + y)
        second = {
            (0, 0): rise + bend,
            (0, 1): -rise - bend - r * p,
            (1, 1): rise + bend + 2 * r * p - (r + y) * p * q,
        }
        return Derivatives(_value(y, eta[0], r, s, ratio), torch.stack([rise, -r * (less + a)]), chosen(second))

    def variance(self, eta: Tensor) -> Tensor:
        """Variance mu (1 + alpha)."""
        return self.expected(eta) * (1 + eta[1:].exp())

    def begin(self, y: Tensor, weights: Tensor | None) -> Tensor:
        """The Poisson's, and alpha by the variance of the counts."""
        mean, excess = _excess(y, weights)
        return torch.stack([_log_means(y, weights), constant_rows(y, _log_within(excess / mean))])

    def without(self, predictor: str) -> PoissonCounts | None:
        """Poisson where alpha goes to zero."""
        return PoissonCounts() if predictor == "alpha" else None


CountFamily = PoissonCounts | NegativeBinomial2 | NegativeBinomial1
COUNTS: dict[str, CountFamily] = {
    "poisson": PoissonCounts(),
    "negative_binomial": NegativeBinomial2(),
    "nb1": NegativeBinomial1(),
}


def _value(y: Tensor, eta: Tensor, r: Tensor, z: Tensor, ratio: Tensor) -> Tensor:
    """Log-probabilities, with z = log(mu / r)."""
    return ratio + y * eta - (y + r) * torch.logaddexp(torch.zeros_like(z), z) - log_factorial(y)


def log1p_less(u: Tensor, x: Tensor, z: Tensor) -> Tensor:
    """log(1 + u) - u where 1 + u = (1 + x) / (1 + exp(z)): by u where that is small, by the quotient elsewhere."""
    small = u.abs() < 0.5
    quotient = torch.log1p(x) - torch.logaddexp(torch.zeros_like(z), z)
    return torch.where(small, torch.log1p(torch.where(small, u, 0.0)), quotient) - u


def _log_means(y: Tensor, weights: Tensor | None) -> Tensor:
    return ((y + max(weighted_mean(y, weights), 1e-3)) / 2).log()


def _excess(y: Tensor, weights: Tensor | None) -> tuple[float, float]:
    """Mean, and how much larger the variance is."""
    mean = max(weighted_mean(y, weights), 1e-3)
    return mean, weighted_mean((y - mean) ** 2, weights) - mean


def _log_within(alpha: float) -> float:
    return math.log(min(max(alpha, 0.05), 20.0))
