"""Gram matrices in which most columns are orthogonal to each other, as the levels of a factor are.

With those columns, the leaves, first and the others, the core, last,

    G = [D  B ; B'  A],   D diagonal,   S = A - B' D^-1 B,

everything costs m s^2 for m leaves and a core of s columns, where a dense root costs (m + s)^3 / 3. The order of
the columns is kept: rank is decided, and the triangular root made, from left to right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solve_triangular

__all__ = ["Arrow", "Eliminated", "LeftToRight", "arrow_of"]

# The core may be this share of the columns.
LARGEST_CORE = 0.25
# A matrix with more entries than this share is not searched for leaves.
DENSE = 0.6
# The core's inverse is made anew after as many columns at least, and at most so many times.
REFRESH = 32
REFRESHES = 64


@dataclass(frozen=True, eq=False)
class Arrow:
    """A symmetric matrix of which all but a few rows and columns are diagonal.

    Parameters
    ----------
    leaves : int array, shape (m,)
        Positions of the diagonal part, increasing.
    core : int array, shape (s,)
        Positions of the others, increasing.
    d : array, shape (m,)
        Positive.
    b : array, shape (m, s)
    a : array, shape (s, s)
    """

    leaves: np.ndarray
    core: np.ndarray
    d: np.ndarray
    b: np.ndarray
    a: np.ndarray

    @property
    def size(self) -> int:
        """Number of columns."""
        return len(self.leaves) + len(self.core)

    def diagonal(self) -> np.ndarray:
        """Return the diagonal, shape (k,)."""
        return self.placed(self.d, np.diag(self.a))

    def dense(self) -> np.ndarray:
        """Return the matrix, shape (k, k)."""
        out = np.zeros((self.size, self.size))
        out[self.leaves, self.leaves] = self.d
        out[self.core[:, None], self.leaves] = self.b.T
        out[self.leaves[:, None], self.core] = self.b
        out[self.core[:, None], self.core] = self.a
        return out

    def product(self, v: np.ndarray) -> np.ndarray:
        """G v, shape (k, ...)."""
        leaf, core = v[self.leaves], v[self.core]
        return self.placed((self.d * leaf.T).T + self.b @ core, self.b.T @ leaf + self.a @ core)

    def placed(self, leaf: np.ndarray, core: np.ndarray) -> np.ndarray:
        """Return one array along the columns from its two parts."""
        out = np.empty((self.size, *leaf.shape[1:]))
        out[self.leaves], out[self.core] = leaf, core
        return out

    def scaled(self, sizes: np.ndarray) -> Arrow:
        """G_ij s_i s_j."""
        leaf, core = sizes[self.leaves], sizes[self.core]
        return Arrow(
            self.leaves,
            self.core,
            self.d * leaf * leaf,
            self.b * leaf[:, None] * core,
            self.a * core[:, None] * core,
        )

    def subset(self, kept: np.ndarray) -> Arrow:
        """Return the matrix of some columns, those of a bool array of shape (k,)."""
        place, leaf, core = np.cumsum(kept) - 1, kept[self.leaves], kept[self.core]
        leaves, others = place[self.leaves[leaf]], place[self.core[core]]
        return Arrow(leaves, others, self.d[leaf], self.b[np.ix_(leaf, core)], self.a[np.ix_(core, core)])

    def eliminated(self) -> Eliminated | None:
        """Eliminate the leaves; None where the matrix is not positive definite."""
        share = self.b / self.d[:, None]
        try:
            corner = np.linalg.cholesky(self.a - self.b.T @ share).T
        except np.linalg.LinAlgError:
            return None
        return Eliminated(self, share, corner) if np.isfinite(corner).all() else None


@dataclass(frozen=True, eq=False)
class Eliminated:
    """G = H'H with H = [D^1/2  D^-1/2 B ; 0  T], T'T = S.

    Parameters
    ----------
    arrow : Arrow
    share : array, shape (m, s)
        D^-1 B.
    corner : array, shape (s, s)
        T, upper triangular.
    """

    arrow: Arrow
    share: np.ndarray
    corner: np.ndarray

    def half(self, v: np.ndarray) -> np.ndarray:
        """H v, of which products are those of G, shape (k, ...)."""
        leaf, core = v[self.arrow.leaves], v[self.arrow.core]
        first = np.sqrt(self.arrow.d) * (leaf + self.share @ core).T
        return np.concatenate([first.T, self.corner @ core])

    def solve(self, v: np.ndarray) -> np.ndarray:
        """G^-1 v, shape (k,)."""
        leaf, core = v[self.arrow.leaves], v[self.arrow.core]
        core = self._corner_solve(core - self.share.T @ leaf)
        return self.arrow.placed(leaf / self.arrow.d - self.share @ core, core)

    def _corner_solve(self, v: np.ndarray) -> np.ndarray:
        half = solve_triangular(self.corner, v, trans="T", check_finite=False)
        return np.asarray(solve_triangular(self.corner, half, check_finite=False))

    def _moved(self) -> np.ndarray:
        """D^-1 B T^-1, shape (m, s)."""
        return np.asarray(solve_triangular(self.corner, self.share.T, trans="T", check_finite=False).T)

    def inverse_diagonal(self) -> np.ndarray:
        """Diagonal of G^-1, shape (k,)."""
        corner = self._corner_solve(np.eye(len(self.corner)))
        return self.arrow.placed(1 / self.arrow.d + (self._moved() ** 2).sum(axis=1), np.diag(corner))

    def inverse(self) -> np.ndarray:
        """G^-1, shape (k, k)."""
        at, moved = self.arrow, torch.from_numpy(np.ascontiguousarray(self._moved()))
        corner = self._corner_solve(np.eye(len(self.corner)))
        across = -self.share @ corner
        out = np.empty((at.size, at.size))
        out[at.leaves[:, None], at.leaves] = (moved @ moved.mT).numpy()
        out[at.leaves, at.leaves] += 1 / at.d
        out[at.leaves[:, None], at.core], out[at.core[:, None], at.leaves] = across, across.T
        out[at.core[:, None], at.core] = corner
        return out


def arrow_of(gram: np.ndarray) -> Arrow | None:
    """Find columns that are orthogonal to each other, or None where they are too few.

    Parameters
    ----------
    gram : array, shape (k, k)
        Symmetric, with a positive diagonal.
    """
    linked = gram != 0
    degree = np.count_nonzero(linked, axis=1)
    if degree.sum() > DENSE * linked.size or not (np.diag(gram) > 0).all():
        return None
    free, most = np.ones(len(gram), dtype=bool), int(LARGEST_CORE * len(gram))
    leaf = np.zeros(len(gram), dtype=bool)
    for j in np.argsort(degree, kind="stable"):
        if free[j]:
            leaf[j] = True
            free &= ~linked[j]
        else:
            most -= 1
            if most < 0:
                return None
    leaves, core = np.flatnonzero(leaf), np.flatnonzero(~leaf)
    d, b, a = gram[leaves, leaves], gram[leaves[:, None], core], gram[core[:, None], core]
    return Arrow(leaves, core, d, b, a)


class LeftToRight:
    """The triangular root of an arrow, column by column; what adds no direction is left out.

    Given the columns before it, of which the core's are F and the leaves' E, column j leaves the pivot
    g_jj - u'w with w = S^-1 u, where S is what E leaves of F, and u what E leaves of F's products with j.

    Parameters
    ----------
    arrow : Arrow
    tolerance : float
        A column is left out whose pivot is no larger than this share of its own square.
    """

    def __init__(self, arrow: Arrow, tolerance: float) -> None:
        self.sizes = np.sqrt(arrow.diagonal())
        self.arrow = arrow.scaled(1 / self.sizes)
        k, s = arrow.size, len(arrow.core)
        # Of each column: its w, zero where F has no such column, and the row of R below the core's columns.
        self.weights, self.rows = np.zeros((k, s)), np.zeros((k, s))
        self.pivots, self.kept = np.zeros(k), np.zeros(k, dtype=bool)
        place = np.empty(k, dtype=np.intp)
        place[arrow.leaves], place[arrow.core] = np.arange(len(arrow.leaves)), np.arange(s)
        self.is_leaf = np.zeros(k, dtype=bool)
        self.is_leaf[arrow.leaves] = True
        self._walk(place, tolerance)

    def _walk(self, place: np.ndarray, tolerance: float) -> None:
        at, s = self.arrow, len(self.arrow.core)
        rest, inverse, inside = at.a, np.zeros((s, s)), np.zeros(s, dtype=bool)
        # Leaves that are still to come, or were left out.
        left, every = np.ones(len(at.leaves), dtype=bool), max(REFRESH, len(at.leaves) // REFRESHES)
        within = at.a - at.b.T @ (at.b / at.d[:, None])
        for j, (p, leaf) in enumerate(zip(place, self.is_leaf, strict=True)):
            if j % every == 0:
                # From what all leaves leave: to take one leaf's share after the other would cancel.
                rest = within + at.b[left].T @ (at.b[left] / at.d[left, None])
                inverse = _inverse_within(rest, inside)
            u, own = (at.b[p], at.d[p]) if leaf else (rest[p], rest[p, p])
            w = inverse @ u
            pivot = own - u @ w
            self.weights[j], self.rows[j], self.pivots[j] = w, u - rest @ w, pivot
            if not pivot > tolerance:
                continue
            self.kept[j] = True
            if leaf:
                left[p] = False
                rest = rest - np.outer(u, u / own)
                inverse = inverse + np.outer(w, w / pivot)
            else:
                inside[p] = True
                inverse = _inverse_within(rest, inside)

    def root(self) -> np.ndarray:
        """R, shape (k, k), where no column was left out."""
        at, k = self.arrow, len(self.pivots)
        weights = torch.from_numpy(self.weights)
        r = np.empty((k, k))
        r[:, at.leaves] = (-weights @ torch.from_numpy(at.b).mT).numpy()
        r[at.core[:, None], at.leaves] += at.b.T
        r[:, at.core] = self.rows
        torch.from_numpy(r).triu_(1)
        r[np.arange(k), np.arange(k)] = self.pivots
        r /= np.sqrt(self.pivots)[:, None]
        r *= self.sizes
        return r

    def inverse(self) -> np.ndarray:
        """R^-1, shape (k, k), where no column was left out."""
        at, k = self.arrow, len(self.pivots)
        out = np.empty((k, k))
        out[at.leaves] = (torch.from_numpy(at.b / at.d[:, None]) @ torch.from_numpy(self.weights).mT).numpy()
        out[at.leaves[:, None], at.core] -= at.b / at.d[:, None]
        out[at.core] = -self.weights.T
        torch.from_numpy(out).triu_(1)
        out[np.arange(k), np.arange(k)] = 1
        out /= np.sqrt(self.pivots)
        out /= self.sizes[:, None]
        return out

    def combination(self, j: int) -> np.ndarray:
        """Coefficients that make a column that was left out from those kept before it, shape (k,)."""
        at, b = self.arrow, np.zeros(len(self.pivots))
        b[at.core] = self.weights[j]
        own = 0.0 if self.is_leaf[j] else at.b[:, int(np.searchsorted(at.core, j))]
        earlier = (own - at.b @ self.weights[j]) / at.d
        b[at.leaves] = np.where(self.kept[at.leaves] & (at.leaves < j), earlier, 0.0)
        return b * self.sizes[j] / self.sizes


def _inverse_within(matrix: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Inverse of some rows and columns, zero elsewhere."""
    out = np.zeros(matrix.shape)
    out[np.ix_(inside, inside)] = np.linalg.inv(matrix[np.ix_(inside, inside)])
    return out
