"""The scores of a linear predictor as an operator, never as a matrix.

The score of row i is x_i d_i, where d_i is the derivative of its log-likelihood in
the linear predictor (times the dispersion): w_i e_i for least squares. All results
are in the orthonormal coordinates q of ``Coordinates``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from formula_torch.design.batch import Batch
from formula_torch.design.coordinates import Coordinates
from formula_torch.design.design import Design, refuse_large
from formula_torch.design.gram import GramSums
from formula_torch.numerics.arrays import as_tensor, segment_sum
from formula_torch.numerics.threads import threads_for

__all__ = ["RowScores", "Slopes"]

# The Gram matrix of the standardised columns keeps 1e-16 times the square of their condition.
GRAM_CONDITION = 300.0


class Slopes(Protocol):
    """Derivatives of the log-likelihood of rows in their linear predictor."""

    def __call__(self, rows: slice, batch: Batch) -> Tensor:
        """Return d_i of some rows, whose standardised columns are in `batch`, shape (n_rows,)."""
        ...


@dataclass(frozen=True, eq=False)
class RowScores:
    """Scores q_i d_i of the rows of a design; each result takes one pass over the rows.

    Parameters
    ----------
    source : Design
    coordinates : Coordinates
    slopes : Slopes
        d_i, the derivative in the linear predictor.
    weigh : callable or None
        Returns the weight of each row in the information, shape (n,); None for 1.
    counts : Tensor, shape (n,), or None
        How many rows each one stands for (frequency weights).
    """

    source: Design
    coordinates: Coordinates
    slopes: Slopes
    weigh: Callable[[], Tensor] | None = None
    counts: Tensor | None = None

    @cached_property
    def weights(self) -> Tensor | None:
        """Weight of each row in the information, shape (n,); None for 1."""
        return None if self.weigh is None else self.weigh()

    @property
    def rank(self) -> int:
        """Number of coordinates."""
        return self.coordinates.rank

    @cached_property
    def _design(self) -> Design:
        return self.coordinates.standardised(self.source)

    def outer(self, multiplier: np.ndarray | None = None) -> np.ndarray:
        """Sum of m_i^2 s_i s_i' over rows, shape (rank, rank).

        Parameters
        ----------
        multiplier : array, shape (n,), optional
            m_i; one by default.
        """
        m = None if multiplier is None else self._tensor(multiplier)
        whiten = self.coordinates.whiten
        if self.coordinates.condition > GRAM_CONDITION:
            return self._whitened_outer(m)
        refuse_large(self._design.k, self._design.k, "the cross-product matrix of scores")
        design = self._design

        def part(within: slice) -> np.ndarray:
            sums = GramSums(design.k, design.numeric, design.factors, 0)
            for rows, batch in design.formed(within=within):
                sums.add(batch, self._squares(rows, batch, m))
            return sums.assemble()

        with self._threads():
            return whiten.T @ reduce(np.add, design.over_rows(part)) @ whiten

    def _squares(self, rows: slice, batch: Batch, multiplier: Tensor | None) -> Tensor:
        d = self.slopes(rows, batch)
        d = d if multiplier is None else d * multiplier[rows]
        return d * d if self.counts is None else d * d * self.counts[rows]

    def _whitened_outer(self, multiplier: Tensor | None) -> np.ndarray:
        total = np.zeros((self.rank, self.rank))
        with self._threads():
            for rows, batch in self._design.formed():
                q = batch.matmat(self.coordinates.whiten)
                total += ((q * self._squares(rows, batch, multiplier)) @ q.mT).cpu().numpy()
        return total

    def by(self, codes: np.ndarray, n_clusters: int, slopes: np.ndarray | None = None) -> np.ndarray:
        """Sums of scores by cluster, shape (n_clusters, rank).

        Parameters
        ----------
        codes : int array, shape (n,)
        n_clusters : int
        slopes : array, shape (n,), optional
            In place of d_i.

        Raises
        ------
        DataError
            The sums would take more than 4 GiB.
        """
        refuse_large(n_clusters, self._design.k, "the matrix of sums by cluster")
        sums = np.zeros((self._design.k, n_clusters))
        where = as_tensor(codes, self._design.device)
        given = None if slopes is None else self._tensor(slopes)
        with self._threads():
            for rows, batch in self._design.formed():
                d = self.slopes(rows, batch) if given is None else given[rows]
                sums += batch.sums_by(d if self.counts is None else d * self.counts[rows], where[rows], n_clusters)
        return sums.T @ self.coordinates.whiten

    def information_by(self, codes: np.ndarray, n_clusters: int) -> np.ndarray:
        """Information of each cluster, sum w_i q_i q_i', shape (n_clusters, rank, rank).

        Raises
        ------
        DataError
            The matrices would take more than 4 GiB.
        """
        refuse_large(n_clusters, self.rank**2, "the information of every cluster")
        total = torch.zeros(self.rank, self.rank, n_clusters, dtype=torch.float64)
        where = as_tensor(codes, self._design.device)
        parts = [part for part in (self.weights, self.counts) if part is not None]
        weights = torch.stack(parts).prod(0) if parts else None
        with self._threads():
            for rows, batch in self._design.formed():
                q = batch.matmat(self.coordinates.whiten)
                weighted = q if weights is None else q * weights[rows]
                for j in range(self.rank):
                    total[j, j:] += segment_sum(weighted[j] * q[j:], where[rows], n_clusters).cpu()
        for j in range(self.rank):
            total[j:, j] = total[j, j:].clone()
        return total.permute(2, 0, 1).numpy()

    def leverage(self) -> np.ndarray:
        """Diagonal of the hat matrix, w_i q_i'q_i, shape (n,); of one copy where rows have counts."""
        out = self._design.empty(self._design.n_rows)
        with self._threads():
            for rows, batch in self._design.formed():
                q = batch.matmat(self.coordinates.whiten)
                out[rows] = (q * q).sum(0)
        return (out if self.weights is None else out * self.weights).cpu().numpy()

    def along(self, direction: np.ndarray) -> np.ndarray:
        """Fall of the slopes d_i when the coordinates move along a direction, w_i q_i'a, shape (n,).

        Parameters
        ----------
        direction : array, shape (rank,)
            a.
        """
        out = self._design.empty(self._design.n_rows)
        with self._threads():
            for rows, batch in self._design.formed():
                out[rows] = batch.matvec(self.coordinates.whiten @ direction)
        return (out if self.weights is None else out * self.weights).cpu().numpy()

    def orthonormal(self) -> np.ndarray:
        """Rows root(w_i) q_i, whose products are the information of each, shape (n, rank); repeated by counts.

        Raises
        ------
        DataError
            The matrix would take more than 4 GiB.
        """
        refuse_large(self._design.n_rows, self.rank, "the matrix of orthonormal rows")
        out = np.empty((self._design.n_rows, self.rank))
        roots = None if self.weights is None else self.weights.sqrt()
        with self._threads():
            for rows, batch in self._design.formed():
                q = batch.matmat(self.coordinates.whiten)
                out[rows] = (q if roots is None else q * roots[rows]).mT.cpu().numpy()
        return self.repeated(out)

    def row_slopes(self) -> np.ndarray:
        """Return d_i of every row, shape (n,)."""
        out = self._design.empty(self._design.n_rows)
        with self._threads():
            for rows, batch in self._design.formed():
                out[rows] = self.slopes(rows, batch)
        return out.cpu().numpy()

    def dense(self) -> np.ndarray:
        """Scores of every row, shape (n, rank), each repeated by its count; for series, not for large data.

        Raises
        ------
        DataError
            The matrix would take more than 4 GiB.
        """
        refuse_large(self._design.n_rows, self.rank, "the matrix of scores")
        out = np.empty((self._design.n_rows, self.rank))
        with self._threads():
            for rows, batch in self._design.formed():
                q = batch.matmat(self.coordinates.whiten)
                out[rows] = (q * self.slopes(rows, batch)).mT.cpu().numpy()
        return self.repeated(out)

    def repeated(self, values: np.ndarray) -> np.ndarray:
        """Repeat the rows of an array by their counts."""
        return values if self.counts is None else np.repeat(values, self.counts.cpu().numpy().astype(np.int64), axis=0)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return as_tensor(values, self._design.device)

    def _threads(self) -> AbstractContextManager[None]:
        return threads_for(self._design.work)
