"""The likelihoods of many draws of the same rows, each with weights of its own, as a solver climbs them at once.

    l_b(theta) = sum_i w_bi l(y_i; eta_i1, ..., eta_im)

The rows are written out in coordinates, in which a point of every draw has its predictors by one product.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from formula_torch.design.stacked import Stacked
from formula_torch.families.several import SeveralFamily
from formula_torch.models.several import SeveralModel, longest
from formula_torch.numerics.arrays import CELLS_AT_ONCE, slices

__all__ = ["DrawnModel", "DrawnRows"]


@dataclass(frozen=True, eq=False)
class DrawnRows:
    """Rows of a model in coordinates.

    Parameters
    ----------
    family : SeveralFamily
    stacked : Stacked
        Its blocks say where each predictor lies in theta.
    parts : tuple of Tensor of shape (rank, n)
        Coordinates of the rows, of each part.
    offsets : tuple of Tensor of shape (n,) or None
        Of each predictor.
    y : Tensor, shape (n,) or (n, columns)
    """

    family: SeveralFamily
    stacked: Stacked
    parts: tuple[Tensor, ...]
    offsets: tuple[Tensor | None, ...]
    y: Tensor

    @staticmethod
    def of(model: SeveralModel, order: Tensor) -> DrawnRows:
        """Write rows out.

        Parameters
        ----------
        model : SeveralModel
        order : int64 Tensor
            Which rows; one may come several times.
        """
        parts = tuple(
            torch.cat([batch.matmat(part.whiten) for _, batch in part.design.formed()], dim=1)[:, order]
            for part in model.stacked.parts
        )
        offsets = tuple(None if own is None else own[order] for own in model.stacked.offsets)
        return DrawnRows(model.family, model.stacked, parts, offsets, model.y[order])

    def predictor(self, theta: Tensor, j: int) -> Tensor:
        """One of the predictors at points of shape (B, size), shape (B, n)."""
        values = theta[:, self.stacked.blocks[j]] @ self.parts[self.stacked.owner[j]]
        own = self.offsets[j]
        return values if own is None else values + own

    def products(self, p: int, q: int, rows: slice) -> Tensor:
        """Products of the coordinates of two parts, shape (n_rows, rank_p * rank_q)."""
        one, other = self.parts[p][:, rows], self.parts[q][:, rows]
        return (one[:, None] * other[None]).flatten(0, 1).mT


@dataclass(frozen=True, eq=False)
class DrawnModel:
    """What a solver climbs. A point carries the number of its draw behind its coordinates, shape (B, size + 1).

    Parameters
    ----------
    rows : DrawnRows
    weights : Tensor, shape (draws, n)
    """

    rows: DrawnRows
    weights: Tensor

    def start(self, theta: Tensor) -> Tensor:
        """Points of all draws from coordinates of shape (size,), or (draws, size)."""
        draws = torch.arange(len(self.weights), dtype=theta.dtype, device=theta.device)[:, None]
        return torch.cat([theta.expand(len(draws), -1), draws], dim=1)

    def _at(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights, shape (B, n); the response and the predictors of the rows of all draws, side by side."""
        theta, y = points[:, :-1], self.rows.y
        eta = torch.stack([self.rows.predictor(theta, j).flatten() for j in range(len(self.rows.stacked.owner))])
        return self.weights[points[:, -1].long()], y.expand(len(points), *y.shape).flatten(0, 1), eta

    def value(self, points: Tensor) -> Tensor:
        """Log-likelihoods, shape (B,)."""
        weights, y, eta = self._at(points)
        return _weighted(self.rows.family.loglik(y, eta), weights).sum(1)

    def derivatives(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-likelihoods (B,), gradients (B, size) and Hessians (B, size, size)."""
        weights, y, eta = self._at(points)
        found, owner = self.rows.family.derivatives(y, eta), self.rows.stacked.owner
        gradients = [_weighted(own, weights) @ self.rows.parts[p].mT for own, p in zip(found.first, owner, strict=True)]
        hessian = weights.new_zeros(len(points), self.rows.stacked.size, self.rows.stacked.size)
        for j in range(len(owner)):
            for k in range(j, len(owner)):
                if (second := found.second(j, k)) is not None:
                    self._add(hessian, j, k, _weighted(second, weights))
        return _weighted(found.value, weights).sum(1), torch.cat(gradients, dim=1), hessian

    def _add(self, hessian: Tensor, j: int, k: int, second: Tensor) -> None:
        """Put the blocks of two predictors in their places, given w d2l/deta_j deta_k of shape (B, n)."""
        (p, q), (one, other) = (
            (self.rows.stacked.owner[i] for i in (j, k)),
            (self.rows.stacked.blocks[i] for i in (j, k)),
        )
        ranks = len(self.rows.parts[p]), len(self.rows.parts[q])
        sums = second.new_zeros(len(second), ranks[0] * ranks[1])
        for part in slices(second.shape[1], CELLS_AT_ONCE // sums.shape[1]):
            sums += second[:, part] @ self.rows.products(p, q, part)
        block = sums.view(-1, *ranks)
        hessian[:, one, other], hessian[:, other, one] = block, block.mT

    def moved(self, points: Tensor, step: Tensor) -> Tensor:
        """Points after steps of shape (B, size)."""
        return torch.cat([points[:, :-1] + step, points[:, -1:]], dim=1)

    def longest(self, points: Tensor, step: Tensor) -> Tensor:  # noqa: ARG002 - the protocol's signature
        """Share of each step that moves no predictor too far."""
        return longest(self.rows.family, self.rows.stacked, step)

    def rescue(self, points: Tensor) -> Tensor:
        """The points themselves: no better map than Newton's is known."""
        return points


def _weighted(values: Tensor, weights: Tensor) -> Tensor:
    """Values of rows times weights, shape (B, n); a row of no weight counts nothing, even where it is infinite."""
    return torch.where(weights > 0, values.view_as(weights) * weights, 0.0)
