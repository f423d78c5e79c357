"""Categories: multinomial logit, and ordered models by any link to a probability.

The response is the number of a level, from 0. Multinomial, with the first of J levels as the reference:

    P(y = j) = exp(eta_j) / (1 + sum_l exp(eta_l))

Ordered (McCullagh 1980, J. Royal Statistical Society B 42:109-142), with cutpoints c_1 < ... < c_(J-1) that have the
signs of MASS ``polr``:

    P(y <= j) = F(c_(j+1) - eta)
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from formula_torch.families.links import LINKS, Link, Tails
from formula_torch.families.several.protocol import Derivatives, Predictor, SeveralFamily, weighted_mean

__all__ = ["Multinomial", "Ordered"]


@dataclass(frozen=True)
class _Levels(ABC):
    """What models of categories share.

    Parameters
    ----------
    levels : tuple of str
    """

    levels: tuple[str, ...] = ()
    kind = "probability"
    exponential = False
    reading = "levels"
    scale = "logit"
    cutpoints = False

    @property
    def count(self) -> int:
        """Number of levels, J."""
        return len(self.levels)

    def variance(self, eta: Tensor) -> Tensor:
        """Variance p (1 - p) of each level's indicator."""
        p = self.expected(eta)
        return p * (1 - p)

    @abstractmethod
    def expected(self, eta: Tensor) -> Tensor:
        """Probabilities of the levels."""

    def refuse(self, y: Tensor) -> str:  # noqa: ARG002 - one signature
        """At least two levels."""
        return "" if self.count > 1 else f"has {self.count} level in the rows used; at least two are needed."

    def doubt(self, y: Tensor) -> str:  # noqa: ARG002 - one signature
        """Nothing."""
        return ""

    def without(self, predictor: str) -> SeveralFamily | None:  # noqa: ARG002 - one signature
        """No predictor has a limit."""
        return None

    def _shares(self, y: Tensor, weights: Tensor | None) -> list[float]:
        return [weighted_mean((y == j).double(), weights) for j in range(self.count)]


@dataclass(frozen=True)
class Multinomial(_Levels):
    """Multinomial logit: log odds of every level but the first against the first."""

    name = "multinomial"

    @property
    def predictors(self) -> tuple[Predictor, ...]:
        """One a level, but for the first, all of the same columns."""
        return tuple(Predictor(level, "main", f"{level}:", level) for level in self.levels[1:])

    def of_levels(self, labels: tuple[str, ...]) -> Multinomial:
        """For these levels."""
        return replace(self, levels=labels)

    def _log_all(self, eta: Tensor) -> Tensor:
        return torch.log_softmax(torch.cat([torch.zeros_like(eta[:1]), eta]), 0)

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor:
        """Log-probability of the level of each row."""
        return self._log_all(eta).gather(0, y.long()[None])[0]

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives:
        """1[y = j] - p_j, and -p_j (1[j = l] - p_l)."""
        logs = self._log_all(eta)
        p = logs[1:].exp()
        first = -p.clone()
        first.scatter_add_(0, (y.long() - 1).clamp(min=0)[None], (y > 0).double()[None])

        def second(j: int, k: int) -> Tensor:
            return p[j] * (p[j] - 1) if j == k else p[j] * p[k]

        return Derivatives(logs.gather(0, y.long()[None])[0], first, second)

    def expected(self, eta: Tensor) -> Tensor:
        """Probabilities of the levels."""
        return self._log_all(eta).exp()

    def begin(self, y: Tensor, weights: Tensor | None) -> Tensor:
        """Log odds of the shares."""
        shares = self._shares(y, weights)
        odds = [math.log(share / shares[0]) for share in shares[1:]]
        return torch.tensor(odds, dtype=torch.float64, device=y.device)[:, None].expand(-1, len(y))


@dataclass(frozen=True)
class Ordered(_Levels):
    """Ordered levels: one linear predictor without a constant, and cutpoints.

    Parameters
    ----------
    link : Link
        Of the cumulative probabilities; one that knows its tails.
    """

    link: Link = LINKS["logit"]
    cutpoints = True

    @property
    def name(self) -> str:
        """As it is spelled."""
        return f"ordered_{self.link.name}"

    @property
    def predictors(self) -> tuple[Predictor, ...]:
        """The columns, and the cutpoints."""
        cuts = [f"{low}|{high}" for low, high in zip(self.levels, self.levels[1:], strict=False)]
        return (Predictor("mean", "main", "", "location"), *(Predictor(c, "constant", "", "cutpoint") for c in cuts))

    def of_levels(self, labels: tuple[str, ...]) -> Ordered:
        """For these levels."""
        return replace(self, levels=labels)

    @property
    def _tails(self) -> Tails:
        assert self.link.tails is not None, "a link to a probability"
        return self.link.tails

    def _ends(self, y: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Upper and lower end of each row's cell, less eta, and which are finite; 0 stands for those that are not."""
        level, cuts = y.long(), eta[1:]
        top, bottom = level == len(cuts), level == 0
        high = cuts.gather(0, level.clamp(max=len(cuts) - 1)[None])[0] - eta[0]
        low = cuts.gather(0, (level - 1).clamp(min=0)[None])[0] - eta[0]
        return torch.where(top, 0.0, high), torch.where(bottom, 0.0, low), ~top, ~bottom

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor:
        """Log-probability of the level of each row; minus infinity unless the cutpoints increase."""
        high, low, has_high, has_low = self._ends(y, eta)
        # Not a number is none, and stays so.
        crossed = (torch.diff(eta[1:], dim=0) <= 0).any(0)
        apart = torch.where(has_high & has_low & (high > low), high, low + 1)
        inner = _log_cell(self._tails, apart, torch.where(has_low, low, 0.0))
        ends = torch.where(has_high, self._tails.log_mean(high), self._tails.log_rest(low))
        return torch.where(crossed, -math.inf, torch.where(has_high & has_low, inner, ends))

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives:
        """Through the ends of the cells: l_a = f(a) / P, l_b = -f(b) / P, l_aa = l_a (f'/f - l_a), l_ab = -l_a l_b."""
        value = self.loglik(y, eta)
        high, low, has_high, has_low = self._ends(y, eta)
        up = torch.where(has_high, torch.exp(self._tails.log_slope(high) - value), 0.0)
        down = torch.where(has_low, -torch.exp(self._tails.log_slope(low) - value), 0.0)
        up_up, down_down = up * (self._tails.turn(high) - up), down * (self._tails.turn(low) - down)
        across, level, cuts = -up * down, y.long(), len(eta) - 1
        by_cut = torch.zeros_like(eta)
        above = level.clamp(max=cuts - 1) + 1
        by_cut.scatter_add_(0, above[None], up[None])
        by_cut.scatter_add_(0, level[None], down[None])
        first = torch.cat([-(up + down)[None], by_cut[1:]])

        def second(j: int, k: int) -> Tensor | None:
            if k == 0:
                return up_up + down_down + 2 * across
            upper, lower = level == k - 1, level == k
            if j == 0:
                return -torch.where(upper, up_up + across, torch.where(lower, down_down + across, 0.0))
            if j == k:
                return torch.where(upper, up_up, torch.where(lower, down_down, 0.0))
            return torch.where(level == j, across, 0.0) if k == j + 1 else None

        return Derivatives(value, first, second)

    def expected(self, eta: Tensor) -> Tensor:
        """Probabilities of the levels, each by the log of its cell."""
        levels = torch.arange(self.count, dtype=torch.float64, device=eta.device)
        return torch.stack([self.loglik(level.expand(eta.shape[1]), eta) for level in levels]).exp()

    def begin(self, y: Tensor, weights: Tensor | None) -> Tensor:
        """No slopes, and the cutpoints of the shares."""
        shares = torch.tensor(self._shares(y, weights), dtype=torch.float64, device=y.device)
        cuts = self.link.link(torch.cumsum(shares, 0)[:-1].clamp(1e-12, 1 - 1e-12))
        return torch.cat([torch.zeros_like(cuts[:1]), cuts])[:, None].expand(-1, len(y))


def _log_cell(tails: Tails, high: Tensor, low: Tensor) -> Tensor:
    """Log of F(high) - F(low), by whichever tail is the smaller, where differences keep their digits."""
    left, right = tails.log_mean(high), tails.log_rest(low)
    below = left < right
    larger = torch.where(below, left, right)
    smaller = torch.where(below, tails.log_mean(low), tails.log_rest(high))
    return larger + torch.log(-torch.expm1(smaller - larger))
