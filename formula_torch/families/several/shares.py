"""Shares strictly between 0 and 1: beta regression (Ferrari and Cribari-Neto 2004, J. Applied Statistics 31:799-815).

    l = log G(phi) - log G(mu phi) - log G((1 - mu) phi) + (mu phi - 1) log y + ((1 - mu) phi - 1) log(1 - y)

with the mean mu = m(eta_1), m the inverse of the link, and the precision phi = exp(eta_2), so that
Var y = mu (1 - mu) / (1 + phi).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from formula_torch.families.links import LINKS, Link
from formula_torch.families.several.gamma_ratio import trigamma
from formula_torch.families.several.protocol import (
    Derivatives,
    Numeric,
    Predictor,
    chosen,
    constant_rows,
    weighted_mean,
)
from formula_torch.families.support import rows_of

__all__ = ["Beta"]

MEAN = Predictor("mean", "main", "", "mean")
PRECISION = Predictor("phi", "own", "phi:", "precision", positive=True, argument="dispersion")


@dataclass(frozen=True)
class Beta(Numeric):
    """Beta with mean and precision.

    Parameters
    ----------
    link : Link
        Of the mean.
    """

    link: Link = LINKS["logit"]
    name = "beta"
    kind = "density"
    scale = "logit"
    exponential = False
    predictors = (MEAN, PRECISION)

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor:
        """Log-density of rows."""
        return self._value(y, self.link.mean(eta[0]), eta[1].exp())

    def _value(self, y: Tensor, mu: Tensor, phi: Tensor) -> Tensor:
        p, q = mu * phi, (1 - mu) * phi
        gammas = torch.lgamma(phi) - torch.lgamma(p) - torch.lgamma(q)
        return gammas + (p - 1) * y.log() + (q - 1) * torch.log1p(-y)

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives:
        """Derivatives in mu and phi, carried to eta by the link and the logarithm."""
        mu, slope, bend, phi = (
            self.link.mean(eta[0]),
            self.link.slope(eta[0]),
            self.link.curvature(eta[0]),
            eta[1].exp(),
        )
        p, q = mu * phi, (1 - mu) * phi
        rest = torch.digamma(q) - torch.log1p(-y)
        left = torch.logit(y) - (torch.digamma(p) - torch.digamma(q))
        by_mu, by_phi = phi * left, mu * left - rest + torch.digamma(phi)
        one, other = trigamma(p), trigamma(q)
        second = {
            (0, 0): by_mu * bend - (phi * slope) ** 2 * (one + other),
            (0, 1): phi * slope * (left - p * one + q * other),
            (1, 1): phi * by_phi + phi**2 * trigamma(phi) - p**2 * one - q**2 * other,
        }
        return Derivatives(self._value(y, mu, phi), torch.stack([by_mu * slope, phi * by_phi]), chosen(second))

    def expected(self, eta: Tensor) -> Tensor:
        """The mean."""
        return self.link.mean(eta[:1])

    def variance(self, eta: Tensor) -> Tensor:
        """Variance mu (1 - mu) / (1 + phi)."""
        mu = self.expected(eta)
        return mu * (1 - mu) / (1 + eta[1:].exp())

    def begin(self, y: Tensor, weights: Tensor | None) -> Tensor:
        """The response on the scale of the link, and phi by the variance."""
        mean = weighted_mean(y, weights)
        variance = max(weighted_mean((y - mean) ** 2, weights), 1e-12)
        phi = max(mean * (1 - mean) / variance - 1, 0.1)
        return torch.stack([self.link.link((y + mean) / 2), constant_rows(y, math.log(phi))])

    def refuse(self, y: Tensor) -> str:
        """Shares strictly between 0 and 1."""
        bad = (y <= 0) | (y >= 1)
        if not bad.any():
            # Of one value the likelihood is highest at a precision without end.
            same = len(y) > 1 and bool((y == y[0]).all())
            return f"is {float(y[0]):g} in every row: there is no precision to estimate." if same else ""
        return f"does not lie strictly between 0 and 1 in {rows_of(y, bad)}; beta regression has no zeros and ones."

    def doubt(self, y: Tensor) -> str:  # noqa: ARG002 - one signature
        """Nothing."""
        return ""

    def without(self, predictor: str) -> None:
        """No predictor has a limit."""
