"""Scores of a network's weights as an operator, in coordinates in which the Gauss-Newton information is the identity.

    G = sum_i w_i h_i J_i J_i',    s_i = d_i J_i

with J the derivatives of the predictor in the weights, h the expected information of rows and d their scores in it.
Directions of the weights in which G is zero change no prediction of any row, and have no coordinate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.design.design import refuse_large
from formula_torch.models.network_rows import NetworkRows
from formula_torch.models.row_loss import BLOCK_CELLS
from formula_torch.numerics.arrays import segment_sum, slices
from formula_torch.numerics.threads import threads_for

__all__ = ["Identified", "NetworkScores", "gauss_newton", "identified"]

# Eigenvalues of the information that are rounding, as a share of the largest.
NOTHING = 1e-11


def gauss_newton(rows: NetworkRows, theta: Tensor, weights: Tensor) -> np.ndarray:
    """Gauss-Newton information of the weights, an unscaled sum over rows, shape (p, p).

    Parameters
    ----------
    rows : NetworkRows
    theta : Tensor, shape (p,)
    weights : Tensor, shape (n,)
        Information of each row in its predictor.
    """
    refuse_large(len(theta), len(theta), "the information of the weights")
    return rows.products(theta, weights).cpu().numpy()


@dataclass(frozen=True, eq=False)
class Identified:
    """Directions of the weights that the rows determine.

    Parameters
    ----------
    lift : array, shape (p, rank)
        From coordinates in which the information is the identity to weights.
    null_space : array, shape (p - rank, p)
        Orthonormal directions that change no prediction.
    """

    lift: np.ndarray
    null_space: np.ndarray

    @property
    def rank(self) -> int:
        """Number of directions that are determined."""
        return self.lift.shape[1]

    @property
    def known(self) -> bool:
        """Whether it was looked which these are."""
        return self.rank + len(self.null_space) == len(self.lift)


def identified(information: np.ndarray) -> Identified:
    """Tell the directions that change predictions from those that change none.

    Parameters
    ----------
    information : array, shape (p, p)
    """
    values, vectors = (x.numpy() for x in torch.linalg.eigh(torch.from_numpy(information)))
    known = values > NOTHING * max(values[-1], 0.0)
    return Identified(vectors[:, known] / np.sqrt(values[known]), vectors[:, ~known].T)


@dataclass(frozen=True, eq=False)
class NetworkScores:
    """Scores of the rows, in the coordinates of `whiten`.

    Parameters
    ----------
    rows : NetworkRows
    theta : Tensor, shape (p,)
    whiten : Tensor, shape (p, rank)
    slopes : Tensor, shape (n,)
        Scores of the rows in their predictors, weighted by what are no counts.
    weights : Tensor, shape (n,)
        Information of the rows in their predictors, weighted likewise.
    counts : Tensor, shape (n,), or None
        How many rows each one stands for.
    """

    rows: NetworkRows
    theta: Tensor
    whiten: Tensor
    slopes: Tensor
    weights: Tensor
    counts: Tensor | None = None

    @property
    def rank(self) -> int:
        """Number of coordinates."""
        return self.whiten.shape[1]

    def _blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Rows of the Jacobian in the coordinates, shape (rows, rank), block by block."""
        with threads_for(float(len(self.slopes)) * len(self.theta) * self.rank):
            for part in slices(len(self.slopes), max(BLOCK_CELLS // len(self.theta), 1)):
                yield part, self.rows.jacobian(self.theta, part) @ self.whiten

    def _filled(self, each: Callable[[slice, Tensor], Tensor], *shape: int) -> np.ndarray:
        refuse_large(len(self.slopes), max(shape, default=1), "a matrix of rows and weights")
        out = np.empty((len(self.slopes), *shape))
        for part, q in self._blocks():
            out[part] = each(part, q).cpu().numpy()
        return out

    def outer(self, multiplier: np.ndarray | None = None) -> np.ndarray:
        """Sum of m_i^2 s_i s_i', shape (rank, rank)."""
        squares = self.slopes**2 if self.counts is None else self.slopes**2 * self.counts
        if multiplier is not None:
            squares = squares * torch.as_tensor(multiplier, device=squares.device) ** 2
        total = torch.zeros(self.rank, self.rank, dtype=torch.float64, device=squares.device)
        for part, q in self._blocks():
            total += (q * squares[part, None]).mT @ q
        return total.cpu().numpy()

    def by(self, codes: np.ndarray, n_clusters: int, slopes: np.ndarray | None = None) -> np.ndarray:
        """Sums of scores by cluster, shape (n_clusters, rank)."""
        refuse_large(n_clusters, self.rank, "the matrix of sums by cluster")
        given = self.slopes if slopes is None else torch.as_tensor(slopes, device=self.slopes.device)
        d = given if self.counts is None else given * self.counts
        where = torch.as_tensor(codes, device=d.device)
        total = torch.zeros(self.rank, n_clusters, dtype=torch.float64, device=d.device)
        for part, q in self._blocks():
            segment_sum((q * d[part, None]).mT.contiguous(), where[part], n_clusters, total)
        return total.mT.cpu().numpy()

    def information_by(self, codes: np.ndarray, n_clusters: int) -> np.ndarray:
        """Information of each cluster, shape (n_clusters, rank, rank)."""
        refuse_large(n_clusters, self.rank**2, "the information of every cluster")
        total = np.zeros((n_clusters, self.rank, self.rank))
        w = self.weights if self.counts is None else self.weights * self.counts
        for part, q in self._blocks():
            here, weighted = q.cpu().numpy(), (q * w[part, None]).cpu().numpy()
            for cluster in np.unique(codes[part]):
                own = codes[part] == cluster
                total[cluster] += weighted[own].T @ here[own]
        return total

    def along(self, direction: np.ndarray) -> np.ndarray:
        """Fall of the slopes when the coordinates move along a direction, shape (n,)."""
        to = torch.as_tensor(direction, device=self.slopes.device)
        return self._filled(lambda part, q: q @ to * self.weights[part])

    def orthonormal(self) -> np.ndarray:
        """Rows whose products are the information of each, shape (n, rank); repeated by counts."""
        return self.repeated(self._filled(lambda part, q: q * self.weights[part, None].sqrt(), self.rank))

    def leverage(self) -> np.ndarray:
        """Diagonal of the hat matrix, shape (n,); of one copy where rows have counts."""
        return self._filled(lambda part, q: (q * q).sum(1) * self.weights[part])

    def dense(self) -> np.ndarray:
        """Scores of every row, shape (n, rank), each repeated by its count."""
        return self.repeated(self._filled(lambda part, q: q * self.slopes[part, None], self.rank))

    def repeated(self, values: np.ndarray) -> np.ndarray:
        """Repeat the rows of an array by their counts."""
        return values if self.counts is None else np.repeat(values, self.counts.cpu().numpy().astype(np.int64), axis=0)
