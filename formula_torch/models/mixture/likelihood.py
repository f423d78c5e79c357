"""A finite mixture over units: groups with a regression each, and shares that may depend on covariates.

    l = sum_u w_u log sum_g pi_ug exp(L_ug),   L_ug = sum_{r in u} log f(y_r | x_r'beta_g, sigma_g),
    pi_ug = softmax_g(z_u'gamma_g)

Parameters of all starts are one tensor theta of shape (B, K, D), the block of a group being psi (q; beta, and the
logarithm of sigma where the family has one) and gamma (m). Gradient and Hessian follow from those of
the complete data (Louis 1982, J. R. Stat. Soc. B 44:226-233): with c_ug the complete-data score of unit u
in group g and r_ug its posterior probability,

    H = blockdiag_g(Hc_g + sum_u w_u r_ug c_ug c_ug') - sum_u w_u (r c)_u (r c)_u' - H_pi,

H_pi = sum_u w_u (diag(pi_u) - pi_u pi_u') kron z_u z_u' in the membership block.

A prior adds to every group some of an average unit, prior / W sum_u w_u (L_ug + log pi_ug): the value stays bounded
where a sigma goes to zero, and has a maximum where a group's responses are all 0 or all 1, or a covariate tells its
members for certain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from formula_torch.families import AnyFamily
from formula_torch.models.mixture.components import Complete, Component, Densities
from formula_torch.models.mixture.shares import Membership, same_information, share_information
from formula_torch.models.mixture.units import Units
from formula_torch.numerics.arrays import CELLS_AT_ONCE, slices

__all__ = ["Evaluation", "Mixture"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The log-likelihood of every start, and what it was made of.

    Parameters
    ----------
    value : Tensor, shape (B,)
        Log-likelihood.
    penalty : Tensor, shape (B,)
        Logarithm of the prior.
    posterior : Tensor, shape (B, K, n)
    log_share : Tensor, shape (B, K, n or 1)
    unit_loglik : Tensor, shape (B, n)
    densities : Densities
    """

    value: Tensor
    penalty: Tensor
    posterior: Tensor
    log_share: Tensor
    unit_loglik: Tensor
    densities: Densities


@dataclass(frozen=True, eq=False)
class Mixture:
    """The log-likelihood of a mixture with its derivatives, for a batch of starts.

    Parameters
    ----------
    units : Units
    component : Component
    groups : int
    free : Tensor, shape (K D, P)
        Orthonormal columns: the directions in which the parameters may move. None mixes psi and gamma.
    prior : float
        How much of an average unit is added to every group.
    total : float
        Weight of all units, of which `units` may be a part.
    least_sigma : float
        A group whose sigma is smaller has collapsed.
    """

    units: Units
    component: Component
    groups: int
    free: Tensor
    prior: float
    total: float
    least_sigma: float = 0.0

    # -- the parameters ---------------------------------------------------------------------------

    @property
    def family(self) -> AnyFamily:
        """Distribution of the response."""
        return self.component.family

    @cached_property
    def p(self) -> int:
        """Coefficients of a group."""
        return self.units.p

    @cached_property
    def q(self) -> int:
        """Parameters of a group without membership."""
        return self.p + int(self.family.dispersed)

    @cached_property
    def m(self) -> int:
        """Membership coefficients of a group."""
        return self.units.z.shape[0]

    @cached_property
    def size(self) -> int:
        """Parameters of a group, D."""
        return self.q + self.m

    def beta(self, theta: Tensor) -> Tensor:
        """Coefficients, shape (B, K, p)."""
        return theta[..., : self.p]

    def psi(self, theta: Tensor) -> Tensor:
        """Coefficients, and log sigma where there is one, shape (B, K, q)."""
        return theta[..., : self.q]

    def gamma(self, theta: Tensor) -> Tensor:
        """Membership coefficients, shape (B, K, m)."""
        return theta[..., self.q :]

    @cached_property
    def free_psi(self) -> Tensor:
        """Free directions of psi, shape (K q, P_psi)."""
        return self._free_of(slice(0, self.q))

    @cached_property
    def free_gamma(self) -> Tensor:
        """Free directions of gamma, shape (K m, P_gamma)."""
        return self._free_of(slice(self.q, self.size))

    def _free_of(self, part: slice) -> Tensor:
        rows = self.free.reshape(self.groups, self.size, -1)[:, part].flatten(0, 1)
        return rows[:, (rows != 0).any(0)]

    @cached_property
    def plain(self) -> bool:
        """Whether shares are the same for all units, and free."""
        return self.same_shares and self.free_gamma.shape[1] == self.groups - 1

    @cached_property
    def same_shares(self) -> bool:
        """Whether shares are the same for all units: one column of ones says nothing of them."""
        return self.m == 1 and bool((self.units.z == 1).all())

    # -- parts ------------------------------------------------------------------------------------

    @cached_property
    def parts(self) -> tuple[tuple[slice, Mixture], ...]:
        """Consecutive units, few enough for what has a value for each of their rows."""
        n = self.units.n
        width = self.groups * self.size * max(n, len(self.units.layout.x))
        if width <= CELLS_AT_ONCE:
            return ((slice(0, n), self),)
        spans = slices(n, n * CELLS_AT_ONCE // width)
        return tuple((span, replace(self, units=self.units.span(span))) for span in spans)

    def pieces(self, batch: int) -> Iterator[tuple[slice, slice, Mixture]]:
        """Parts of the starts and of the units, to be summed over the latter."""
        widest = max(max(part.units.n, len(part.units.layout.x)) for _, part in self.parts)
        for starts in slices(batch, CELLS_AT_ONCE // (self.groups * self.size * widest)):
            for span, part in self.parts:
                yield starts, span, part

    # -- the log-likelihood -----------------------------------------------------------------------

    def __call__(self, theta: Tensor) -> Evaluation:
        """Evaluate the log-likelihood and the prior, shape (B,) each."""
        weights = self.units.weights
        densities = self.component.densities(self.units, self.psi(theta))
        z = self.units.z[:, :1] if self.same_shares else self.units.z
        log_share = torch.log_softmax(self.gamma(theta) @ z, 1)
        joint = densities.value + log_share
        unit_loglik = torch.logsumexp(joint, 1)
        posterior = torch.exp(joint - unit_loglik[:, None])
        penalty = torch.zeros_like(unit_loglik[:, 0])
        if self.prior:
            penalty = (joint @ weights).sum(1) * (self.prior / self.total)
        return Evaluation(unit_loglik @ weights, penalty, posterior, log_share, unit_loglik, densities)

    def objective(self, theta: Tensor) -> Tensor:
        """Log-likelihood and log-prior, shape (B,); minus infinity where not finite."""
        value = theta.new_zeros(len(theta))
        for starts, _, part in self.pieces(len(theta)):
            at = part(theta[starts])
            value[starts] += at.value + at.penalty
        return torch.where(value.isfinite(), value, -math.inf)

    def collapsed(self, theta: Tensor) -> Tensor:
        """Whether the sigma of a group is as good as zero, bool of shape (B,)."""
        if not self.least_sigma:
            return torch.zeros(len(theta), dtype=torch.bool, device=theta.device)
        return (theta[..., self.p] < math.log(self.least_sigma)).any(1)

    def mass(self, posterior: Tensor) -> Tensor:
        """How much each unit counts in each group, the prior's share included, shape (B, K, n)."""
        mass = posterior * self.units.weights
        return mass + self.units.weights * (self.prior / self.total) if self.prior else mass

    @property
    def _everyone(self) -> float:
        """How often each unit is counted in some group: once, and by the prior in each."""
        return 1 + self.prior * self.groups / self.total

    # -- derivatives ------------------------------------------------------------------------------

    def complete_scores(self, at: Evaluation) -> Tensor:
        """c_ug, shape (B, K, D, n)."""
        z = self.units.z.expand(*at.posterior.shape[:2], self.m, self.units.n)
        return torch.cat([at.densities.scores(), z], 2)

    def unit_scores(self, theta: Tensor) -> Tensor:
        """Scores of the units, shape (B, K D, n); the prior is made of the units, and each has its share of it."""
        at = self(theta)
        scores = (at.posterior + self.prior / self.total)[:, :, None] * self.complete_scores(at)
        scores[:, :, self.q :] -= at.log_share.exp()[:, :, None] * self.units.z * self._everyone
        return scores.flatten(1, 2)

    def derivatives(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Objective (B,), its gradient (B, K D) and Hessian (B, K D, K D); minus infinity where a group collapsed."""
        batch, width = len(theta), self.groups * self.size
        value, gradient = theta.new_zeros(batch), theta.new_zeros(batch, width)
        hessian = theta.new_zeros(batch, width, width)
        for starts, _, part in self.pieces(batch):
            v, g, h = part._louis(theta[starts])
            value[starts] += v
            gradient[starts] += g
            hessian[starts] += h
        value = torch.where(value.isfinite() & ~self.collapsed(theta), value, -math.inf)
        return value, gradient, hessian

    def _louis(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        at, (batch, groups) = self(theta), theta.shape[:2]
        c = self.complete_scores(at)
        expected = at.posterior[:, :, None] * c
        weighted = expected * self.units.weights
        share = at.log_share.exp() * self.units.weights * self._everyone
        gradient = weighted.sum(-1)
        if self.prior:
            gradient += (c @ self.units.weights) * (self.prior / self.total)
        gradient[:, :, self.q :] -= share @ self.units.z.mT.expand(batch, -1, -1)
        blocks = weighted @ c.mT
        blocks[:, :, : self.q, : self.q] += at.densities.hessian(self.mass(at.posterior), gradient[:, :, : self.q])
        flat = (batch, groups * self.size, self.units.n)
        hessian = -(weighted.reshape(flat) @ expected.reshape(flat).mT)
        for g in range(groups):
            part = slice(g * self.size, (g + 1) * self.size)
            hessian[:, part, part] += blocks[:, g]
        self._subtract_membership(hessian, share)
        return at.value + at.penalty, gradient.reshape(batch, -1), hessian

    def _subtract_membership(self, hessian: Tensor, share: Tensor) -> None:
        """Subtract sum_u w_u (diag(pi) - pi pi') kron z z' from the membership block, in place."""
        index = [g * self.size + self.q + j for g in range(self.groups) for j in range(self.m)]
        where = torch.tensor(index, device=hessian.device)
        hessian[:, where[:, None], where] -= self._membership_information(share)

    def _membership_information(self, share: Tensor) -> Tensor:
        """Information in gamma, shape (B, K m, K m); `share` is w_u pi_ug, w_u the prior's too."""
        if self.same_shares:
            return same_information(share.sum(-1), float(self.units.weights.sum()) * self._everyone)
        return share_information(share, self.units.z, self.units.weights * self._everyone)

    # -- complete data ----------------------------------------------------------------------------

    def complete(self, theta: Tensor, allocation: Tensor | None = None) -> tuple[Complete, Membership]:
        """Derivatives of the log-likelihood of complete data, units being in each group by their posterior.

        Parameters
        ----------
        theta : Tensor, shape (B, K, D)
        allocation : Tensor, shape (B, K, n), optional
            In place of the posterior.
        """
        found: list[tuple[Complete, Membership]] = []
        for starts, span, part in self.pieces(len(theta)):
            own = part._complete(theta[starts], None if allocation is None else allocation[starts, :, span])
            if span.start == 0:
                found.append(own)
            else:
                found[-1] = (found[-1][0] + own[0], found[-1][1] + own[1])
        return Complete.stacked([psi for psi, _ in found]), Membership.stacked([gamma for _, gamma in found])

    def _complete(self, theta: Tensor, allocation: Tensor | None) -> tuple[Complete, Membership]:
        at = self(theta)
        posterior = at.posterior if allocation is None else allocation
        mass = self.mass(posterior)
        gradient = at.densities.gradient(mass)
        complete = Complete(gradient, at.densities.hessian(mass, gradient), (mass * self.units.rows).sum(-1))
        if self.plain:
            empty = theta.new_zeros(len(theta), 0, 0)
            return complete, Membership(empty, empty, mass.sum(-1))
        share = at.log_share.exp() * self.units.weights * self._everyone
        slope = (mass - share) @ self.units.z.mT
        return complete, Membership(slope, self._membership_information(share), mass.sum(-1))
