"""Rows of a matrix under a network: their predictions, derivatives in the weights, and mean loss."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from formula_torch.models.network import NetworkFunction
from formula_torch.models.row_loss import BLOCK_CELLS, Pull, RowLoss
from formula_torch.numerics.arrays import slices

__all__ = ["NetworkLoss", "NetworkRows"]

# With more weights second derivatives cost ten times what products of first ones do.
BENT_WEIGHTS = 100


@dataclass(frozen=True, eq=False)
class NetworkLoss(RowLoss):
    """The mean loss of rows under a network, which knows its curvature."""

    predictor: NetworkRows

    @staticmethod
    def of(loss: RowLoss, rows: NetworkRows) -> NetworkLoss:
        """Return a loss whose predictor is known to be a network."""
        return NetworkLoss(rows, loss.family, loss.y, loss.weights, loss.offset, loss.scale)

    def curvature(self, theta: Tensor) -> Tensor:
        """Second derivatives of the mean loss, shape (p, p): sum of c_i J_i J_i' - d_i f_i'' over rows.

        Of many weights Gauss and Newton's approximation to it, whose c_i are the information, without f_i''.
        """
        eta = self.predicted(theta)
        if len(theta) > BENT_WEIGHTS:
            information = self.family.information(eta)
            weighted = information if self.weights is None else information * self.weights
            return self.predictor.products(theta, weighted) * (self.scale**2 / self.n_rows)
        slopes, bends = self.family.score(self.y, eta), self.family.curvature(self.y, eta)
        if self.weights is not None:
            slopes, bends = slopes * self.weights, bends * self.weights
        products = self.predictor.products(theta, bends * self.scale**2)
        return (products - self.predictor.bent(theta, slopes * self.scale)) / self.n_rows


@dataclass(frozen=True, eq=False)
class NetworkRows:
    """A network of the rows of a matrix, as a predictor.

    Parameters
    ----------
    function : NetworkFunction
    x : Tensor, shape (n, m)
    """

    function: NetworkFunction
    x: Tensor

    @property
    def height(self) -> int:
        """Rows to take at once."""
        return max(BLOCK_CELLS // max(self.function.width, 1), 1)

    def at(self, theta: Tensor, rows: slice) -> tuple[Tensor, Pull]:
        """Return f of some rows, and the product with the transpose of its Jacobian in the weights."""
        own = theta.detach().requires_grad_(True)
        with torch.enable_grad():
            eta = self.function.eta(own, self.x[rows])

        def pull(d: Tensor) -> Tensor:
            return torch.autograd.grad(eta, own, d)[0]

        return eta.detach(), pull

    def jacobian(self, theta: Tensor, rows: slice) -> Tensor:
        """Return the derivatives of f of some rows in the weights, shape (n, p)."""

        def one(weights: Tensor, row: Tensor) -> Tensor:
            return self.function.eta(weights, row[None])[0]

        found: Tensor = torch.func.vmap(torch.func.grad(one), in_dims=(None, 0))(theta.detach(), self.x[rows])
        return found

    def products(self, theta: Tensor, weights: Tensor) -> Tensor:
        """Sum of w_i J_i J_i' over rows, shape (p, p)."""
        total = torch.zeros(len(theta), len(theta), dtype=torch.float64, device=theta.device)
        for part in slices(len(self.x), max(BLOCK_CELLS // len(theta), 1)):
            j = self.jacobian(theta, part)
            total += (j * weights[part, None]).mT @ j
        return total

    def bent(self, theta: Tensor, slopes: Tensor) -> Tensor:
        """Sum of d_i f_i'' over rows, shape (p, p)."""
        total = torch.zeros(len(theta), len(theta), dtype=torch.float64, device=theta.device)
        for part in slices(len(self.x), max(BLOCK_CELLS // (len(theta) * self.function.width), 1)):
            some, d = self.x[part], slopes[part]

            def along(weights: Tensor, some: Tensor = some, d: Tensor = d) -> Tensor:
                return d @ self.function.eta(weights, some)

            # Forward mode would load torch.jit, seconds late and with a warning.
            total += torch.func.jacrev(torch.func.grad(along))(theta.detach())
        return total

    def permuted(self, order: Tensor) -> NetworkRows:
        """Return the rows in another order, or some of them."""
        return replace(self, x=self.x[order])
