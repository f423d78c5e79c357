"""Units with their rows, as a mixture sees them: sums over the rows of each unit.

Two layouts know the same products. ``Cells``: rows that share a design row are a cell, and a unit is how
many rows it has in each, so that the cost does not depend on the number of rows. ``Rows``: every row is a
cell of its own, sorted by unit.

Shapes: batch of starts B, groups K, coefficients p, cells C, units n (innermost, so that sums over groups
are elementwise). A last axis of 1 stands for n equal units: a balanced panel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from formula_torch.numerics.arrays import segment_sum

__all__ = ["Cells", "Layout", "Rows", "Units"]


class Layout(Protocol):
    """Products of the design with what has a value for each cell or each unit."""

    @property
    def x(self) -> Tensor:
        """Design of the cells, shape (C, p)."""
        ...

    def predictor(self, beta: Tensor) -> Tensor:
        """Linear predictor of the cells: (B, K, p) to (B, K, C)."""
        ...

    def unit_sums(self, values: Tensor) -> Tensor:
        """Sums over the rows of each unit: (B, K, C) to (B, K, n or 1)."""
        ...

    def cell_sums(self, weights: Tensor) -> Tensor:
        """Weight of the rows in each cell from that of the units: (B, K, n) to (B, K, C)."""
        ...

    def unit_gradients(self, values: Tensor) -> Tensor:
        """Sums of value times design row over the rows of each unit: (B, K, C) to (B, K, p, n or 1)."""
        ...

    def take(self, units: Tensor) -> Layout:
        """Return the layout of some units."""
        ...

    def span(self, units: slice) -> Layout:
        """Return the layout of consecutive units, a view."""
        ...


@dataclass(frozen=True, eq=False)
class Cells:
    """Units as counts of rows in cells.

    Parameters
    ----------
    x : Tensor, shape (C, p)
        Distinct design rows.
    counts : Tensor, shape (C, n) or (C, 1)
        Rows (or exposure) of each unit in each cell; one column where all units have the same.
    """

    x: Tensor
    counts: Tensor

    def predictor(self, beta: Tensor) -> Tensor:
        """Linear predictor of the cells: (B, K, p) to (B, K, C)."""
        return beta @ self.x.mT

    def unit_sums(self, values: Tensor) -> Tensor:
        """Sums over the rows of each unit: (B, K, C) to (B, K, n or 1)."""
        return values @ self.counts

    def cell_sums(self, weights: Tensor) -> Tensor:
        """Weight of the rows in each cell from that of the units: (B, K, n) to (B, K, C)."""
        if self.counts.shape[1] == 1:
            return weights.sum(-1, keepdim=True) * self.counts[:, 0]
        return weights @ self.counts.mT

    def unit_gradients(self, values: Tensor) -> Tensor:
        """Sums of value times design row over the rows of each unit: (B, K, C) to (B, K, p, n or 1)."""
        return (values[..., None, :] * self.x.mT) @ self.counts

    def take(self, units: Tensor) -> Cells:
        """Return the layout of some units."""
        return self if self.counts.shape[1] == 1 else Cells(self.x, self.counts[:, units])

    def span(self, units: slice) -> Cells:
        """Return the layout of consecutive units, a view."""
        return self if self.counts.shape[1] == 1 else Cells(self.x, self.counts[:, units])


@dataclass(frozen=True, eq=False)
class Rows:
    """Units as their rows.

    Parameters
    ----------
    x : Tensor, shape (N, p)
        Sorted by unit.
    unit : int64 Tensor, shape (N,)
    n : int
        Number of units.
    offset : Tensor, shape (N,), or None
    y : Tensor, shape (N,), or None
        The response, for a density that is not linear in it.
    """

    x: Tensor
    unit: Tensor
    n: int
    offset: Tensor | None = None
    y: Tensor | None = None

    def predictor(self, beta: Tensor) -> Tensor:
        """Linear predictor of the rows: (B, K, p) to (B, K, N)."""
        eta = beta @ self.x.mT
        return eta if self.offset is None else eta + self.offset

    def unit_sums(self, values: Tensor) -> Tensor:
        """Sums over the rows of each unit: (B, K, N) to (B, K, n)."""
        return segment_sum(values, self.unit, self.n)

    def cell_sums(self, weights: Tensor) -> Tensor:
        """Weight of each row from that of its unit: (B, K, n) to (B, K, N)."""
        return weights[..., self.unit]

    def unit_gradients(self, values: Tensor) -> Tensor:
        """Sums of value times design row over the rows of each unit: (B, K, N) to (B, K, p, n)."""
        return segment_sum(values[..., None, :] * self.x.mT, self.unit, self.n)

    def take(self, units: Tensor) -> Rows:
        """Return the layout of some units."""
        place = torch.full((self.n,), -1, dtype=torch.int64, device=units.device)
        place[units] = torch.arange(len(units), device=units.device)
        moved = place[self.unit]
        kept = torch.argsort(moved, stable=True)[int((moved < 0).sum()) :]
        offset, y = (None if v is None else v[kept] for v in (self.offset, self.y))
        return Rows(self.x[kept], moved[kept], len(units), offset, y)

    def span(self, units: slice) -> Rows:
        """Return the layout of consecutive units, a view."""
        ends = torch.tensor([units.start, units.stop], device=self.unit.device)
        rows = slice(*torch.searchsorted(self.unit, ends).tolist())
        offset, y = (None if v is None else v[rows] for v in (self.offset, self.y))
        return Rows(self.x[rows], self.unit[rows] - units.start, units.stop - units.start, offset, y)


@dataclass(frozen=True, eq=False)
class Units:
    """Everything a mixture knows of the data.

    Parameters
    ----------
    layout : Layout
    xy : Tensor, shape (p, n)
        Sums of design row times response.
    yy : Tensor, shape (n,)
        Sums of squared responses.
    rows : Tensor, shape (n,) or (1,)
        Number of rows of each unit.
    base : Tensor, shape (n,)
        What of the log-density holds no parameter.
    weights : Tensor, shape (n,)
        How many units each one stands for.
    z : Tensor, shape (m, n)
        Design of the membership, a constant first.
    """

    layout: Layout
    xy: Tensor
    yy: Tensor
    rows: Tensor
    base: Tensor
    weights: Tensor
    z: Tensor

    @property
    def n(self) -> int:
        """Number of (distinct) units."""
        return self.xy.shape[1]

    @property
    def p(self) -> int:
        """Number of coefficients of a group."""
        return self.xy.shape[0]

    def take(self, units: Tensor) -> Units:
        """Return some of the units."""
        return self._only(units, self.layout.take(units))

    def span(self, units: slice) -> Units:
        """Return consecutive units, a view."""
        return self._only(units, self.layout.span(units))

    def _only(self, units: Tensor | slice, layout: Layout) -> Units:
        return Units(
            layout,
            self.xy[:, units],
            self.yy[units],
            self.rows if self.rows.shape[0] == 1 else self.rows[units],
            self.base[units],
            self.weights[units],
            self.z[:, units],
        )
