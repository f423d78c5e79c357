"""A mixture as the objective that a batch of Newton climbs sees: free coordinates, safe steps, EM to the rescue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from formula_torch.models.mixture.expectation import em_step, longest_move, maximised
from formula_torch.models.mixture.likelihood import Mixture

__all__ = ["Ascent"]

# Newton's step may move a linear predictor by this multiple of one more than its size.
LONGEST_MOVE = 3.0
RESCUE_STEPS = 5


def _nothing() -> None:
    """Show no progress."""


@dataclass(frozen=True, eq=False)
class Ascent:
    """The log-likelihood of a mixture in its free directions.

    Parameters
    ----------
    mixture : Mixture
    tick : callable, optional
        Called once a step.
    """

    mixture: Mixture
    tick: Callable[[], object] = _nothing

    def value(self, theta: Tensor) -> Tensor:
        """Log-likelihoods, shape (B,)."""
        return self.mixture.objective(theta)

    def derivatives(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-likelihoods, gradients (B, P) and Hessians (B, P, P)."""
        self.tick()
        (value, gradient, hessian), free = self.mixture.derivatives(theta), self.mixture.free
        return value, gradient @ free, free.mT @ hessian @ free

    def moved(self, theta: Tensor, step: Tensor) -> Tensor:
        """Points after steps of shape (B, P)."""
        return theta + (step @ self.mixture.free.mT).reshape(theta.shape)

    def longest(self, theta: Tensor, step: Tensor) -> Tensor:
        """Share of each step that moves no linear predictor too far, shape (B,)."""
        before, after = self.mixture.beta(theta), self.mixture.beta(self.moved(theta, step))
        move = longest_move(self.mixture, before, after, relative=True)
        return LONGEST_MOVE / move.clamp(min=LONGEST_MOVE)

    def improved(self, theta: Tensor, steps: int) -> Tensor:
        """Some steps of EM."""
        for _ in range(steps):
            self.tick()
            theta = em_step(self.mixture, theta)
        return theta

    def rescue(self, theta: Tensor) -> Tensor:
        """A few steps of EM."""
        return self.improved(theta, RESCUE_STEPS)

    def neighbours(self, theta: Tensor, generator: torch.Generator) -> Tensor:
        """Other places to begin from one solution, shape (K (K + 4), K, D).

        Merge two groups and split a third; give a group's place to the units that fit worst, and to the extreme units
        of another group.
        """
        return _neighbours(self.mixture, theta, generator)


# Share of the units that a group of outliers begins with.
OUTLIERS = (0.03, 0.1)
# And of another group's units those that it begins with: small groups hide at the ends of large ones.
EXTREMES = (0.02, 0.05, 0.15)


def _neighbours(mixture: Mixture, theta: Tensor, generator: torch.Generator) -> Tensor:
    at, groups = mixture(theta[None]), mixture.groups
    posterior = at.posterior[0]
    allocations = [
        _split(mixture, theta, posterior, emptied, divided, generator)
        for emptied in range(groups)
        for divided in range(groups)
        if emptied != divided
    ]
    worst = (at.unit_loglik[0] / mixture.units.rows).argsort()
    allocations += [_outliers(posterior, emptied, worst, share) for emptied in range(groups) for share in OUTLIERS]
    scores = at.densities.scores()[0, :, : mixture.p]
    allocations += [
        _extremes(scores, posterior, emptied, share, generator) for emptied in range(groups) for share in EXTREMES
    ]
    several = theta.expand(len(allocations), *theta.shape)
    return maximised(mixture, several, torch.stack(allocations))


def _merged(posterior: Tensor, emptied: int) -> Tensor:
    """Give the units of a group to the others, as these would have them."""
    rest = posterior.clone()
    rest[emptied] = 0.0
    return rest / rest.sum(0).clamp(min=1e-300)


def _split(
    mixture: Mixture, theta: Tensor, posterior: Tensor, emptied: int, divided: int, generator: torch.Generator
) -> Tensor:
    """Empty one group into the others and divide another along a random direction of its units' scores."""
    moved = _merged(posterior, emptied)
    scores = mixture(theta[None]).densities.scores()[0, divided, : mixture.p]
    # At a maximum the scores of the group's own units sum to zero: half of them lie on either side.
    own = moved[divided] * mixture.units.weights
    spread = ((own * scores**2).sum(-1, keepdim=True) / own.sum().clamp(min=1e-300)).sqrt()
    direction = torch.randn(mixture.p, generator=generator, dtype=theta.dtype)
    upper = (direction @ (scores / spread.clamp(min=1e-300)) > 0).to(theta.dtype)
    moved[emptied] = moved[divided] * upper
    moved[divided] = moved[divided] * (1 - upper)
    return 0.95 * moved + 0.05 / mixture.groups


def _outliers(posterior: Tensor, emptied: int, worst: Tensor, share: float) -> Tensor:
    moved = _merged(posterior, emptied)
    chosen = worst[: max(1, int(share * len(worst)))]
    moved[:, chosen] = 0.0
    moved[emptied, chosen] = 1.0
    return 0.98 * moved + 0.02 / posterior.shape[0]


def _extremes(scores: Tensor, posterior: Tensor, emptied: int, share: float, generator: torch.Generator) -> Tensor:
    """Give a group's place to the end of another group's units along a random direction of their scores."""
    moved, groups = _merged(posterior, emptied), posterior.shape[0]
    others = [g for g in range(groups) if g != emptied]
    other = others[int(torch.randint(len(others), (1,), generator=generator))]
    direction = torch.randn(scores.shape[1], generator=generator, dtype=scores.dtype)
    side = direction @ (scores[other] / scores[other].std(-1, keepdim=True, correction=0).clamp(min=1e-300))
    own = moved.argmax(0) == other
    ends = torch.where(own, side, -torch.inf).argsort(descending=True)[: max(2, int(share * int(own.sum())))]
    moved[:, ends] = 0.0
    moved[emptied, ends] = 1.0
    return 0.98 * moved + 0.02 / groups
