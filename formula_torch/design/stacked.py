"""Several linear predictors over the same rows, each with the columns of a design of its own.

    eta_j = X_j b_j + o_j,   j = 1, ..., m

A likelihood of rows with first derivatives d_j and second derivatives d_jl in the predictors has the gradient
X_j'd_j and the Hessian blocks X_j' diag(d_jl) X_l. Rows are read block by block, each design's once, and factors stay
codes: a block of the Hessian is part of the Gram matrix of two designs side by side.

theta holds coordinates q of each predictor's columns, in which (1/W) sum_i w_i q_i q_i' is the identity with W the
sum of the weights: a step of length one moves its predictor by one, on average.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from formula_torch.design.batch import Batch
from formula_torch.design.pair_sums import Key, PairSums, design_of
from formula_torch.design.parts import Part
from formula_torch.numerics.threads import threads_for

__all__ = ["Kernel", "RowDerivatives", "Stacked"]


class RowDerivatives(Protocol):
    """A likelihood of rows, with its derivatives in m predictors."""

    @property
    def value(self) -> Tensor:
        """Log-likelihoods, shape (n,)."""
        ...

    @property
    def first(self) -> Tensor:
        """First derivatives, shape (m, n)."""
        ...

    @property
    def second(self) -> Callable[[int, int], Tensor | None]:
        """From j <= l to the second derivative, shape (n,), or None where it is zero."""
        ...


# From rows and their predictors, shape (m, n), to their derivatives.
Kernel = Callable[[slice, Tensor], RowDerivatives]


@dataclass(frozen=True, eq=False)
class Stacked:
    """The linear predictors of a model.

    Parameters
    ----------
    parts : tuple of Part
    owner : tuple of int
        The part of each predictor.
    offsets : tuple of Tensor of shape (n,) or None
        Of each predictor.
    """

    parts: tuple[Part, ...]
    owner: tuple[int, ...]
    offsets: tuple[Tensor | None, ...]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.parts[0].design.n_rows

    @cached_property
    def blocks(self) -> tuple[slice, ...]:
        """Where the coordinates of each predictor lie in theta."""
        ends = np.cumsum([self.parts[p].rank for p in self.owner]).tolist()
        return tuple(slice(start, stop) for start, stop in zip([0, *ends], ends, strict=False))

    @property
    def size(self) -> int:
        """Length of theta."""
        return self.blocks[-1].stop

    @property
    def products(self) -> float:
        """The work of one pass, n k^2."""
        return float(self.n_rows) * sum(part.design.k for part in self.parts) ** 2

    # -- passes over the rows ---------------------------------------------------------------------

    def formed(self, keys: Sequence[Key] = ()) -> Iterator[tuple[slice, dict[Key, Batch]]]:
        """Write out block after block of rows of every part, and of the pairs side by side that are asked for."""
        own = [(p, p) for p in range(len(self.parts))]
        designs = {key: design_of(self.parts, key) for key in dict.fromkeys([*own, *keys])}
        for found in zip(*(design.formed() for design in designs.values()), strict=True):
            yield found[0][0], dict(zip(designs, (batch for _, batch in found), strict=True))

    def eta(self, rows: slice, batches: dict[Key, Batch], theta: np.ndarray) -> Tensor:
        """Predictors of some rows, shape (m, n_rows)."""
        found: list[Tensor | None] = [None] * len(self.owner)
        for p, part in enumerate(self.parts):
            mine = [j for j, owner in enumerate(self.owner) if owner == p]
            columns = np.stack([part.whiten @ theta[self.blocks[j]] for j in mine], axis=1)
            for j, values in zip(mine, batches[p, p].matmat(columns), strict=True):
                offset = self.offsets[j]
                found[j] = values if offset is None else values + offset[rows]
        return torch.stack([values for values in found if values is not None])

    def predictors(self, theta: np.ndarray) -> Tensor:
        """Predictors of all rows, shape (m, n)."""
        with threads_for(self.products):
            return torch.cat([self.eta(rows, batches, theta) for rows, batches in self.formed()], dim=1)

    def value(self, theta: np.ndarray, loglik: Callable[[slice, Tensor], Tensor]) -> float:
        """Sum over the rows of a function of their predictors."""
        with threads_for(self.products):
            return sum(float(loglik(rows, self.eta(rows, batches, theta)).sum()) for rows, batches in self.formed())

    def derivatives(self, theta: np.ndarray, kernel: Kernel) -> tuple[float, np.ndarray, np.ndarray]:
        """Log-likelihood, its gradient, shape (size,), and its Hessian, in one pass over the rows."""
        value, gradient, sums = 0.0, np.zeros(self.size), PairSums(self.parts, self.owner, self.blocks)
        with threads_for(self.products):
            for rows, batches in self.formed(sums.keys):
                found = kernel(rows, self.eta(rows, batches, theta))
                value += float(found.value.sum())
                for j, p in enumerate(self.owner):
                    gradient[self.blocks[j]] += self.parts[p].whiten.T @ batches[p, p].rmatvec(found.first[j])
                sums.add(batches, found.second)
            return value, gradient, sums.assemble()

    def outer(self, theta: np.ndarray, kernel: Kernel, weigh: Callable[[slice], Tensor | None]) -> np.ndarray:
        """Sum over the rows of a weight times the products of their scores, shape (size, size)."""
        sums = PairSums(self.parts, self.owner, self.blocks)
        with threads_for(self.products):
            for rows, batches in self.formed(sums.keys):
                first, weight = kernel(rows, self.eta(rows, batches, theta)).first, weigh(rows)
                own = first if weight is None else first * weight
                sums.add(batches, lambda j, k, first=first, own=own: own[j] * first[k])  # type: ignore[misc]
            return sums.assemble()

    def by(
        self, theta: np.ndarray, kernel: Kernel, counts: Tensor | None, codes: Tensor, n_clusters: int
    ) -> np.ndarray:
        """Sums of scores by cluster, shape (n_clusters, size)."""
        sums = [np.zeros((self.parts[p].design.k, n_clusters)) for p in self.owner]
        with threads_for(self.products):
            for rows, batches in self.formed():
                first = kernel(rows, self.eta(rows, batches, theta)).first
                first = first if counts is None else first * counts[rows]
                for j, p in enumerate(self.owner):
                    sums[j] += batches[p, p].sums_by(first[j], codes[rows], n_clusters)
        return np.concatenate([own.T @ self.parts[p].whiten for own, p in zip(sums, self.owner, strict=True)], axis=1)

    def scores(self, theta: np.ndarray, kernel: Kernel, to: np.ndarray) -> np.ndarray:
        """Scores of every row times a matrix, shape (n, to.shape[1]); for series, not for large data."""
        out = np.empty((self.n_rows, to.shape[1]))
        with threads_for(self.products):
            for rows, batches in self.formed():
                first = kernel(rows, self.eta(rows, batches, theta)).first
                total = torch.zeros(to.shape[1], first.shape[1], dtype=torch.float64, device=first.device)
                for j, p in enumerate(self.owner):
                    total += first[j] * batches[p, p].matmat(self.parts[p].whiten @ to[self.blocks[j]])
                out[rows] = total.mT.cpu().numpy()
        return out

    def project(self, target: Tensor, weights: Tensor | None) -> np.ndarray:
        """Coordinates of the least-squares approximation of each predictor to a target, shape (size,).

        Parameters
        ----------
        target : Tensor, shape (m, n)
            Offsets included.
        weights : Tensor, shape (n,), or None
        """
        theta = np.zeros(self.size)
        total = float(self.n_rows) if weights is None else float(weights.sum())
        for rows, batches in self.formed():
            for j, p in enumerate(self.owner):
                offset = self.offsets[j]
                values = target[j, rows] if offset is None else target[j, rows] - offset[rows]
                weighted = values if weights is None else values * weights[rows]
                theta[self.blocks[j]] += self.parts[p].whiten.T @ batches[p, p].rmatvec(weighted) / total
        return theta
