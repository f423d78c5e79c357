"""Likelihoods of one linear predictor fitted again to units that count several times, many draws at once.

In orthonormal coordinates q the information of the sample is the identity. With counts m_j of the units and
weights w_i of the rows a draw maximises sum_i m_j(i) w_i l_i(eta_i + q_i'd) over the move d, by Fisher's scoring
from d = 0, with halved steps where the likelihood falls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.inference.moments import moved_along
from formula_torch.numerics.arrays import CELLS_AT_ONCE, slices
from formula_torch.numerics.threads import threads_for

__all__ = ["RowLikelihood", "ScoredRefit"]

# Newton's decrement, the square of what is left in standard errors, before the last step.
DECREMENT = 1e-16
# Halvings of steps included.
MOST_STEPS = 100
ROUNDING = 1e-10
# A draw that has less than this share of the sample's information along a direction lacks the rows it needs,
# or has gone far out where outcomes are separated.
LEAST_INFORMATION = 1e-8
# More cells than this, units times rows, take minutes to leave out one by one.
MOST_CELLS = 5e9


class RowLikelihood(Protocol):
    """Rows of a likelihood as functions of their linear predictor, times the dispersion."""

    def pieces(self, y: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Minus the log-likelihood but for terms of y alone, its score, and the expected information."""
        ...


@dataclass(frozen=True, eq=False)
class ScoredRefit:
    """Rows, or clusters of rows, that count several times.

    Parameters
    ----------
    estimates : array, shape (k,)
    lift : array, shape (k, rank)
    rows : Tensor, shape (n, rank)
        q_i.
    family : RowLikelihood
    y, eta : Tensor, shape (n,)
        Response, and linear predictor at the estimates.
    weights : Tensor, shape (n,), or None
    scale : float
        The dispersion.
    units : int64 Tensor, shape (n,), or None
        The cluster of each row; None where rows are the units.
    n_units : int
    """

    estimates: np.ndarray
    lift: np.ndarray
    rows: Tensor
    family: RowLikelihood
    y: Tensor
    eta: Tensor
    weights: Tensor | None
    scale: float
    units: Tensor | None
    n_units: int

    def refit(self, counts: Tensor) -> np.ndarray:
        """Coefficients for counts of shape (draws, n_units), shape (draws, k); NaN where there is no maximum."""
        return self._lifted(self._moves(counts.to(self.rows.device)))

    def leave_one_out(self) -> np.ndarray:
        """Coefficients without each unit, shape (n_units, k); NaN for those that a unit alone determines.

        Raises
        ------
        DataError
            There are too many units and rows.
        """
        if float(self.n_units) * len(self.y) > MOST_CELLS:
            raise DataError(
                f"fitting {len(self.y):,} rows again without each of {self.n_units:,} units takes too long; take "
                "cluster= with fewer clusters, or get_influence().d_params, one step of it."
            )
        parts = []
        for part in slices(self.n_units, max(CELLS_AT_ONCE // max(self.n_units, 1), 1)):
            counts = torch.ones(part.stop - part.start, self.n_units, dtype=self.y.dtype, device=self.rows.device)
            counts[torch.arange(len(counts)), torch.arange(part.start, part.stop)] = 0
            parts.append(self._moves(counts))
        values = self._lifted(torch.cat(parts))
        for unit in np.flatnonzero(np.isnan(values).all(axis=1)):
            values[unit] = self._without(int(unit))
        return values

    def influence(self) -> np.ndarray:
        """Derivatives of the coefficients in the count of each unit, shape (n_units, k)."""
        _, score, _ = self.family.pieces(self.y, self.eta)
        scores = self.rows * (score if self.weights is None else score * self.weights)[:, None]
        if self.units is not None:
            sums = torch.zeros(self.n_units, scores.shape[1], dtype=scores.dtype, device=scores.device)
            scores = sums.index_add_(0, self.units, scores)
        return scores.cpu().numpy() @ self.lift.T

    # -- climbing ---------------------------------------------------------------------------------

    def _moves(self, counts: Tensor) -> Tensor:
        """Moves of the coordinates, shape (draws, rank), in blocks of draws."""
        work = float(counts.shape[0]) * len(self.y) * self.rows.shape[1] ** 2
        with threads_for(work):
            height = max(CELLS_AT_ONCE // max(len(self.y), 1), 1)
            return torch.cat([self._climbed(self._of_rows(counts[part])) for part in slices(len(counts), height)])

    def _of_rows(self, counts: Tensor) -> Tensor:
        """Weights of the rows, shape (draws, n)."""
        of_rows = counts if self.units is None else counts[:, self.units]
        return of_rows if self.weights is None else of_rows * self.weights

    def _climbed(self, weights: Tensor) -> Tensor:
        """Climb from the estimates with each row of weights, shape (draws, rank); NaN where there is no maximum."""
        moves = weights.new_zeros(len(weights), self.rows.shape[1])
        steps, found = torch.zeros_like(moves), torch.full_like(moves, torch.nan)
        allowed = weights.new_full((len(weights),), torch.inf)
        climbing = torch.arange(len(weights), device=weights.device)
        for _ in range(MOST_STEPS):
            trial, m = moves[climbing] + steps[climbing], weights[climbing]
            eta = self.eta + trial @ self.rows.mT
            loss, score, information = self.family.pieces(self.y.expand_as(eta), eta)
            total = (m * loss).sum(1)
            risen = total <= allowed[climbing]
            steps[climbing[~risen]] /= 2
            at = climbing[risen]
            # Rounding may seem to lower a likelihood at its maximum.
            moves[at], allowed[at] = trial[risen], total[risen] + ROUNDING * total[risen].abs()
            gradient = (m * score)[risen] @ self.rows
            steps[at] = self._steps((m * information)[risen], gradient)
            decrement = (gradient * steps[at]).sum(1) / self.scale
            done = at[decrement < DECREMENT]
            found[done] = moves[done] + steps[done]
            # A step that is not a number had no information to go by.
            ended = at[(decrement < DECREMENT) | decrement.isnan()]
            climbing = climbing[~torch.isin(climbing, ended)]
            if not len(climbing):
                break
        return found

    def _steps(self, weights: Tensor, gradient: Tensor) -> Tensor:
        """Scoring steps, shape (draws, rank); NaN where the information is lacking."""
        information = self._information(weights)
        root, info = torch.linalg.cholesky_ex(information)
        pivots = root.diagonal(dim1=1, dim2=2) ** 2
        lacking = (info > 0) | ~(pivots > LEAST_INFORMATION).all(1)
        root[lacking] = torch.eye(root.shape[1], dtype=root.dtype, device=root.device)
        steps = torch.cholesky_solve(gradient[..., None], root)[..., 0]
        steps[lacking] = torch.nan
        return steps

    def _information(self, weights: Tensor) -> Tensor:
        """Sums of w_i q_i q_i', shape (draws, rank, rank)."""
        rank = self.rows.shape[1]
        i, j = torch.triu_indices(rank, rank, device=weights.device)
        sums = torch.zeros(len(weights), len(i), dtype=weights.dtype, device=weights.device)
        for part in slices(len(self.y), max(CELLS_AT_ONCE // max(len(i), 1), 1)):
            sums += weights[:, part] @ (self.rows[part, i] * self.rows[part, j])
        information = torch.empty(len(weights), rank, rank, dtype=weights.dtype, device=weights.device)
        information[:, i, j], information[:, j, i] = sums, sums
        return information

    def _lifted(self, moves: Tensor) -> np.ndarray:
        return self.estimates + moves.cpu().numpy() @ self.lift.T

    def _without(self, unit: int) -> np.ndarray:
        """Coefficients without a unit that alone determines some of them, which are NaN, shape (k,)."""
        counts = torch.ones(1, self.n_units, dtype=self.y.dtype, device=self.rows.device)
        counts[0, unit] = 0
        weights = self._of_rows(counts)
        _, _, information = self.family.pieces(self.y, self.eta)
        values, vectors = torch.linalg.eigh(self._information(weights * information)[0])
        left = vectors[:, values > LEAST_INFORMATION]
        move = replace(self, rows=self.rows @ left)._climbed(weights) @ left.mT
        out = self._lifted(move)[0]
        alone = vectors[:, values <= LEAST_INFORMATION].mT.cpu().numpy()
        out[moved_along(self.lift, alone).any(axis=0)] = np.nan
        return out
