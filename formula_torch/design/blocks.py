"""The blocks of a design: numeric products of base columns, and coded factor cells."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.numerics.double_double import DoubleDouble, dd_product

__all__ = ["Bases", "Coding", "FactorBlock", "NumericBlock", "Product"]

Bases = tuple[Tensor, ...]
Product = tuple[int, ...]


def _multiply(bases: Bases, product: Product, out: Tensor) -> None:
    """Write the product of the named bases into `out`; the empty product is 1."""
    if not product:
        out.fill_(1.0)
        return
    out.copy_(bases[product[0]])
    for index in product[1:]:
        out.mul_(bases[index])


@dataclass(frozen=True)
class NumericBlock:
    """Numeric columns ``(product of bases - shift) * scale``.

    Parameters
    ----------
    products : sequence of tuples of int
        For each column the indices of its bases; ``()`` is the constant 1.
    columns : int array, shape (m,)
        Positions of the columns in the parameter vector.
    shift, scale : float arrays, shape (m,)
        Used by solvers; zero and one in a design that comes from a formula.
    """

    products: tuple[Product, ...]
    columns: np.ndarray
    shift: np.ndarray
    scale: np.ndarray

    def fill(self, bases: Bases, out: Tensor) -> None:
        """Write the columns into `out`, shape (m, rows)."""
        for row, product, shift, scale in zip(out, self.products, self.shift, self.scale, strict=True):
            if len(product) == 1:
                torch.sub(bases[product[0]], float(shift), out=row)
            else:
                _multiply(bases, product, row)
                if shift:
                    row.sub_(float(shift))
            if scale != 1.0:
                row.mul_(float(scale))

    def exact(self, bases: Bases, out: DoubleDouble) -> None:
        """Write the columns with their rounding errors into the double-double `out`."""
        for j, product in enumerate(self.products):
            ones = out.hi.new_ones(out.hi.shape[1])
            value = dd_product([bases[i] for i in product] or [ones])
            value = (value - DoubleDouble.of(ones * float(self.shift[j]))) * (ones * float(self.scale[j]))
            out.hi[self.columns[j]], out.lo[self.columns[j]] = value.hi, value.lo


@dataclass(frozen=True)
class Coding:
    """How cells become columns: indicators of some cells, or a full coding matrix.

    Parameters
    ----------
    n_cells : int
    kept : int array, shape (m,), or None
        The cell that each column indicates (treatment coding, dummies).
    matrix : float array, shape (n_cells, m), or None
        Any other coding (sum, Helmert, polynomial, ...).
    """

    n_cells: int
    kept: np.ndarray | None = None
    matrix: np.ndarray | None = None

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.kept) if self.kept is not None else self._dense.shape[1]

    @property
    def _dense(self) -> np.ndarray:
        assert self.matrix is not None
        return self.matrix

    def expand(self, beta: np.ndarray) -> np.ndarray:
        """Coefficients of columns, shape (m, ...), to values of cells, shape (n_cells, ...)."""
        if self.kept is None:
            return self._dense @ beta
        cells = np.zeros((self.n_cells, *beta.shape[1:]))
        cells[self.kept] = beta
        return cells

    def collect(self, sums: np.ndarray) -> np.ndarray:
        """Sums by cell, shape (..., n_cells), to sums by column, shape (..., m)."""
        return sums[..., self.kept] if self.kept is not None else sums @ self._dense

    def table(self) -> np.ndarray:
        """Return the coding matrix, shape (n_cells, m); for few cells."""
        return self._dense if self.kept is None else np.eye(self.n_cells)[:, self.kept]


@dataclass(frozen=True, eq=False)
class FactorBlock:
    """Categorical columns, alone or times a numeric value.

    Parameters
    ----------
    codes : Tensor of int32, shape (n,)
        The cell of each row; -1 where a level is missing (prediction only).
    cells : str
        Name of what the codes count; blocks of one name share their codes.
    coding : Coding
    value : tuple of int or None
        The product of bases that multiplies the indicator.
    columns : int array, shape (m,)
        Positions of the columns in the parameter vector.
    scale : float
        Power of two applied to the value; one in a design that comes from a formula.
    """

    codes: Tensor
    cells: str
    coding: Coding
    value: Product | None
    columns: np.ndarray
    scale: float = 1.0

    def spread_cells(self, beta: np.ndarray, value: Tensor | None) -> Tensor:
        """The share of X @ beta, shape (n,); NaN where a level is missing."""
        cells = torch.from_numpy(self.coding.expand(beta)).to(self.codes.device)
        known = cells[self.codes.clamp(min=0)].masked_fill_(self.codes < 0, math.nan)
        return known if value is None else known * value

    def values(self, bases: Bases) -> Tensor | None:
        """Return the multiplier of the indicators, shape (n,), or None for 1."""
        if self.value is None:
            return None
        out = torch.empty_like(bases[self.value[0]])
        _multiply(bases, self.value, out)
        return out.mul_(self.scale) if self.scale != 1.0 else out

    def fill(self, bases: Bases, out: Tensor) -> None:
        """Write the columns into rows `columns` of `out`, shape (k, rows)."""
        table = torch.from_numpy(self.coding.table()).to(out.device)
        value = self.values(bases)
        block = table[self.codes.long()].mT
        block[:, self.codes < 0] = math.nan
        out[self.columns] = block if value is None else block * value

    def exact(self, bases: Bases, out: DoubleDouble) -> None:
        """Write the columns with their rounding errors into the double-double `out`."""
        table = torch.from_numpy(self.coding.table()).to(out.hi.device)
        block = DoubleDouble.of(table[self.codes.long()].mT.contiguous())
        if self.value is not None:
            block = dd_product([bases[i] for i in self.value])[None] * block * out.hi.new_tensor(self.scale)
        out.hi[self.columns], out.lo[self.columns] = block.hi, block.lo
