"""Small factors: one triangular root of X'X, its condition and inverse.

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
from formula_torch.numerics.arrow import Arrow, Eliminated, LeftToRight, arrow_of

__all__ = ["EXACT_SVD", "ArrowRoot", "Root", "cholesky_root", "tall_qr"]

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

    @property
    def size(self) -> int:
        """Number of columns, k."""
        return len(self.r)

    def scaled(self, factor: float) -> Root:
        """Return the root of X'X times the square of a number."""
        return Root(self.r * factor)

    def half(self, v: np.ndarray) -> np.ndarray:
        """R v, or that turned: numbers whose products are those of X v, shape (k, ...)."""
        return self.r @ v

    def product(self, v: np.ndarray) -> np.ndarray:
        """X'X v, shape (k,)."""
        return self.r.T @ (self.r @ v)

    def of_columns(self, columns: list[int]) -> Root:
        """Return a root of some columns, in their order."""
        return Root(np.asarray(np.linalg.qr(self.r[:, columns], mode="r")))

    @cached_property
    def lengths(self) -> np.ndarray:
        """Lengths of the columns of X, shape (k,)."""
        return np.linalg.norm(self.r, axis=0)

    @cached_property
    def inverse_diagonal(self) -> np.ndarray:
        """Diagonal of (X'X)^-1, shape (k,)."""
        return np.asarray((self.inverse**2).sum(axis=1))

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
        if not self.size:
            return 1.0
        scaled = Root(self.r / self.lengths)
        if self.size <= EXACT_SVD:
            values = np.linalg.svd(scaled.r, compute_uv=False)
            return float(values[0] / values[-1]) if values[-1] > 0 else np.inf
        return float(np.sqrt(_largest(scaled.product, self.size) * _largest(scaled.solve, self.size)))


class ArrowRoot(Root):
    """The root of an arrow: solves, lengths and condition without the k x k numbers of R, which are made if asked for.

    Parameters
    ----------
    eliminated : Eliminated
    """

    def __init__(self, eliminated: Eliminated) -> None:
        object.__setattr__(self, "eliminated", eliminated)

    eliminated: Eliminated

    @staticmethod
    def of(arrow: Arrow) -> ArrowRoot | None:
        """Eliminate; None where the matrix is not positive definite."""
        eliminated = arrow.eliminated()
        return None if eliminated is None else ArrowRoot(eliminated)

    @property
    def arrow(self) -> Arrow:
        """X'X."""
        return self.eliminated.arrow

    @cached_property
    def _columns(self) -> LeftToRight:
        return LeftToRight(self.arrow, 0.0)

    @cached_property
    def r(self) -> np.ndarray:
        """The triangular root."""
        if self._columns.kept.all():
            return self._columns.root()
        # So nearly dependent that pivots from the left are lost to rounding.
        turned = np.linalg.qr(self.half(np.eye(self.size)), mode="r")
        return np.asarray(turned * np.where(np.diag(turned) < 0, -1.0, 1.0)[:, None])

    @cached_property
    def inverse(self) -> np.ndarray:
        """R^-1, shape (k, k)."""
        return self._columns.inverse() if self._columns.kept.all() else Root(self.r).inverse

    @property
    def size(self) -> int:
        """Number of columns, k."""
        return self.arrow.size

    def scaled(self, factor: float) -> Root:
        """Return the root of X'X times the square of a number."""
        at = self.eliminated
        arrow = at.arrow.scaled(np.full(self.size, factor))
        return ArrowRoot(Eliminated(arrow, at.share, at.corner * factor))

    def product(self, v: np.ndarray) -> np.ndarray:
        """X'X v, shape (k,)."""
        return self.arrow.product(v)

    def of_columns(self, columns: list[int]) -> Root:
        """Return a root of some columns, in their order."""
        kept = np.zeros(self.size, dtype=bool)
        kept[columns] = True
        root = ArrowRoot.of(self.arrow.subset(kept))
        return super().of_columns(columns) if root is None or columns != sorted(columns) else root

    def half(self, v: np.ndarray) -> np.ndarray:
        """R v, turned: numbers whose products are those of X v, shape (k, ...)."""
        return self.eliminated.half(v)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Lengths of the columns of X, shape (k,)."""
        return np.sqrt(self.arrow.diagonal())

    @cached_property
    def inverse_diagonal(self) -> np.ndarray:
        """Diagonal of (X'X)^-1, shape (k,)."""
        return self.eliminated.inverse_diagonal()

    def solve(self, v: np.ndarray) -> np.ndarray:
        """(X'X)^-1 v."""
        return self.eliminated.solve(v)

    @cached_property
    def inverse_gram(self) -> np.ndarray:
        """(X'X)^-1, shape (k, k)."""
        return self.eliminated.inverse()

    @cached_property
    def condition(self) -> float:
        """Condition number of X with columns scaled to unit length, a close estimate."""
        unit = self.arrow.scaled(1 / self.lengths)
        solved = unit.eliminated()
        return (
            np.inf
            if solved is None
            else float(np.sqrt(_largest(unit.product, self.size) * _largest(solved.solve, self.size)))
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
        arrow = arrow_of(gram)
        if arrow is not None:
            return ArrowRoot.of(arrow)
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
