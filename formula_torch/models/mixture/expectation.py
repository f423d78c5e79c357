"""The EM map of a mixture: posterior weights, then each group's own regression.

Sums over units are those of complete data, so that a step of a normal group is exact, and one Newton step
of any other family raises the log-likelihood (seen in every one of some thousand starts).
"""

from __future__ import annotations

import torch
from torch import Tensor

from formula_torch.models.mixture.likelihood import LEAST_UNITS, Evaluation, Mixture

__all__ = ["em_step", "maximised"]

# The linear predictor may move by so much in one step.
LONGEST_STEP = 2.0


def em_step(mixture: Mixture, theta: Tensor) -> Tensor:
    """One step of EM from every start, shape (B, K, D)."""
    return maximised(mixture, theta, mixture(theta))


def maximised(mixture: Mixture, theta: Tensor, at: Evaluation) -> Tensor:
    """The M-step: parameters that raise the expected log-likelihood of the complete data."""
    beta = _coefficients(mixture, theta, at)
    log_sigma = None
    if mixture.family.dispersed:
        moved = torch.cat([beta, theta[..., mixture.p :]], -1)
        log_sigma = _log_sigma(mixture, mixture.densities(moved)[2], at)
    return mixture.join(beta, log_sigma, _membership(mixture, theta, at))


def _coefficients(mixture: Mixture, theta: Tensor, at: Evaluation) -> Tensor:
    """Return beta + (F'IF)^-1 F'g in the directions that are free."""
    u = mixture.units
    weighted = at.posterior * u.weights
    mass = u.layout.cell_sums(weighted)
    gradient = weighted @ u.xy.mT - (mass * mixture.family.mean(at.predictor)) @ u.layout.x
    curvature = (u.layout.x.mT * (mass * mixture.family.variance(at.predictor))[..., None, :]) @ u.layout.x
    if mixture.family.dispersed:
        precision = torch.exp(-2 * mixture.log_sigma(theta))
        gradient, curvature = gradient * precision[..., None], curvature * precision[..., None, None]
    step = _solved(mixture.free_beta, gradient, curvature)
    if not mixture.family.dispersed:
        moved = u.layout.predictor(mixture.beta(theta) + step) - at.predictor
        longest = moved.abs().amax((1, 2))
        step = step * (LONGEST_STEP / longest.clamp(min=LONGEST_STEP))[:, None, None]
    return mixture.beta(theta) + step


def _solved(free: Tensor | None, gradient: Tensor, curvature: Tensor) -> Tensor:
    """Newton's step group by group, or in the free directions of all groups together."""
    batch, groups, p = gradient.shape
    if free is None:
        return torch.linalg.solve_ex(_ridged(curvature), gradient[..., None])[0][..., 0]
    whole = curvature.new_zeros(batch, groups * p, groups * p)
    for g in range(groups):
        whole[:, g * p : (g + 1) * p, g * p : (g + 1) * p] = curvature[:, g]
    inner = free.mT @ whole @ free
    step = torch.linalg.solve_ex(_ridged(inner), (gradient.reshape(batch, -1) @ free)[..., None])[0]
    return (free @ step)[..., 0].reshape(batch, groups, p)


def _ridged(matrix: Tensor) -> Tensor:
    """Lift the diagonal a little: an empty group has no information."""
    diagonal = torch.diagonal(matrix, dim1=-2, dim2=-1)
    lift = 1e-10 * diagonal.amax(-1, keepdim=True).clamp(min=1e-10)
    return matrix + torch.diag_embed(lift.expand_as(diagonal))


def _log_sigma(mixture: Mixture, squares: Tensor | None, at: Evaluation) -> Tensor:
    assert squares is not None
    u = mixture.units
    weighted = at.posterior * u.weights
    rss = (weighted * squares).sum(-1)
    rows = (weighted * u.rows).sum(-1)
    if mixture.common:
        rss, rows = rss.sum(1, keepdim=True).expand_as(rss), rows.sum(1, keepdim=True).expand_as(rows)
    return 0.5 * torch.log(rss.clamp(min=1e-300) / rows.clamp(min=1e-300))


def _membership(mixture: Mixture, theta: Tensor, at: Evaluation) -> Tensor:
    u = mixture.units
    weighted = at.posterior * u.weights
    mass = weighted.sum(-1)
    if mixture.groups == 1:
        return mixture.gamma(theta)
    if mixture.m == 1:
        logs = torch.log(mass.clamp(min=LEAST_UNITS))
        return (logs - logs[:, :1])[..., None]
    share = at.log_share.exp() * u.weights
    gradient = ((weighted - share) @ u.z.mT).flatten(1)
    information = mixture.membership_information(share)
    m, batch = mixture.m, theta.shape[0]
    step = torch.linalg.solve_ex(_ridged(information[:, m:, m:]), gradient[:, m:, None])[0][..., 0]
    moved = theta.new_zeros(batch, mixture.groups, m)
    moved[:, 1:] = step.reshape(batch, mixture.groups - 1, m)
    longest = (moved @ u.z).abs().amax((1, 2))
    return mixture.gamma(theta) + moved * (LONGEST_STEP / longest.clamp(min=LONGEST_STEP))[:, None, None]
