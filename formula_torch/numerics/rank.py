"""Which columns are linearly independent of the earlier ones: from a triangular root, or from a Gram matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solve_triangular

from formula_torch.numerics.arrow import Arrow, LeftToRight, arrow_of
from formula_torch.numerics.triangular import EXACT_SVD, ArrowRoot, Root

__all__ = ["Rank", "gram_rank", "independent_columns"]

# A column is dependent when its distance to the span of the earlier ones is below the rounding
# of the linear combination itself: eps times a modest factor for the accumulation of n products.
RANK_TOLERANCE = 2e-13
# The rounding of stored columns: four units in the last place.
STORED_ROUNDING = 4 * float(np.finfo(np.float64).eps)
# From a Gram matrix only dependencies down to the square root of its own rounding can be told.
GRAM_TOLERANCE = 1e-10
# Rows of a factor between updates of what is left.
BLOCK = 64


@dataclass(frozen=True, eq=False)
class Rank:
    """Which columns are linearly independent of the earlier ones.

    Parameters
    ----------
    kept : list of int
    combinations : dict of int to array, shape (k,)
        For each dependent column the coefficients that make it from the kept ones.
    root : Root
        The triangular root of the kept columns.
    """

    kept: list[int]
    combinations: dict[int, np.ndarray]
    root: Root

    @staticmethod
    def full(root: Root) -> Rank:
        """Every column is independent."""
        return Rank(list(range(root.size)), {}, root)

    def among(self, columns: np.ndarray, k: int) -> Rank:
        """Return the rank of k columns of which these are the ones that are not zero."""
        if len(columns) == k:
            return self
        kept = columns[self.kept].tolist()
        combinations = {int(j): np.zeros(k) for j in np.setdiff1d(np.arange(k), kept)}
        for i, b in self.combinations.items():
            combinations[int(columns[i])][columns] = b
        return Rank(kept, combinations, self.root)


def independent_columns(r: np.ndarray, lengths: np.ndarray | None = None) -> Rank:
    """Walk the columns of `r` from left to right and keep those that add a direction.

    Gram-Schmidt, orthogonalised twice. Column j is dependent when its residual on
    the kept columns is no larger than the rounding of ``sum |b_i| |x_i|``: a rule
    that knows that x3 = x2 - x1 may hold to 1e-10 of x3 and yet be exact.

    Parameters
    ----------
    r : array, shape (m, k)
        A triangular root, or any matrix with the same Gram matrix.
    lengths : array, shape (k,), optional
        Lengths of the columns as they are stored, before they were centred: their
        rounding is in the data.
    """
    m, k = r.shape
    q, root = np.zeros((m, min(m, k))), np.zeros((min(m, k), k))
    kept: list[int] = []
    combinations: dict[int, np.ndarray] = {}
    sizes = np.linalg.norm(r, axis=0)
    noise = RANK_TOLERANCE * sizes + (0.0 if lengths is None else STORED_ROUNDING * lengths)
    start = _clearly_independent(r, np.maximum(1e-6 * sizes, noise))
    if start:
        signs = np.where(np.diag(r)[:start] < 0, -1.0, 1.0)
        kept = list(range(start))
        q[kept, kept], root[:start, :start] = signs, r[:start, :start] * signs[:, None]
    for j in range(start, k):
        p = len(kept)
        first = q[:, :p].T @ r[:, j]
        rest = r[:, j] - q[:, :p] @ first
        second = q[:, :p].T @ rest
        rest -= q[:, :p] @ second
        distance, share = float(np.linalg.norm(rest)), first + second
        if p == m or distance <= max(1e-6 * sizes[j], noise[j]):
            b = np.zeros(k)
            b[kept] = solve_triangular(root[:p, kept], share, check_finite=False) if p else share
            if p == m or distance <= noise[j] + np.abs(b) @ noise:
                combinations[j] = b
                continue
        q[:, p], root[:p, j], root[p, j] = rest / distance, share, distance
        kept.append(j)
    return Rank(kept, combinations, Root(root[: len(kept), kept]))


def _clearly_independent(r: np.ndarray, least: np.ndarray) -> int:
    """How many columns from the left are, where `r` is triangular already and shows their distances."""
    if np.tril(r, -1).any():
        return 0
    near = np.abs(np.diag(r)) <= least[: min(r.shape)]
    return int(near.argmax()) if near.any() else len(near)


def gram_rank(gram: np.ndarray) -> Rank:
    """Do the same from a Gram matrix, for designs too large for a QR; blind below 1e-5 of a column."""
    k = len(gram)
    live = np.flatnonzero(np.diag(gram) > 0)
    if len(live) < k:
        return gram_rank(gram[np.ix_(live, live)]).among(live, k)
    arrow = arrow_of(gram) if k > EXACT_SVD else None
    return (_arrow_rank(arrow) if arrow is not None else None) or _dense_rank(gram)


def _arrow_rank(arrow: Arrow) -> Rank | None:
    """Decide from the pivots; None where those of the kept columns do not agree with their root."""
    found = LeftToRight(arrow, GRAM_TOLERANCE)
    kept = np.flatnonzero(found.kept).tolist()
    root = ArrowRoot.of(arrow.subset(found.kept))
    combinations = {int(j): found.combination(int(j)) for j in np.flatnonzero(~found.kept)}
    return None if root is None else Rank(kept, combinations, root)


def _dense_rank(gram: np.ndarray) -> Rank:
    """Cholesky's factorisation that leaves out columns, in blocks of rows."""
    k, rest = len(gram), torch.from_numpy(gram.copy())
    root, kept = torch.zeros_like(rest), list[int]()
    least, dependent = GRAM_TOLERANCE * np.diag(gram), dict[int, int]()
    for start in range(0, k, BLOCK):
        stop, first = min(start + BLOCK, k), len(kept)
        for j in range(start, stop):
            pivot = float(rest[j, j])
            if pivot <= least[j]:
                dependent[j] = len(kept)
                continue
            row = rest[j, j:] / pivot**0.5
            root[len(kept), j:] = row
            rest[j + 1 : stop, j + 1 :] -= row[1 : stop - j, None] * row[1:]
            kept.append(j)
        done = root[first : len(kept), stop:]
        rest[stop:, stop:] -= done.mT @ done
    r = root.numpy()
    combinations = {j: np.zeros(k) for j in dependent}
    for j, p in dependent.items():
        combinations[j][kept[:p]] = solve_triangular(r[:p, kept[:p]], r[:p, j], check_finite=False) if p else r[:p, j]
    return Rank(kept, combinations, Root(r[: len(kept), kept]))
