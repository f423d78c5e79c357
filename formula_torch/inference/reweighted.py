"""Least squares fitted again to units that count several times, in one solve for each draw.

In orthonormal coordinates a unit has the score s_j (its residuals at the estimates) and the share
A_j of the information, which is the identity. With counts m_j the normal equations are

    (sum_j m_j A_j) d = sum_j m_j s_j,

with d the exact move of the estimates: nothing is iterated, and nothing is lost to the units of x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.inference.clustered import leave_one_out
from formula_torch.inference.moments import Labels, Moments, moved_along
from formula_torch.numerics.arrays import CELLS_AT_ONCE, as_tensor, slices
from formula_torch.numerics.threads import threads_for

__all__ = ["ClusterRefit", "RowRefit", "cluster_refit", "row_refit"]

# A pivot below this share of the diagonal is rounding: the units do not determine a coordinate.
SINGULAR = 1e-10


@dataclass(frozen=True, eq=False)
class ClusterRefit:
    """Clusters that count several times.

    Parameters
    ----------
    estimates : array, shape (k,)
    lift : array, shape (k, rank)
    scores : Tensor, shape (n_units, rank)
    information : Tensor, shape (n_units, rank, rank)
    """

    estimates: np.ndarray
    lift: np.ndarray
    scores: Tensor
    information: Tensor

    @property
    def n_units(self) -> int:
        """Number of clusters."""
        return len(self.scores)

    def refit(self, counts: Tensor) -> np.ndarray:
        """Coefficients for counts of shape (draws, n_units), shape (draws, k); NaN where not determined."""
        counts = counts.to(self.scores.device)
        rank = self.scores.shape[1]
        with threads_for(float(counts.numel()) * rank**2):
            information = (counts @ self.information.flatten(1)).view(-1, rank, rank)
            return _lifted(self, _solved(information, counts @ self.scores))

    def leave_one_out(self) -> np.ndarray:
        """Coefficients without each cluster, shape (n_units, k): moves -(I - A_g)^-1 s_g."""
        sums, shares = self.scores.cpu().numpy(), self.information.cpu().numpy()
        changes, directions, owners = leave_one_out(sums, shares)
        return _without_undetermined(self, -changes, directions, owners)

    def influence(self) -> np.ndarray:
        """Derivatives of the coefficients in the count of each cluster, shape (n_units, k)."""
        return self.scores.cpu().numpy() @ self.lift.T


@dataclass(frozen=True, eq=False)
class RowRefit:
    """Rows that count several times; their products are formed in blocks.

    Parameters
    ----------
    estimates : array, shape (k,)
    lift : array, shape (k, rank)
    scores, rows : Tensor, shape (n_units, rank)
        Scores; rows whose products are the information of each.
    """

    estimates: np.ndarray
    lift: np.ndarray
    scores: Tensor
    rows: Tensor

    @property
    def n_units(self) -> int:
        """Number of rows."""
        return len(self.scores)

    def refit(self, counts: Tensor) -> np.ndarray:
        """Coefficients for counts of shape (draws, n_units), shape (draws, k); NaN where not determined."""
        counts = counts.to(self.scores.device)
        rank = self.scores.shape[1]
        i, j = torch.triu_indices(rank, rank, device=counts.device)
        sums = torch.zeros(len(counts), len(i), dtype=counts.dtype, device=counts.device)
        with threads_for(float(counts.numel()) * rank**2):
            for part in slices(self.n_units, CELLS_AT_ONCE // len(i)):
                sums += counts[:, part] @ (self.rows[part, i] * self.rows[part, j])
            information = torch.empty(len(counts), rank, rank, dtype=counts.dtype, device=counts.device)
            information[:, i, j], information[:, j, i] = sums, sums
            return _lifted(self, _solved(information, counts @ self.scores))

    def leave_one_out(self) -> np.ndarray:
        """Coefficients without each row, shape (n_units, k), by (I - q q')^-1 q = q / (1 - q'q)."""
        rest = 1 - (self.rows * self.rows).sum(1, keepdim=True)
        whole = rest <= SINGULAR
        moves = torch.where(whole, 0.0, -self.scores / torch.where(whole, 1.0, rest))
        owners = np.flatnonzero(whole.cpu().numpy())
        return _without_undetermined(self, moves.cpu().numpy(), self.rows.cpu().numpy()[owners], owners)

    def influence(self) -> np.ndarray:
        """Derivatives of the coefficients in the count of each row, shape (n_units, k)."""
        return self.scores.cpu().numpy() @ self.lift.T


def _lifted(refit: ClusterRefit | RowRefit, moves: np.ndarray) -> np.ndarray:
    """Coefficients after moves in q coordinates, shape (draws, k)."""
    return refit.estimates + moves @ refit.lift.T


def _without_undetermined(
    refit: ClusterRefit | RowRefit, moves: np.ndarray, directions: np.ndarray, owners: np.ndarray
) -> np.ndarray:
    """Coefficients after moves, shape (n_units, k); NaN for those that move along what a unit alone determines."""
    out = _lifted(refit, moves)
    for unit, moved in zip(owners, moved_along(refit.lift, directions), strict=True):
        out[unit, moved] = np.nan
    return out


def _solved(information: Tensor, scores: Tensor) -> np.ndarray:
    """Solve a batch of normal equations, shape (draws, rank); NaN where singular but for rounding."""
    root, info = torch.linalg.cholesky_ex(information)
    diagonal = information.diagonal(dim1=1, dim2=2)
    pivots = root.diagonal(dim1=1, dim2=2) ** 2
    singular = (info > 0) | ~(pivots > SINGULAR * diagonal).all(1)
    root[singular] = torch.eye(scores.shape[1], dtype=root.dtype, device=root.device)
    moves = torch.cholesky_solve(scores[..., None], root)[..., 0]
    moves[singular] = torch.nan
    return moves.cpu().numpy()


def row_refit(moments: Moments, estimates: np.ndarray, device: torch.device) -> RowRefit:
    """Gather rows; those with frequency weights are repeated.

    Raises
    ------
    DataError
        The rows would take more than 4 GiB.
    """
    scores = moments.scores()
    rows, dense = as_tensor(scores.orthonormal(), device), as_tensor(scores.dense(), device)
    return RowRefit(estimates, moments.lift, dense, rows)


def cluster_refit(moments: Moments, estimates: np.ndarray, labels: Labels, device: torch.device) -> ClusterRefit:
    """Gather sums by cluster.

    Raises
    ------
    DataError
        The shares of information would take more than 4 GiB.
    """
    scores = moments.scores()
    sums = as_tensor(scores.by(labels.codes, labels.count), device)
    information = as_tensor(scores.information_by(labels.codes, labels.count), device)
    return ClusterRefit(estimates, moments.lift, sums, information)
