"""The scores of several linear predictors as an operator, never as a matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.design.design import refuse_large
from formula_torch.design.stacked import Kernel, Stacked
from formula_torch.errors import DataError
from formula_torch.numerics.arrays import as_tensor

__all__ = ["StackedScores"]


@dataclass(frozen=True, eq=False)
class StackedScores:
    """Scores (d_i1 q_i1, ..., d_im q_im) of the rows, in coordinates in which the information is the identity.

    Parameters
    ----------
    stacked : Stacked
    theta : array, shape (size,)
        Where they are taken.
    kernel : callable
        Derivatives of rows, analytic weights included.
    whiten : array, shape (size, rank)
        From those coordinates to theta.
    counts : Tensor, shape (n,), or None
        How many rows each one stands for (frequency weights).
    """

    stacked: Stacked
    theta: np.ndarray
    kernel: Kernel
    whiten: np.ndarray
    counts: Tensor | None = None

    @property
    def rank(self) -> int:
        """Number of coordinates."""
        return self.whiten.shape[1]

    def outer(self, multiplier: np.ndarray | None = None) -> np.ndarray:
        """Sum of m_i^2 s_i s_i' over rows, shape (rank, rank)."""
        squares = None if multiplier is None else as_tensor(multiplier**2, self._device)

        def weigh(rows: slice) -> Tensor | None:
            parts = [x[rows] for x in (squares, self.counts) if x is not None]
            return torch.stack(parts).prod(0) if parts else None

        return self.whiten.T @ self.stacked.outer(self.theta, self.kernel, weigh) @ self.whiten

    def by(self, codes: np.ndarray, n_clusters: int, slopes: np.ndarray | None = None) -> np.ndarray:
        """Sums of scores by cluster, shape (n_clusters, rank).

        Raises
        ------
        DataError
            The sums would take more than 4 GiB; or slopes are given, of which there are several here.
        """
        if slopes is not None:
            raise _several("this statistic")
        refuse_large(n_clusters, self.stacked.size, "the matrix of sums by cluster")
        where = as_tensor(codes, self._device)
        return self.stacked.by(self.theta, self.kernel, self.counts, where, n_clusters) @ self.whiten

    def dense(self) -> np.ndarray:
        """Scores of every row, shape (n, rank), each repeated by its count; for series, not for large data.

        Raises
        ------
        DataError
            The matrix would take more than 4 GiB.
        """
        refuse_large(self.stacked.n_rows, self.rank, "the matrix of scores")
        return self.repeated(self.stacked.scores(self.theta, self.kernel, self.whiten))

    def repeated(self, values: np.ndarray) -> np.ndarray:
        """Repeat the rows of an array by their counts."""
        return values if self.counts is None else np.repeat(values, self.counts.cpu().numpy().astype(np.int64), axis=0)

    def along(self, direction: np.ndarray) -> np.ndarray:  # noqa: ARG002 - the protocol's signature
        """Not defined: a row has several slopes."""
        raise _several("this statistic")

    def orthonormal(self) -> np.ndarray:
        """Not defined: the information of a row is not a square."""
        raise _several("this resampling")

    def information_by(self, codes: np.ndarray, n_clusters: int) -> np.ndarray:  # noqa: ARG002
        """Not defined: the information of a row is not a square."""
        raise _several("the jackknife in closed form (CRV3)")

    def leverage(self) -> np.ndarray:
        """Not defined: there is no hat matrix."""
        raise _several("a covariance by leverage (HC2 to HC5)")

    @property
    def _device(self) -> torch.device:
        return self.stacked.parts[0].design.device


def _several(what: str) -> DataError:
    return DataError(f"{what} is for models of one linear predictor; use vcov='HC1', 'OPG', or cluster.")
