"""A component given by the log-density of a row alone: its derivatives are taken automatically, row by row.

The log-density of a row depends on two numbers, its linear predictor and log sigma, so that derivatives of
a sum over rows are those of the rows, and second derivatives need two passes backward, however many rows there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from formula_torch.families import AnyFamily, Density
from formula_torch.models.mixture.components import Canonical, Complete, Component, Normal, newton_step
from formula_torch.models.mixture.units import Rows, Units

__all__ = ["Elementwise", "component_of"]

# Curvature below this share of the largest is taken for none.
LEAST_CURVATURE = 1e-7


@dataclass(frozen=True, eq=False)
class _Derivatives:
    """First and second derivatives of rows in eta (e) and log sigma (s), shape (B, K, N) each."""

    e: Tensor
    s: Tensor
    ee: Tensor
    es: Tensor
    ss: Tensor


@dataclass(frozen=True, eq=False)
class ElementwiseDensities:
    """Of a density that is known row by row."""

    family: AnyFamily
    units: Units
    value: Tensor
    predictor: Tensor
    log_sigma: Tensor

    @property
    def _rows(self) -> Rows:
        assert isinstance(self.units.layout, Rows)
        return self.units.layout

    @cached_property
    def _derivatives(self) -> _Derivatives:
        """Differentiate the sum over rows twice."""
        with torch.enable_grad():
            eta = self.predictor.detach().requires_grad_()
            s = self.log_sigma.detach().expand_as(eta).clone().requires_grad_()
            e1, s1 = _gradient(_loglik(self.family, self._rows, eta, s), (eta, s))
            ee, es = _gradient(e1, (eta, s))
            _, ss = _gradient(s1, (eta, s))
        return _Derivatives(*(d.detach() for d in (e1, s1, ee, es, ss)))

    def scores(self) -> Tensor:
        """Sums over the rows of each unit of x d/d eta, and of d/d log sigma."""
        d = self._derivatives
        slope = self._rows.unit_gradients(d.e)
        if not self.family.dispersed:
            return slope
        return torch.cat([slope, self._rows.unit_sums(d.s)[:, :, None]], 2)

    def gradient(self, mass: Tensor) -> Tensor:
        """Derivatives of a sum over units with some mass."""
        d, weight = self._derivatives, self._rows.cell_sums(mass)
        slope = (weight * d.e) @ self._rows.x
        return torch.cat([slope, (weight * d.s).sum(-1, keepdim=True)], -1) if self.family.dispersed else slope

    def hessian(self, mass: Tensor, gradient: Tensor) -> Tensor:
        """The form X' diag(N d2) X, bordered by the derivatives in log sigma."""
        d, x, weight = self._derivatives, self._rows.x, self._rows.cell_sums(mass)
        curvature = (x.mT * (weight * d.ee)[..., None, :]) @ x
        if not self.family.dispersed:
            return curvature
        p = self.units.p
        found = gradient.new_empty(*gradient.shape, p + 1)
        found[..., :p, :p] = curvature
        found[..., :p, p] = found[..., p, :p] = (weight * d.es) @ x
        found[..., p, p] = (weight * d.ss).sum(-1)
        return found


def _loglik(family: AnyFamily, rows: Rows, eta: Tensor, log_sigma: Tensor) -> Tensor:
    assert rows.y is not None
    return family.row_loglik(rows.y, eta, log_sigma.exp())


def _gradient(values: Tensor, of: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Derivatives of elementwise functions; zero where they do not depend on an argument."""
    if not values.requires_grad:
        return [torch.zeros_like(x) for x in of]
    found = torch.autograd.grad(values.sum(), of, create_graph=True, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, of, strict=True)]


@dataclass(frozen=True)
class Elementwise:
    """Any density that depends on a linear predictor and, it may be, on sigma."""

    family: AnyFamily
    exact = False
    rises = False

    def densities(self, units: Units, psi: Tensor) -> ElementwiseDensities:
        """Evaluate at psi, shape (B, K, q)."""
        p, rows = units.p, units.layout
        assert isinstance(rows, Rows)
        eta = rows.predictor(psi[..., :p])
        log_sigma = psi[..., p:] if self.family.dispersed else torch.zeros_like(psi[..., :1])
        value = rows.unit_sums(_loglik(self.family, rows, eta, log_sigma))
        return ElementwiseDensities(self.family, units, value, eta, log_sigma)

    def maximised(self, psi: Tensor, complete: Complete, free: Tensor) -> Tensor:
        """One step of Newton, negative curvature turned round: nothing is known of the density."""
        values, vectors = torch.linalg.eigh(-complete.hessian)
        size = values.abs()
        size = size.clamp(min=LEAST_CURVATURE * size.amax(-1, keepdim=True).clamp(min=1e-300))
        return psi + newton_step(complete.gradient, (vectors * size[..., None, :]) @ vectors.mT, free)


def component_of(family: AnyFamily, *, common: bool) -> Component:
    """The component of a family: closed forms where there are some.

    Parameters
    ----------
    family : Family or Density
    common : bool
        One sigma for all groups.
    """
    if isinstance(family, Density):
        return Elementwise(family)
    return Normal(family, common) if family.dispersed else Canonical(family)
