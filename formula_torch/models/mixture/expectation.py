"""The EM map of a mixture: posterior weights, then each group's own regression.

Sums over units are those of complete data, so that a step of a normal group is exact, and one Newton step
of a canonical family raises the log-likelihood (seen in every one of some thousand starts). Of a density that is not
known, a step is kept only where it does.
"""

from __future__ import annotations

import torch
from torch import Tensor

from formula_torch.models.mixture.components import ridged
from formula_torch.models.mixture.likelihood import Mixture
from formula_torch.models.mixture.shares import Membership

__all__ = ["em_step", "longest_move", "maximised"]

# The linear predictor may move by so much in one step.
LONGEST_STEP = 2.0
# A share of zero would stay zero: the smallest that a group may have, in units.
LEAST_UNITS = 1e-10
SHRINK = 0.3
HALVINGS = 4


def em_step(mixture: Mixture, theta: Tensor) -> Tensor:
    """One step of EM from every start, shape (B, K, D)."""
    moved = maximised(mixture, theta)
    return moved if mixture.component.rises else _guarded(mixture, theta, moved)


def _guarded(mixture: Mixture, theta: Tensor, moved: Tensor) -> Tensor:
    """Shorten steps that lower the objective."""
    before, step = mixture.objective(theta), moved - theta
    for _ in range(HALVINGS):
        lower = ~(mixture.objective(theta + step) >= before) & before.isfinite()
        if not lower.any():
            break
        step = torch.where(lower[:, None, None], SHRINK * step, step)
    return theta + step


def maximised(mixture: Mixture, theta: Tensor, allocation: Tensor | None = None) -> Tensor:
    """The M-step: parameters that raise the expected log-likelihood of the complete data.

    Parameters
    ----------
    mixture : Mixture
    theta : Tensor, shape (B, K, D)
    allocation : Tensor, shape (B, K, n), optional
        Of the units to groups, in place of their posterior.
    """
    complete, membership = mixture.complete(theta, allocation)
    before = mixture.psi(theta)
    psi = mixture.component.maximised(before, complete, mixture.free_psi)
    if not mixture.component.exact:
        longest = longest_move(mixture, mixture.beta(theta), psi[..., : mixture.p])
        psi = before + (psi - before) * (LONGEST_STEP / longest.clamp(min=LONGEST_STEP))[:, None, None]
    return torch.cat([psi, _membership(mixture, mixture.gamma(theta), membership)], -1)


def longest_move(mixture: Mixture, before: Tensor, after: Tensor, *, relative: bool = False) -> Tensor:
    """By how much a linear predictor moves at most, shape (B,).

    Parameters
    ----------
    mixture : Mixture
    before, after : Tensor, shape (B, K, p)
        Coefficients.
    relative : bool
        As a multiple of one more than its size.
    """
    longest = before.new_zeros(len(before))
    for starts, _, part in mixture.pieces(len(before)):
        eta = part.units.layout.predictor(before[starts])
        move = (part.units.layout.predictor(after[starts]) - eta).abs()
        move = move / (1 + eta.abs()) if relative else move
        longest[starts] = torch.maximum(longest[starts], move.amax((1, 2)))
    return longest


def _membership(mixture: Mixture, gamma: Tensor, found: Membership) -> Tensor:
    if not mixture.free_gamma.shape[1]:
        return gamma
    if mixture.plain:
        logs = torch.log(found.mass.clamp(min=LEAST_UNITS))
        return (logs - logs[:, :1])[..., None]
    free = mixture.free_gamma
    inner = ridged(free.mT @ found.information @ free)
    step = torch.linalg.solve_ex(inner, (found.gradient.flatten(1) @ free)[..., None])[0]
    moved = (free @ step)[..., 0].reshape(gamma.shape)
    longest = (moved @ mixture.units.z).abs().amax((1, 2))
    return gamma + moved * (LONGEST_STEP / longest.clamp(min=LONGEST_STEP))[:, None, None]
