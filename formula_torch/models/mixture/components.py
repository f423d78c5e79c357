"""What a group says of the rows of its units: a distribution with parameters psi of its own.

A component gives the log-densities of units in every group, their scores in psi, and the Hessian of a
weighted sum of them; a mixture needs nothing else. psi is beta (p), and the logarithm of sigma where there is one.
Shapes: batch of starts B, groups K, units n, parameters of a group q.

    canonical:  L_u = sum_r y_r eta_r - b(eta_r) + h
    normal:     L_u = -(y - eta)'(y - eta) / (2 sigma^2) - N_u (log sigma + log(2 pi) / 2)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from formula_torch.families import AnyFamily, Family
from formula_torch.models.mixture.units import Units

__all__ = ["Canonical", "Complete", "Component", "Densities", "Normal", "newton_step", "ridged"]

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class Densities(Protocol):
    """Log-densities of the units in every group."""

    @property
    def value(self) -> Tensor:
        """Log-densities, shape (B, K, n)."""
        ...

    @property
    def predictor(self) -> Tensor:
        """Linear predictor of the cells, shape (B, K, C)."""
        ...

    def scores(self) -> Tensor:
        """Derivatives in psi, shape (B, K, q, n)."""
        ...

    def gradient(self, mass: Tensor) -> Tensor:
        """Derivatives of a sum over units with some mass, shape (B, K, q)."""
        ...

    def hessian(self, mass: Tensor, gradient: Tensor) -> Tensor:
        """Second derivatives of that sum, shape (B, K, q, q).

        Parameters
        ----------
        mass : Tensor, shape (B, K, n)
        gradient : Tensor, shape (B, K, q)
            Its gradient, which the caller has.
        """
        ...


class Component(Protocol):
    """A distribution with a linear predictor, as a value."""

    @property
    def family(self) -> AnyFamily:
        """The distribution."""
        ...

    @property
    def exact(self) -> bool:
        """Whether ``maximised`` is the maximum, not a step towards it that may be too long."""
        ...

    @property
    def rises(self) -> bool:
        """Whether such a step never lowers the log-likelihood."""
        ...

    def densities(self, units: Units, psi: Tensor) -> Densities:
        """Evaluate at psi, shape (B, K, q)."""
        ...

    def maximised(self, psi: Tensor, complete: Complete, free: Tensor) -> Tensor:
        """Parameters that raise the log-likelihood of complete data, shape (B, K, q).

        Parameters
        ----------
        psi : Tensor, shape (B, K, q)
        complete : Complete
        free : Tensor, shape (K q, P)
            Directions in which psi may move.
        """
        ...


@dataclass(frozen=True, eq=False)
class Complete:
    """The log-likelihood of complete data: sums over units that count for each group by their mass.

    Parameters
    ----------
    gradient : Tensor, shape (B, K, q)
    hessian : Tensor, shape (B, K, q, q)
    rows : Tensor, shape (B, K)
        Rows of the units.
    """

    gradient: Tensor
    hessian: Tensor
    rows: Tensor

    @staticmethod
    def stacked(parts: list[Complete]) -> Complete:
        """Join batches of starts."""
        if len(parts) == 1:
            return parts[0]
        each = zip(*((c.gradient, c.hessian, c.rows) for c in parts), strict=True)
        return Complete(*(torch.cat(of) for of in each))

    def __add__(self, other: Complete) -> Complete:
        return Complete(self.gradient + other.gradient, self.hessian + other.hessian, self.rows + other.rows)


def newton_step(gradient: Tensor, information: Tensor, free: Tensor) -> Tensor:
    """I^-1 g group by group or, where not every direction is free, F (F'IF)^-1 F'g; shape (B, K, q).

    Parameters
    ----------
    gradient : Tensor, shape (B, K, q)
    information : Tensor, shape (B, K, q, q)
    free : Tensor, shape (K q, P)
    """
    if not free.shape[1]:
        return torch.zeros_like(gradient)
    if free.shape[0] == free.shape[1]:
        return torch.linalg.solve_ex(ridged(information), gradient[..., None])[0][..., 0]
    inner = free.mT @ _block_diagonal(information) @ free
    step = torch.linalg.solve_ex(ridged(inner), (gradient.flatten(1) @ free)[..., None])[0]
    return (free @ step)[..., 0].reshape(gradient.shape)


def _block_diagonal(blocks: Tensor) -> Tensor:
    batch, groups, q, _ = blocks.shape
    whole = blocks.new_zeros(batch, groups, q, groups, q)
    for g in range(groups):
        whole[:, g, :, g] = blocks[:, g]
    return whole.reshape(batch, groups * q, groups * q)


def ridged(matrix: Tensor) -> Tensor:
    """Lift the diagonal a little: an empty group has no information."""
    diagonal = torch.diagonal(matrix, dim1=-2, dim2=-1)
    lift = 1e-10 * diagonal.amax(-1, keepdim=True).clamp(min=1e-290)
    return matrix + torch.diag_embed(lift.expand_as(diagonal))


@dataclass(frozen=True, eq=False)
class CanonicalDensities:
    """Of a family without dispersion in its canonical parameter."""

    family: Family
    units: Units
    value: Tensor
    predictor: Tensor

    def scores(self) -> Tensor:
        """Slopes x'(y - b'(eta)), summed over the rows of each unit."""
        slope = self.units.xy - self.units.layout.unit_gradients(self.family.mean(self.predictor))
        return slope.expand(*self.value.shape[:2], self.units.p, self.units.n)

    def gradient(self, mass: Tensor) -> Tensor:
        """X'N(y - b')."""
        layout = self.units.layout
        return mass @ self.units.xy.mT - (layout.cell_sums(mass) * self.family.mean(self.predictor)) @ layout.x

    def hessian(self, mass: Tensor, gradient: Tensor) -> Tensor:  # noqa: ARG002 - one signature
        """-X' diag(N b'') X."""
        layout = self.units.layout
        weight = layout.cell_sums(mass) * self.family.variance(self.predictor)
        return -(layout.x.mT * weight[..., None, :]) @ layout.x


@dataclass(frozen=True)
class Canonical:
    """A natural exponential family without dispersion."""

    family: Family
    exact = False
    rises = True

    def densities(self, units: Units, psi: Tensor) -> CanonicalDensities:
        """Evaluate at psi, shape (B, K, p)."""
        eta = units.layout.predictor(psi)
        value = psi @ units.xy - units.layout.unit_sums(self.family.cumulant(eta)) + units.base
        return CanonicalDensities(self.family, units, value, eta)

    def maximised(self, psi: Tensor, complete: Complete, free: Tensor) -> Tensor:
        """One step of Newton."""
        return psi + newton_step(complete.gradient, -complete.hessian, free)


@dataclass(frozen=True, eq=False)
class NormalDensities:
    """Of the normal, with the sums of squared residuals of the units."""

    units: Units
    value: Tensor
    predictor: Tensor
    precision: Tensor
    squares: Tensor

    def scores(self) -> Tensor:
        """Slopes x'(y - eta) / sigma^2 in beta; SS / sigma^2 - N in log sigma."""
        slope = (self.units.xy - self.units.layout.unit_gradients(self.predictor)) * self.precision[..., None, None]
        spread = (self.squares * self.precision[..., None] - self.units.rows)[:, :, None]
        return torch.cat([slope.expand(*self.value.shape[:2], -1, self.units.n), spread], 2)

    def gradient(self, mass: Tensor) -> Tensor:
        """X'N(y - eta) / sigma^2; SS / sigma^2 - N."""
        layout = self.units.layout
        slope = mass @ self.units.xy.mT - (layout.cell_sums(mass) * self.predictor) @ layout.x
        spread = (mass * self.squares).sum(-1) * self.precision - (mass * self.units.rows).sum(-1)
        return torch.cat([slope * self.precision[..., None], spread[..., None]], -1)

    def hessian(self, mass: Tensor, gradient: Tensor) -> Tensor:
        """-X'NX / sigma^2; -2 g in beta and log sigma; -2 SS / sigma^2."""
        layout, p = self.units.layout, self.units.p
        found = gradient.new_empty(*gradient.shape, p + 1)
        weight = layout.cell_sums(mass) * self.precision[..., None]
        found[..., :p, :p] = -(layout.x.mT * weight[..., None, :]) @ layout.x
        found[..., :p, p] = found[..., p, :p] = -2 * gradient[..., :p]
        found[..., p, p] = -2 * self.precision * (mass * self.squares).sum(-1)
        return found


@dataclass(frozen=True)
class Normal:
    """The normal, its standard deviation a parameter: one of each group, or one of all.

    Parameters
    ----------
    family : Family
    common : bool
    """

    family: Family
    common: bool
    exact = True
    rises = True

    def densities(self, units: Units, psi: Tensor) -> NormalDensities:
        """Evaluate at psi, shape (B, K, p + 1)."""
        beta, log_sigma = psi[..., :-1], psi[..., -1]
        eta = units.layout.predictor(beta)
        squares = units.yy - 2 * (beta @ units.xy) + units.layout.unit_sums(eta * eta)
        precision = torch.exp(-2 * log_sigma)
        spread = units.rows * (log_sigma + HALF_LOG_TWO_PI)[..., None]
        value = -squares / 2 * precision[..., None] - spread + units.base
        return NormalDensities(units, value, eta, precision, squares)

    def maximised(self, psi: Tensor, complete: Complete, free: Tensor) -> Tensor:
        """Least squares, then sigma from what they leave."""
        p = psi.shape[-1] - 1
        gradient, information = complete.gradient[..., :p], -complete.hessian[..., :p, :p]
        step = newton_step(gradient, information, _of_beta(free, psi.shape[1]))
        precision = torch.exp(-2 * psi[..., p])
        # RSS(b + s) = RSS(b) - 2 s'X'e + s'X'Xs, all over sigma^2 of before.
        gained = (step * (2 * gradient - (information @ step[..., None])[..., 0])).sum(-1)
        rss, rows = (-complete.hessian[..., p, p] / 2 - gained) / precision, complete.rows
        if self.common:
            rss, rows = rss.sum(1, keepdim=True).expand_as(rss), rows.sum(1, keepdim=True).expand_as(rows)
        log_sigma = 0.5 * torch.log(rss.clamp(min=1e-300) / rows.clamp(min=1e-300))
        return torch.cat([psi[..., :p] + step, log_sigma[..., None]], -1)


def _of_beta(free: Tensor, groups: int) -> Tensor:
    """The free directions of the coefficients alone, of (beta, log sigma)."""
    part = free.reshape(groups, -1, free.shape[1])[:, :-1].flatten(0, 1)
    return part[:, (part != 0).any(0)]
