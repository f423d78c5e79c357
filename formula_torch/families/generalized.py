"""A distribution with a link: what a likelihood of one linear predictor needs, row by row, in eta.

With V the variance of the distribution and m the mean as a function of eta, times the dispersion,

    score        (y - m) m' / V
    information  m'^2 / V                                  (expected)
    curvature    m'^2 / V - (y - m) (m'' / V - m'^2 V' / V^2)    (observed)

Where the link is canonical m' / V is one; for a probability the three are taken from the logarithms of m and 1 - m,
so that tails keep their digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from formula_torch.families.distributions import DISTRIBUTIONS, Distribution, entropy
from formula_torch.families.links import LARGEST, Link, Tails, resolve_link

__all__ = ["GeneralizedFamily", "resolve_generalized"]

# A mean this near to an end of its range, as a share of the others, is where a climb was stopped by the end.
AT_EDGE = 1e-9


@dataclass(frozen=True)
class GeneralizedFamily:
    """A distribution of the response with its link.

    Parameters
    ----------
    distribution : Distribution
    link : Link
    """

    distribution: Distribution
    link: Link

    @property
    def name(self) -> str:
        """The distribution's name."""
        return self.distribution.name

    @property
    def dispersed(self) -> bool:
        """Whether the dispersion is estimated."""
        return self.distribution.dispersed

    @property
    def canonical(self) -> bool:
        """Whether eta is the natural parameter, where expected and observed information are equal."""
        return self.link.name == self.distribution.canonical

    @property
    def exponential(self) -> bool:
        """Whether the mean is exp(eta), so that an exposure makes sense."""
        return self.link.name == "log"

    @property
    def _tails(self) -> Tails | None:
        return self.link.tails if self.distribution.of_shares else None

    def mean(self, eta: Tensor) -> Tensor:
        """Mean of the response."""
        return self.link.mean(eta)

    def score(self, y: Tensor, eta: Tensor) -> Tensor:
        """Derivative of the log-likelihood of rows in eta, times the dispersion."""
        if self.canonical:
            return y - self.link.mean(eta)
        if (t := self._tails) is not None:
            slope = t.log_slope(eta)
            return y * torch.exp(slope - t.log_mean(eta)) - (1 - y) * torch.exp(slope - t.log_rest(eta))
        mu = self.link.mean(eta)
        return (y - mu) * self.link.slope(eta) / self.distribution.variance(mu)

    def information(self, eta: Tensor) -> Tensor:
        """Expected information of rows in eta, times the dispersion."""
        if self.canonical:
            return self.link.slope(eta)
        if (t := self._tails) is not None:
            return torch.exp(2 * t.log_slope(eta) - t.log_mean(eta) - t.log_rest(eta))
        return self.link.slope(eta) ** 2 / self.distribution.variance(self.link.mean(eta))

    def curvature(self, y: Tensor, eta: Tensor) -> Tensor:
        """Observed information of rows in eta, times the dispersion."""
        if self.canonical:
            return self.link.slope(eta)
        if (t := self._tails) is not None:
            slope, turn = t.log_slope(eta), t.turn(eta)
            up, down = torch.exp(slope - t.log_mean(eta)), torch.exp(slope - t.log_rest(eta))
            return y * up * (up - turn) + (1 - y) * down * (down + turn)
        mu, slope = self.link.mean(eta), self.link.slope(eta)
        v, bend = self.distribution.variance(mu), self.distribution.variance_slope(mu)
        return slope**2 / v - (y - mu) * (self.link.curvature(eta) / v - slope**2 * bend / v**2)

    @property
    def kind(self) -> str:
        """What the likelihood is of: ``"density"`` or ``"probability"``."""
        return "density" if self.dispersed else "probability"

    @property
    def everywhere(self) -> bool:
        """Whether every linear predictor has a mean, and another has another one."""
        eta = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
        rising = bool((self.link.mean(eta).diff() > 0).all())
        return rising and bool(self.deviance(torch.ones_like(eta), eta).isfinite().all())

    @property
    def reading(self) -> str:
        """How the formula is to read a response."""
        return "successes" if self.distribution.of_shares else "numbers"

    def tilt(self, eta: Tensor) -> Tensor:
        """Derivative in eta of the logarithm of the expected information of rows."""
        if (t := self._tails) is not None:
            slope = t.log_slope(eta)
            return 2 * t.turn(eta) - torch.exp(slope - t.log_mean(eta)) + torch.exp(slope - t.log_rest(eta))
        mu, slope = self.link.mean(eta), self.link.slope(eta)
        return 2 * self.link.curvature(eta) / slope - slope * self.distribution.variance_slope(mu) / (
            self.distribution.variance(mu)
        )

    def pull(self, y: Tensor) -> Tensor:
        """Where the likelihood of each row rises without end: as eta falls (-1), as eta rises (1), or nowhere (0)."""
        if self._tails is not None:
            return (y >= 1).to(y.dtype) - (y <= 0).to(y.dtype)
        falling, rising = self.link.mean(torch.tensor([-math.inf, math.inf], dtype=torch.float64)).tolist()
        # A mean that falls to zero, as of the logarithm, or of the inverse.
        return (y <= 0).to(y.dtype) * (1.0 if rising == 0 else -1.0 if falling == 0 else 0.0)

    @property
    def is_normal_linear(self) -> bool:
        """Whether this is least squares."""
        return self.name == "gaussian" and self.link.name == "identity"

    def pearson(self, y: Tensor, eta: Tensor) -> Tensor:
        """Squared residuals of rows over their variance, times the dispersion."""
        if (t := self._tails) is not None:
            # Where the mean is at an end of its range the residual is zero before the variance is.
            rest = y - self.link.mean(eta)
            return torch.where(rest == 0, 0.0, rest**2 * torch.exp(-t.log_mean(eta) - t.log_rest(eta)))
        mu = self._settled(self.link.mean(eta))
        return torch.where(y == mu, 0.0, (y - mu) ** 2 / self.distribution.variance(mu))

    def loglik(self, y: Tensor, eta: Tensor, phi: float | Tensor, w: Tensor) -> Tensor:
        """Log-likelihood of rows of weight w; NaN where there is none.

        Parameters
        ----------
        y, eta, w : Tensor, shape (n,)
        phi : float or Tensor
            The dispersion.
        """
        return self.saturated(y, phi, w) - w * self.deviance(y, eta) / (2 * phi)

    def saturated(self, y: Tensor, phi: float | Tensor, w: Tensor) -> Tensor:
        """Log-likelihood of rows of weight w whose means are y; NaN where there is none."""
        if (f := self.distribution.saturated) is None:
            return torch.full_like(y, math.nan)
        return f(y, torch.as_tensor(phi, dtype=y.dtype), w)

    def discrepancies(self, y: Tensor, eta: Tensor) -> tuple[Tensor, Tensor]:
        """Unit deviances and squared Pearson residuals of rows."""
        if self.canonical and self._tails is not None:
            loss, score, information = _logit_pieces(y, eta)
            return 2 * loss.add_(entropy(y)), score * score / information
        return self.deviance(y, eta), self.pearson(y, eta)

    def pieces(self, y: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Minus the log-likelihood of rows but for terms of y alone, its score and expected information.

        All times the dispersion.
        """
        if self.canonical and (fused := FUSED.get(self.link.name)) is not None:
            return fused(y, eta)
        if self._tails is None:
            # A climb stays inside, where there is information.
            loss = self.distribution.deviance(y, self._within(self.link.mean(eta)))
        else:
            loss = self.deviance(y, eta)
        return loss / 2, self.score(y, eta), self.information(eta)

    def deviance(self, y: Tensor, eta: Tensor) -> Tensor:
        """Unit deviances of rows, their limits at the ends of the mean's range; NaN where the mean leaves it."""
        if (t := self._tails) is None:
            return self.distribution.deviance(y, self._settled(self.link.mean(eta)))
        if self.canonical and bool(eta.isfinite().all()):
            return 2 * (entropy(y) - t.log_rest(eta) - y * eta)
        return 2 * (entropy(y) - _times(y, t.log_mean(eta)) - _times(1 - y, t.log_rest(eta)))

    def at_edge(self, eta: Tensor) -> Tensor:
        """Which means of rows lie at an end of their range, where the link would lead beyond, bool of shape (n,)."""
        low, high = self.distribution.lowest, self.distribution.highest
        if low == -math.inf or self.everywhere:
            return torch.zeros_like(eta, dtype=torch.bool)
        mu = self.link.mean(eta)
        middle = mu.median()
        return (mu - low < AT_EDGE * middle) | (high - mu < AT_EDGE) | (mu > middle / AT_EDGE)

    def _within(self, mu: Tensor) -> Tensor:
        # Beyond its range a deviance need not be: of a count of zero it would go on falling.
        low, high = self.distribution.lowest, self.distribution.highest
        return mu if low == -math.inf else torch.where((mu > low) & (mu < high), mu, math.nan)

    def _settled(self, mu: Tensor) -> Tensor:
        """Means within their range, its ends included: those beyond by rounding are at an end, and others NaN."""
        low, high = self.distribution.lowest, self.distribution.highest
        if low == -math.inf or bool(((mu > low) & (mu < high)).all()):
            return mu
        rounding = AT_EDGE * (1.0 if self.distribution.of_shares else mu.abs().mean())
        near = (mu >= low - rounding) & (mu <= high + rounding)
        return torch.where(near, mu.clamp(low, high), math.nan)


def _times(share: Tensor, logarithm: Tensor) -> Tensor:
    """Share x logarithm, zero where the share is, however small the probability."""
    return torch.where(share == 0, 0.0, share * logarithm)


def _logit_pieces(y: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the logit: from p alone where both tails are far, else by an exponential that keeps the smaller of them."""
    low, high = eta.aminmax()
    if low > -NEAR and high < NEAR:
        p = torch.sigmoid(eta)
        rest = 1 - p
        return rest.log().neg_().sub_(y * eta), y - p, p.mul_(rest)
    small = eta.abs().neg_().exp_()
    loss = small.log1p().add_(eta.clamp(min=0)).sub_(y * eta)
    rest = small.add(1).reciprocal_()
    # The smaller of p and 1 - p, which does not cancel.
    tail = small.mul_(rest)
    score = torch.where(eta >= 0, (y - 1).add_(tail), y - tail)
    return loss, score, tail.mul_(rest)


def _log_pieces(y: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of counts with a log link, by one exponential."""
    mean = eta.clamp(max=LARGEST).exp_()
    return mean - y * eta, y - mean, mean


# 1 - p loses no more than five digits within this.
NEAR = 10.0
# Pieces of canonical links, which share what they are made of, where speed matters.
FUSED = {"logit": _logit_pieces, "log": _log_pieces}


def resolve_generalized(family: Distribution | GeneralizedFamily | str, link: Link | str | None) -> GeneralizedFamily:
    """Read a family and a link: values, or their spellings.

    Raises
    ------
    ValueError
        One is not known; the known ones are listed.
    """
    if isinstance(family, GeneralizedFamily):
        return family if link is None else GeneralizedFamily(family.distribution, resolve_link(link))
    if isinstance(family, str):
        if family not in DISTRIBUTIONS:
            known = ", ".join(map(repr, DISTRIBUTIONS))
            raise ValueError(f"family={family!r} is not known; use one of {known}.")
        family = DISTRIBUTIONS[family]
    if not isinstance(family, Distribution):
        raise ValueError(
            f"family={family!r} is neither a name nor a family of ft.families; known names are "
            f"{', '.join(map(repr, DISTRIBUTIONS))}."
        )
    return GeneralizedFamily(family, resolve_link(family.link if link is None else link))
