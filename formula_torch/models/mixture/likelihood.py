"""A finite mixture over units: groups with a regression each, and shares that may depend on covariates.

    l = sum_u w_u log sum_g pi_ug exp(L_ug),   L_ug = sum_{r in u} log f(y_r | x_r'beta_g, phi_g),
    pi_ug = softmax_g(z_u'gamma_g),  gamma_1 = 0

Parameters of all starts are one tensor theta of shape (B, K, D), the block of a group being beta (p),
the logarithm of sigma where the family has one, and gamma (m). Gradient and Hessian follow from those of
the complete data (Louis 1982, J. R. Stat. Soc. B 44:226-233): with c_ug the complete-data score of unit u
in group g and r_ug its posterior probability,

    H = blockdiag_g(Hc_g + sum_u w_u r_ug c_ug c_ug') - sum_u w_u (r c)_u (r c)_u' - H_pi,

H_pi = sum_u w_u (diag(pi_u) - pi_u pi_u') kron z_u z_u' in the membership block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from formula_torch.families import Family
from formula_torch.models.mixture.units import Units

__all__ = ["Evaluation", "Louis", "Mixture"]

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
# A share of zero would stay zero: the smallest that a group may have, in units.
LEAST_UNITS = 1e-10


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The log-likelihood of every start, and what it was made of.

    Parameters
    ----------
    value : Tensor, shape (B,)
    posterior : Tensor, shape (B, K, n)
    log_share : Tensor, shape (B, K, n or 1)
    predictor : Tensor, shape (B, K, C)
    squares : Tensor, shape (B, K, n), or None
        Sums of squared residuals by unit, of a dispersed family.
    unit_loglik : Tensor, shape (B, n)
    """

    value: Tensor
    posterior: Tensor
    log_share: Tensor
    predictor: Tensor
    squares: Tensor | None
    unit_loglik: Tensor

    def with_posterior(self, posterior: Tensor) -> Evaluation:
        """Return the same with another allocation of the units."""
        return replace(self, posterior=posterior)


@dataclass(frozen=True, eq=False)
class Louis:
    """First and second derivatives of the log-likelihood.

    Parameters
    ----------
    gradient : Tensor, shape (B, K D)
    hessian : Tensor, shape (B, K D, K D)
    """

    gradient: Tensor
    hessian: Tensor


@dataclass(frozen=True, eq=False)
class Mixture:
    """The log-likelihood of a mixture with its derivatives and its EM map, for a batch of starts.

    Parameters
    ----------
    units : Units
    family : Family
    groups : int
    free : Tensor, shape (K D, P)
        Orthonormal columns: the directions in which the parameters may move.
    common : bool
        One sigma for all groups.
    prior : float
        How many average units are added to every group (0: none).
    """

    units: Units
    family: Family
    groups: int
    free: Tensor
    common: bool = True
    prior: float = 0.0

    # -- the parameters ---------------------------------------------------------------------------

    @property
    def p(self) -> int:
        """Coefficients of a group."""
        return self.units.p

    @property
    def m(self) -> int:
        """Membership coefficients of a group."""
        return self.units.z.shape[0]

    @property
    def size(self) -> int:
        """Parameters of a group, D."""
        return self.p + int(self.family.dispersed) + self.m

    def beta(self, theta: Tensor) -> Tensor:
        """Coefficients, shape (B, K, p)."""
        return theta[..., : self.p]

    def log_sigma(self, theta: Tensor) -> Tensor:
        """Logarithms of sigma, shape (B, K)."""
        return theta[..., self.p]

    def gamma(self, theta: Tensor) -> Tensor:
        """Membership coefficients, shape (B, K, m)."""
        return theta[..., self.size - self.m :]

    def join(self, beta: Tensor, log_sigma: Tensor | None, gamma: Tensor) -> Tensor:
        """Put the parts together, shape (B, K, D)."""
        parts = [beta, gamma] if log_sigma is None else [beta, log_sigma[..., None], gamma]
        return torch.cat(parts, -1)

    @cached_property
    def free_beta(self) -> Tensor | None:
        """Free directions of the coefficients of all groups, shape (K p, P_beta); None: all are free."""
        rows = [g * self.size + j for g in range(self.groups) for j in range(self.p)]
        part = self.free[rows]
        part = part[:, (part != 0).any(0)]
        return None if part.shape[1] == len(rows) else part

    # -- the log-likelihood -----------------------------------------------------------------------

    def densities(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """L_ug, shape (B, K, n), the predictor, and sums of squares of a dispersed family."""
        u, beta = self.units, self.beta(theta)
        eta = u.layout.predictor(beta)
        linear = beta @ u.xy - u.layout.unit_sums(self.family.cumulant(eta))
        if not self.family.dispersed:
            return linear + u.base, eta, None
        squares = u.yy - 2 * linear
        log_sigma = self.log_sigma(theta)[..., None]
        density = -squares / 2 * torch.exp(-2 * log_sigma) - u.rows * (log_sigma + HALF_LOG_TWO_PI) + u.base
        return density, eta, squares

    def __call__(self, theta: Tensor) -> Evaluation:
        """Evaluate the log-likelihood, shape (B,), without the prior."""
        density, eta, squares = self.densities(theta)
        log_share = torch.log_softmax(self.gamma(theta) @ self.units.z, 1)
        joint = density + log_share
        unit_loglik = torch.logsumexp(joint, 1)
        posterior = torch.exp(joint - unit_loglik[:, None])
        return Evaluation(unit_loglik @ self.units.weights, posterior, log_share, eta, squares, unit_loglik)

    def loglik(self, theta: Tensor) -> Tensor:
        """Log-likelihood, shape (B,); minus infinity where it is not finite."""
        value = self(theta).value
        return torch.where(value.isfinite(), value, -math.inf)

    # -- derivatives ------------------------------------------------------------------------------

    def complete_scores(self, theta: Tensor, at: Evaluation) -> Tensor:
        """c_ug, shape (B, K, D, n)."""
        u = self.units
        slope = u.xy - u.layout.unit_gradients(self.family.mean(at.predictor))
        batch = at.posterior.shape[:2]
        z = u.z.expand(*batch, *u.z.shape[:1], u.n)
        if at.squares is None:
            return torch.cat([slope.expand(*batch, self.p, u.n), z], 2)
        precision = torch.exp(-2 * self.log_sigma(theta))[..., None]
        spread = (at.squares * precision - u.rows)[:, :, None]
        return torch.cat([slope * precision[..., None], spread, z], 2)

    def unit_scores(self, theta: Tensor) -> Tensor:
        """Scores of the units, shape (B, K D, n)."""
        at = self(theta)
        scores = at.posterior[:, :, None] * self.complete_scores(theta, at)
        scores[:, :, self.size - self.m :] -= at.log_share.exp()[:, :, None] * self.units.z
        return scores.flatten(1, 2)

    def louis(self, theta: Tensor, at: Evaluation) -> Louis:
        """Gradient and Hessian at `theta`."""
        u, (batch, groups) = self.units, at.posterior.shape[:2]
        c = self.complete_scores(theta, at)
        expected = at.posterior[:, :, None] * c
        weighted = expected * u.weights
        share = at.log_share.exp().expand_as(at.posterior) * u.weights
        gradient = weighted.sum(-1)
        gradient[:, :, self.size - self.m :] -= share @ u.z.mT.expand(batch, u.n, self.m)
        blocks = self._complete_hessian(theta, at, gradient) + weighted @ c.mT
        flat = (batch, groups * self.size, u.n)
        hessian = -(weighted.reshape(flat) @ expected.reshape(flat).mT)
        for g in range(groups):
            part = slice(g * self.size, (g + 1) * self.size)
            hessian[:, part, part] += blocks[:, g]
        self._subtract_membership(hessian, share)
        return Louis(gradient.reshape(batch, -1), hessian)

    def _complete_hessian(self, theta: Tensor, at: Evaluation, gradient: Tensor) -> Tensor:
        """Hc_g of trajectories and sigma, shape (B, K, D, D)."""
        u = self.units
        blocks = theta.new_zeros(*at.posterior.shape[:2], self.size, self.size)
        blocks[:, :, : self.p, : self.p] = -self.information(theta, at)
        if at.squares is not None:
            precision = torch.exp(-2 * self.log_sigma(theta))
            cross = -2 * gradient[:, :, : self.p]
            blocks[:, :, : self.p, self.p] = cross
            blocks[:, :, self.p, : self.p] = cross
            blocks[:, :, self.p, self.p] = -2 * precision * ((at.posterior * at.squares) @ u.weights)
        return blocks

    def information(self, theta: Tensor, at: Evaluation) -> Tensor:
        """Complete-data information of beta, X'diag(N v)X / phi, shape (B, K, p, p)."""
        u = self.units
        mass = u.layout.cell_sums(at.posterior * u.weights) * self.family.variance(at.predictor)
        information = (u.layout.x.mT * mass[..., None, :]) @ u.layout.x
        if at.squares is None:
            return information
        return information * torch.exp(-2 * self.log_sigma(theta))[..., None, None]

    def _subtract_membership(self, hessian: Tensor, share: Tensor) -> None:
        """Subtract sum_u w_u (diag(pi) - pi pi') kron z z' from the membership block, in place."""
        first = self.size - self.m
        index = [g * self.size + first + j for g in range(self.groups) for j in range(self.m)]
        where = torch.tensor(index, device=hessian.device)
        hessian[:, where[:, None], where] -= self.membership_information(share)

    def membership_information(self, share: Tensor) -> Tensor:
        """sum_u w_u (diag(pi) - pi pi') kron z z', shape (B, K m, K m); `share` is w_u pi_ug."""
        z, batch = self.units.z, share.shape[0]
        by_group = (share[:, :, None] * z).flatten(1, 2)
        weights = torch.where(self.units.weights > 0, self.units.weights, 1.0)
        information = -(by_group / weights) @ by_group.mT
        own = (share[:, :, None] * z) @ z.mT.expand(batch, self.groups, self.units.n, self.m)
        for g in range(self.groups):
            part = slice(g * self.m, (g + 1) * self.m)
            information[:, part, part] += own[:, g]
        return information
