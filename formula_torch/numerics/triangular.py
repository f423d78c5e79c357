"""Small dense factors: one triangular root of X'X, its condition, rank and inverse.

These matrices are k x k; numpy and LAPACK on the CPU beat any device here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.linalg import solve_triangular
from torch import Tensor

from formula_torch.numerics.arrays import as_tensor

__all__ = ["Rank", "Root", "cholesky_root", "gram_rank", "independent_columns", "tall_qr"]

# A column is dependent when its distance to the span of the earlier ones is below the rounding
# of the linear combination itself: eps times a modest factor for the accumulation of n products.
RANK_TOLERANCE = 2e-13
# The rounding of stored columns: four units in the last place.
STORED_ROUNDING = 4 * float(np.finfo(np.float64).eps)
# From a Gram matrix only dependencies down to the square root of its own rounding can be told.
GRAM_TOLERANCE = 1e-10
EXACT_SVD = 64
POWER_STEPS = 20


@dataclass(frozen=True, eq=False)
class Root:
    """An upper triangular R with R'R = X'X: factored once, used for every solve.

    Parameters
    ----------
    r : array, shape (k, k)
    """

    r: np.ndarray

    @cached_property
    def inverse(self) -> np.ndarray:
        """R^-1, shape (k, k)."""
        # For a matrix scipy's BLAS wakes its threads, which then spin beside whatever comes next, and slow it.
        eye = torch.eye(len(self.r), dtype=torch.float64)
        return torch.linalg.solve_triangular(as_tensor(self.r), eye, upper=True).numpy()

    def solve(self, v: np.ndarray) -> np.ndarray:
        """(X'X)^-1 v."""
        half = solve_triangular(self.r, v, trans="T", check_finite=False)
        return solve_triangular(self.r, half, check_finite=False)

    @cached_property
    def inverse_gram(self) -> np.ndarray:
        """(X'X)^-1, shape (k, k)."""
        return self.inverse @ self.inverse.T

    @cached_property
    def condition(self) -> float:
        """Condition number of X with columns scaled to unit length (a close estimate above 64 columns)."""
        if not len(self.r):
            return 1.0
        scaled = Root(self.r / np.linalg.norm(self.r, axis=0))
        if len(self.r) <= EXACT_SVD:
            values = np.linalg.svd(scaled.r, compute_uv=False)
            return float(values[0] / values[-1]) if values[-1] > 0 else np.inf
        return float(
            np.sqrt(_largest(lambda v: scaled.r.T @ (scaled.r @ v), len(self.r)) * _largest(scaled.solve, len(self.r)))
        )


def _largest(apply: Callable[[np.ndarray], np.ndarray], k: int) -> float:
    """Largest eigenvalue of a positive matrix by power iteration, within a few per cent."""
    # A start with no symmetry that a design could be orthogonal to.
    v = np.cos(np.arange(k) ** 2)
    size = 0.0
    for _ in range(POWER_STEPS):
        v = apply(v / np.linalg.norm(v))
        size = float(np.linalg.norm(v))
    return size


def cholesky_root(gram: np.ndarray) -> Root | None:
    """Return the Cholesky root of a Gram matrix, or None where it is not positive definite."""
    if len(gram) > EXACT_SVD:
        # Here too numpy would wake its threads.
        lower, failed = torch.linalg.cholesky_ex(as_tensor(gram))
        return None if int(failed) or not bool(lower.isfinite().all()) else Root(lower.numpy().T)
    try:
        return Root(np.linalg.cholesky(gram).T)
    except np.linalg.LinAlgError:
        return None


def tall_qr(blocks: Iterable[Tensor]) -> np.ndarray:
    """R of a tall matrix given as consecutive row blocks, each of shape (k, rows).

    Stacks R on the next block and factors again (Demmel et al. 2012, SIAM J. Sci.
    Comput. 34:A206-A239): Householder accuracy with the memory of one block.
    """
    r: Tensor | None = None
    for block in blocks:
        tall = block.mT if r is None else torch.cat([r, block.mT])
        r = torch.linalg.qr(tall, mode="r").R
    assert r is not None, "at least one block"
    return r.cpu().numpy()


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
        return Rank(list(range(len(root.r))), {}, root)


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
    for j in range(k):
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


def gram_rank(gram: np.ndarray) -> Rank:
    """Do the same from a Gram matrix, for designs too large for a QR; blind below 1e-5 of a column."""
    k = len(gram)
    whole = cholesky_root(gram)
    if whole is not None and (np.diag(whole.r) ** 2 > GRAM_TOLERANCE * np.diag(gram)).all():
        return Rank.full(whole)
    root = np.zeros((k, k))
    kept: list[int] = []
    combinations: dict[int, np.ndarray] = {}
    for j in range(k):
        p = len(kept)
        share = solve_triangular(root[:p, :p], gram[kept, j], trans="T", check_finite=False) if p else np.zeros(0)
        pivot = gram[j, j] - share @ share
        if pivot <= GRAM_TOLERANCE * gram[j, j]:
            combinations[j] = np.zeros(k)
            combinations[j][kept] = solve_triangular(root[:p, :p], share, check_finite=False) if p else share
            continue
        root[:p, p], root[p, p] = share, np.sqrt(pivot)
        kept.append(j)
    return Rank(kept, combinations, Root(root[: len(kept), : len(kept)]))
